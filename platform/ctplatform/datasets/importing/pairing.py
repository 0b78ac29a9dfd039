"""Which volume files are scans, which are masks, and which mask belongs to which scan: by the customs of the field.

LiTS: volume-7.nii and segmentation-7.nii. Decathlon and nnU-Net: imagesTr/liver_7.nii.gz (or liver_7_0000.nii.gz)
and labelsTr/liver_7.nii.gz. Everything else: ct.nii.gz beside liver.nii.gz, case7.nii.gz beside case7_lesions.nii.gz.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from ctplatform.datasets.importing import vocabulary
from ctplatform.datasets.importing.masks import kind_of
from ctplatform.datasets.importing.volumes import stem
from ctplatform.datasets.kinds import MaskKind

SCAN_FOLDERS = frozenset({"imagestr", "imagests", "images", "volumes", "ct"})
MASK_FOLDERS = frozenset({"labelstr", "labelsts", "labels", "masks", "segmentations"})
MASK_WORDS = frozenset({"segmentation", "segmentations", "seg", "label", "labels", "mask", "masks"})
ORGAN_WORDS = frozenset(
    {"liver", "lesion", "lesions", "tumor", "tumors", "tumour", "tumours", "vessel", "vessels", "draft"}
)
SCAN_WORDS = frozenset({"volume", "vol", "image", "img", "ct", "scan", "0000"})
SILENT_WORDS = MASK_WORDS | ORGAN_WORDS | SCAN_WORDS


@dataclass
class Pairs:
    masks_of: dict[PurePosixPath, list[PurePosixPath]] = field(default_factory=dict)
    unmatched_masks: list[PurePosixPath] = field(default_factory=list)


def pair(volumes: list[PurePosixPath], given_masks: list[PurePosixPath]) -> Pairs:
    """given_masks were named as masks by the person, so with a single scan they belong to it whatever their names."""
    scan_like = [path for path in volumes if not is_mask(path)]
    scan_names = {(path.parent, key(path)) for path in scan_like if _lower_words(path) & SCAN_WORDS}
    scans = [path for path in scan_like if not _shadowed(path, scan_names)]
    beside = [path for path in volumes if path not in scans]
    pairs = Pairs()
    by_key: dict[tuple[str, ...], list[PurePosixPath]] = defaultdict(list)
    for mask in beside + given_masks:
        by_key[key(mask)].append(mask)
    for scan in scans:
        pairs.masks_of[scan] = _masks_of(scan, by_key, set(given_masks))
        if len(scans) == 1:
            pairs.masks_of[scan] += [mask for mask in given_masks if mask not in pairs.masks_of[scan]]
    used = {mask for masks in pairs.masks_of.values() for mask in masks}
    pairs.unmatched_masks = [mask for mask in beside + given_masks if mask not in used]
    return pairs


def is_mask(path: PurePosixPath) -> bool:
    folder = path.parent.name.lower()
    if folder in MASK_FOLDERS:
        return True
    if folder in SCAN_FOLDERS:
        return False
    words = [word.lower() for word in vocabulary.words(stem(path))]
    return bool(set(words) & MASK_WORDS) or (bool(words) and words[-1] in ORGAN_WORDS)


def _shadowed(path: PurePosixPath, scan_names: set[tuple[PurePosixPath, tuple[str, ...]]]) -> bool:
    """liver_7 alone is a scan of the Decathlon, beside ct_7 it is a mask."""
    words = _lower_words(path)
    return bool(words & ORGAN_WORDS) and not words & SCAN_WORDS and (path.parent, key(path)) in scan_names


def _lower_words(path: PurePosixPath) -> set[str]:
    return {word.lower() for word in vocabulary.words(stem(path))}


def key(path: PurePosixPath) -> tuple[str, ...]:
    """What is left of a name without the words that only say what the file is."""
    words = (word.lower() for word in vocabulary.words(stem(path)))
    return tuple(word for word in words if word not in SILENT_WORDS)


def _masks_of(
    scan: PurePosixPath, by_key: dict[tuple[str, ...], list[PurePosixPath]], given: set[PurePosixPath]
) -> list[PurePosixPath]:
    fitting = by_key.get(key(scan), [])
    named = bool(key(scan))
    chosen = [
        mask
        for mask in fitting
        if mask.parent == scan.parent or (named and (mask in given or mask.parent.parent == scan.parent.parent))
    ]
    return sorted(chosen)


def mask_kind(path: PurePosixPath) -> MaskKind | None:
    """In labelsTr/liver_7 the name is that of the scan and does not say what is labelled."""
    return None if path.parent.name.lower() in MASK_FOLDERS else kind_of(stem(path))
