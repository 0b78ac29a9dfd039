"""What another program changed in its host: which voxels, where, and which lesions came or went.

Files and manifest tell as much as they like; what they don't tell is found by comparing with the host, on one grid.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self
from uuid import UUID

import numpy as np
import numpy.typing as npt

from ctplatform.datasets.importing.refusal import ImportRefusedError
from ctplatform.datasets.kinds import Labels, MaskKind, StoredVolume
from ctplatform.datasets.models import Lesion, MadeBy, Mask, Operation, Provenance, Scan, centre_columns
from ctplatform.datasets.scans import voxels
from ctplatform.datasets.scans.measuring import MAX_LESIONS
from ctplatform.datasets.scans.registration import StoredScan, lesions_of
from ml.geometry import Grid, centroid, same_grid, sphere_diameter_mm

Area = npt.NDArray[np.bool_]

# Whoever changed more than a liver's width changed the picture, and the change alone says nothing of a lesion.
LARGEST_CHANGE_MM = 200.0
SAY_WHERE = "Tell its place by centre_mm and diameter_mm in the manifest, or by a mask of the changed voxels."


@dataclass(frozen=True)
class Host:
    """The scan that was changed, with masks and lesions that may have no row yet."""

    scan: Scan
    masks: Sequence[Mask]
    lesions: Sequence[Lesion]

    @classmethod
    def stored_now(cls, stored: StoredScan) -> Self:
        return cls(stored.scan, stored.masks, stored.lesions)

    @classmethod
    def stored_before(cls, scan: Scan) -> Self:
        return cls(scan, list(scan.masks.all()), list(scan.lesions.all()))

    def mask(self, kind: MaskKind) -> Mask | None:
        return _of_kind(self.masks, kind)


def describe_change(stored: StoredScan, host: Host | None) -> None:
    """Complete masks, place and lesions of a synthetic scan; raises where a removal's place stays unknown."""
    made = stored.provenance
    if made is None:
        return
    if made.operation == Operation.WHOLE:
        for lesion in stored.lesions:
            lesion.inserted = True
        return
    changed = _changed(stored, host)
    if made.operation == Operation.REMOVE:
        _find_removed(made, changed, host)
    elif changed is not None and made.centre_x_mm is None and changed.any():
        _place(made, changed, stored.scan.geometry)
    came = None
    if made.operation == Operation.INSERT:
        came = _inserted_voxels(made, changed, stored.scan.geometry)
        _mark_inserted(stored, made, came)
    if host is not None and same_grid(stored.scan.geometry, host.scan.geometry):
        _take_over_masks(stored, came, changed, host)


def _of_kind(masks: Sequence[Mask], kind: MaskKind) -> Mask | None:
    return next((mask for mask in masks if mask.kind == kind), None)


def _changed(stored: StoredScan, host: Host | None) -> Labels | None:
    """The mask that was given, or the voxels that differ; None where neither can be had."""
    scan = stored.scan
    given = _of_kind(stored.masks, MaskKind.CHANGED)
    if given is not None:
        return voxels.read_labels(given.pk, scan.geometry)
    if host is None or not same_grid(scan.geometry, host.scan.geometry):
        return None
    changed = _difference(scan, host.scan)
    _add_mask(stored, MaskKind.CHANGED, changed, note="voxels that differ from its host")
    return changed


def _add_mask(stored: StoredScan, kind: MaskKind, labels: Labels, *, note: str) -> None:
    mask = Mask(scan=stored.scan, kind=kind, made_by=MadeBy.IMPORTED, note=note)
    # listed first: what is listed is removed when the import fails
    stored.masks.append(mask)
    voxels.write_labels(mask.pk, labels)


def _difference(scan: Scan, host: Scan) -> Labels:
    grid = scan.geometry
    return np.stack([_plane(scan.pk, grid, z) != _plane(host.pk, grid, z) for z in range(grid.size_zyx[0])]).astype(
        np.uint8
    )


def _plane(scan_id: UUID, grid: Grid, index: int) -> StoredVolume:
    _, y, x = voxels.whole(grid)
    plane: StoredVolume = voxels.read_box(scan_id, grid, (slice(index, index + 1), y, x))[0]
    return plane


def _place(made: Provenance, changed: Labels, grid: Grid) -> None:
    """Centre and diameter (of the sphere of equal volume) of what was changed."""
    _set_centre(made, grid.to_world(centroid(changed > 0)).tolist())
    if made.diameter_mm is None:
        made.diameter_mm = sphere_diameter_mm(np.count_nonzero(changed) * grid.voxel_volume_mm3)


def _set_centre(made: Provenance, centre_lps_mm: Sequence[float]) -> None:
    for name, value in centre_columns([float(v) for v in centre_lps_mm]).items():
        setattr(made, name, value)


def _find_removed(made: Provenance, changed: Labels | None, host: Host | None) -> None:
    """The place of a removal is that of the host's lesion where voxels changed; the largest one, if of several."""
    if made.centre_x_mm is not None and made.diameter_mm is not None:
        return
    gone = [] if changed is None or host is None else _lying_in(host.lesions, changed, host.scan.geometry)
    if not gone:
        raise ImportRefusedError(
            "It is a removal, and no lesion of its host lies where voxels changed, so nobody would find its place. "
            "Give centre_mm and diameter_mm in the manifest, or import the host with a mask of its lesions."
        )
    largest = max(gone, key=lambda lesion: lesion.diameter_mm)
    if made.centre_x_mm is None:
        _set_centre(made, largest.centroid_lps_mm)
    if made.diameter_mm is None:
        made.diameter_mm = largest.diameter_mm


