"""DICOM files to series to volumes."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset as DicomDataset
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from ctplatform.datasets.importing import deidentify
from ctplatform.datasets.importing.axes import canonical
from ctplatform.datasets.importing.dicom_geometry import Placed, place_slices
from ctplatform.datasets.importing.dicom_pixels import read_hu
from ctplatform.datasets.importing.found import Candidate, GivenFile, ReadScan, Refusal, Room, clean_hu
from ctplatform.datasets.importing.refusal import ImportRefusedError, check_size, refused_when_damaged

# What is read is checked here, and pydicom's own warnings would quote values into the log.
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE

SEGMENTATION_CLASSES = {"1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7"}
DIRECTORY_CLASS = "1.2.840.10008.1.3.10"
# The file meta information, where the transfer syntax stands, is a few hundred bytes.
FILE_META_BYTES = 4096
BLOCK = 4 * 1024**2
ITEM = b"\xfe\xff\x00\xe0"
# A segmentation of 2,000 frames in ten segments has about ten items a frame.
MAX_ITEMS = 200_000


@dataclass(frozen=True)
class DicomFile:
    file: GivenFile
    header: DicomDataset
    sop_class: str

    @property
    def is_segmentation(self) -> bool:
        return self.sop_class in SEGMENTATION_CLASSES

    def text(self, keyword: str) -> str:
        """The value as text; nothing when it is missing or its bytes make no value."""
        try:
            return str(self.header.get(keyword, "") or "")
        except Exception:  # noqa: BLE001 - each value representation fails in its own way
            return ""

    @property
    def referenced_series(self) -> set[str]:
        """Nothing when the reference is missing or holds something else than references."""
        try:
            named = self.header.get("ReferencedSeriesSequence", None) or []
            return {str(item.get("SeriesInstanceUID", "")) for item in named}
        except Exception:  # noqa: BLE001 - each value representation fails in its own way
            return set()

    @property
    def orientation(self) -> tuple[float, ...]:
        """Rounded, because exporters write the last digits differently from slice to slice."""
        numbers = self.text("ImageOrientationPatient").strip("[]").split(",")
        try:
            return tuple(round(float(number), 3) for number in numbers)
        except ValueError:
            return ()


@dataclass(frozen=True)
class DicomContents:
    scans: list[Candidate]
    refusals: list[Refusal]
    segmentations: list[DicomFile]


def looks_like_dicom(file: GivenFile) -> bool:
    """A preamble with its mark, or a bare data set that starts with group 0008."""
    start = file.start(132)
    return start[128:132] == b"DICM" or start[:2] == b"\x08\x00"


def read_header(file: GivenFile) -> DicomFile:
    """Everything but the pixels, and nothing that has to be inflated first: that could be a bomb."""
    with refused_when_damaged("It is damaged: its DICOM header can't be read."):
        if str(DeflatedExplicitVRLittleEndian).encode() in file.start(FILE_META_BYTES):
            raise ImportRefusedError("It uses the deflated transfer syntax. Export it uncompressed or as JPEG 2000.")
        _refuse_many_items(file)
        with file.open() as opened:
            header = pydicom.dcmread(opened, stop_before_pixels=True, force=True)
        sop_class = header.get("SOPClassUID", "") or header.file_meta.get("MediaStorageSOPClassUID", "")
        return DicomFile(file, header, str(sop_class))


def _refuse_many_items(file: GivenFile) -> None:
    """Each item of a sequence costs its eight bytes and a thousand times that to decode."""
    count = 0
    with file.open() as opened:
        while block := opened.read(BLOCK):
            count += block.count(ITEM)
    if count > MAX_ITEMS:
        raise ImportRefusedError(f"It holds more than {MAX_ITEMS} sequence items, far more than a CT slice or mask.")


def read_headers(given: Iterable[GivenFile]) -> tuple[list[DicomFile], list[Refusal]]:
    files, refusals = [], []
    for number, one in enumerate(given, start=1):
        try:
            file = read_header(one)
        except ImportRefusedError as error:
            refusals.append(Refusal(f"DICOM file {number}", error.message))
            continue
        if file.sop_class != DIRECTORY_CLASS:
            files.append(file)
    return files, refusals


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
        contents.refusals.extend(Refusal(f"{label} ({count} files)", why) for why, count in reasons.items())
        volumes = _volumes_of(fit)
        for part, volume in enumerate(volumes, start=1):
            own_label = label if len(volumes) == 1 else f"{label}, part {part}"
            contents.scans.append(
                Candidate(
                    label=own_label,
                    read=partial(read_series, volume),
                    files=len(volume),
                    size=sum(file.file.size for file in volume),
                    series_uid=volume[0].text("SeriesInstanceUID"),
                    frame_uid=volume[0].text("FrameOfReferenceUID"),
                )
            )
    return contents


def _split_unfit(files: list[DicomFile]) -> tuple[list[DicomFile], dict[str, int]]:
    fit: list[DicomFile] = []
    reasons: dict[str, int] = defaultdict(int)
    for file in files:
        try:
            with refused_when_damaged("It is damaged: its DICOM header holds values that can't be read."):
                deidentify.refuse_unfit(file.header, UID(file.sop_class))
            fit.append(file)
        except ImportRefusedError as error:
            reasons[error.message] += 1
    return fit, reasons


def _volumes_of(files: list[DicomFile]) -> list[list[DicomFile]]:
    """A series may hold several stacks: other orientations or sizes, or one stack per phase of the contrast."""
    stacks: dict[tuple[Any, ...], list[DicomFile]] = defaultdict(list)
    for file in _without_copies(files):
        key = (file.text("Rows"), file.text("Columns"), file.text("PixelSpacing"), file.orientation)
        stacks[key].append(file)
    return [volume for stack in stacks.values() for volume in _by_acquisition(stack)]


def _without_copies(files: list[DicomFile]) -> list[DicomFile]:
    seen: set[str] = set()
    kept = []
    for file in files:
        uid = file.text("SOPInstanceUID")
        if not uid or uid not in seen:
            kept.append(file)
        seen.add(uid)
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


def read_series(files: list[DicomFile], room: Room) -> ReadScan:
    first = files[0].header
    check_size((len(files), int(first.get("Rows", 0) or 0), int(first.get("Columns", 0) or 0)))
    placed: Placed[DicomFile] = place_slices([(file.header, file) for file in files])
    volume = room.array(placed.grid.size_zyx, np.int16)
    padded = 0
    for index, file in enumerate(placed.files):
        volume[index], padding = read_hu(file.file)
        padded += padding
    volume, grid, moved = canonical(volume, placed.grid)
    report = deidentify.dicom_report(file.header for file in files)
    scan = ReadScan(volume=volume, grid=grid, report=report)
    scan.acquisition = deidentify.acquisition_facts(first)
    scan.identity = deidentify.identity(first)
    if padded:
        scan.changed(f"{padded} padding voxels were set to -1024 HU")
    if moved:
        scan.changed("axes were reordered to left, posterior, superior (no interpolation)")
    clean_hu(scan)
    return scan
