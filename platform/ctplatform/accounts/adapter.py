from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.internal import ratelimit
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy

from ctplatform.accounts import familiar
from ctplatform.accounts.models import AccountEventKind, User
from ctplatform.accounts.record import Author, note

APP = "allauth.account"


class InvitationOnlyAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth is untyped
    """Accounts are made by an administrator or through an invitation link, never by signing up.

    Wrong passwords are counted by account and place (see familiar), so that whoever tries them slows down nobody
    but themselves; the wider limits by address and by account hold for unfamiliar browsers only.
    """

    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "too_many_login_attempts": gettext_lazy(
            "There were too many wrong logins. Wait five minutes, then try again. "
            "If you have lost your password, ask your study coordinator or an administrator for a link."
        ),
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_client_ip(self, request: HttpRequest) -> str:
        """The proxy's own address where it sends less than the settings promise: too strict beats no limit."""
        try:
            return str(super().get_client_ip(request))
        except (ImproperlyConfigured, PermissionDenied):
            return str(request.META.get("REMOTE_ADDR", ""))

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        login = _login_of(credentials)
        mark = familiar.mark_of(request, login)
        account, place = login.lower(), mark or self.get_client_ip(request)
        limits: list[tuple[str, str | None]] = [("login_here", f"{account} {place}")]
        if mark is None:
            limits += [("login_address", None), ("login_account", account)]
        self._attempts = [ratelimit.consume(request, app=APP, action=name, key=key) for name, key in limits]
        if None in self._attempts:
            self._note_pause(request, login)
            raise self.validation_error("too_many_login_attempts")

    def authenticate(self, request: HttpRequest, **credentials: Any) -> User | None:
        user = super().authenticate(request, **credentials)
        if isinstance(user, User):
            for attempt in self._attempts:
                attempt.rollback()
            return user
        return None

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        for user in _accounts_named(_login_of(credentials)):
            note(AccountEventKind.LOGIN_REFUSED, subject=user, author=Author.of(request))

    def post_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse:
        response: HttpResponse = super().post_login(request, user, **kwargs)
        familiar.remember(request, response, user)
        return response

    def _note_pause(self, request: HttpRequest, login: str) -> None:
        for user in _accounts_named(login):
            if ratelimit.consume(request, app=APP, action="note_pause", key=str(user.pk)):
                note(AccountEventKind.LOGIN_PAUSED, subject=user, author=Author.of(request))


def _login_of(credentials: dict[str, Any]) -> str:
    return str(credentials.get("username") or credentials.get("email") or "")


def _accounts_named(login: str) -> list[User]:
    return list(User.objects.filter(Q(username__iexact=login) | Q(email__iexact=login))) if login else []
