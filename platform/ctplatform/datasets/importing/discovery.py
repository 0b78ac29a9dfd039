"""Look through the given files: which are scans, which are masks, and which mask belongs to which scan."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePosixPath

from ctplatform.datasets.importing import dicom, vocabulary
from ctplatform.datasets.importing.archive import is_zip, unpack
from ctplatform.datasets.importing.found import Candidate, GivenFile, ReadScan, Refusal, Room
from ctplatform.datasets.importing.headers import Beside
from ctplatform.datasets.importing.masks import MaskSource, add_masks, read_dicom_seg, read_mask_file
from ctplatform.datasets.importing.pairing import Pairs, mask_kind, pair
from ctplatform.datasets.importing.refusal import MAX_FILES, ImportRefusedError
from ctplatform.datasets.importing.volumes import is_volume_file, read_ct, stem

JUNK = ("._", ".DS_Store", "Thumbs.db", "desktop.ini")


@dataclass
class Found:
    candidates: list[Candidate] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)


def discover(given: Sequence[GivenFile], room: Room) -> Found:
    """Everything that may be a scan among the files; a single zip is unpacked first."""
    masks = [file for file in given if file.given_as_mask]
    scans = [file for file in given if not file.given_as_mask]
    alone = len(scans) == 1
    if alone and is_zip(scans[0]):
        scans, alone = unpack(scans[0], room), False
    files = [file for file in scans if _is_visible(file.path)]
    if len(files) > MAX_FILES:
        raise ImportRefusedError(f"There are more than {MAX_FILES} files. Import them in parts.")
    return _sorted_out(files, masks, alone=alone)


def _is_visible(path: PurePosixPath) -> bool:
    hidden = any(part.startswith((".", "__MACOSX")) for part in path.parts)
    return not hidden and not path.name.startswith(JUNK)


def _sorted_out(files: list[GivenFile], given: list[GivenFile], *, alone: bool) -> Found:
    by_path = {file.path: file for file in [*given, *files]}
    if len(by_path) < len(given) + len(files):
        raise ImportRefusedError("Two of the files have the same name and folder. Name them apart.")
    volumes = [file for file in files if is_volume_file(file.path)]
    slices = [file for file in files if not is_volume_file(file.path) and dicom.looks_like_dicom(file)]
    given_volumes = [file.path for file in given if is_volume_file(file.path)]
    given_slices = [file for file in given if not is_volume_file(file.path) and dicom.looks_like_dicom(file)]
    found = Found()
    # one file is a scan, whatever it is called
    is_one_scan = alone and bool(volumes)
    if is_one_scan:
        pairs = Pairs({volumes[0].path: given_volumes})
    else:
        pairs = pair([file.path for file in volumes], given_volumes)
    series = _series(found, slices, given_slices)
    if len(series) == 1 and not pairs.masks_of:
        series = [_with_masks(series[0], [_mask_source(by_path, mask) for mask in pairs.unmatched_masks])]
        pairs.unmatched_masks = []
    for scan, own in pairs.masks_of.items():
        found.candidates.append(_volume_candidate(by_path, scan, own, number=len(found.candidates) + 1))
    found.candidates += series
    why = "There is no scan whose name fits this mask." if found.candidates else "It is a mask; its scan is not here."
    found.refusals += [Refusal(f"mask file {n}", why) for n, _ in enumerate(pairs.unmatched_masks, start=1)]
    others = [file for file in files if file not in {*volumes, *slices} and not _is_note(file.path)]
    found.refusals += [
        Refusal(f"other file {n}", "It is no format that holds a CT scan.") for n, _ in enumerate(others, start=1)
    ]
    return found


def _is_note(path: PurePosixPath) -> bool:
    """What usually lies beside scans and is no attempt at one."""
    notes = {".txt", ".md", ".json", ".csv", ".png", ".jpg", ".pdf", ".html", ".xml", ".raw", ".zraw"}
    return path.suffix.lower() in notes or path.name.upper() in {"LICENSE", "README", "DICOMDIR", "VERSION"}


ByPath = dict[PurePosixPath, GivenFile]


def _beside(by_path: ByPath, path: PurePosixPath) -> Beside:
    """Plain names only: a name with a folder in it leads to no file of this one."""
    return lambda name: by_path.get(path.parent / name) if name and "/" not in name else None


def _volume_candidate(by_path: ByPath, path: PurePosixPath, masks: list[PurePosixPath], *, number: int) -> Candidate:
    file = by_path[path]
    name = neutral_name(path)
    sources = [_mask_source(by_path, mask) for mask in masks]

    def read(room: Room) -> ReadScan:
        scan = read_ct(file, _beside(by_path, file.path), room)
        scan.name = name
        scan.subject = name
        add_masks(scan, sources, room)
        return scan

    size = sum(by_path[each].size for each in [path, *masks])
    return Candidate(label=name or f"file {number}", read=read, files=1 + len(masks), size=size)


def _mask_source(by_path: ByPath, path: PurePosixPath) -> MaskSource:
    file = by_path[path]
    label = vocabulary.harmless_name(stem(path)) or "mask file"
    read = partial(read_mask_file, file, _beside(by_path, file.path), kind=mask_kind(path))
    return MaskSource(label, file.size, read)


def neutral_name(path: PurePosixPath) -> str:
    """The file's name when it names no person; "ct" in the folder "ircad01" is called after the folder."""
    name = stem(path)
    if {word.lower() for word in vocabulary.words(name)} <= vocabulary.GENERIC:
        name = path.parent.name
    return vocabulary.harmless_name(name)


def _series(found: Found, files: list[GivenFile], given_masks: list[GivenFile]) -> list[Candidate]:
    contents = dicom.sort_out(files)
    given, refusals = dicom.read_headers(given_masks)
    segmentations = contents.segmentations + [file for file in given if file.is_segmentation]
    found.refusals += contents.refusals + refusals
    if segmentations and not contents.scans:
        found.refusals.append(Refusal("DICOM segmentation", "It is a mask; its scan is not here."))
    single = len(contents.scans) == 1
    series = []
    for candidate in contents.scans:
        fitting = [file for file in segmentations if single or _refers_to(file, candidate)]
        sources = [
            MaskSource(f"DICOM segmentation {number}", file.file.size, partial(read_dicom_seg, file.file))
            for number, file in enumerate(fitting, start=1)
        ]
        series.append(_with_masks(candidate, sources))
    return series


def _refers_to(segmentation: dicom.DicomFile, series: Candidate) -> bool:
    uids = segmentation.referenced_series
    return series.series_uid in uids if uids else segmentation.text("FrameOfReferenceUID") == series.frame_uid


def _with_masks(series: Candidate, sources: list[MaskSource]) -> Candidate:
    def read(room: Room) -> ReadScan:
        scan = series.read(room)
        add_masks(scan, sources, room)
        return scan

    size = series.size + sum(source.size for source in sources)
    return Candidate(series.label, read, series.files + len(sources), size, series.series_uid, series.frame_uid)
