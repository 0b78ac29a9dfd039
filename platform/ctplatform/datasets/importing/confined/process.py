"""The worker's side of the confined reader: starts it, hands it files, believes little of what it says."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np
import numpy.typing as npt

from ctplatform.datasets.importing.found import Labels, ReadScan, Refusal
from ctplatform.datasets.importing.refusal import GIB, MIB, ImportRefusedError, check_size
from ctplatform.datasets.importing.wire import Line
from ctplatform.datasets.kinds import MaskKind
from ml.geometry import Grid

COMMAND = (sys.executable, "-I", "-m", "ctplatform.datasets.importing.confined.reader")
START_SECONDS = 120.0
# Beside the seconds per file: one more file of a series, one more MiB to unpack
SECONDS_PER_FURTHER_FILE = 0.5
SECONDS_PER_MIB = 0.2
# a volume and a mask of each kind
MAX_TRAYS = 8
MAX_TEXT, MAX_ENTRIES, MAX_DEPTH = 2000, 20_000, 6
# Settings of the numeric libraries that some processors need; nothing else of the environment gets in.
PASSED_ON = ("PATH", "LANG", "LD_LIBRARY_PATH", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


@dataclass(frozen=True)
class Limits:
    memory_bytes: int = GIB
    seconds: float = 60.0


@dataclass(frozen=True)
class Opened:
    """An open file in which another one lies from ``start`` on; closed after use when it was opened for this."""

    descriptor: int
    start: int = 0
    close: bool = True


@dataclass(frozen=True)
class Offered:
    """A file that the reader may have, under the path that it is told."""

    path: str
    size: int
    open: Callable[[], Opened]
    given_as_mask: bool = False
    # where it lies on this machine, which the reader is not told
    place: Path | None = None


@dataclass(frozen=True)
class Told:
    """A candidate as the reader names it."""

    label: str
    files: int


class ReaderStoppedError(ImportRefusedError):
    """The reader died, hung or spoke nonsense over these files."""


class Reader:
    """One process; it dies with this object, with its worker, or at its first offence."""

    def __init__(self, offered: Sequence[Offered], limits: Limits) -> None:
        self._offered, self._limits = offered, limits
        self._trays: list[IO[bytes]] = []

    def __enter__(self) -> Self:
        ours, theirs = zip(socket.socketpair(), socket.socketpair(), strict=True)
        numbers = [str(end.fileno()) for end in theirs]
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        environment |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        self._process = subprocess.Popen(
            [*COMMAND, *numbers, str(self._limits.memory_bytes)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            # libraries print what they stumble over, and that may be a name
            stderr=subprocess.DEVNULL,
            pass_fds=[end.fileno() for end in theirs],
            env=environment,
            cwd="/",
            start_new_session=True,
        )
        for end in theirs:
            end.close()
        self._line = Line(*ours)
        try:
            self.in_force: list[str] = self._receive(time.monotonic() + START_SECONDS)["in_force"]
        except BaseException as error:
            self.__exit__(None, None, None)
            if isinstance(error, ReaderStoppedError):
                # before it has seen a file, so no file is to blame
                raise RuntimeError(f"{COMMAND} does not start: exit status {self._process.returncode}") from error  # noqa: TRY004
            raise
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        self._line.close()
        self._clear_trays()

    def _clear_trays(self) -> None:
        for file in self._trays:
            file.close()
        self._trays.clear()

    def discover(self) -> tuple[list[Told], list[Refusal]]:
        files = [{"path": file.path, "size": file.size, "mask": file.given_as_mask} for file in self._offered]
        size_mib = sum(file.size for file in self._offered) / MIB
        answer = self._call({"do": "discover", "files": files}, further_files=len(files), size_mib=size_mib)
        candidates = [Told(_text(c["label"]), int(c["files"])) for c in answer["candidates"]]
        return candidates, [Refusal(_text(r["label"]), _text(r["reason"])) for r in answer["refusals"]]

    def read(self, number: int, candidate: Told) -> ReadScan:
        try:
            answer = self._call({"do": "read", "candidate": number}, further_files=candidate.files)
            return self._scan(answer["scan"])
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise ImportRefusedError("It is damaged: what was read of it makes no scan.") from error
        finally:
            self._clear_trays()

    def _scan(self, told: Mapping[str, Any]) -> ReadScan:
        grid = Grid.from_dict(told["grid"])
        check_size(grid.size_zyx)
        masks: dict[MaskKind, Labels] = {
            MaskKind(kind): self._array(number, grid, np.uint8) for kind, number in told["masks"].items()
        }
        return ReadScan(
            volume=self._array(told["volume"], grid, np.int16),
            grid=grid,
            report=_plain(dict(told["report"])),
            acquisition=_plain(dict(told["acquisition"])),
            name=_text(told["name"]),
            subject=_text(told["subject"]),
            identity=_text(told["identity"]),
            masks=masks,
        )

    def _array(self, number: int, grid: Grid, dtype: type[Any]) -> npt.NDArray[Any]:
        """Read, not mapped: the reader could cut a mapped file short under our feet."""
        file = self._trays[number]
        file.seek(0)
        count = int(np.prod(grid.size_zyx, dtype=np.int64))
        return np.fromfile(file, dtype, count).reshape(grid.size_zyx)

    def _call(self, request: Mapping[str, Any], *, further_files: int, size_mib: float = 0) -> dict[str, Any]:
        seconds = self._limits.seconds + SECONDS_PER_FURTHER_FILE * further_files + SECONDS_PER_MIB * size_mib
        deadline = time.monotonic() + seconds
        self._line.send(request)
        while "answer" not in (message := self._receive(deadline)):
            self._grant(message)
        answer: dict[str, Any] = message["answer"]
        if "refused" in answer:
            raise ImportRefusedError(_text(answer["refused"]))
        return answer

    def _receive(self, deadline: float) -> dict[str, Any]:
        try:
            return self._line.receive(deadline=deadline)
        except TimeoutError:
            self._process.kill()
            raise ReaderStoppedError(
                "Reading it took too long and was stopped: it is damaged, hostile or too large. Export it again."
            ) from None
        except (EOFError, OSError, ValueError) as error:
            raise self._stopped() from error

    def _stopped(self) -> ReaderStoppedError:
        try:
            status = self._process.wait(5)
            how = signal.Signals(-status).name if status < 0 else f"status {status}"
        except subprocess.TimeoutExpired:
            how = "it spoke nonsense"
        return ReaderStoppedError(f"Reading it stopped the reader ({how}): it is damaged or hostile. Export it again.")

    def _grant(self, message: Mapping[str, Any]) -> None:
        number = message.get("number")
        if message.get("ask") == "scratch":
            with tempfile.TemporaryFile(buffering=0) as file:
                self._hand_over({}, file.fileno())
        elif message.get("ask") == "tray" and len(self._trays) < MAX_TRAYS:
            self._trays.append(tempfile.TemporaryFile(buffering=0))  # noqa: SIM115 - closed with the reader
            self._hand_over({"number": len(self._trays) - 1}, self._trays[-1].fileno())
        elif message.get("ask") == "file" and isinstance(number, int) and 0 <= number < len(self._offered):
            self._grant_file(self._offered[number])
        else:
            self._process.kill()
            raise ReaderStoppedError("Reading it stopped the reader: it asked for what it may not have.")

    def _hand_over(self, told: Mapping[str, Any], descriptor: int) -> None:
        try:
            self._line.send(told)
            self._line.send_descriptor(descriptor)
        except OSError as error:
            raise self._stopped() from error

    def _grant_file(self, offered: Offered) -> None:
        try:
            opened = offered.open()
        except OSError as error:
            self._line.send({"refused": f"A file can't be read on the server: {error.strerror}."})
            return
        try:
            self._hand_over({"start": opened.start}, opened.descriptor)
        finally:
            if opened.close:
                os.close(opened.descriptor)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ReaderStoppedError("Reading it stopped the reader: it spoke nonsense.")
    return value.replace("\0", "").encode(errors="replace").decode()[:MAX_TEXT]


def _plain(value: Any, depth: int = 0) -> Any:
    """Values as a database takes them: nothing deep, nothing long, no half characters."""
    if depth > MAX_DEPTH:
        raise ValueError("nested too deep")
    if isinstance(value, dict):
        return {_text(key): _plain(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner, depth + 1) for inner in value[:MAX_ENTRIES]]
    return _text(value) if isinstance(value, str) else value
