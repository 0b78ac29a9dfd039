"""Programs that read studies beside people, each with an account that nobody can log in to and one token."""

from django.db import transaction
from django.utils.text import slugify
from django.utils.translation import gettext

from ctplatform.accounts.access import close_token, make_token
from ctplatform.accounts.models import AccountEventKind, ApiToken, Program, Role, User
from ctplatform.accounts.record import Author, note
from ctplatform.errors import ConflictError, ForbiddenError


def register_program(*, name: str, version: str, digest: str, run_number: int, author: Author) -> tuple[Program, str]:
    """Make the account of one run of a program; the key of its token is returned once and never stored."""
    registered_by = _coordinator(author)
    login = slugify(f"{name} {version} {digest[:8]} {run_number}")
    if User.objects.filter(username=login).exists():
        raise ConflictError(
            gettext("There is an account %(login)s already. Give another name, version or run number.")
            % {"login": login}
        )
    with transaction.atomic():
        user = User(username=login, display_name=name, role=Role.RATER)
        user.set_unusable_password()
        user.full_clean()
        user.save()
        program = Program(
            user=user, version=version, digest=digest.lower(), run_number=run_number, registered_by=registered_by
        )
        program.full_clean()
        program.save()
        note(AccountEventKind.PROGRAM_REGISTERED, subject=user, author=author, detail=str(program))
        _, key = make_token(user=user, name=str(program), author=author)
    return program, key


def renew_key(*, program: Program, author: Author) -> str:
    """Another key; the one before opens nothing any more. It reads in the program's name, whosever study that is."""
    if author.user is None or not may_renew(program, author.user):
        raise ForbiddenError(
            gettext("Only %(registered_by)s and administrators make another key for this program.")
            % {"registered_by": program.registered_by}
        )
    with transaction.atomic():
        for token in ApiToken.objects.alive().filter(user=program.user):
            close_token(token=token, author=author)
        _, key = make_token(user=program.user, name=str(program), author=author)
    return key


def may_renew(program: Program, person: User) -> bool:
    return person.is_administrator or (person.may_coordinate and program.registered_by_id == person.pk)


def _coordinator(author: Author) -> User:
    if author.user is None or not author.user.may_coordinate:
        raise ForbiddenError(
            gettext("Only coordinators and administrators register programs that read. Ask one of them.")
        )
    return author.user
