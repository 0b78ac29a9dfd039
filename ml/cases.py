"""Folders of scans as cases: phantoms and case folders, LiTS, the Segmentation Decathlon, single NIfTI pairs.

Labels follow LiTS: 1 liver, 2 lesion. Where no liver comes with a scan it is estimated and marked as estimated.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ml.errors import TrainingError
from ml.geometry import Box, Grid
from ml.liver import ESTIMATE_NOTE, estimate_liver
from ml.patches import Case, build_case
from ml.volume_io import read_mask, read_volume

LESION_LABEL, MAX_LESIONS = 2, 255
# Whole scans of a public dataset do not fit into memory; patches read no further than this from the liver.
MARGIN_MM = 40.0
LITS_SCAN = re.compile(r"volume-(\w+)\.nii(\.gz)?")


@dataclass(frozen=True)
class CaseFiles:
    """A scan's files. ``labels`` is in LiTS style; else ``liver`` and numbered ``lesions``, each where it exists."""

    name: str
    scan: Path
    labels: Path | None = None
    liver: Path | None = None
    lesions: Path | None = None
    description: Path | None = None


def find_cases(folder: Path) -> list[CaseFiles]:
    """The scans of a dataset folder in the order of their names; raises TrainingError when there are none."""
    if not folder.is_dir():
        raise TrainingError(f"{folder.name} is not a folder.")
    layouts: tuple[Callable[[Path], list[CaseFiles]], ...] = (_case_folders, _lits, _decathlon)
    for layout in layouts:
        found = layout(folder)
        if found:
            return sorted(found, key=lambda files: files.name)
    raise TrainingError(
        f"{folder.name} holds no case folders with a ct.nii.gz, no LiTS files (volume-1.nii, segmentation-1.nii) "
        "and no Decathlon folders (imagesTr, labelsTr)."
    )


def _existing(path: Path) -> Path | None:
    return path if path.is_file() else None


def _case_folders(folder: Path) -> list[CaseFiles]:
    folders = [folder] if (folder / "ct.nii.gz").is_file() else [p for p in folder.iterdir() if p.is_dir()]
    return [case_files(p) for p in folders if (p / "ct.nii.gz").is_file()]


def case_files(folder: Path) -> CaseFiles:
    """The files of one case folder."""
    names = {"labels": "labels", "liver": "liver", "lesions": "lesions"}
    masks = {key: _existing(folder / f"{name}.nii.gz") for key, name in names.items()}
    return CaseFiles(folder.name, folder / "ct.nii.gz", **masks, description=_existing(folder / "phantom.json"))


def _lits(folder: Path) -> list[CaseFiles]:
    found = []
    for scan in folder.rglob("volume-*.nii*"):
        match = LITS_SCAN.fullmatch(scan.name)
        if match:
            labels = scan.with_name(scan.name.replace("volume-", "segmentation-", 1))
            found.append(CaseFiles(f"volume-{match[1]}", scan, labels=_existing(labels)))
    return found


def _decathlon(folder: Path) -> list[CaseFiles]:
    scans = [p for p in (folder / "imagesTr").glob("*.nii.gz") if not p.name.startswith(".")]
    found = []
    for scan in scans:
        name = scan.name.removesuffix(".nii.gz").removesuffix("_0000")
        found.append(CaseFiles(name, scan, labels=_existing(folder / "labelsTr" / f"{name}.nii.gz")))
    return found


def load_cases(folder: Path) -> list[Case]:
    """All cases of a dataset folder, in the order of their names."""
    return [load_case(files) for files in find_cases(folder)]


def load_case(files: CaseFiles | Path) -> Case:
    """One case (or case folder), cut to the liver and its surroundings where it is larger than them.

    Case folders with a lesion-free twin stay whole, so that the twin's voxels are the case's voxels.
    """
    if isinstance(files, Path):
        files = case_files(files)
    hu, grid = read_volume(files.scan)
    liver, labels, note = _masks(files, hu, grid)
    if not (files.scan.parent / "lesion_free.nii.gz").is_file():
        box = _liver_box(liver, grid)
        hu, liver, labels, grid = hu[box].copy(), liver[box].copy(), labels[box].copy(), grid.crop(box)
    return build_case(files.name, hu, grid, liver=liver, labels=labels, kinds=_kinds(files), liver_note=note)


def _masks(files: CaseFiles, hu: NDArray[np.int16], grid: Grid) -> tuple[NDArray[np.bool_], NDArray[np.uint8], str]:
    if files.labels is not None:
        tissue, _ = read_mask(files.labels, expected=grid)
        labels = _number(tissue == LESION_LABEL, files.name)
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


def _number(lesions: NDArray[np.bool_], name: str) -> NDArray[np.uint8]:
    numbered, count = ndimage.label(lesions)
    if count > MAX_LESIONS:
        raise TrainingError(f"{name} has more than {MAX_LESIONS} lesions.")
    return np.asarray(numbered, dtype=np.uint8)


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
    described = json.loads(files.description.read_text())
    return {lesion["label"]: lesion["kind"] for lesion in described["lesions"]}
