"""The one way by which a scan comes into the platform, whatever made it.

Voxels are written first, rows last. `store_*` writes files and gives a StoredScan back; `save()` makes its rows,
`discard()` removes its files. A job saves in the transaction that ends it and has its context discard what was not
written; `register_*` does both at once.
"""

import logging
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db import IntegrityError, transaction

from ctplatform.accounts.models import User
from ctplatform.datasets.kinds import Labels, MaskKind, StoredVolume
from ctplatform.datasets.models import Dataset, Lesion, MadeBy, Mask, Origin, Provenance, Scan
from ctplatform.datasets.scans import voxels
from ctplatform.datasets.scans.measuring import LesionMeasure, lesion_measures, number_lesions
from ctplatform.datasets.scans.thumbnails import telling_slice, thumbnail_png
from ctplatform.errors import ConflictError
from ml.geometry import Grid

logger = logging.getLogger(__name__)

MaskVolume = npt.NDArray[np.bool_] | npt.NDArray[np.uint8]


class DuplicateScanError(ConflictError):
    def __init__(self, existing: Scan) -> None:
        super().__init__(
            f"The dataset already holds these voxels as “{existing.name}”, so they were not stored again.",
            code="duplicate",
        )
        self.existing = existing


@dataclass
class StoredScan:
    """A scan whose files are stored and whose rows are not yet written."""

    scan: Scan
    masks: list[Mask] = field(default_factory=list)
    lesions: list[Lesion] = field(default_factory=list)
    provenance: Provenance | None = None

    def __post_init__(self) -> None:
        if (self.scan.origin == Origin.SYNTHETIC) != (self.provenance is not None):
            raise ValueError("a synthetic scan has a provenance, and no other scan has one")

    def save(self) -> Scan:
        """Write the rows; when that fails the files go too, once nobody waits for the database."""
        try:
            with transaction.atomic():
                self.scan.name = free_name(self.scan.dataset, self.scan.name)
                self.scan.save(force_insert=True)
                self._save_provenance()
                Mask.objects.bulk_create(self.masks)
                Lesion.objects.bulk_create(self.lesions)
        except IntegrityError:
            transaction.on_commit(self.discard)
            refuse_duplicate(self.scan.dataset, self.scan.content_digest)
            raise
        except BaseException:
            transaction.on_commit(self.discard)
            raise
        return self.scan

    def _save_provenance(self) -> None:
        if self.provenance is not None:
            self.provenance.scan = self.scan
            self.provenance.source_scan = self.scan.source_scan
            self.provenance.save(force_insert=True)

    def discard(self) -> None:
        for mask in self.masks:
            voxels.delete_mask_files(mask.pk, self.scan.slices)
        voxels.delete_scan_files(self.scan.pk, self.scan.slices)


def register_scan(**scan: Any) -> Scan:
    """Store a scan with its masks, lesions and thumbnail; takes the arguments of store_scan."""
    return save_now(store_scan(**scan))


def save_now(stored: StoredScan) -> Scan:
    """Write the rows at once, outside the end of a job; when that fails the files go, whatever becomes of the rest."""
    with discarded_on_error(stored):
        return stored.save()


def store_scan(
    *,
    dataset: Dataset,
    name: str,
    subject: str,
    origin: Origin,
    volume: StoredVolume,
    grid: Grid,
    created_by: User,
    masks: Mapping[MaskKind, MaskVolume] | None = None,
    masks_made_by: MadeBy = MadeBy.IMPORTED,
    lesion_kinds: Mapping[int, str] | None = None,
    source_scan: Scan | None = None,
    provenance: Provenance | None = None,
    acquisition: Mapping[str, Any] | None = None,
    import_report: Mapping[str, Any] | None = None,
    on_progress: voxels.OnProgress | None = None,
) -> StoredScan:
    """A lesion mask of bool is cut into connected lesions, one of uint8 keeps its numbers.

    An empty name or subject becomes a neutral one from the content digest. A synthetic scan brings its provenance.
    """
    check_arrays(volume, grid, masks or {})
    digest = voxels.content_digest(volume, grid)
    refuse_duplicate(dataset, digest)
    neutral = f"ct-{digest[:8]}"
    stored = StoredScan(
        new_scan(
            dataset=dataset,
            name=name or neutral,
            subject=subject or neutral,
            origin=origin,
            grid=grid,
            created_by=created_by,
            source_scan=source_scan,
            content_digest=digest,
            acquisition=dict(acquisition or {}),
            import_report=dict(import_report or {}),
        ),
        provenance=provenance,
    )
    labels = {MaskKind(kind): as_labels(MaskKind(kind), mask) for kind, mask in (masks or {}).items()}
    with discarded_on_error(stored):
        voxels.write_volume(stored.scan.pk, volume, on_progress)
        for kind, numbered in labels.items():
            mask = Mask(scan=stored.scan, kind=kind, made_by=masks_made_by)
            stored.masks.append(mask)
            voxels.write_labels(mask.pk, numbered)
        stored.lesions = lesions_of(stored.scan, volume, labels, lesion_kinds or {})
        save_thumbnail(stored.scan, volume, labels)
    return stored


