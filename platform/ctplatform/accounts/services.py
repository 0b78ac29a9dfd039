from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from ctplatform.accounts.models import AccountEventKind, Invitation, Role, User, token_digest
from ctplatform.accounts.permissions import refuse_unless_theirs
from ctplatform.accounts.record import Author, note
from ctplatform.errors import ConflictError, ForbiddenError


def invite(*, invited_by: User, name: str, role: str, address: str | None = None) -> tuple[Invitation, str]:
    """Make an invitation; the token is returned once and never stored."""
    if not invited_by.may_coordinate:
        raise ForbiddenError(gettext("Only coordinators and administrators invite people. Ask one of them."))
    if role == Role.ADMINISTRATOR and not invited_by.is_administrator:
        raise ForbiddenError(gettext("Only an administrator may invite another administrator."))
    token = Invitation.new_token()
    invitation = Invitation(invited_by=invited_by, name=name, role=role, token_digest=token_digest(token))
    invitation.full_clean()
    with transaction.atomic():
        invitation.save()
        author = Author(user=invited_by, address=address)
        note(AccountEventKind.INVITED, subject=invited_by, author=author, detail=_in_record(invitation))
    return invitation, token


def _in_record(invitation: Invitation) -> str:
    return f"{invitation.name} ({Role(invitation.role).in_record})"


def choose_language(*, user: User, language: str, author: Author) -> None:
    """In which language the account's pages and mails are written; empty: as each browser asks."""
    if author.user != user:
        raise ForbiddenError(gettext("Only the owner of an account chooses its language."))
    user.language = language
    user.full_clean(exclude=["password"])
    user.save(update_fields=["language"])


def refuse_taken_email(user: User, email: str) -> None:
    """Whoever writes an address logs in by it, so it belongs to one account."""
    if email and User.objects.filter(email__iexact=email).exclude(pk=user.pk).exists():
        raise ConflictError(gettext("Another account has this e-mail address. Leave it empty, or take another one."))


def change_email(*, user: User, email: str, password: str, author: Author) -> None:
    """By the person alone: whoever has the address can have the password."""
    if author.user != user or not user.check_password(password):
        raise ForbiddenError(gettext("That is not your password, so the address stays as it is."))
    with transaction.atomic():
        refuse_taken_email(user, email)
        user.email = email
        user.full_clean(exclude=["password"])
        user.save(update_fields=["email"])
        note(AccountEventKind.EMAIL_CHANGED, subject=user, author=author)


def revoke(*, invitation: Invitation, author: Author) -> None:
    refuse_unless_theirs(invitation.invited_by, author.user)
    with transaction.atomic():
        if not Invitation.objects.open().filter(pk=invitation.pk).update(revoked_at=timezone.now()):
            raise ConflictError(gettext("This invitation has been used, withdrawn or has run out."))
        note(
            AccountEventKind.INVITATION_WITHDRAWN,
            subject=invitation.invited_by,
            author=author,
            detail=_in_record(invitation),
        )


def accept(
    *,
    token: str,
    username: str,
    display_name: str,
    password: str,
    experience_years: int | None = None,
    email: str = "",
    address: str | None = None,
) -> User:
    """Make the account; of two simultaneous uses of one link only the first succeeds."""
    with transaction.atomic():
        invitation = Invitation.objects.open().for_token(token).select_for_update().first()
        if invitation is None:
            raise ConflictError(gettext("This link has been used, withdrawn or has run out. Ask for a new one."))
        user = User(
            username=username,
            display_name=display_name,
            role=invitation.role,
            experience_years=experience_years,
            email=email,
        )
        refuse_taken_email(user, email)
        user.set_password(password)
        user.full_clean()
        user.save()
        taken = Invitation.objects.filter(pk=invitation.pk, accepted_by=None).update(accepted_by=user)
        if not taken:
            raise ConflictError(gettext("This link has just been used. Ask for a new one."))
        invited_by = f"Invited by {invitation.invited_by}"
        note(AccountEventKind.JOINED, subject=user, author=Author(user=user, address=address), detail=invited_by)
    return user
