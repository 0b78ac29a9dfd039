from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.views.generic import View

from ctplatform.accounts.models import User
from ctplatform.errors import DomainError
from ctplatform.permissions import StaffPageMixin
from readerstudy.models import Study


def current_user(request: HttpRequest) -> User:
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


class StudyPageMixin(StaffPageMixin):
    """Pages of one study: to strangers it does not exist, the team looks, the owner decides."""

    for_editors = False
    request: HttpRequest
    study: Study
    person: User

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return self.handle_no_permission()
        self.person = current_user(request)
        self.study = study_for(self.person, kwargs["pk"])
        if self.for_editors and not self.study.editable_by(self.person):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)


def study_for(user: User, pk: UUID) -> Study:
    visible = Study.objects.visible_to(user).select_related("owner", "draw_job", "lock_job", "copied_from")
    return get_object_or_404(visible, pk=pk)


class StudyActionView(StudyPageMixin, View):
    """A button: calls one service and comes back to the study's page; a refusal is shown there."""

    for_editors = True

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        try:
            done = self.act(**kwargs)
        except DomainError as error:
            messages.error(request, error.message)
        else:
            if done:
                messages.success(request, done)
        return redirect(self.next_page())

    def act(self, **kwargs: Any) -> str:
        raise NotImplementedError

    def next_page(self) -> str:
        return self.study.get_absolute_url()
