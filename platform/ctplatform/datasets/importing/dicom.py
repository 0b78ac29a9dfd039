"""DICOM files to series to volumes."""

import io
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import PurePosixPath
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset as DicomDataset
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from ctplatform.datasets.importing import deidentify
from ctplatform.datasets.importing.axes import canonical
from ctplatform.datasets.importing.dicom_frames import ENHANCED_CT, frame_count, frame_headers
from ctplatform.datasets.importing.dicom_geometry import TOLD_JITTER_MM, Placed, place_slices
from ctplatform.datasets.importing.dicom_pixels import frames_hu, read_hu
from ctplatform.datasets.importing.found import (
    Candidate,
    GivenFile,
    ReadScan,
    Refusal,
    Room,
    Stack,
    clean_hu,
    numbers_of,
)
from ctplatform.datasets.importing.refusal import ImportRefusedError, check_size, refused_when_damaged

# What is read is checked here, and pydicom's own warnings would quote values into the log.
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE

SEGMENTATION_CLASSES = {"1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7"}
DIRECTORY_CLASS = "1.2.840.10008.1.3.10"
# The file meta information, where the transfer syntax stands, is a few hundred bytes.
FILE_META_BYTES = 4096
BLOCK = 4 * 1024**2
BARE = {b"\x02\x00", b"\x08\x00", b"\x00\x08"}
# Headers of slices end within this
HEADER_BYTES = 256 * 1024
ITEM, ITEM_BYTES = b"\xfe\xff\x00\xe0", 8
# A segmentation of 2,000 frames in ten segments has about ten items a frame.
MAX_ITEMS = 200_000


# Largest differences inside one stack: of a direction's numbers, and of pixel spacings as a share
ONE_DIRECTION, ONE_SPACING = 1e-3, 1.5e-3
IN_ITS_PLACE = ("PatientName", "PatientBirthDate")
TWO_PERSONS = (
    "Its slices carry the data of more than one person (patient's number, name or date of birth), so they were mixed "
    "up. Export each person's series again."
)


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
class DicomContents:
    scans: list[Candidate]
    refusals: list[Refusal]
    segmentations: list[DicomFile]


def looks_like_dicom(file: GivenFile) -> bool:
    """A preamble with its mark, or a bare data set that starts with group 0002 or 0008 in either order of bytes."""
    start = file.start(132)
    return start[128:132] == b"DICM" or start[:2] in BARE


def read_header(file: GivenFile) -> DicomFile:
    """Everything but the pixels, and nothing that has to be inflated first: that could be a bomb."""
    with refused_when_damaged("It is damaged: its DICOM header can't be read."), file.open() as opened:
        start = opened.read(HEADER_BYTES)
        if str(DeflatedExplicitVRLittleEndian).encode() in start[:FILE_META_BYTES]:
            raise ImportRefusedError("It uses the deflated transfer syntax. Export it uncompressed or as JPEG 2000.")
        _refuse_many_items(file, opened)
        return _parsed(file, io.BytesIO(start), end=len(start)) or _whole(file, opened)


def _parsed(file: GivenFile, start: BinaryIO, *, end: int) -> DicomFile | None:
    """A header out of the first bytes in memory, as nearly all are; None where it goes on behind them."""
    try:
        found = _whole(file, start)
    except Exception:  # noqa: BLE001 - what is cut off looks damaged, and is read again from the file
        return None
    return found if found.pixels_at < end else None


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


def read_headers(given: Iterable[GivenFile]) -> tuple[list[DicomFile], list[Refusal]]:
    """What can be read, and every reason once, however many files it is about."""
    files: list[DicomFile] = []
    refused: dict[str, list[tuple[int, GivenFile]]] = defaultdict(list)
    for number, one in enumerate(given, start=1):
        try:
            file = read_header(one)
        except ImportRefusedError as error:
            refused[error.message].append((number, one))
            continue
        if file.sop_class != DIRECTORY_CLASS:
            files.append(file)
    return files, [
        Refusal(_numbered([number for number, _ in found]), reason, numbers_of(one for _, one in found))
        for reason, found in refused.items()
    ]