def _lying_in(lesions: Sequence[Lesion], changed: Labels | Area, grid: Grid) -> list[Lesion]:
    def lies(lesion: Lesion) -> bool:
        index = grid.nearest_voxel(lesion.centroid_lps_mm)
        return grid.contains(index) and bool(changed[index])

    return [lesion for lesion in lesions if lies(lesion)]


def _take_over_masks(stored: StoredScan, came: Area | None, changed: Labels | None, host: Host) -> None:
    """What an edit does not tell of liver and lesions is as in its host, but for what came or went."""
    for kind in (MaskKind.LIVER, MaskKind.VESSEL):
        of_host = host.mask(kind)
        if of_host is not None and _of_kind(stored.masks, kind) is None:
            _add_mask(stored, kind, voxels.read_labels(of_host.pk, host.scan.geometry), note="that of its host")
    if changed is not None and changed.any() and _of_kind(stored.masks, MaskKind.LESION) is None:
        _take_over_lesions(stored, came, changed, host)


def _take_over_lesions(stored: StoredScan, came: Area | None, changed: Labels, host: Host) -> None:
    grid, scan = stored.scan.geometry, stored.scan
    of_host = host.mask(MaskKind.LESION)
    labels = np.zeros(grid.size_zyx, np.uint8) if of_host is None else voxels.read_labels(of_host.pk, grid)
    rows = {lesion.number: lesion for lesion in host.lesions}
    kinds = {number: row.kind for number, row in rows.items()}
    new = 0
    if came is not None:
        new = int(labels.max()) + 1
        if new > MAX_LESIONS:
            raise ImportRefusedError(f"A scan holds {MAX_LESIONS} lesions at most; its host has no room for another.")
        labels[came] = new
        kinds[new] = stored.provenance.kind if stored.provenance else ""
    else:
        for lesion in _lying_in(host.lesions, changed, grid):
            labels[labels == lesion.number] = 0
    if not labels.any():
        return
    _add_mask(stored, MaskKind.LESION, labels, note="lesions of its host, without and with what was changed")
    measured = {MaskKind.LESION: labels}
    liver = _of_kind(stored.masks, MaskKind.LIVER)
    if liver is not None:
        measured[MaskKind.LIVER] = voxels.read_labels(liver.pk, grid)
    stored.lesions = lesions_of(scan, voxels.read_volume(scan.pk, grid), measured, kinds)
    for lesion in stored.lesions:
        lesion.inserted = lesion.number == new or (lesion.number in rows and rows[lesion.number].inserted)


def _inserted_voxels(made: Provenance, changed: Labels | None, grid: Grid) -> Area | None:
    """Where a lesion came: the changed voxels, within the sphere that was told where more changed than that.

    A program that writes its files in another way changes every voxel, and a patient's lesions with them. Without a
    mask it is the sphere; None where nothing is known.
    """
    told = None
    if made.centre_lps_mm is not None and made.diameter_mm is not None:
        told = _sphere(grid, made.centre_lps_mm, made.diameter_mm)
    if changed is None:
        return told
    inside: Area = changed > 0
    changed_mm = sphere_diameter_mm(np.count_nonzero(inside) * grid.voxel_volume_mm3)
    if told is not None and made.diameter_mm is not None and made.diameter_mm < changed_mm:
        inside &= told
        if not inside.any():
            raise ImportRefusedError(
                f"No voxel changed where the manifest says that a lesion was inserted. {SAY_WHERE}"
            )
    elif changed_mm > LARGEST_CHANGE_MM:
        raise ImportRefusedError(
            f"Its voxels differ from its host's nearly everywhere, which says nothing of a lesion. {SAY_WHERE}"
        )
    return inside


def _sphere(grid: Grid, centre_lps_mm: Sequence[float], diameter_mm: float) -> Area:
    centre, reach_mm = grid.to_voxel(centre_lps_mm), diameter_mm / 2
    box = grid.box_around(centre, half_extent_zyx_mm=(reach_mm, reach_mm, reach_mm))
    offsets_mm = [
        (np.arange(side.start, side.stop) - middle) * spacing
        for side, middle, spacing in zip(box, centre, grid.spacing_zyx_mm, strict=True)
    ]
    z, y, x = np.meshgrid(*offsets_mm, indexing="ij", sparse=True)
    sphere = np.zeros(grid.size_zyx, np.bool_)
    sphere[box] = z**2 + y**2 + x**2 <= reach_mm**2
    return sphere


def _mark_inserted(stored: StoredScan, made: Provenance, came: Area | None) -> None:
    """Of the lesions that the edit's own mask tells: one whose centroid lies where a lesion came is no patient's."""
    its_own = [] if came is None else _lying_in(stored.lesions, came, stored.scan.geometry)
    for lesion in its_own:
        lesion.inserted, lesion.kind = True, lesion.kind or made.kind
