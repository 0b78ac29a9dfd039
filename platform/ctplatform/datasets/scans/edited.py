"""Edited scans: a source with one box of new voxels. Only the slices of the box are read and written anew."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ctplatform.accounts.models import User
from ctplatform.datasets.kinds import Labels, MaskKind, StoredVolume
from ctplatform.datasets.models import Dataset, Lesion, MadeBy, Mask, Origin, Provenance, Scan
from ctplatform.datasets.scans import voxels
from ctplatform.datasets.scans.measuring import MAX_LESIONS, SURROUNDINGS_MM, LesionMeasure, lesion_measures, widened
from ctplatform.datasets.scans.registration import (
    StoredScan,
    discarded_on_error,
    lesion_row,
    new_scan,
    refuse_duplicate,
    save_now,
)
from ctplatform.datasets.scans.thumbnails import thumbnail_png
from ctplatform.errors import DomainError
from ml.geometry import Box, Grid

BoolBox = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Edit:
    """What changes: new voxels of a box, and which of them belong to an inserted or a removed lesion.

    All arrays have the shape of the box (z, y, x); box_start_zyx is its first voxel on the source's grid.
    """

    box_start_zyx: tuple[int, int, int]
    content: StoredVolume
    changed: BoolBox
    inserted: BoolBox | None = None
    removed: BoolBox | None = None
    inserted_kind: str = ""

    @property
    def box(self) -> Box:
        (z, y, x), (depth, height, width) = self.box_start_zyx, self.content.shape
        return slice(z, z + depth), slice(y, y + height), slice(x, x + width)


def register_edited_scan(**edited: Any) -> Scan:
    """Store an edited scan at once; takes the arguments of store_edited_scan."""
    return save_now(store_edited_scan(**edited))


def store_edited_scan(
    *,
    source: Scan,
    edit: Edit,
    provenance: Provenance,
    name: str,
    created_by: User,
    dataset: Dataset | None = None,
    acquisition: Mapping[str, Any] | None = None,
) -> StoredScan:
    """The result belongs to the source's subject and, unless said otherwise, to its dataset."""
    grid = source.geometry
    _check(grid, edit)
    stored = StoredScan(
        new_scan(
            dataset=dataset or source.dataset,
            name=name,
            subject=source.subject,
            origin=Origin.SYNTHETIC,
            source_scan=source,
            grid=grid,
            created_by=created_by,
            acquisition=dict(source.acquisition if acquisition is None else acquisition),
        ),
        provenance=provenance,
    )
    with discarded_on_error(stored):
        planes = _edited_planes(source, grid, edit)
        stored.scan.content_digest = voxels.write_edited_volume(stored.scan.pk, source.pk, grid, planes)
        refuse_duplicate(stored.scan.dataset, stored.scan.content_digest)
        _store_masks(stored, source, grid, edit)
        plane = planes[(edit.box[0].start + edit.box[0].stop) // 2]
        voxels.save_bytes(voxels.thumbnail_key(stored.scan.pk), thumbnail_png(plane, grid))
    return stored


def _check(grid: Grid, edit: Edit) -> None:
    grid.crop(edit.box)  # refuses a box that leaves the grid
    for part in (edit.changed, edit.inserted, edit.removed):
        if part is not None and part.shape != edit.content.shape:
            raise ValueError(f"parts of an edit share one shape: {part.shape} is not {edit.content.shape}")
    if edit.content.dtype != np.int16:
        raise ValueError("edited voxels are int16")


def _slab(grid: Grid, edit: Edit) -> Box:
    """The whole slices that the box crosses."""
    _, rows, columns = voxels.whole(grid)
    return edit.box[0], rows, columns


def _edited_planes(source: Scan, grid: Grid, edit: Edit) -> dict[int, StoredVolume]:
    slab = voxels.read_box(source.pk, grid, _slab(grid, edit))
    slab[:, edit.box[1], edit.box[2]] = edit.content
    return dict(enumerate(slab, start=edit.box[0].start))


def _store_masks(stored: StoredScan, source: Scan, grid: Grid, edit: Edit) -> None:
    of_source = {MaskKind(mask.kind): mask for mask in source.masks.all()}
    for kind in (MaskKind.LIVER, MaskKind.VESSEL):
        if kind in of_source:
            mask = _new_mask(stored, kind, MadeBy(of_source[kind].made_by), of_source[kind].told)
            voxels.write_edited_labels(mask.pk, of_source[kind].pk, stored.scan.slices, {})
    _store_changed(stored, of_source.get(MaskKind.CHANGED), grid, edit)
    if MaskKind.LESION in of_source or edit.inserted is not None:
        _store_lesions(stored, source, of_source, grid, edit)


def _store_changed(stored: StoredScan, before: Mask | None, grid: Grid, edit: Edit) -> None:
    """All that isn't as it was acquired: an edited scan that is edited again keeps what was changed before."""
    changed = np.zeros(grid.size_zyx, np.uint8) if before is None else voxels.read_labels(before.pk, grid)
    changed[edit.box] |= edit.changed
    note = "" if before is None else "by this edit and those before it"
    voxels.write_labels(_new_mask(stored, MaskKind.CHANGED, MadeBy.SYNTHESIS, note).pk, changed)


def _new_mask(stored: StoredScan, kind: MaskKind, made_by: MadeBy, note: str = "") -> Mask:
    mask = Mask(scan=stored.scan, kind=kind, made_by=made_by, note=note)
    stored.masks.append(mask)
    return mask


def _store_lesions(
    stored: StoredScan, source: Scan, of_source: Mapping[MaskKind, Mask], grid: Grid, edit: Edit
) -> None:
    """Numbers of the source stay; a new lesion takes the next one; what the edit touched is measured again."""
    before = of_source.get(MaskKind.LESION)
    labels = np.zeros(grid.size_zyx, np.uint8) if before is None else voxels.read_labels(before.pk, grid)
    rows = {lesion.number: lesion for lesion in source.lesions.all()}
    new_number = max(rows, default=0) + 1
    touched = _edit_labels(labels[edit.box], edit, new_number)
    mask = _new_mask(stored, MaskKind.LESION, MadeBy.SYNTHESIS if before is None else MadeBy(before.made_by))
    if before is None:
        voxels.write_labels(mask.pk, labels)
    else:
        planes = {index: labels[index] for index in range(edit.box[0].start, edit.box[0].stop)}
        voxels.write_edited_labels(mask.pk, before.pk, stored.scan.slices, planes)
    stored.lesions = [_copied(stored.scan, row) for number, row in rows.items() if number not in touched]
    for measure in _measured_again(stored.scan, labels, of_source.get(MaskKind.LIVER), touched):
        row = rows.get(measure.number)
        kind = edit.inserted_kind if row is None else row.kind
        stored.lesions.append(lesion_row(stored.scan, measure, kind=kind, inserted=row is None or row.inserted))


def _edit_labels(in_box: Labels, edit: Edit, new_number: int) -> set[int]:
    """Change the labels in place; gives the numbers whose lesions the edit touched."""
    touched = {int(number) for number in np.unique(in_box[edit.changed]) if number}
    if edit.removed is not None:
        touched |= {int(number) for number in np.unique(in_box[edit.removed]) if number}
        in_box[edit.removed] = 0
    if edit.inserted is not None:
        if new_number > MAX_LESIONS:
            raise DomainError(f"A scan holds {MAX_LESIONS} lesions at most; this one has no room for another.")
        in_box[edit.inserted] = new_number
        touched.add(new_number)
    return touched


def _measured_again(scan: Scan, labels: Labels, liver: Mask | None, numbers: set[int]) -> list[LesionMeasure]:
    from scipy import ndimage

    grid = scan.geometry
    boxes = ndimage.find_objects(labels)
    measures: list[LesionMeasure] = []
    for number in sorted(numbers):
        if number > len(boxes) or boxes[number - 1] is None:
            continue  # removed as a whole
        around = widened(grid, boxes[number - 1], SURROUNDINGS_MM)
        volume = voxels.read_box(scan.pk, grid, around)
        liver_part = None if liver is None else voxels.read_labels_box(liver.pk, grid, around) > 0
        found = lesion_measures(volume, grid.crop(around), labels[around], liver_part)
        measures += [measure for measure in found if measure.number == number]
    return measures


def _copied(scan: Scan, row: Lesion) -> Lesion:
    return Lesion(
        scan=scan,
        number=row.number,
        centroid_lps_mm=row.centroid_lps_mm,
        **row.measurements,
        kind=row.kind,
        inserted=row.inserted,
    )
