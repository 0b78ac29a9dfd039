"""What each number of a label file stands for: by the person, by a dataset.json, or as a public set is known."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any

from ctplatform.datasets.importing import structures
from ctplatform.datasets.importing.found import GivenFile
from ctplatform.datasets.importing.refusal import MIB, refused_when_damaged
from ctplatform.datasets.importing.structures import Meaning, Says, meaning_of
from ctplatform.datasets.kinds import MaskKind

MOST_DESCRIBED_BYTES = MIB
MOST_LABELS = 1000


@dataclass(frozen=True)
class LabelTable:
    """``title`` is shown. In LiTS and its kin the liver's own label leaves the lesions out, which are liver too."""

    title: str
    meanings: Mapping[int, Meaning]
    lesions_are_liver: bool = False
    # Fewer different labels than this in a file, and it isn't of this set
    least_labels: int = 1
    others_are_told: bool = False
    # the person's words, which count more than any name
    is_said: bool = False


def _table(title: str, names: str, **rules: Any) -> LabelTable:
    return LabelTable(
        title,
        {n: meaning_of(name) for n, name in enumerate(names.split(", "), start=1)},
        lesions_are_liver=True,
        **rules,
    )


# Published by the organisers of each set: its challenge page, its dataset.json or the paper that describes it.
LITS = _table("LiTS and Task 3 of the Medical Segmentation Decathlon", "liver, lesion")
UNSAID = replace(LITS, title="the convention of label files: 1 liver, 2 lesion")
TASK08 = _table("Task 8 of the Medical Segmentation Decathlon", "vessel, tumour")
AMOS = _table(
    "AMOS",
    "spleen, right kidney, left kidney, gall bladder, esophagus, liver, stomach, aorta, postcava, pancreas, "
    "right adrenal gland, left adrenal gland, duodenum, bladder, prostate uterus",
    least_labels=4,
)
BTCV = _table(
    "BTCV",
    "spleen, right kidney, left kidney, gallbladder, esophagus, liver, stomach, aorta, inferior vena cava, "
    "portal vein and splenic vein, pancreas, right adrenal gland, left adrenal gland",
    least_labels=4,
)
FLARE22 = _table(
    "FLARE22",
    "liver, right kidney, spleen, pancreas, aorta, inferior vena cava, right adrenal gland, left adrenal gland, "
    "gallbladder, esophagus, stomach, duodenum, left kidney",
    least_labels=4,
)
ABDOMEN_1K = _table("AbdomenCT-1K", "liver, kidney, spleen, pancreas", least_labels=4)
WORD = _table(
    "WORD",
    "liver, spleen, left kidney, right kidney, stomach, gallbladder, esophagus, pancreas, duodenum, colon, intestine, "
    "adrenal gland, rectum, bladder, left femur head, right femur head",
    least_labels=4,
)
KITS = _table("KiTS", "kidney, kidney tumour, kidney cyst")
OTHER_ORGANS = {
    "pancreas": _table("Task 7 of the Medical Segmentation Decathlon", "pancreas, pancreas tumour"),
    "lung": _table("Task 6 of the Medical Segmentation Decathlon", "lung tumour"),
    "spleen": _table("Task 9 of the Medical Segmentation Decathlon", "spleen"),
    "colon": _table("Task 10 of the Medical Segmentation Decathlon", "colon tumour"),
}
# How the scans of a set are called; the last folder belongs to the name where the file's own says nothing.
PUBLISHED: Sequence[tuple[str, LabelTable]] = (
    (r"(?:.*/)?volume-\d+", LITS),
    (r"(?:.*/)?liver_\d+(?:_0000)?", LITS),
    (r"(?:.*/)?hepaticvessel_\d+(?:_0000)?", TASK08),
    (r"(?:.*/)?amos_\d{4}(?:_0000)?", AMOS),
    (r"(?:.*/)?img\d{4}", BTCV),
    (r"(?:.*/)?flare22_[a-z0-9_]+", FLARE22),
    (r"(?:.*/)?word_\d{4}(?:_0000)?", WORD),
    (r"(?:.*/)?case_\d{5}(?:_0000)", ABDOMEN_1K),
    (r".*case_\d{5}/imaging", KITS),
    *((rf"(?:.*/)?{organ}_\d+(?:_0000)?", table) for organ, table in OTHER_ORGANS.items()),
)
FIRST_MRI_OF_AMOS = 501
# In LiTS and the Decathlon the cases from 3D-IRCADb have 1 x 1 x 1 mm instead of their spacing.
LOST_OF_LITS = range(28, 48)


