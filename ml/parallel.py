"""Two computations side by side: an edit has two cores, and every single step of it is too short for more."""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

FirstT = TypeVar("FirstT")
SecondT = TypeVar("SecondT")


def in_parallel(first: Callable[[], FirstT], second: Callable[[], SecondT]) -> tuple[FirstT, SecondT]:
    """Two independent computations at once; each stays on one thread, so that results do not depend on it.

    NumPy, SciPy and torch let go of the interpreter while they compute. What either raises is raised here.
    """
    with ThreadPoolExecutor(1, initializer=_keep_torch_to_one_thread) as helper:
        other = helper.submit(second)
        return first(), other.result()


def _keep_torch_to_one_thread() -> None:
    """Threads of torch are counted by thread; where nobody has loaded it, nothing here will use it."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
