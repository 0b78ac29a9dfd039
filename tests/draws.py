"""What a test draws at random follows from the test's name, so that whatever fails can be made to fail again.

Orders, tokens and keys come from the operating system's random numbers, and a suite that draws anew every time fails
now and then for a draw that nobody sees twice. Processes that a test starts draw as ever. CT_TEST_SEED=n (any word)
draws all of it otherwise: whoever mends such a failure tries several.
"""

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager

import hypothesis
import pytest

SEED = os.environ.get("CT_TEST_SEED", "")
OWN_PROCESSES = ("browser", "processes")

_from_the_system = os.urandom
_stream: random.Random | None = None


def _drawn(size: int) -> bytes:
    return _from_the_system(size) if _stream is None else _stream.randbytes(size)


def _as_ever() -> None:
    global _stream  # noqa: PLW0603
    _stream = None


def _stream_of(name: str) -> random.Random:
    return random.Random(f"{SEED} {os.environ.get('DJANGO_DATABASE_URL', '')} {name}")


@contextmanager
def drawn_for(name: str) -> Iterator[None]:
    """What several tests share is drawn from a name of its own, whichever of them comes first."""
    global _stream  # noqa: PLW0603
    before, _stream = _stream, _stream_of(name)
    try:
        yield
    finally:
        _stream = before


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Before the fixtures of any scope."""
    global _stream  # noqa: PLW0603
    own = any(item.get_closest_marker(name) for name in OWN_PROCESSES)
    _stream = None if own else _stream_of(item.nodeid)


def pytest_configure(config: pytest.Config) -> None:
    # Where uuid and random look for them; secrets and numpy's seeds go through random.
    os.urandom = random._urandom = _drawn  # type: ignore[attr-defined]
    os.register_at_fork(after_in_child=_as_ever)
    # Two busy cores make single examples slow at times; the timeout of the whole test stays.
    hypothesis.settings.register_profile("by name", deadline=None, derandomize=not SEED)
    hypothesis.settings.load_profile("by name")
