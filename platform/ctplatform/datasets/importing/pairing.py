"""Which volume files are scans, which are masks, and which mask belongs to which scan: by the customs of the field.

LiTS: volume-7.nii and segmentation-7.nii. Decathlon and nnU-Net: imagesTr/liver_7.nii.gz (or liver_7_0000.nii.gz)
and labelsTr/liver_7.nii.gz. TotalSegmentator: ct.nii.gz and segmentations/liver.nii.gz. Everything else: ct.nii.gz
beside liver.nii.gz, case7.nii.gz beside case7_lesions.nii.gz.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import PurePosixPath

from ctplatform.datasets.importing.label_tables import published
from ctplatform.datasets.importing.structures import (
    LESION,
    LIVER,
    MASK_WORDS,
    NAMES,
    OF_THE_LIVER,
    PARTS,
    SCAN_WORDS,
    VESSEL,
    Meaning,
    meaning_of,
    tokens,
)
from ctplatform.datasets.importing.volumes import stem

SCAN_FOLDERS = frozenset(
    "imagestr imagests imagesva images image img imgs volumes volume ct averaged-training-images".split()
)
MASK_FOLDERS = frozenset(
    """labelstr labelsts labelsva labels label masks mask segmentations segmentation segs seg groundtruth ground_truth
    averaged-training-labels""".split()
)
CHANNEL = "0000"
OF_SCANS = SCAN_WORDS | {CHANNEL}
ORGAN_WORDS = LIVER | OF_THE_LIVER | LESION | VESSEL | {"draft"}
SILENT_WORDS = MASK_WORDS | OF_SCANS | NAMES | PARTS | {"draft"}

Path = PurePosixPath


@dataclass
class Pairs:
    masks_of: dict[Path, list[Path]] = field(default_factory=dict)
    unmatched_masks: list[Path] = field(default_factory=list)


def pair(volumes: list[Path], given_masks: list[Path], *, beside_series: bool = False) -> Pairs:
    """given_masks were named as masks by the person, so with a single scan they belong to it whatever their names.

    Beside a DICOM series a file that is called after an organ is no scan of its own.
    """
    scan_like = [path for path in volumes if not (is_mask(path) or (beside_series and _is_called_after_organ(path)))]
    named_scans = [path for path in scan_like if set(_tokens(path)) & OF_SCANS]
    scans = [path for path in scan_like if not _shadowed(path, named_scans)]
    pairs = Pairs({scan: [] for scan in scans})
    given, kept = set(given_masks), set(scans)
    for mask in [path for path in volumes if path not in kept] + given_masks:
        scan = _scan_of(mask, scans, given=mask in given)
        (pairs.unmatched_masks if scan is None else pairs.masks_of[scan]).append(mask)
    for masks in pairs.masks_of.values():
        masks.sort(key=lambda path: (path.parent, _numbers_last(path)))
    return pairs


def is_mask(path: Path) -> bool:
    folder = path.parent.name.lower()
    if folder in MASK_FOLDERS:
        return True
    if folder in SCAN_FOLDERS:
        return False
    words = _tokens(path)
    return bool(set(words) & MASK_WORDS) or (bool(words) and words[-1] in ORGAN_WORDS)


def _is_called_after_organ(path: Path) -> bool:
    return meaning_of(stem(path)).is_drawn and published(path, stem(path)) is None


def _shadowed(path: Path, named_scans: list[Path]) -> bool:
    """liver_7 alone is a scan of the Decathlon, beside ct_7 it is a mask."""
    if path.parent.name.lower() in SCAN_FOLDERS or set(_tokens(path)) & OF_SCANS:
        return False
    beside = [scan for scan in named_scans if scan.parent == path.parent]
    return any(key(path)[: len(key(scan))] == key(scan) and meaning_of_mask(path, scan).is_drawn for scan in beside)


@cache
def _tokens(path: Path) -> tuple[str, ...]:
    return tuple(tokens(stem(path)))


def key(path: Path) -> tuple[str, ...]:
    """What is left of a name without the words that only say what the file is or shows."""
    return tuple(word for word in _tokens(path) if word not in SILENT_WORDS)


def _case(path: Path) -> tuple[str, ...]:
    """As a key, with the organ: spleen_12 is another case than liver_12."""
    return tuple(word for word in _tokens(path) if word not in MASK_WORDS | OF_SCANS)


def _scan_of(mask: Path, scans: list[Path], *, given: bool) -> Path | None:
    """The one scan that it fits best; none where two fit alike, for then nothing tells which."""
    near = scans if given else _near(mask, scans)
    if given and len(scans) == 1:
        return scans[0]
    for fits in (_same_case, _same_key, _longer_name):
        fitting = [scan for scan in near if fits(mask, scan)]
        if fits is _longer_name and fitting:
            longest = max(len(key(scan)) for scan in fitting)
            fitting = [scan for scan in fitting if len(key(scan)) == longest]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            in_folder = [scan for scan in fitting if scan.parent == mask.parent]
            return in_folder[0] if len(in_folder) == 1 else None
    return None


def _near(mask: Path, scans: list[Path]) -> list[Path]:
    """In its folder, in the folder above when its own holds masks, or in a folder beside its own."""
    beside = [scan for scan in scans if scan.parent == mask.parent]
    if beside:
        return beside
    above = [scan for scan in scans if scan.parent == mask.parent.parent]
    if above:
        return above
    return [scan for scan in scans if scan.parent.parent == mask.parent.parent]


def _same_case(mask: Path, scan: Path) -> bool:
    return _case(mask) == _case(scan) and (bool(key(scan)) or _shares_a_case_folder(mask, scan))


def _same_key(mask: Path, scan: Path) -> bool:
    return key(mask) == key(scan) and (bool(key(scan)) or _shares_a_case_folder(mask, scan))


def _shares_a_case_folder(mask: Path, scan: Path) -> bool:
    """Names without a case, such as ct and liver, belong together only inside the folder of one case."""
    return scan.parent in {mask.parent, mask.parent.parent} or _are_roles(mask, scan)


def _are_roles(mask: Path, scan: Path) -> bool:
    """case7/images/ct beside case7/masks/liver"""
    return mask.parent.name.lower() in MASK_FOLDERS and scan.parent.name.lower() in SCAN_FOLDERS


def _longer_name(mask: Path, scan: Path) -> bool:
    """case_7 and case_7_lesion_2, or ct and vertebrae_L1: what follows belongs to the name of what is drawn."""
    own = key(scan)
    if key(mask)[: len(own)] != own or not _shares_a_case_folder(mask, scan):
        return False
    return meaning_of_mask(mask, scan).is_drawn


def _numbers_last(path: Path) -> list[tuple[int, str]]:
    return [(int(word), "") if word.isdigit() else (-1, word) for word in _tokens(path)]


def meaning_of_mask(mask: Path, scan: Path | None) -> Meaning:
    """What the mask's name says beyond that of its scan: in labelsTr/liver_7 the name is that of the case."""
    shared: Iterable[str] = () if scan is None else _tokens(scan)
    return meaning_of(stem(mask), apart_from=shared)
