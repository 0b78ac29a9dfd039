"""Who may use which part of the platform. Object rules live beside their models (visible_to, editable_by)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from ctplatform.accounts.models import Role, User

if TYPE_CHECKING:  # rest_framework.views imports this module through the settings
    from rest_framework.views import APIView


class IsStudyStaff(BasePermission):
    """Administrators, coordinators and researchers; a rater's account sees its own sessions and nothing else."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        user = request.user
        return isinstance(user, User) and user.is_active and user.role != Role.RATER


def current_user(request: HttpRequest) -> User:
    """The account behind a request that some guard has already let in."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


class StaffPageMixin(LoginRequiredMixin):
    """For pages of administrators, coordinators and researchers; to raters they do not exist."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        user = request.user
        if isinstance(user, User) and user.role == Role.RATER:
            raise Http404
        return super().dispatch(request, *args, **kwargs)
