"""A rater's account reaches its own sessions and its own login, and nothing else: enforced in one place."""

from collections.abc import Callable
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse

from ctplatform.accounts.models import Role, User

RATER_NAMESPACES = frozenset({"reading", "reading-api"})
RATER_VIEW_NAMES = frozenset(
    {
        "home",
        "health-live",
        "account_login",
        "account_logout",
        "account_change_password",
        "account_reauthenticate",
        "openid_connect_login",
        "openid_connect_callback",
        "people:end-link",
        "people:language",
        "people:account",
        "people:email",
        "people:sign-out",
    }
)


class RaterConfinementMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        user = request.user
        if not (isinstance(user, User) and user.role == Role.RATER):
            return
        match = request.resolver_match
        allowed = match is not None and (
            bool(RATER_NAMESPACES & set(match.namespaces))
            or match.view_name in RATER_VIEW_NAMES
            or (match.view_name or "").startswith("mfa_")
        )
        if not allowed:
            raise Http404
