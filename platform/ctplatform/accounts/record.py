"""The record of accounts: written here, kept append-only by the database, read by administrators."""

from dataclasses import dataclass

from allauth.account.adapter import get_adapter
from django.http import HttpRequest

from ctplatform.accounts.models import AccountEvent, AccountEventKind, User
from ctplatform.append_only import AppendOnlyTables

RECORD = AppendOnlyTables(("accounts_accountevent",), "accounts_refuse_change")


@dataclass(frozen=True)
class Author:
    """Who acts, and from which address; nobody and nowhere for what is done on the server itself."""

    user: User | None = None
    address: str | None = None

    @classmethod
    def of(cls, request: HttpRequest) -> "Author":
        user = getattr(request, "user", None)
        return cls(user=user if isinstance(user, User) else None, address=get_adapter().get_client_ip(request) or None)


def note(kind: AccountEventKind, *, subject: User, author: Author, detail: str = "") -> AccountEvent:
    return AccountEvent.objects.create(
        kind=kind, subject=subject, actor=author.user, address=author.address, detail=detail[:200]
    )
