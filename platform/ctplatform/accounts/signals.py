"""What happens to accounts elsewhere (in allauth's pages) reaches the record from here."""

from typing import Any

from allauth.account import signals as account_signals
from allauth.mfa import signals as mfa_signals
from django.contrib.auth import signals as auth_signals
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone

from ctplatform.accounts.models import AccountEventKind, ApiToken, User
from ctplatform.accounts.record import Author, note


def _note(kind: AccountEventKind, request: HttpRequest | None, user: User | None, detail: str = "") -> None:
    if user is None:
        return
    address = Author.of(request).address if request else None
    note(kind, subject=user, author=Author(user=user, address=address), detail=detail)


@receiver(auth_signals.user_logged_in)
def note_login(*, request: HttpRequest | None = None, user: User, **_: Any) -> None:
    _note(AccountEventKind.LOGGED_IN, request, user)


@receiver(auth_signals.user_logged_out)
def note_logout(*, request: HttpRequest | None = None, user: User | None, **_: Any) -> None:
    _note(AccountEventKind.LOGGED_OUT, request, user)


@receiver([account_signals.password_changed, account_signals.password_set, account_signals.password_reset])
def note_password(*, request: HttpRequest, user: User, **_: Any) -> None:
    """The tokens no longer open anything since the password was saved; here the list says so too."""
    ApiToken.objects.filter(user=user, ended_at=None).update(ended_at=timezone.now())
    _note(AccountEventKind.PASSWORD_CHANGED, request, user)


@receiver(
    [
        mfa_signals.authenticator_added,
        mfa_signals.authenticator_removed,
        mfa_signals.authenticator_reset,
    ]
)
def note_second_factor(*, request: HttpRequest, user: User, authenticator: Any, **_: Any) -> None:
    _note(AccountEventKind.SECOND_FACTOR_CHANGED, request, user, detail=str(authenticator.get_type_display()))
