"""Who may use which part of the platform. Services refuse, views only hide.

The list and the object form of a rule stand beside the rows (`visible_to`, `editable_by`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.utils.translation import gettext
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from ctplatform.accounts.models import Role, User
from ctplatform.errors import ForbiddenError

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


def refuse_unless_theirs(person: User, actor: User | None) -> None:
    """Access is the person's own and the administrators' business; what the server itself does has no actor."""
    if actor is not None and actor.pk != person.pk and not actor.is_administrator:
        raise ForbiddenError(
            gettext("Only %(person)s and administrators do this. Ask one of them.") % {"person": person}
        )


def may_reset(person: User, actor: User) -> bool:
    """Whose password somebody may give a link for: an administrator everybody's, a coordinator a rater's."""
    if not person.is_active or person == actor or person.as_program is not None:
        return False
    return actor.is_administrator or (actor.may_coordinate and person.is_rater)


def refuse_unless_may_reset(person: User, actor: User | None) -> None:
    if actor is not None and not may_reset(person, actor):
        raise ForbiddenError(
            gettext(
                "Administrators make links for a new password, and coordinators those of raters, for active "
                "accounts of other people; programs have none. Your own password you change on your "
                "account's page."
            )
        )


class StaffPageMixin(LoginRequiredMixin):
    """For pages of administrators, coordinators and researchers; to raters they do not exist."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        user = request.user
        if isinstance(user, User) and user.role == Role.RATER:
            raise Http404
        return super().dispatch(request, *args, **kwargs)
