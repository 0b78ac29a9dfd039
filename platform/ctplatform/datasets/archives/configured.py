"""The archives that the environment names, and who may use them."""

from dataclasses import dataclass

from django.conf import settings
from django.utils.translation import gettext

from ctplatform.accounts.models import Role, User
from ctplatform.errors import DomainError, ForbiddenError


@dataclass(frozen=True)
class Archive:
    """`name` is what people see; the rest never leaves the server."""

    name: str
    url: str
    user: str = ""
    password: str = ""
    token: str = ""

    def __repr__(self) -> str:
        """Without credentials: logs and tracebacks show this."""
        return f"Archive({self.name})"


def archives() -> list[Archive]:
    return [Archive(name=name, **given) for name, given in settings.CT_ARCHIVES.items()]


def archive_called(name: str) -> Archive:
    found = next((archive for archive in archives() if archive.name == name), None)
    if found is None:
        raise DomainError(
            gettext("No archive called “%(name)s” is set up. An administrator names archives in CT_ARCHIVES.")
            % {"name": name}
        )
    return found


def may_use_archives(user: User) -> bool:
    """Archives show names of patients: for those who coordinate studies, not for all who compute with scans."""
    return user.role in {Role.COORDINATOR, Role.ADMINISTRATOR}


def archive_names(user: User) -> list[str]:
    """The archives that a person may choose from."""
    return [archive.name for archive in archives()] if may_use_archives(user) else []


def refuse_unless_may_use(user: User) -> None:
    if not may_use_archives(user):
        raise ForbiddenError(gettext("Archives show names of patients; coordinators and administrators may use them."))
