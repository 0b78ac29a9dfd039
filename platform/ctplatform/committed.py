"""What is done once a transaction is written, such as the removal of files whose rows went."""

from collections.abc import Callable
from typing import ParamSpec

from django.db import transaction

P = ParamSpec("P")


def after_commit(function: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
    """A failure is logged, and nothing else that waits for the same transaction is left undone."""

    # Django asks for its name when it fails, which a `partial` doesn't have.
    def call() -> None:
        function(*args, **kwargs)

    transaction.on_commit(call, robust=True)