def published(scan: PurePosixPath, stem: str) -> LabelTable | None:
    """The table of the public set that a scan is called after."""
    name = f"{scan.parent.name}/{stem}".lower()
    return next((table for pattern, table in PUBLISHED if re.fullmatch(pattern, name)), None)


def lost_in_lits(scan: PurePosixPath, stem: str) -> bool:
    number = re.search(r"\d+", stem)
    return published(scan, stem) is LITS and number is not None and int(number.group()) in LOST_OF_LITS


def by_own_names(names: Mapping[int, str]) -> LabelTable | None:
    """What a file calls its labels; None where the names say nothing of what is drawn (Segment_1)."""
    meanings = {number: meaning_of(name) for number, name in names.items()}
    if not any(meaning.is_drawn for meaning in meanings.values()):
        return None
    return LabelTable("the names of its own segments", meanings, others_are_told=True)


@dataclass(frozen=True)
class Described:
    """What a dataset.json says about everything below its folder."""

    folder: PurePosixPath
    table: LabelTable
    is_mri: bool = False

    def covers(self, path: PurePosixPath) -> bool:
        return path.is_relative_to(self.folder)


@dataclass(frozen=True)
class Guide:
    """All that tells what labels mean, apart from the names of files."""

    labels: Mapping[int, MaskKind] = field(default_factory=dict)
    described: Sequence[Described] = ()

    def table_for(self, mask: PurePosixPath, scan: PurePosixPath | None, scan_stem: str | None) -> LabelTable:
        if self.labels:
            meanings = {number: Meaning(Says.KIND, kind, str(kind)) for number, kind in self.labels.items()}
            return LabelTable(
                "what was said at the import", meanings, lesions_are_liver=True, others_are_told=True, is_said=True
            )
        near = [one for one in self.described if one.covers(mask)]
        if near:
            return max(near, key=lambda one: len(one.folder.parts)).table
        return (scan and published(scan, scan_stem or "")) or UNSAID

    def is_mri(self, scan: PurePosixPath, stem: str) -> bool:
        amos = re.fullmatch(r"amos_(\d{4})(?:_0000)?", stem.lower())
        if amos and int(amos.group(1)) >= FIRST_MRI_OF_AMOS:
            return True
        return any(one.is_mri for one in self.described if one.covers(scan))


def described(file: GivenFile) -> Described | None:
    """A dataset.json of the Decathlon or of nnU-Net; None when it holds no labels."""
    with refused_when_damaged("Its dataset.json can't be read."):
        told = json.loads(file.start(MOST_DESCRIBED_BYTES))
        names = _names(told.get("labels"))
        if not names:
            return None
        folder = file.path.parent
        about = " ".join([str(told.get("name", "")), folder.name, *names.values()])
        of_the_liver = structures.names_liver(about) and not _name_other_organs(names.values())
        meanings = {number: _meaning(name, of_the_liver=of_the_liver) for number, name in names.items()}
        table = LabelTable("its dataset.json", meanings, lesions_are_liver=True)
        return Described(folder, table, _is_mri(told))


def _names(labels: Any) -> dict[int, str]:
    """Both ways of writing: {"1": "liver"} and {"liver": 1}; regions that unite several labels have no number."""
    if not isinstance(labels, dict) or len(labels) > MOST_LABELS:
        return {}
    pairs = [(key, value) if str(key).isdigit() else (value, key) for key, value in labels.items()]
    return {int(number): str(name) for number, name in pairs if str(number).isdigit() and int(number) > 0}


def _name_other_organs(names: Iterable[str]) -> bool:
    return any(meaning_of(name).says is Says.OTHER for name in names)


def _meaning(name: str, *, of_the_liver: bool) -> Meaning:
    """A bare tumour is the liver's in a set of the liver alone; among several organs nobody knows whose it is."""
    meaning = meaning_of(name)
    if meaning.kind not in {MaskKind.LESION, MaskKind.VESSEL} or of_the_liver or structures.names_liver(name):
        return meaning
    return meaning if "portal" in structures.tokens(name) else Meaning(Says.OTHER, name=meaning.name)


def _is_mri(told: Mapping[str, Any]) -> bool:
    channels = told.get("channel_names", told.get("modality"))
    names = list(channels.values()) if isinstance(channels, dict) else [channels]
    return bool(names) and all(str(name).upper().startswith("MR") for name in names)
