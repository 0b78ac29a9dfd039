"""The confined reader: a process that looks at strangers' files, and has nothing else that it could touch.

Started by ``process.Reader``. Everything is imported before the limits are set, for afterwards no file can be opened.
"""

import codecs
import gc
import importlib
import mmap
import os
import socket
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import PurePosixPath
from typing import Any, BinaryIO, TypeVar

import numpy as np
import numpy.typing as npt
from highdicom._standard_utils import get_iod_module_map, get_module_attribute_map, get_sop_class_iod_map
from pydicom.charset import python_encoding

from ctplatform.datasets.importing.confined.limits import confine, most_descriptors
from ctplatform.datasets.importing.discovery import Found, discover
from ctplatform.datasets.importing.found import GivenFile, ReadScan, write_all
from ctplatform.datasets.importing.refusal import ImportRefusedError, refused_when_damaged
from ctplatform.datasets.importing.said import Said
from ctplatform.datasets.importing.screening import planes_with_text
from ctplatform.datasets.importing.wire import Line, Window, WindowReader
from ctplatform.datasets.kinds import StoredVolume
from ctplatform.errors import DomainError

T = TypeVar("T", bound=np.generic)
DAMAGED = "It is damaged or of a form that can't be read."
# Sockets, scratch files, trays, and files that are being read
DESCRIPTORS_IN_USE = 64
# Libraries import these only when the first file needs them.
LATER = (
    "bz2",
    "encodings.cp437",  # names in zips
    "encodings.latin_1",
    "gdcm",
    "jpeg_ls",
    "lzma",
    "numpy.ma",
    "openjpeg",
    "pydicom.overlays",
    "pydicom.pixels.decoders",
    "pydicom.pixels.utils",
    "scipy.ndimage",
    "PIL.Jpeg2KImagePlugin",
    "PIL.JpegImagePlugin",
    "PIL.PngImagePlugin",
)


class Broker:
    """The only way to bytes: files by their number, and files for what they hold."""

    def __init__(self, line: Line, most_held: int) -> None:
        self._line = line
        self._most_held = most_held
        self._held: dict[int, tuple[int, int]] = {}
        self._in_trays: list[tuple[int, StoredVolume]] = []

    def given(self, files: list[dict[str, Any]]) -> list[GivenFile]:
        return [self._given(number, **file) for number, file in enumerate(files)]

    def _given(self, number: int, path: str, size: int, *, mask: bool) -> GivenFile:
        def open_() -> BinaryIO:
            descriptor, start = self._granted(number)
            return WindowReader(Window(descriptor, start, size, owns=True))

        return GivenFile(PurePosixPath(path), size, open_, given_as_mask=mask, number=number)

    def _granted(self, number: int) -> tuple[int, int]:
        """A descriptor of the caller's own, and where the file starts in it.

        A slice is opened for its header and for its pixels, and asking is a message each way: it is held in between.
        """
        if number in self._held:
            descriptor, start = self._held[number]
            return os.dup(descriptor), start
        start = int(self._ask("file", number=number)["start"])
        descriptor = self._line.receive_descriptor()
        if len(self._held) < self._most_held:
            self._held[number] = os.dup(descriptor), start
        return descriptor, start

    def _ask(self, what: str, **details: Any) -> dict[str, Any]:
        self._line.send({"ask": what, **details})
        granted = self._line.receive()
        if "refused" in granted:
            raise ImportRefusedError(str(granted["refused"]))
        return granted

    def file(self) -> int:
        self._ask("scratch")
        return self._line.receive_descriptor()

    def array(self, size_zyx: tuple[int, ...], dtype: type[T]) -> npt.NDArray[T]:
        """Mapped from a scratch file."""
        with _closed(self.file()) as descriptor:
            return _mapped(descriptor, size_zyx, dtype)

    def volume(self, size_zyx: tuple[int, ...], planes: Iterable[tuple[int, StoredVolume]]) -> StoredVolume:
        """Mapped from a tray: what leaves as it came is with the worker already.

        Planes are written before they are mapped, for a page that is first touched by a write costs twice as much.
        """
        number, tray = self._tray()
        with _closed(tray) as descriptor:
            for index, plane in planes:
                if plane.shape != size_zyx[1:]:
                    raise ValueError("a plane of another size")
                samples = np.ascontiguousarray(plane, np.int16).data.cast("B")
                os.lseek(descriptor, index * len(samples), os.SEEK_SET)
                write_all(descriptor, samples)
            volume = _mapped(descriptor, size_zyx, np.int16)
        self._in_trays.append((number, volume))
        return volume

    def sent(self, array: npt.NDArray[Any]) -> int:
        """The number of a tray that the worker keeps and that holds the array, plane after plane."""
        for number, volume in self._in_trays:
            if volume is array:
                return number
        number, tray = self._tray()
        with _closed(tray) as descriptor:
            for plane in array:
                write_all(descriptor, np.ascontiguousarray(plane).data.cast("B"))
        return number

    def _tray(self) -> tuple[int, int]:
        """Its number and its descriptor."""
        number = int(self._ask("tray")["number"])
        return number, self._line.receive_descriptor()

    def clear_trays(self) -> None:
        """The worker has read what lay in them, or will not."""
        self._in_trays.clear()


