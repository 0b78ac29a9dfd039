"""DICOM files to series to volumes."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import PurePosixPath

from pydicom.uid import UID

from ctplatform.datasets.importing import deidentify
from ctplatform.datasets.importing.axes import canonical
from ctplatform.datasets.importing.dicom_file import DicomFile, Unreadable, readable
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
from ctplatform.datasets.kinds import StoredVolume

# Largest differences inside one stack: of a direction's numbers, and of pixel spacings as a share
ONE_DIRECTION, ONE_SPACING = 1e-3, 1.5e-3
IN_ITS_PLACE = ("PatientName", "PatientBirthDate")
TWO_PERSONS = (
    "Its slices carry the data of more than one person (patient's number, name or date of birth), so they were mixed "
    "up. Export each person's series again."
)


@dataclass(frozen=True)
class DicomContents:
    scans: list[Candidate]
    refusals: list[Refusal]
    segmentations: list[DicomFile]


def sort_out(looked_at: Iterable[DicomFile | Unreadable]) -> DicomContents:
    """CT series as candidates; segmentations apart; everything else refused with its reason, once per series."""
    files, refusals = readable(looked_at)
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
    padding: list[int] = []
    volume = room.volume(placed.grid.size_zyx, _slices_hu(placed.files, padding))
    padded = sum(padding)
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


def _slices_hu(files: list[DicomFile], padding: list[int]) -> Iterator[tuple[int, StoredVolume]]:
    """Index and slice in HU, its padding voxels counted on the way; a multi-frame file is opened once."""
    frames: dict[PurePosixPath, list[tuple[int, DicomFile]]] = defaultdict(list)
    for index, file in enumerate(files):
        if file.frame is None:
            slice_hu, padded = read_hu(file.file, file.header, file.pixels_at)
            padding.append(padded)
            yield index, slice_hu
        else:
            frames[file.file.path].append((index, file))
    for members in frames.values():
        headers = {file.frame or 0: file.header for _, file in members}
        read = frames_hu(members[0][1].file, headers)
        for (index, _), (slice_hu, padded) in zip(members, read, strict=True):
            padding.append(padded)
            yield index, slice_hu
