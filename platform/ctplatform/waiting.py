"""What waits for a person, told by every app about its own rows; the first page shows it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ctplatform.accounts.models import User


@dataclass(frozen=True)
class Waiting:
    """One line of the first page: what waits, where it is done, and what happens while nobody does it."""

    what: str
    url: str
    why: str = ""


# Asked whenever the page is opened, so with a number of queries that does not grow with the rows.
Ask = Callable[[User], Sequence[Waiting]]

_asked: list[Ask] = []


def register(ask: Ask) -> None:
    _asked.append(ask)


def waiting_for(user: User) -> Iterator[Waiting]:
    for ask in _asked:
        yield from ask(user)


def counted(count: int, one: str, many: str = "") -> str:
    return f"{count} {one if count == 1 else many or f'{one}s'}"