def _numbered(numbers: list[int]) -> str:
    return f"DICOM file {numbers[0]}" if len(numbers) == 1 else f"DICOM file {numbers[0]} and {len(numbers) - 1} more"


def sort_out(given: Iterable[GivenFile]) -> DicomContents:
    """CT series as candidates; segmentations apart; everything else refused with its reason, once per series."""
    files, refusals = read_headers(given)
    contents = DicomContents([], refusals, [file for file in files if file.is_segmentation])
    by_series: dict[str, list[DicomFile]] = defaultdict(list)
    for file in files:
        if not file.is_segmentation:
            by_series[file.text("SeriesInstanceUID")].append(file)
    for number, members in enumerate(by_series.values(), start=1):
        fit, reasons = _split_unfit(members)
        label = f"DICOM series {number}"
        contents.refusals.extend(
            Refusal(f"{label} ({len(found)} {'files' if len(found) > 1 else 'file'})", why, numbers_of(found))
            for why, found in reasons.items()
        )
        volumes = _volumes_of(fit)
        apart = f"its series holds {len(volumes)} stacks that differ in size, direction or phase"
        told = apart if len(volumes) > 1 else ""
        for part, volume in enumerate(volumes, start=1):
            own_label = label if len(volumes) == 1 else f"{label}, part {part}"
            contents.scans.append(
                Candidate(
                    label=own_label,
                    read=partial(read_series, volume, told),
                    files=len(volume),
                    size=sum({file.file.path: file.file.size for file in volume}.values()),
                    series_uid=volume[0].text("SeriesInstanceUID"),
                    frame_uid=volume[0].text("FrameOfReferenceUID"),
                    folders=frozenset(file.file.path.parent for file in volume),
                    numbers=numbers_of(file.file for file in volume),
                )
            )
    return contents


def _split_unfit(files: list[DicomFile]) -> tuple[list[DicomFile], dict[str, list[GivenFile]]]:
    """Slices, and frames as slices; reasons with the files that they are about."""
    fit: list[DicomFile] = []
    reasons: dict[str, list[GivenFile]] = defaultdict(list)
    for file in files:
        try:
            with refused_when_damaged("It is damaged: its DICOM header holds values that can't be read."):
                deidentify.refuse_unfit(file.header, UID(file.sop_class))
                fit += _frames_of(file)
        except ImportRefusedError as error:
            reasons[error.message].append(file.file)
    if _are_mixed(fit):
        return [], {**reasons, TWO_PERSONS: [file.file for file in fit]}
    return fit, reasons


def _are_mixed(files: list[DicomFile]) -> bool:
    """Whether slices are of several persons: by the patient's number where all have one, else by name and birth."""
    ids = [_plain(file, "PatientID") for file in files]
    if all(ids):
        return len(set(ids)) > 1
    told = [{_plain(file, keyword) for file in files} - {""} for keyword in ("PatientID", *IN_ITS_PLACE)]
    return any(len(values) > 1 for values in told)


def _plain(file: DicomFile, keyword: str) -> str:
    """Spelling in capitals, spaces and empty parts of a name aside."""
    return "".join(file.text(keyword).upper().split()).rstrip("^")


def _frames_of(file: DicomFile) -> list[DicomFile]:
    count = frame_count(file.header)
    if count == 1 and file.sop_class not in ENHANCED_CT:
        return [file]
    if file.sop_class not in ENHANCED_CT:
        raise ImportRefusedError(
            "It is a multi-frame picture that is no enhanced CT. Export it as a classic CT series."
        )
    frames = [replace(file, header=header, frame=n) for n, header in enumerate(frame_headers(file.header))]
    for frame in frames:
        deidentify.refuse_other_values(frame.header)
    return frames


def _volumes_of(files: list[DicomFile]) -> list[list[DicomFile]]:
    """A series may hold several stacks: other orientations or sizes, or one stack per phase of the contrast."""
    stacks: list[list[DicomFile]] = []
    for file in _without_copies(files):
        stack = next((stack for stack in stacks if _fits(stack[0], file)), None)
        if stack is None:
            stacks.append([file])
        else:
            stack.append(file)
    return [volume for stack in stacks for volume in _by_acquisition(stack)]


