"""Giving and taking access: tokens, signing out everywhere, switching accounts off and on."""

import secrets

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext

from ctplatform.accounts.models import AccountEventKind, ApiToken, Invitation, Role, User, token_digest
from ctplatform.accounts.permissions import refuse_unless_theirs
from ctplatform.accounts.record import Author, note
from ctplatform.errors import ConflictError, DomainError, ForbiddenError

TOKEN_PREFIX = "ward_"  # noqa: S105 - lets people and scanners tell what a leaked string opens
MOST_TOKENS = 20


def make_token(*, user: User, name: str, author: Author) -> tuple[ApiToken, str]:
    """A new token; its key is returned once and never stored."""
    if user.is_rater and user.as_program is None:
        raise ForbiddenError(gettext("Raters' accounts read in the browser and have no tokens."))
    if ApiToken.objects.alive().filter(user=user).count() >= MOST_TOKENS:
        raise ConflictError(
            gettext("You have %(count)s tokens. End one that is no longer used, then make a new one.")
            % {"count": MOST_TOKENS}
        )
    key = TOKEN_PREFIX + secrets.token_urlsafe(32)
    token = ApiToken(user=user, name=name, digest=token_digest(key), access_number=user.access_number)
    token.full_clean()
    with transaction.atomic():
        token.save()
        note(AccountEventKind.TOKEN_MADE, subject=user, author=author, detail=name)
    return token, key


def end_token(*, token: ApiToken, author: Author) -> None:
    refuse_unless_theirs(token.user, author.user)
    close_token(token=token, author=author)


def close_token(*, token: ApiToken, author: Author) -> None:
    """For whoever may has been asked."""
    with transaction.atomic():
        if not ApiToken.objects.filter(pk=token.pk, ended_at=None).update(ended_at=timezone.now()):
            raise ConflictError(gettext("This token has ended already."))
        note(AccountEventKind.TOKEN_ENDED, subject=token.user, author=author, detail=token.name)


def end_all_access(*, user: User, author: Author) -> None:
    """Ends every login of an account, in whatever browser, and every token."""
    refuse_unless_theirs(user, author.user)
    with transaction.atomic():
        _end_all_access(user)
        note(AccountEventKind.SIGNED_OUT_EVERYWHERE, subject=user, author=author)


def _end_all_access(user: User) -> None:
    User.objects.filter(pk=user.pk).update(access_number=F("access_number") + 1)
    user.refresh_from_db(fields=["access_number"])
    ApiToken.objects.filter(user=user, ended_at=None).update(ended_at=timezone.now())


def deactivate(*, user: User, author: Author) -> None:
    """Switch an account off. Whoever does it stays, so one active administrator is always left."""
    with transaction.atomic():
        _require_active_administrator(author)
        if author.user == user:
            raise DomainError(gettext("You can't deactivate your own account. Ask another administrator."))
        if not User.objects.filter(pk=user.pk, is_active=True).update(is_active=False):
            raise ConflictError(gettext("%(user)s is deactivated already.") % {"user": user})
        user.refresh_from_db(fields=["is_active"])
        _end_all_access(user)
        Invitation.objects.open().filter(invited_by=user).update(revoked_at=timezone.now())
        note(AccountEventKind.DEACTIVATED, subject=user, author=author)


def reactivate(*, user: User, author: Author) -> None:
    """Switch an account on again; logins and tokens from before stay ended."""
    with transaction.atomic():
        _require_active_administrator(author)
        if not User.objects.filter(pk=user.pk, is_active=False).update(is_active=True):
            raise ConflictError(gettext("%(user)s is active already.") % {"user": user})
        user.refresh_from_db(fields=["is_active"])
        note(AccountEventKind.REACTIVATED, subject=user, author=author)


def change_role(*, user: User, role: str, author: Author) -> None:
    """Among those who see datasets. A rater's account stays one: what it may not have seen, it has not seen."""
    with transaction.atomic():
        _require_active_administrator(author)
        if author.user == user:
            raise DomainError(gettext("You can't change your own role. Ask another administrator."))
        if Role.RATER in (user.role, role):
            raise DomainError(
                gettext(
                    "Accounts of raters stay accounts of raters, so that nobody rates what they have seen "
                    "unblinded. Invite this person to a second account."
                )
            )
        before = Role(user.role).in_record
        if not User.objects.filter(pk=user.pk, role=user.role).exclude(role=role).update(role=role):
            raise ConflictError(gettext("%(user)s has this role already.") % {"user": user})
        user.refresh_from_db(fields=["role"])
        detail = f"{before} → {Role(user.role).in_record}"
        note(AccountEventKind.ROLE_CHANGED, subject=user, author=author, detail=detail)


def _require_active_administrator(author: Author) -> None:
    """Locks the administrators: of two who deactivate each other at the same time only the first succeeds."""
    active = User.objects.select_for_update().filter(role=Role.ADMINISTRATOR, is_active=True).order_by("pk")
    if author.user is None or author.user.pk not in {person.pk for person in active}:
        raise ForbiddenError(gettext("Only administrators switch accounts off and on or change roles."))
