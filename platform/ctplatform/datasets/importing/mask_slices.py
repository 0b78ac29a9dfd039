"""Masks drawn slice by slice: a folder of DICOM pictures (3D-IRCADb) or of PNG pictures (CHAOS) beside a series."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import PurePosixPath

import numpy as np
import numpy.typing as npt
from PIL import Image

from ctplatform.datasets.importing.axes import canonical
from ctplatform.datasets.importing.dicom_file import DicomFile
from ctplatform.datasets.importing.dicom_geometry import place_slices
from ctplatform.datasets.importing.dicom_pixels import read_stored
from ctplatform.datasets.importing.found import GivenFile, ReadScan, Room
from ctplatform.datasets.importing.label_values import LabelValues, judged
from ctplatform.datasets.importing.refusal import ImportRefusedError, check_size, refused_when_damaged
from ml.geometry import Grid

# 3D-IRCADb-01: PATIENT_DICOM, MASKS_DICOM/liver, MASKS_DICOM/livertumor01 and so on, LABELLED_DICOM
DICOM_FOLDERS = frozenset(
    "masks_dicom mask_dicom dicom_masks dicom_mask masks mask labels label segmentations segmentation".split()
)
PAINTED_FOLDER = "labelled_dicom"
# CHAOS: DICOM_anon and Ground/liver_GT_000.png
PICTURE_FOLDERS = frozenset({"ground", "groundtruth", "ground_truth", "gt", *DICOM_FOLDERS})
Read = Callable[[GivenFile], npt.NDArray[np.generic]]
WITHOUT_SERIES = (
    "PNG pictures don't say where they lie, so they are only read beside the DICOM series whose slices they follow."
)
BEYOND_SERIES = "Its pictures and the slices of the series are not the same in number and size, so nothing is paired."


def is_drawn(path: PurePosixPath, among: frozenset[str]) -> bool:
    return any(part.lower() in among for part in path.parent.parts)


def by_folder(files: Iterable[GivenFile]) -> dict[PurePosixPath, list[GivenFile]]:
    folders: dict[PurePosixPath, list[GivenFile]] = defaultdict(list)
    for file in files:
        folders[file.path.parent].append(file)
    return folders


def read_dicom_slices(files: Sequence[DicomFile], scan: ReadScan, room: Room) -> LabelValues:
    """On the place that its headers give; where they give none, on the slices of the same file names."""
    check_size((max(len(files), 3), _count(files[0], "Rows"), _count(files[0], "Columns")))
    try:
        placed = place_slices([(file.header, file) for file in files])
        ordered, grid = [file.file for file in placed.files], placed.grid
    except ImportRefusedError:
        ordered, grid = _by_name([file.file for file in files], scan)
    return _stacked(ordered, grid, read_stored, room)


def _count(file: DicomFile, keyword: str) -> int:
    text = file.text(keyword)
    return int(text) if text.isdigit() else 0


def _by_name(files: Sequence[GivenFile], scan: ReadScan) -> tuple[list[GivenFile], Grid]:
    named = {file.path.name: file for file in files}
    if scan.stack is None or {path.name for path in scan.stack.paths} != named.keys():
        raise ImportRefusedError("Nothing tells which of its pictures belongs to which slice of the series.")
    return [named[path.name] for path in scan.stack.paths], scan.stack.grid


def read_pictures(files: Sequence[GivenFile], scan: ReadScan, room: Room) -> LabelValues:
    """PNG pictures have no place: they follow the slices in the order of file names."""
    stack = scan.stack
    if stack is None:
        raise ImportRefusedError(WITHOUT_SERIES)
    if len(stack.paths) != len(files):
        raise ImportRefusedError(BEYOND_SERIES)
    pictures = sorted(files, key=lambda file: in_order(file.path))
    slices = sorted(range(len(files)), key=lambda z: in_order(stack.paths[z]))
    if slices not in (list(range(len(files))), list(range(len(files)))[::-1]):
        raise ImportRefusedError("The names of the series' files do not follow its slices, so nothing is paired.")
    ordered = [picture for _, picture in sorted(zip(slices, pictures, strict=True), key=lambda pair: pair[0])]
    return _stacked(ordered, stack.grid, _read_png, room)


def in_order(path: PurePosixPath) -> list[tuple[int, str]]:
    """image_2 comes before image_10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.findall(r"\d+|\D+", path.name)]


def _read_png(file: GivenFile) -> npt.NDArray[np.generic]:
    with refused_when_damaged("A picture of it is damaged."), file.open() as opened:
        picture = Image.open(opened, formats=["PNG"])
        check_size((3, picture.height, picture.width))
        if picture.mode not in {"1", "L", "I;16", "I"}:
            raise ImportRefusedError("Its pictures are in colour, so nothing tells what they show.")
        return np.asarray(picture)


def _stacked(files: Sequence[GivenFile], grid: Grid, read: Read, room: Room) -> LabelValues:
    values = room.array(grid.size_zyx, np.float32)
    for z, file in enumerate(files):
        plane = read(file)
        if plane.shape != grid.size_zyx[1:]:
            raise ImportRefusedError(BEYOND_SERIES)
        values[z] = plane
    turned, canonical_grid, _ = canonical(values, grid)
    return judged(turned, canonical_grid)
