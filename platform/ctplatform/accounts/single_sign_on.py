"""Who somebody is here whom the hospital's login has let in: by the groups that it names, as the settings say.

The provider's subject belongs to one account. An account is made where a group gives a role; one that is there by
invitation is linked by its owner. What the provider tells of a person is read at the login and not kept.
"""

from collections.abc import Mapping
from typing import Any

from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext

from ctplatform.accounts.models import AccountEventKind, Role, User
from ctplatform.accounts.record import Author, note
from ctplatform.errors import ConflictError, DomainError, ForbiddenError

Claims = Mapping[str, Any]
# Where the provider doesn't say which login name somebody likes
NAME_CLAIMS = ("preferred_username", "email")


def is_configured() -> bool:
    return bool(settings.CT_OIDC_ISSUER)


def role_of(claims: Claims) -> Role:
    """The widest role that a group gives; who rates has no other, since blinding holds by account."""
    given = {Role(settings.CT_OIDC_ROLES[group]) for group in _groups(claims) if group in settings.CT_OIDC_ROLES}
    if not given:
        raise ForbiddenError(
            gettext("%(provider)s knows you, and none of your groups has a role here. Ask the administrator.")
            % {"provider": settings.CT_OIDC_NAME}
        )
    if Role.RATER in given and len(given) > 1:
        raise ForbiddenError(
            gettext(
                "Your groups make you a rater and something else as well. Whoever rates must not see "
                "datasets, so it has to be one of the two. Ask the administrator."
            )
        )
    return next(role for role in Role if role in given)


def _groups(claims: Claims) -> list[str]:
    """The claim may lie deeper, such as realm_access.roles, and be one word or a list."""
    found: Any = claims
    for part in settings.CT_OIDC_ROLE_CLAIM.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return [found] if isinstance(found, str) else [str(one) for one in found or []]


def make_account(*, claims: Claims, address: str | None) -> User:
    """At the first login; without a password, so that it is opened by the provider alone."""
    role = role_of(claims)
    username = next((str(claims[name]) for name in NAME_CLAIMS if claims.get(name)), str(claims["sub"]))
    if User.objects.filter(username__iexact=username).exists():
        raise ConflictError(
            gettext(
                "An account here is called “%(username)s” already. If it is yours, log in with its password "
                "and link it on your account's page; else ask the administrator."
            )
            % {"username": username}
        )
    user = User(username=username, display_name=str(claims.get("name", ""))[:120], role=role, email=_free_email(claims))
    user.set_unusable_password()
    try:
        user.full_clean()
    except ValidationError as error:
        raise DomainError(
            gettext("No account could be made of what %(provider)s says: %(error)s")
            % {"provider": settings.CT_OIDC_NAME, "error": error}
        ) from error
    user.save()
    note(
        AccountEventKind.JOINED_BY_SIGN_ON,
        subject=user,
        author=Author(user=user, address=address),
        detail=f"As {role.in_record.lower()}",
    )
    return user


def _free_email(claims: Claims) -> str:
    """An address opens the account by which it is taken first, and only one that was proven."""
    email = str(claims.get("email", "")) if claims.get("email_verified") is True else ""
    return "" if User.objects.filter(email__iexact=email).exists() else email


def admit(*, user: User, claims: Claims, address: str | None) -> None:
    """The role is what the groups say today; nobody goes from rating to seeing, and the last administrator stays."""
    role = role_of(claims)
    if not user.is_active or role == user.role:
        return
    _refuse_to_cross(user, role)
    with transaction.atomic():
        active = User.objects.select_for_update().filter(role=Role.ADMINISTRATOR, is_active=True).order_by("pk")
        if [person.pk for person in active] == [user.pk]:
            return
        before = Role(user.role).in_record
        User.objects.filter(pk=user.pk).update(role=role)
        user.refresh_from_db(fields=["role"])
        detail = f"{before} → {Role(user.role).in_record}, by {settings.CT_OIDC_NAME}"
        note(AccountEventKind.ROLE_CHANGED, subject=user, author=Author(address=address), detail=detail)


def refuse_link(*, user: User, claims: Claims) -> None:
    """Before the person's own account is linked with what the provider says of them."""
    _refuse_to_cross(user, role_of(claims))
    if linked(user) is not None:
        raise ConflictError(gettext("Your account is linked already. End that link first."))


def _refuse_to_cross(user: User, role: Role) -> None:
    if user.role != role and Role.RATER in (user.role, role):
        raise ForbiddenError(
            gettext(
                "This account has the role “%(role)s”, and your groups give you the role “%(other)s”. Nobody "
                "rates what they have seen unblinded, so that needs another account."
            )
            % {"role": user.get_role_display(), "other": role.label}
        )


def linked(user: User) -> SocialAccount | None:
    return SocialAccount.objects.filter(user=user).first()


def note_link(*, user: User, author: Author) -> None:
    note(AccountEventKind.LINKED, subject=user, author=author, detail=settings.CT_OIDC_NAME)


def end_link(*, user: User, author: Author) -> None:
    """By the person; an account without a password would be shut for good."""
    if author.user != user:
        raise ForbiddenError(gettext("Only the owner of an account ends its link."))
    if not user.has_usable_password():
        raise ConflictError(gettext("This account has no password, so without its link nobody could log in."))
    with transaction.atomic():
        if not SocialAccount.objects.filter(user=user).delete()[0]:
            raise ConflictError(gettext("Your account is not linked."))
        note(AccountEventKind.UNLINKED, subject=user, author=author, detail=settings.CT_OIDC_NAME)
