"""Who has to know that what is here was put back from a backup, and may be older than what people have seen."""

from collections.abc import Callable

_followers: list[Callable[[], None]] = []


def follow_restores(follow: Callable[[], None]) -> None:
    """Whoever keeps a record registers at start-up what notes it; runs when the tables are up to date again."""
    _followers.append(follow)


def tell_restored() -> None:
    for follow in _followers:
        follow()