@contextmanager
def _closed(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _mapped(descriptor: int, size_zyx: tuple[int, ...], dtype: type[T]) -> npt.NDArray[T]:
    """The mapping outlives the descriptor."""
    size = int(np.prod(size_zyx, dtype=np.int64)) * np.dtype(dtype).itemsize
    os.ftruncate(descriptor, size)
    return np.frombuffer(mmap.mmap(descriptor, size), dtype).reshape(size_zyx)


class Reader:
    def __init__(self, line: Line, most_held: int) -> None:
        self._broker = Broker(line, most_held)
        self._found = Found()

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """A request's answer; whatever goes wrong on the way is a refusal with a reason."""
        try:
            with refused_when_damaged(DAMAGED):
                return self._discover(request) if request["do"] == "discover" else self._scan(request["candidate"])
        except DomainError as error:
            return {"refused": error.message}

    def _discover(self, request: dict[str, Any]) -> dict[str, Any]:
        self._found = discover(self._broker.given(request["files"]), self._broker, Said.from_dict(request["said"]))
        return {
            "candidates": [
                {"label": one.label, "files": one.files, "size": one.size, "row": one.row, "numbers": one.numbers}
                for one in self._found.candidates
            ],
            "refusals": [asdict(refusal) for refusal in self._found.refusals],
        }

    def _scan(self, candidate: int) -> dict[str, Any]:
        self._broker.clear_trays()
        scan = self._found.candidates[candidate].read(self._broker)
        scan.text_planes = planes_with_text(scan)
        return {"scan": self._described(scan)}

    def _described(self, scan: ReadScan) -> dict[str, Any]:
        return {
            "grid": scan.grid.to_dict(),
            "volume": self._broker.sent(scan.volume),
            "masks": {kind.value: self._broker.sent(labels) for kind, labels in scan.masks.items()},
            "report": scan.report,
            "acquisition": scan.acquisition,
            "name": scan.name,
            "subject": scan.subject,
            "identity": scan.identity,
            "text_planes": scan.text_planes,
            "says_synthetic": scan.says_synthetic,
        }


def load_everything() -> None:
    for module in LATER:
        importlib.import_module(module)
    for encoding in set(python_encoding.values()):
        codecs.lookup(encoding)
    for table in (get_module_attribute_map, get_iod_module_map, get_sop_class_iod_map):
        table()
    # The libraries stay; looking through them for garbage takes as long as a third of all headers.
    gc.collect()
    gc.freeze()


def serve(messages: socket.socket, descriptors: socket.socket, *, memory_bytes: int) -> None:
    line = Line(messages, descriptors)
    most_held = most_descriptors() - DESCRIPTORS_IN_USE
    line.send({"in_force": confine(memory_bytes=memory_bytes)})
    reader = Reader(line, most_held)
    while True:
        try:
            request = line.receive()
        except EOFError:
            return
        line.send({"answer": reader.answer(request)})


def main() -> None:
    messages, descriptors, memory_bytes = (int(argument) for argument in sys.argv[1:])
    load_everything()
    serve(socket.socket(fileno=messages), socket.socket(fileno=descriptors), memory_bytes=memory_bytes)


if __name__ == "__main__":
    main()
