"""One DICOM file: whether it is one, its header, and what is asked of that again and again."""

import io
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import BinaryIO

import pydicom
from pydicom.dataset import Dataset as DicomDataset
from pydicom.uid import DeflatedExplicitVRLittleEndian

from ctplatform.datasets.importing.found import GivenFile, Refusal, numbers_of
from ctplatform.datasets.importing.refusal import ImportRefusedError, refused_when_damaged

# What is read is checked here, and pydicom's own warnings would quote values into the log.
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE

SEGMENTATION_CLASSES = {"1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7"}
DIRECTORY_CLASS = "1.2.840.10008.1.3.10"
# The file meta information, where the transfer syntax stands, is a few hundred bytes.
FILE_META_BYTES = 4096
BLOCK = 4 * 1024**2
BARE = {b"\x02\x00", b"\x08\x00", b"\x00\x08"}
# Headers of slices end within the first, and with private tables of the scanner within the second
HEADER_BYTES, LONG_HEADER_BYTES = 32 * 1024, 256 * 1024
ITEM, ITEM_BYTES = b"\xfe\xff\x00\xe0", 8
# A segmentation of 2,000 frames in ten segments has about ten items a frame.
MAX_ITEMS = 200_000


@dataclass(frozen=True)
class DicomFile:
    file: GivenFile
    header: DicomDataset
    sop_class: str
    # where the pixel data begin
    pixels_at: int = 0
    # which frame of a multi-frame file this is
    frame: int | None = None
    # what was asked for already: slices are compared with one another more than once
    _texts: dict[str, str] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def is_segmentation(self) -> bool:
        return self.sop_class in SEGMENTATION_CLASSES

    def text(self, keyword: str) -> str:
        """The value as text; nothing when it is missing or its bytes make no value."""
        if keyword not in self._texts:
            try:
                self._texts[keyword] = str(self.header.get(keyword, "") or "")
            except Exception:  # noqa: BLE001 - each value representation fails in its own way
                self._texts[keyword] = ""
        return self._texts[keyword]

    @property
    def referenced_series(self) -> set[str]:
        """Nothing when the reference is missing or holds something else than references."""
        try:
            named = self.header.get("ReferencedSeriesSequence", None) or []
            return {str(item.get("SeriesInstanceUID", "")) for item in named}
        except Exception:  # noqa: BLE001 - each value representation fails in its own way
            return set()

    @cached_property
    def orientation(self) -> tuple[float, ...]:
        return self._numbers("ImageOrientationPatient")

    @cached_property
    def pixel_spacing_mm(self) -> tuple[float, ...]:
        return self._numbers("PixelSpacing")

    def _numbers(self, keyword: str) -> tuple[float, ...]:
        try:
            return tuple(float(number) for number in self.text(keyword).strip("[]").split(","))
        except ValueError:
            return ()


@dataclass(frozen=True)
class Unreadable:
    """A DICOM file whose header can't be read."""

    file: GivenFile
    reason: str


def read_header(file: GivenFile) -> DicomFile | Unreadable | None:
    """Everything but the pixels, by opening the file once; None for what isn't DICOM."""
    with file.open() as opened:
        start = opened.read(HEADER_BYTES)
        if not _looks_like_dicom(start):
            return None
        try:
            with refused_when_damaged("It is damaged: its DICOM header can't be read."):
                return _header(file, opened, start)
        except ImportRefusedError as error:
            return Unreadable(file, error.message)


def _looks_like_dicom(start: bytes) -> bool:
    """A preamble with its mark, or a bare data set that starts with group 0002 or 0008 in either order of bytes."""
    return start[128:132] == b"DICM" or start[:2] in BARE


def _header(file: GivenFile, opened: BinaryIO, start: bytes) -> DicomFile:
    """Nothing that has to be inflated first: that could be a bomb."""
    if str(DeflatedExplicitVRLittleEndian).encode() in start[:FILE_META_BYTES]:
        raise ImportRefusedError("It uses the deflated transfer syntax. Export it uncompressed or as JPEG 2000.")
    _refuse_many_items(file, opened)
    found = _parsed(file, start)
    if found is None and file.size > HEADER_BYTES:
        opened.seek(0)
        found = _parsed(file, opened.read(LONG_HEADER_BYTES))
    return found or _whole(file, opened)


def _parsed(file: GivenFile, start: bytes) -> DicomFile | None:
    """A header out of the first bytes in memory, as nearly all are; None where it goes on behind them."""
    try:
        found = _whole(file, io.BytesIO(start))
    except Exception:  # noqa: BLE001 - what is cut off looks damaged, and is read again from the file
        return None
    return found if found.pixels_at < len(start) else None


def _whole(file: GivenFile, source: BinaryIO) -> DicomFile:
    source.seek(0)
    header = pydicom.dcmread(source, stop_before_pixels=True, force=True)
    sop_class = header.get("SOPClassUID", "") or header.file_meta.get("MediaStorageSOPClassUID", "")
    return DicomFile(file, header, str(sop_class), source.tell())


def _refuse_many_items(file: GivenFile, opened: BinaryIO) -> None:
    """Each item of a sequence costs its eight bytes and a thousand times that to decode."""
    if file.size < MAX_ITEMS * ITEM_BYTES:
        return
    count = 0
    opened.seek(0)
    while block := opened.read(BLOCK):
        count += block.count(ITEM)
    if count > MAX_ITEMS:
        raise ImportRefusedError(f"It holds more than {MAX_ITEMS} sequence items, far more than a CT slice or mask.")


def readable(
    looked_at: Iterable[DicomFile | Unreadable],
) -> tuple[list[DicomFile], list[Refusal]]:
    """What could be read, and every reason once, however many files it is about."""
    files: list[DicomFile] = []
    refused: dict[str, list[tuple[int, GivenFile]]] = defaultdict(list)
    for number, one in enumerate(looked_at, start=1):
        if isinstance(one, Unreadable):
            refused[one.reason].append((number, one.file))
        elif one.sop_class != DIRECTORY_CLASS:
            files.append(one)
    return files, [
        Refusal(_numbered([number for number, _ in found]), reason, numbers_of(one for _, one in found))
        for reason, found in refused.items()
    ]


def _numbered(numbers: list[int]) -> str:
    return f"DICOM file {numbers[0]}" if len(numbers) == 1 else f"DICOM file {numbers[0]} and {len(numbers) - 1} more"
