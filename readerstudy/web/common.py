"""What the pages of a study share: who sees it, and the one way from a refusal to a message on a page."""

from typing import Any, TypeVar
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.views.generic import View
from django.views.generic.edit import FormMixin

from ctplatform.accounts.models import User
from ctplatform.accounts.permissions import StaffPageMixin, current_user
from ctplatform.errors import DomainError
from readerstudy.design.together import kept_of_others, last_entry
from readerstudy.models import Study

MOST_DIGITS = 19  # of a number that a database has
Form = TypeVar("Form", bound=forms.BaseForm)


def study_for(user: User, pk: UUID) -> Study:
    named = ("owner", "draw_job", "lock_job", "audit_job", "copied_from", "continues")
    return get_object_or_404(Study.objects.visible_to(user).select_related(*named), pk=pk)


class StudyPageMixin(StaffPageMixin):
    """Pages of one study: to strangers it does not exist, the team looks, the owner decides.

    Whatever refuses on the way says why on the page that `after_refusal` names.
    """

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
        try:
            self.refuse_unfit()
            return super().dispatch(request, *args, **kwargs)
        except DomainError as error:
            messages.error(request, error.message)
            return redirect(self.after_refusal())

    def refuse_unfit(self) -> None:
        """Raise a DomainError when the state of the study does not allow this page."""

    def after_refusal(self) -> str:
        return self.study.get_absolute_url()

    def seen(self) -> int | None:
        """What of the record the person had seen when the form was opened, as the form says."""
        said = self.request.POST.get("seen", "")
        return int(said) if said.isascii() and said.isdigit() and len(said) < MOST_DIGITS else None


class StudyActionView(StudyPageMixin, View):
    """A button: calls one service and comes back to a page of the study, with what was done or why not."""

    for_editors = True

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        done = self.act(**kwargs)
        if done:
            messages.success(request, done)
        return redirect(self.next_page())

    def act(self, **kwargs: Any) -> str:
        raise NotImplementedError

    def next_page(self) -> str:
        return self.study.get_absolute_url()

    def after_refusal(self) -> str:
        return self.next_page()


class DraftFormMixin(StudyPageMixin, FormMixin[Form]):
    """A form about a draft. A refusal stands above it with what was typed; without a draft there is no form to show."""

    seen_now: int | None = None

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        seen = self.seen_now if self.seen_now is not None else self.seen()
        return super().get_context_data(seen=last_entry(self.study) if seen is None else seen, **kwargs)

    def form_valid(self, form: Form) -> HttpResponse:
        try:
            done = self.save(form)
        except DomainError as error:
            if not self.study.is_draft:
                raise
            # Told now what others have saved, the person may save over it.
            self._take_over(form)
            self.seen_now = last_entry(self.study)
            form.add_error(None, error.message)
            return self.form_invalid(form)
        messages.success(self.request, done)
        return redirect(self.next_page())

    def _take_over(self, form: Form) -> None:
        seen, now = self.seen(), Study.objects.get(pk=self.study.pk)
        if seen is None:
            return
        data = self.request.POST.copy()
        for name in kept_of_others(now, form.cleaned_data, seen):
            if name == "datasets":
                data.setlist(name, [str(pk) for pk in now.datasets.values_list("pk", flat=True)])
            else:
                for field, value in self.as_entered(now, name).items():
                    data[field] = value
        form.data = data

    def as_entered(self, study: Study, name: str) -> dict[str, Any]:
        """A column of the study in the fields of the form."""
        return {name: getattr(study, name)}

    def save(self, form: Form) -> str:
        """Call the service; return what was done."""
        raise NotImplementedError

    def next_page(self) -> str:
        return self.study.get_absolute_url()


def keep_typed(request: HttpRequest, study: Study, title: str) -> None:
    """For the field of the page that a refusal leads back to."""
    request.session[f"typed-title-{study.pk}"] = title


def typed_before(request: HttpRequest, study: Study) -> str:
    """What was refused a moment ago, told once."""
    typed: str = request.session.pop(f"typed-title-{study.pk}", "")
    return typed


def valid(form: Form) -> Form:
    """The form of a button; an invalid one changes nothing and says what is wrong."""
    if not form.is_valid():
        raise DomainError(" ".join(str(error) for errors in form.errors.values() for error in errors))
    return form