def new_scan(*, grid: Grid, **fields: Any) -> Scan:
    """An unsaved scan whose columns repeat what filters need of its grid."""
    return Scan(
        id=uuid.uuid4(),
        grid=grid.to_dict(),
        slices=grid.size_zyx[0],
        slice_spacing_mm=grid.spacing_zyx_mm[0],
        pixel_spacing_mm=grid.spacing_zyx_mm[2],
        **fields,
    )


def check_arrays(volume: StoredVolume, grid: Grid, masks: Mapping[MaskKind, MaskVolume]) -> None:
    if volume.dtype != np.int16 or volume.shape != grid.size_zyx:
        raise ValueError(f"a scan is int16 of shape {grid.size_zyx}, not {volume.dtype} of {volume.shape}")
    for kind, mask in masks.items():
        if mask.shape != grid.size_zyx or mask.dtype not in {np.dtype(np.bool_), np.dtype(np.uint8)}:
            raise ValueError(f"the {kind} mask is bool or uint8 of shape {grid.size_zyx}, not {mask.shape}")


def as_labels(kind: MaskKind, mask: MaskVolume) -> Labels:
    if mask.dtype == np.uint8:
        return mask.astype(np.uint8, copy=False)
    if kind == MaskKind.LESION:
        return number_lesions(mask.astype(np.bool_, copy=False))
    return mask.astype(np.uint8)


def refuse_duplicate(dataset: Dataset, digest: str) -> None:
    existing = Scan.objects.filter(dataset=dataset, content_digest=digest).first()
    if existing is not None:
        raise DuplicateScanError(existing)


def free_name(dataset: Dataset, wanted: str) -> str:
    """The name itself, or with the first number that makes it unique in the dataset."""
    name, number = wanted[:120], 2
    while Scan.objects.filter(dataset=dataset, name=name).exists():
        name = f"{wanted[:113]} ({number})"
        number += 1
    return name


@contextmanager
def discarded_on_error(stored: StoredScan) -> Iterator[None]:
    try:
        yield
    except BaseException:
        try:
            stored.discard()
        except Exception:
            # the first failure is the one to tell; what stays behind is found by sweep_storage
            logger.exception("could not remove the files of a scan", extra={"scan": str(stored.scan.pk)})
        raise


def lesions_of(
    scan: Scan,
    volume: StoredVolume,
    labels: Mapping[MaskKind, Labels],
    kinds: Mapping[int, str],
) -> list[Lesion]:
    if MaskKind.LESION not in labels:
        return []
    liver = labels[MaskKind.LIVER] > 0 if MaskKind.LIVER in labels else None
    measures = lesion_measures(volume, scan.geometry, labels[MaskKind.LESION], liver)
    return [lesion_row(scan, measure, kind=kinds.get(measure.number, "")) for measure in measures]


def lesion_row(scan: Scan, measure: LesionMeasure, **facts: Any) -> Lesion:
    return Lesion(scan=scan, **{**asdict(measure), "centroid_lps_mm": list(measure.centroid_lps_mm)}, **facts)


def save_thumbnail(scan: Scan, volume: StoredVolume, labels: Mapping[MaskKind, Labels]) -> None:
    telling = labels.get(MaskKind.LESION)
    if telling is None or not telling.any():
        telling = labels.get(MaskKind.LIVER)
    plane = volume[telling_slice(telling, scan.slices)]
    voxels.save_bytes(voxels.thumbnail_key(scan.pk), thumbnail_png(plane, scan.geometry))
