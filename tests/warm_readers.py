"""Readers of files that are forked off a process which has read its libraries once, instead of each for itself.

What a reader gives up before it sees a file, and all that follows, is the product's own. How the product starts it is
tested in ``datasets/test_confinement.py``, which asks for that with ``cold_readers``.
"""

import multiprocessing
import socket
import subprocess
from collections.abc import Iterator, Sequence
from multiprocessing.context import ForkServerProcess

import pytest

from ctplatform.datasets.importing.confined import process

START = process.start
_forking = multiprocessing.get_context("forkserver")
_forking.set_forkserver_preload(["tests.warm_reader"])


class WarmReader:
    """As much of ``subprocess.Popen`` as the worker uses."""

    def __init__(self, child: ForkServerProcess) -> None:
        self._child = child
        self.pid = child.pid

    @property
    def returncode(self) -> int | None:
        return self._child.exitcode

    def kill(self) -> None:
        if self._child.exitcode is None:
            self._child.kill()

    def wait(self, timeout: float | None = None) -> int:
        self._child.join(timeout)
        if self._child.exitcode is None:
            raise subprocess.TimeoutExpired("reader", timeout or 0)
        return self._child.exitcode


def _start(ends: Sequence[socket.socket], memory_bytes: int) -> WarmReader:
    from tests.warm_reader import serve

    child = _forking.Process(target=serve, args=(*ends, memory_bytes), daemon=True)
    child.start()
    return WarmReader(child)


@pytest.fixture(autouse=True)
def warm_readers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setattr(process, "start", _start)
        yield


@pytest.fixture
def cold_readers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "start", START)
