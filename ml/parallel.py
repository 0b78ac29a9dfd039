"""Work side by side: two computations of an edit, whose steps are too short for more, and long work in processes."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any, TypeVar

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


def in_processes(function: Callable[..., FirstT], *columns: Iterable[Any], jobs: int) -> list[FirstT]:
    """``map`` over the columns; several processes of one thread each give the same list as none."""
    if jobs <= 1:
        return list(map(function, *columns))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_one_thread) as pool:
        return list(pool.map(function, *columns))


def _one_thread() -> None:
    """No process of several takes more than a core."""
    import torch

    torch.set_num_threads(1)
