"""Folders of scans as cases: phantoms and case folders, LiTS, the Segmentation Decathlon, single NIfTI pairs.

Labels follow LiTS: 1 liver, 2 lesion. Where no liver comes with a scan it is estimated and marked as estimated.
A scan whose lesions nobody drew is not known to be free of them, unless the folder's ``lesions.csv`` says so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ml.errors import TrainingError, VolumeError
from ml.geometry import Box, Grid, same_grid
from ml.patches.case import LiverCase, build_case
from ml.scans.lesions import label_lesions
from ml.scans.liver import ESTIMATE_NOTE, estimate_liver
from ml.scans.said import SAID_NAME, Said, check_said, read_said
from ml.scans.volume_io import read_mask, read_volume

# In label files of LiTS; and the most that uint8 labels can number.
LESION_LABEL, MAX_LESIONS = 2, 255
# Whole scans of a public dataset do not fit into memory; patches read no further than this from the liver.
MARGIN_MM = 40.0
LITS_FILE = re.compile(r"(volume|segmentation)-(\w+)\.nii(\.gz)?")


@dataclass(frozen=True)
class CaseFiles:
    """A scan's files. ``labels`` is in LiTS style; else ``liver`` and numbered ``lesions``, each where it exists.

    ``description`` names the lesions' kinds, ``twin`` is the same scan without its lesions (phantoms have both).
    ``said`` is what a person says of its lesions, where somebody does.
    """

    name: str
    scan: Path
    labels: Path | None = None
    liver: Path | None = None
    lesions: Path | None = None
    description: Path | None = None
    twin: Path | None = None
    said: Said | None = None

    @property
    def all_drawn(self) -> bool:
        """Whether every lesion is known to be drawn: a mask of the lesions says so, or a person does."""
        if self.said is not None:
            return self.said != "not all drawn"
        return self.labels is not None or self.lesions is not None


def find_cases(*folders: Path) -> list[CaseFiles]:
    """The scans of one or several dataset folders in the order of their names.

    Raises TrainingError when one has none, when two have one name (names tell patients apart), or when some
    scans have labels and others none: lesions that nobody drew would count as normal liver.
    """
    found = sorted((files for folder in folders for files in _cases_of(folder)), key=lambda files: files.name)
    said = ", ".join(folder.name for folder in folders)
    for first, second in pairwise(found):
        if first.name == second.name:
            raise TrainingError(f"{said} holds {first.name} twice: {first.scan} and {second.scan}.")
    _check_labelled_alike(found, said)
    return found


def _cases_of(folder: Path) -> list[CaseFiles]:
    if not folder.is_dir():
        raise TrainingError(f"{folder.name} is not a folder.")
    layouts: tuple[Callable[[Path], list[CaseFiles]], ...] = (_case_folders, _lits, _decathlon)
    for layout in layouts:
        if found := layout(folder):
            return with_said(folder, found)
    raise TrainingError(
        f"{folder.name} holds no case folders with a ct.nii.gz, no LiTS files (volume-1.nii, segmentation-1.nii) "
        "and no Decathlon folders (imagesTr, labelsTr)."
    )


def with_said(folder: Path, found: list[CaseFiles]) -> list[CaseFiles]:
    """The scans with what the folder's ``lesions.csv`` says of them."""
    said = read_said(folder, names={files.name for files in found})
    return [replace(files, said=said.get(files.name)) for files in found]


def _check_labelled_alike(found: list[CaseFiles], said: str) -> None:
    bare = [f.name for f in found if not any((f.labels, f.liver, f.lesions, f.said))]
    if 0 < len(bare) < len(found):
        names = ", ".join(bare[:5]) + (" and others" if len(bare) > 5 else "")
        raise TrainingError(
            f"{said}: {len(bare)} of {len(found)} scans have no labels ({names}). Put the labels beside them, "
            f"say in {SAID_NAME} what is drawn of them, or take these scans away."
        )


def _existing(path: Path) -> Path | None:
    return path if path.is_file() else None


def _case_folders(folder: Path) -> list[CaseFiles]:
    folders = [folder] if (folder / "ct.nii.gz").is_file() else [p for p in folder.iterdir() if p.is_dir()]
    return [case_files(p) for p in folders if (p / "ct.nii.gz").is_file()]


def case_files(folder: Path) -> CaseFiles:
    """The files of one case folder."""
    return CaseFiles(
        folder.name,
        folder / "ct.nii.gz",
        labels=_existing(folder / "labels.nii.gz"),
        liver=_existing(folder / "liver.nii.gz"),
        lesions=_existing(folder / "lesions.nii.gz"),
        description=_existing(folder / "phantom.json"),
        twin=_existing(folder / "lesion_free.nii.gz"),
    )


