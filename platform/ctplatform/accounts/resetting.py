"""A new password by a link: for who has lost theirs, made by somebody who may and sent by whatever way they trust.

The link is signed and nothing of it is stored. It works once and until it runs out (PASSWORD_RESET_TIMEOUT): it covers
the old password, the last login and the number of ended accesses.
"""

import logging
from collections.abc import Callable
from smtplib import SMTPException

from django.contrib.auth.password_validation import validate_password
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.core.exceptions import ValidationError
from django.core.mail import send_mail
from django.db import transaction
from django.db.models import Q
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.http import base36_to_int, int_to_base36
from django.utils.translation import gettext

from ctplatform.accounts.access import end_all_access
from ctplatform.accounts.models import AccountEventKind, User
from ctplatform.accounts.permissions import refuse_unless_may_reset
from ctplatform.accounts.record import Author, note
from ctplatform.errors import ConflictError

logger = logging.getLogger(__name__)


class _Links(PasswordResetTokenGenerator):
    key_salt = "ctplatform.accounts.resetting"

    def _make_hash_value(self, user: User, timestamp: int) -> str:
        return f"{super()._make_hash_value(user, timestamp)}{user.access_number}{user.is_active}"


_links = _Links()


def make_link(*, user: User, author: Author, detail: str = "") -> str:
    """The part of the address that opens the account; whoever has it chooses its password."""
    refuse_unless_may_reset(user, author.user)
    note(AccountEventKind.RESET_LINK_MADE, subject=user, author=author, detail=detail)
    return f"{int_to_base36(user.pk)}.{_links.make_token(user)}"


def send_link(*, login: str, address: str | None, as_url: Callable[[str], str]) -> None:
    """By e-mail to the account's own address, if there is such an account; nobody learns whether there is one."""
    person = User.objects.filter(Q(username__iexact=login) | Q(email__iexact=login), is_active=True).first()
    if person is None or not person.email or not person.has_usable_password():
        return
    link = make_link(user=person, author=Author(user=None, address=address), detail="By e-mail")
    with translation.override(person.language or translation.get_language()):
        subject = gettext("A new password for Turing Ward")
        words = render_to_string("accounts/lost_password_mail.txt", {"person": person, "link": as_url(link)})
    try:
        send_mail(subject, words, None, [person.email])
    except (SMTPException, OSError):
        # Whoever asked is told the same as ever, or would learn that there is such an account.
        logger.exception("a link for a new password could not be sent", extra={"user": person.pk})


def opened_by(link: str) -> User | None:
    number, _, token = link.partition(".")
    try:
        user = User.objects.filter(pk=base36_to_int(number), is_active=True).first()
    except ValueError:
        # Mistyped or made up: refused like a link that has run out.
        return None
    return user if user is not None and _links.check_token(user, token) else None


def choose_password(*, link: str, password: str, address: str | None) -> User:
    """Of two simultaneous uses only the first succeeds; every login and token of before ends."""
    with transaction.atomic():
        seen = opened_by(link)
        if seen is None:
            raise ConflictError(gettext("This link has been used or has run out. Ask for a new one."))
        user = User.objects.select_for_update().get(pk=seen.pk)
        if opened_by(link) is None:
            raise ConflictError(gettext("This link has just been used. Ask for a new one."))
        user.set_password(password)
        user.save(update_fields=["password"])
        author = Author(user=user, address=address)
        end_all_access(user=user, author=author)
        note(AccountEventKind.PASSWORD_RESET, subject=user, author=author)
    return user


def reasons_against(password: str, user: User) -> list[str]:
    try:
        validate_password(password, user)
    except ValidationError as error:
        return list(error.messages)
    return []
