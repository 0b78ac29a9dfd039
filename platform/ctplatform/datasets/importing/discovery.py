"""Look through a folder: which files are scans, which are masks, and which mask belongs to which scan."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from uuid import UUID

from ctplatform.datasets import vocabulary
from ctplatform.datasets.importing import dicom
from ctplatform.datasets.importing.found import Candidate, ReadScan, Refusal
from ctplatform.datasets.importing.masks import MaskSource, add_masks, read_dicom_seg, read_mask_file
from ctplatform.datasets.importing.pairing import Pairs, mask_kind, pair
from ctplatform.datasets.importing.refusal import MAX_FILES, ImportRefusedError
from ctplatform.datasets.importing.volumes import is_volume_file, read_ct, stem

JUNK = ("._", ".DS_Store", "Thumbs.db", "desktop.ini")


@dataclass
class Found:
    candidates: list[Candidate] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)


def discover(path: Path, *, dataset_id: UUID, masks: Path | None = None) -> Found:
    """Everything below a folder, or one file; masks may lie elsewhere."""
    given = [] if masks is None else list(_files(masks))
    files = [file for file in _files(path) if file not in set(given)]
    if len(files) > MAX_FILES:
        raise ImportRefusedError(f"There are more than {MAX_FILES} files. Import them in parts.")
    volumes = [file for file in files if is_volume_file(file)]
    slices = [file for file in files if not is_volume_file(file) and dicom.looks_like_dicom(file)]
    given_volumes = [file for file in given if is_volume_file(file)]
    given_slices = [file for file in given if not is_volume_file(file) and dicom.looks_like_dicom(file)]
    found = Found()
    # one file is a scan, whatever it is called
    alone = path.is_file() and bool(volumes)
    pairs = Pairs({path: given_volumes}) if alone else pair(volumes, given_volumes)
    series = _series(found, slices, given_slices, dataset_id)
    if len(series) == 1 and not pairs.masks_of:
        series = [_with_masks(series[0], [_mask_source(mask) for mask in pairs.unmatched_masks])]
        pairs.unmatched_masks = []
    for scan, own in pairs.masks_of.items():
        found.candidates.append(_volume_candidate(scan, own, number=len(found.candidates) + 1))
    found.candidates += series
    why = "There is no scan whose name fits this mask." if found.candidates else "It is a mask; its scan is not here."
    found.refusals += [Refusal(f"mask file {n}", why) for n, _ in enumerate(pairs.unmatched_masks, start=1)]
    others = [file for file in files if file not in {*volumes, *slices} and not _is_note(file)]
    found.refusals += [
        Refusal(f"other file {n}", "It is no format that holds a CT scan.") for n, _ in enumerate(others, start=1)
    ]
    return found


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    root = path.resolve()
    for file in sorted(path.rglob("*")):
        visible = not any(part.startswith((".", "__MACOSX")) for part in file.relative_to(path).parts)
        inside = not file.is_symlink() or file.resolve().is_relative_to(root)
        if file.is_file() and visible and inside and not file.name.startswith(JUNK):
            yield file


def _is_note(path: Path) -> bool:
    """What usually lies beside scans and is no attempt at one."""
    notes = {".txt", ".md", ".json", ".csv", ".png", ".jpg", ".pdf", ".html", ".xml", ".raw", ".zraw"}
    return path.suffix.lower() in notes or path.name.upper() in {"LICENSE", "README", "DICOMDIR", "VERSION"}


def _volume_candidate(path: Path, masks: list[Path], *, number: int) -> Candidate:
    name = neutral_name(path)
    sources = [_mask_source(mask) for mask in masks]

    def read() -> ReadScan:
        scan = read_ct(path)
        scan.name = name
        scan.subject = name
        add_masks(scan, sources)
        return scan

    return Candidate(label=name or f"file {number}", read=read)


def _mask_source(path: Path) -> MaskSource:
    label = vocabulary.harmless_name(stem(path)) or "mask file"
    return MaskSource(label, partial(read_mask_file, path, kind=mask_kind(path)))


def neutral_name(path: Path) -> str:
    """The file's name when it names no person; "ct" in the folder "ircad01" is called after the folder."""
    name = stem(path)
    if {word.lower() for word in vocabulary.words(name)} <= vocabulary.GENERIC:
        name = path.parent.name
    return vocabulary.harmless_name(name)


def _series(found: Found, files: list[Path], given_masks: list[Path], dataset_id: UUID) -> list[Candidate]:
    contents = dicom.sort_out(files, dataset_id)
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
            MaskSource(f"DICOM segmentation {number}", partial(read_dicom_seg, file.path))
            for number, file in enumerate(fitting, start=1)
        ]
        series.append(_with_masks(candidate, sources))
    return series


def _refers_to(segmentation: dicom.DicomFile, series: Candidate) -> bool:
    named = segmentation.header.get("ReferencedSeriesSequence", None) or []
    uids = {str(item.get("SeriesInstanceUID", "")) for item in named}
    return series.series_uid in uids if uids else segmentation.text("FrameOfReferenceUID") == series.frame_uid


def _with_masks(series: Candidate, sources: list[MaskSource]) -> Candidate:
    def read() -> ReadScan:
        scan = series.read()
        add_masks(scan, sources)
        return scan

    return Candidate(series.label, read, series.series_uid, series.frame_uid)
