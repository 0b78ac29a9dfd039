"""What travels between the worker and the confined reader: lines of JSON, and opened files beside them.

The reader opens nothing by name. It asks for a file by its number, or for an empty scratch file, and is handed an open
descriptor, so that no header, link or device that it meets can lead anywhere.
"""

import io
import json
import math
import os
import socket
import time
from collections.abc import Mapping
from typing import Any

MAX_MESSAGE_BYTES = 16 * 1024**2
MOST_DIGITS = 18
BLOCK = 256 * 1024
# Most headers end within a tenth of it, and what is larger is read past it.
BUFFER_BYTES = 32 * 1024


class Window(io.RawIOBase):
    """A part of an open file as a file of its own; reading it moves no position that others share."""

    # libraries ask for it
    name = ""

    def __init__(self, descriptor: int, start: int, size: int, *, owns: bool) -> None:
        super().__init__()
        self._descriptor, self._start, self.size, self._owns = descriptor, start, size, owns
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[whence]
        if base + offset < 0:
            raise ValueError("a position before the start")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), max(0, self.size - self._at))
        content = os.pread(self._descriptor, wanted, self._start + self._at)
        buffer[: len(content)] = content
        self._at += len(content)
        return len(content)

    def close(self) -> None:
        if self._owns and not self.closed:
            os.close(self._descriptor)
        super().close()


class WindowReader(io.BufferedReader):
    """Takes no memory for bytes that a file claims and does not have."""

    def __init__(self, window: Window) -> None:
        super().__init__(window, buffer_size=BUFFER_BYTES)
        self._end = window.size

    def read(self, size: int | None = -1, /) -> bytes:
        left = max(0, self._end - self.tell())
        return super().read(left if size is None or size < 0 else min(size, left))


class Line:
    """One end of the conversation. No call outlasts its deadline, neither waiting nor being kept waiting."""

    def __init__(self, messages: socket.socket, descriptors: socket.socket) -> None:
        self._messages, self._descriptors = messages, descriptors
        self._pending = bytearray()

    def send(self, message: Mapping[str, Any], *, deadline: float | None = None) -> None:
        self._messages.settimeout(_left(deadline))
        self._messages.sendall(json.dumps(message, allow_nan=False).encode() + b"\n")

    def receive(self, *, deadline: float | None = None) -> dict[str, Any]:
        """The next message. Raises EOFError when the other end is gone, TimeoutError, and ValueError for no message."""
        seen = 0
        while (end := self._pending.find(b"\n", seen)) < 0:
            seen = len(self._pending)
            if seen > MAX_MESSAGE_BYTES:
                raise ValueError("the message is too long")
            self._messages.settimeout(_left(deadline))
            block = self._messages.recv(BLOCK)
            if not block:
                raise EOFError
            self._pending += block
        _left(deadline)
        line = bytes(self._pending[:end])
        del self._pending[: end + 1]
        return _parsed(line)

    def send_descriptor(self, descriptor: int, *, deadline: float | None = None) -> None:
        self._descriptors.settimeout(_left(deadline))
        socket.send_fds(self._descriptors, [b"."], [descriptor])

    def receive_descriptor(self) -> int:
        _, descriptors, _, _ = socket.recv_fds(self._descriptors, 1, 1)
        return descriptors[0]

    def close(self) -> None:
        self._messages.close()
        self._descriptors.close()


def _left(deadline: float | None) -> float | None:
    if deadline is None:
        return None
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        message = json.loads(line, parse_constant=_refused, parse_float=_finite, parse_int=_bounded)
    except RecursionError:
        raise ValueError("nested too deep") from None
    if not isinstance(message, dict):
        raise ValueError("the message is no object")  # noqa: TRY004 - one kind of error for every malformed message
    return message


def _refused(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number without end")
    return number


def _bounded(text: str) -> int:
    if len(text) > MOST_DIGITS:
        raise ValueError("a number without end")
    return int(text)