def _fits(first: DicomFile, other: DicomFile) -> bool:
    """Exporters write the last digits of directions and spacings differently from slice to slice."""
    if any(first.text(keyword) != other.text(keyword) for keyword in ("Rows", "Columns")):
        return False
    pairs = (
        (first.orientation, other.orientation, ONE_DIRECTION),
        (first.pixel_spacing_mm, other.pixel_spacing_mm, ONE_SPACING * max((*first.pixel_spacing_mm, 0.0))),
    )
    return all(
        len(ours) == len(theirs) and all(abs(a - b) <= most for a, b in zip(ours, theirs, strict=True))
        for ours, theirs, most in pairs
    )


def _without_copies(files: list[DicomFile]) -> list[DicomFile]:
    """A copy has the same identifier and place; careless tools give all slices of a scan one identifier."""
    seen: set[tuple[str, ...]] = set()
    kept = []
    for file in files:
        uid = file.text("SOPInstanceUID")
        same = (
            uid,
            *(file.text(keyword) for keyword in ("ImagePositionPatient", "InstanceNumber", "AcquisitionNumber")),
        )
        if not uid or file.frame is not None or same not in seen:
            kept.append(file)
        seen.add(same)
    return kept


def _by_acquisition(stack: list[DicomFile]) -> list[list[DicomFile]]:
    """Only split when places repeat: a long scan may carry several acquisition numbers on its way."""
    places = [file.text("ImagePositionPatient") for file in stack]
    if len(set(places)) == len(places):
        return [stack]
    for keyword in ("AcquisitionNumber", "TemporalPositionIdentifier", "AcquisitionTime"):
        parts: dict[str, list[DicomFile]] = defaultdict(list)
        for file in stack:
            parts[file.text(keyword)].append(file)
        if all(len({f.text("ImagePositionPatient") for f in part}) == len(part) for part in parts.values()):
            return list(parts.values())
    return [stack]


def read_series(files: list[DicomFile], told: str, room: Room) -> ReadScan:
    first = files[0].header
    check_size((len(files), int(first.get("Rows", 0) or 0), int(first.get("Columns", 0) or 0)))
    placed: Placed[DicomFile] = place_slices([(file.header, file) for file in files])
    volume = room.array(placed.grid.size_zyx, np.int16)
    padded = 0
    for index, slice_hu, padding in _slices_hu(placed.files):
        volume[index] = slice_hu
        padded += padding
    volume, grid, moved = canonical(volume, placed.grid)
    report = deidentify.dicom_report(file.header for file in files)
    scan = ReadScan(volume=volume, grid=grid, report=report)
    scan.stack = Stack([file.file.path for file in placed.files], placed.grid)
    scan.acquisition = deidentify.acquisition_facts(first)
    scan.identity = deidentify.identity(first)
    scan.says_synthetic = any(deidentify.says_synthetic(file.header) for file in placed.files)
    if told:
        scan.note(told)
    if placed.jitter_mm > TOLD_JITTER_MM:
        scan.note(f"its slices lie up to {placed.jitter_mm:.2f} mm beside an even spacing")
    if placed.pixel_spread_mm > 0:
        scan.note(
            f"its slices give pixel spacings that differ by {placed.pixel_spread_mm:.1g} mm; the middle one was used"
        )
    if padded:
        scan.changed(f"{padded} padding voxels were set to -1024 HU")
    if moved:
        scan.changed("axes were reordered to left, posterior, superior (no interpolation)")
    clean_hu(scan)
    return scan


def _slices_hu(files: list[DicomFile]) -> Iterator[tuple[int, npt.NDArray[np.int16], int]]:
    """Index, slice in HU and padding voxels; a multi-frame file is opened once."""
    frames: dict[PurePosixPath, list[tuple[int, DicomFile]]] = defaultdict(list)
    for index, file in enumerate(files):
        if file.frame is None:
            yield index, *read_hu(file.file, file.header, file.pixels_at)
        else:
            frames[file.file.path].append((index, file))
    for members in frames.values():
        headers = {file.frame or 0: file.header for _, file in members}
        read = frames_hu(members[0][1].file, headers)
        for (index, _), (slice_hu, padding) in zip(members, read, strict=True):
            yield index, slice_hu, padding
