"""The worker's side of the confined reader: starts it, hands it files, believes little of what it says."""

import logging
import os
import shutil
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
from typing import IO, Any, Self, TypeVar

import numpy as np
import numpy.typing as npt

from ctplatform.datasets.importing.confined import answers
from ctplatform.datasets.importing.confined.answers import Told
from ctplatform.datasets.importing.found import ReadScan, Refusal
from ctplatform.datasets.importing.refusal import GIB, MIB, ImportRefusedError
from ctplatform.datasets.importing.said import Said
from ctplatform.datasets.importing.wire import Line
from ml.geometry import Grid

COMMAND = (sys.executable, "-I", "-m", "ctplatform.datasets.importing.confined.reader")
START_SECONDS = 120.0
# Beside the seconds per file: one more file of a series, one more MiB
SECONDS_PER_FURTHER_FILE = 0.5
SECONDS_PER_MIB = 0.2
# No export packs slices smaller than this, so a zip can't hold more of them.
SMALLEST_PACKED_SLICE_BYTES = MIB // 16
# All of an import may take this many times what one file may, beside what its size allows.
FILES_AT_THE_LIMIT = 10
# a volume and a mask of each kind
MAX_TRAYS = 8
# Segmentations of every organ are a hundred files with a few arrays each.
MAX_SCRATCH_FILES = 2000
# Below the first nothing more is handed out, below the second whoever writes is stopped; looked at this often.
LEAST_FREE_TO_HAND_OUT_BYTES, LEAST_FREE_BYTES = 2 * GIB, GIB
LOOK_AT_DISK_SECONDS = 0.5
# However much was sent
LONGEST_CALL_SECONDS, LONGEST_IMPORT_SECONDS = 1800.0, 4 * 3600.0
# Settings of the numeric libraries that some processors need; nothing else of the environment gets in.
PASSED_ON = ("PATH", "LANG", "LD_LIBRARY_PATH", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
T = TypeVar("T")
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Limits:
    memory_bytes: int = GIB
    seconds: float = 60.0

    def seconds_for(self, *, files: int, size_bytes: int) -> float:
        return self.seconds + SECONDS_PER_FURTHER_FILE * files + SECONDS_PER_MIB * size_bytes / MIB


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


class ReaderStoppedError(ImportRefusedError):
    """The reader died, hung or spoke nonsense over these files."""


class Budget:
    """What reading all files of an import may take, however many readers it needs."""

    def __init__(self, offered: Sequence[Offered], limits: Limits) -> None:
        self.size_bytes = sum(file.size for file in offered)
        self.files = len(offered) + self.size_bytes // SMALLEST_PACKED_SLICE_BYTES
        self._limits = limits
        seconds = limits.seconds_for(files=self.files, size_bytes=self.size_bytes)
        whole = FILES_AT_THE_LIMIT * limits.seconds + 2 * seconds
        self._end = time.monotonic() + min(whole, LONGEST_IMPORT_SECONDS)

    @property
    def is_spent(self) -> bool:
        return time.monotonic() >= self._end

    def deadline(self, *, files: int, size_bytes: int) -> float:
        """For one request; the reader's own counts are believed as far as the files allow."""
        counted = {"files": min(files, self.files), "size_bytes": min(size_bytes, self.size_bytes)}
        return min(self._end, time.monotonic() + min(self._limits.seconds_for(**counted), LONGEST_CALL_SECONDS))


def start(ends: Sequence[socket.socket], memory_bytes: int) -> subprocess.Popen[bytes]:
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    environment |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen(
        [*COMMAND, *(str(end.fileno()) for end in ends), str(memory_bytes)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        # libraries print what they stumble over, and that may be a name
        stderr=subprocess.DEVNULL,
        pass_fds=[end.fileno() for end in ends],
        env=environment,
        cwd="/",
        start_new_session=True,
    )


class Reader:
    """One process; it dies with this object, with its worker, or at its first offence."""

    def __init__(
        self, offered: Sequence[Offered], limits: Limits, budget: Budget | None = None, said: Said | None = None
    ) -> None:
        self._offered, self._limits = offered, limits
        self._said = said or Said()
        self._budget = budget or Budget(offered, limits)
        self._trays: list[IO[bytes]] = []
        self._scratch_files = 0

    def __enter__(self) -> Self:
        ours, theirs = zip(socket.socketpair(), socket.socketpair(), strict=True)
        self._process = start(theirs, self._limits.memory_bytes)
        for end in theirs:
            end.close()
        self._line = Line(*ours)
        try:
            self.in_force: list[str] = self._line.receive(deadline=time.monotonic() + START_SECONDS)["in_force"]
            if "system-call filter" not in self.in_force:
                logger.warning("files are read without a system-call filter", extra={"in_force": self.in_force})
        except BaseException as error:
            self.__exit__(None, None, None)
            if isinstance(error, EOFError | OSError | ValueError | KeyError):
                # before it has seen a file, so no file is to blame
                how = f"exit status {self._process.returncode}"
                raise RuntimeError(f"{COMMAND} does not start: {how}") from error  # noqa: TRY004 - it is about the program, not about a type
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
        deadline = self._budget.deadline(files=self._budget.files, size_bytes=self._budget.size_bytes)
        return self._call(
            {"do": "discover", "files": files, "said": self._said.as_dict()}, deadline, answers.discovered
        )

    def read(self, number: int, candidate: Told) -> ReadScan:
        deadline = self._budget.deadline(files=candidate.files, size_bytes=candidate.size)
        try:
            return self._call({"do": "read", "candidate": number}, deadline, self._scan)
        finally:
            self._clear_trays()

    def _scan(self, answer: Mapping[str, Any]) -> ReadScan:
        told = answers.scan(answer)
        return ReadScan(
            volume=self._array(told.volume, told.grid, np.int16),
            grid=told.grid,
            report=told.report,
            acquisition=told.acquisition,
            name=told.name,
            subject=told.subject,
            identity=told.identity,
            text_planes=told.text_planes,
            says_synthetic=told.says_synthetic,
            masks={kind: self._array(number, told.grid, np.uint8) for kind, number in told.masks.items()},
        )

    def _array(self, number: int, grid: Grid, dtype: type[Any]) -> npt.NDArray[Any]:
        """Read, not mapped: the reader could cut a mapped file short under our feet."""
        file = self._trays[number]
        file.seek(0)
        count = int(np.prod(grid.size_zyx, dtype=np.int64))
        return np.fromfile(file, dtype, count).reshape(grid.size_zyx)

    def _call(self, request: Mapping[str, Any], deadline: float, understood: Callable[[Mapping[str, Any]], T]) -> T:
        """Ask, grant what is asked for in return, and make sense of the answer, all before the deadline."""
        try:
            self._line.send(request, deadline=deadline)
            while "answer" not in (message := self._next(deadline)):
                self._grant(message, deadline)
            answer = message["answer"]
            reason = answers.refused(answer)
            if not reason:
                return understood(answer)
        except TimeoutError:
            self._process.kill()
            raise ReaderStoppedError(
                "Reading it took too long and was stopped: it is damaged, hostile or too large. Export it again."
            ) from None
        except (EOFError, OSError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
            # whatever a reader that has been taken over may say
            raise self._stopped() from error
        raise ImportRefusedError(reason)

    def _next(self, deadline: float) -> dict[str, Any]:
        """The next message; a look at the disk now and then, for scratch files grow without asking."""
        while True:
            soon = time.monotonic() + LOOK_AT_DISK_SECONDS
            try:
                return self._line.receive(deadline=min(deadline, soon))
            except TimeoutError:
                if soon >= deadline:
                    raise
            if _free_bytes() < LEAST_FREE_BYTES:
                self._process.kill()
                raise ReaderStoppedError("Reading it would fill the server's disk. Import less at once.")

    def _stopped(self) -> ReaderStoppedError:
        try:
            status = self._process.wait(0.5)
            how = signal.Signals(-status).name if status < 0 else f"status {status}"
        except (subprocess.TimeoutExpired, ValueError):
            self._process.kill()
            how = "it spoke nonsense"
        return ReaderStoppedError(f"Reading it stopped the reader ({how}): it is damaged or hostile. Export it again.")

    def _grant(self, message: Mapping[str, Any], deadline: float) -> None:
        number = message.get("number")
        if _free_bytes() < LEAST_FREE_TO_HAND_OUT_BYTES:
            raise ReaderStoppedError("The server's disk is nearly full, so nothing can be read. Tell an administrator.")
        if message.get("ask") == "scratch" and self._scratch_files < MAX_SCRATCH_FILES:
            self._scratch_files += 1
            with tempfile.TemporaryFile(buffering=0) as file:
                self._hand_over({}, file.fileno(), deadline)
        elif message.get("ask") == "tray" and len(self._trays) < MAX_TRAYS:
            self._trays.append(tempfile.TemporaryFile(buffering=0))  # noqa: SIM115 - closed with the reader
            self._hand_over({"number": len(self._trays) - 1}, self._trays[-1].fileno(), deadline)
        elif message.get("ask") == "file" and isinstance(number, int) and 0 <= number < len(self._offered):
            self._grant_file(self._offered[number], deadline)
        else:
            raise ValueError("it asked for what it may not have")

    def _hand_over(self, told: Mapping[str, Any], descriptor: int, deadline: float) -> None:
        self._line.send(told, deadline=deadline)
        self._line.send_descriptor(descriptor, deadline=deadline)

    def _grant_file(self, offered: Offered, deadline: float) -> None:
        try:
            opened = offered.open()
        except OSError as error:
            self._line.send({"refused": f"A file can't be read on the server: {error.strerror}."}, deadline=deadline)
            return
        try:
            self._hand_over({"start": opened.start}, opened.descriptor, deadline)
        finally:
            if opened.close:
                os.close(opened.descriptor)


def _free_bytes() -> int:
    return shutil.disk_usage(tempfile.gettempdir()).free