def _lits(folder: Path) -> list[CaseFiles]:
    """Scans and their labels wherever they lie below the folder: some copies keep them in folders of their own."""
    files = [(match, path) for path in sorted(folder.rglob("*-*.nii*")) if (match := LITS_FILE.fullmatch(path.name))]
    labels = {match[2]: path for match, path in files if match[1] == "segmentation"}
    scans = [(match[2], path) for match, path in files if match[1] == "volume"]
    return [CaseFiles(f"volume-{number}", path, labels=labels.get(number)) for number, path in scans]


def _decathlon(folder: Path) -> list[CaseFiles]:
    scans = [p for p in (folder / "imagesTr").glob("*.nii.gz") if not p.name.startswith(".")]
    found = []
    for scan in scans:
        name = scan.name.removesuffix(".nii.gz").removesuffix("_0000")
        found.append(CaseFiles(name, scan, labels=_existing(folder / "labelsTr" / f"{name}.nii.gz")))
    return found


def load_cases(*folders: Path) -> list[LiverCase]:
    """All cases of one or several dataset folders, in the order of their names."""
    return [load_case(files) for files in find_cases(*folders)]


def load_case(files: CaseFiles | Path) -> LiverCase:
    """One case (or case folder), cut to the liver and its surroundings where it is larger than them.

    Case folders with a lesion-free twin stay whole, so that the twin's voxels are the case's voxels. Raises
    VolumeError or TrainingError, with the case's name, for files that do not fit together or show no liver.
    """
    if isinstance(files, Path):
        files = case_files(files)
    try:
        hu, grid = read_volume(files.scan)
        liver, labels, note = _masks(files, hu, grid)
        if files.twin is None:
            box = _liver_box(liver, grid)
            hu, liver, labels, grid = hu[box].copy(), liver[box].copy(), labels[box].copy(), grid.crop(box)
        check_said(files.said, any_drawn=bool(labels.any()))
        return build_case(
            files.name,
            hu,
            grid,
            liver=liver,
            labels=labels,
            kinds=_kinds(files),
            liver_note=note,
            all_drawn=files.all_drawn,
        )
    except (TrainingError, VolumeError) as error:
        raise type(error)(f"{files.name}: {error}") from error


def load_twin(files: CaseFiles, grid: Grid) -> NDArray[np.int16] | None:
    """The scan without its lesions in HU, shape ``grid.size_zyx``; None where a case has none.

    Raises VolumeError when it is not on the case's grid.
    """
    if files.twin is None:
        return None
    hu, own = read_volume(files.twin)
    if not same_grid(own, grid):
        raise VolumeError(f"{files.name}: the lesion-free twin does not lie on the same grid as its scan.")
    return hu


def _masks(files: CaseFiles, hu: NDArray[np.int16], grid: Grid) -> tuple[NDArray[np.bool_], NDArray[np.uint8], str]:
    if files.labels is not None:
        tissue, _ = read_mask(files.labels, expected=grid)
        labels = _number(tissue == LESION_LABEL)
        liver = tissue > 0
        # Some public label files hold lesions only.
        if (tissue == 1).any():
            return liver, labels, ""
    else:
        labels = np.zeros(grid.size_zyx, np.uint8)
        if files.lesions is not None:
            labels, _ = read_mask(files.lesions, expected=grid)
        if files.liver is not None:
            return read_mask(files.liver, expected=grid)[0] > 0, labels, ""
    return estimate_liver(hu, grid).mask | (labels > 0), labels, ESTIMATE_NOTE


def _number(lesions: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """As in the table of lesions: the largest first, voxels that meet at a corner belong together."""
    numbered = label_lesions(lesions)
    if numbered.max(initial=0) > MAX_LESIONS:
        raise TrainingError(f"There are more than {MAX_LESIONS} lesions; a label file of another kind?")
    return numbered.astype(np.uint8)


def _liver_box(liver: NDArray[np.bool_], grid: Grid) -> Box:
    found = ndimage.find_objects(liver.astype(np.uint8))
    if not found:
        raise TrainingError("The liver mask is empty.")
    margins = [int(np.ceil(MARGIN_MM / s)) for s in grid.spacing_zyx_mm]
    z, y, x = (
        slice(max(0, s.start - m), min(n, s.stop + m)) for s, m, n in zip(found[0], margins, grid.size_zyx, strict=True)
    )
    return z, y, x


def _kinds(files: CaseFiles) -> dict[int, str]:
    if files.description is None:
        return {}
    try:
        described = json.loads(files.description.read_text())
        return {lesion["label"]: lesion["kind"] for lesion in described["lesions"]}
    except (ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{files.description.name} does not describe lesions as ml.phantom does.") from error
