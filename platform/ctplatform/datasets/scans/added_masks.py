"""Masks that come after their scan: missing ones by another import of the same voxels, or new ones by a person."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from ctplatform.accounts.models import User
from ctplatform.datasets.kinds import Labels, MaskKind, StoredVolume
from ctplatform.datasets.models import Lesion, MadeBy, Mask, Origin, Scan
from ctplatform.datasets.permissions import refuse_without_pixels
from ctplatform.datasets.scans import voxels
from ctplatform.datasets.scans.measured_by import MeasuredBy
from ctplatform.datasets.scans.measuring import lesion_measures
from ctplatform.datasets.scans.registration import MaskVolume, as_labels, check_arrays, lesion_row
from ctplatform.errors import ConflictError, why_refused


@dataclass
class StoredMasks:
    """Masks whose files are stored and whose rows are not yet written."""

    scan: Scan
    masks: list[Mask] = field(default_factory=list)
    lesions: list[Lesion] = field(default_factory=list)
    contrasts_hu: dict[int, float | None] = field(default_factory=dict)
    measured_by: MeasuredBy | None = None
    report: dict[str, Any] = field(default_factory=dict)
    # Who puts them in the place of those that are there; nobody where they may only be added.
    replacing_by: User | None = None

    def save(self) -> Scan:
        try:
            with transaction.atomic():
                # Before any other row of the scan: whoever corrects a mask by brush waits here, or is waited for.
                self.scan = Scan.objects.select_for_update().get(pk=self.scan.pk)
                refuse_without_pixels([self.scan])
                if self.replacing_by is not None:
                    self._make_room(self.replacing_by)
                Mask.objects.bulk_create(self.masks)
                Lesion.objects.bulk_create(self.lesions)
                for number, contrast_hu in self.contrasts_hu.items():
                    Lesion.objects.filter(scan=self.scan, number=number).update(contrast_hu=contrast_hu)
                if self.measured_by is not None:
                    self.measured_by.refuse_where_changed(self.scan)
                self.scan.import_report = with_masks_added(self.scan.import_report, self.report)
                self.scan.save(update_fields=["import_report"])
        except IntegrityError:
            transaction.on_commit(self.discard)
            raise ConflictError("The scan has got a mask of the same kind meanwhile.") from None
        except BaseException:
            transaction.on_commit(self.discard)
            raise
        return self.scan

    def _make_room(self, author: User) -> None:
        kinds = {MaskKind(mask.kind) for mask in self.masks}
        refuse_where_lesions_stand(self.scan, kinds)
        gone = Mask.objects.filter(scan=self.scan, kind__in=kinds)
        files = list(gone.values_list("pk", flat=True))
        replaced = [MaskKind(kind).label.lower() for kind in gone.order_by("kind").values_list("kind", flat=True)]
        if MaskKind.LESION in kinds:
            Lesion.objects.filter(scan=self.scan).delete()
        gone.delete()
        for pk in files:
            transaction.on_commit(partial(voxels.delete_mask_files, pk, self.scan.slices))
        done = [str(kind.label).lower() for kind in sorted(kinds)]
        verb = "replaced" if replaced else "added"
        self.report["added_on"] = f"masks ({', '.join(done)}) were {verb} by {author} on {timezone.now():%Y-%m-%d}"

    def discard(self) -> None:
        for mask in self.masks:
            voxels.delete_mask_files(mask.pk, self.scan.slices)


_lesion_guards: list[Callable[[Scan], None]] = []


def guard_lesions(refuse: Callable[[Scan], None]) -> None:
    """Whoever builds on the lesions of a scan registers at start-up what raises a DomainError while they must stay."""
    _lesion_guards.append(refuse)


def refuse_where_lesions_stand(scan: Scan, kinds: Iterable[MaskKind]) -> None:
    if MaskKind.LESION in set(kinds):
        for refuse in _lesion_guards:
            refuse(scan)


def why_lesions_stand(scan: Scan) -> str:
    """What a change of its lesions would be answered with; empty where they may change."""
    return why_refused(lambda: refuse_where_lesions_stand(scan, [MaskKind.LESION]))


def missing_kinds(scan: Scan, masks: Mapping[MaskKind, Any]) -> list[MaskKind]:
    """Those of the masks that the scan does not have; none for a synthetic scan, whose masks belong to its edit."""
    if scan.origin == Origin.SYNTHETIC:
        return []
    present = set(scan.masks.values_list("kind", flat=True))
    return [kind for kind in masks if kind not in present]


def store_masks(
    scan: Scan,
    volume: StoredVolume,
    masks: Mapping[MaskKind, MaskVolume],
    report: Mapping[str, Any],
    *,
    replacing_by: User | None = None,
) -> StoredMasks:
    """For a scan of exactly these voxels; without a person who replaces, of kinds that it does not have."""
    check_arrays(volume, scan.geometry, masks)
    stored = StoredMasks(scan, report=dict(report), replacing_by=replacing_by)
    labels = {kind: as_labels(kind, mask) for kind, mask in masks.items()}
    try:
        for kind, numbered in labels.items():
            mask = Mask(scan=scan, kind=kind, made_by=MadeBy.IMPORTED)
            stored.masks.append(mask)
            voxels.write_labels(mask.pk, numbered)
        _measure(stored, volume, labels)
    except BaseException:
        stored.discard()
        raise
    return stored


def _measure(stored: StoredMasks, volume: StoredVolume, labels: Mapping[MaskKind, Labels]) -> None:
    """New lesions beside the liver that is there or has come, or known lesions beside the new liver."""
    scan = stored.scan
    stored.measured_by = MeasuredBy.of(scan, {MaskKind.LESION, MaskKind.LIVER} - labels.keys())
    lesions = labels.get(MaskKind.LESION, _labels_of(scan, MaskKind.LESION))
    if lesions is None:
        return
    liver = labels.get(MaskKind.LIVER, _labels_of(scan, MaskKind.LIVER))
    measures = lesion_measures(volume, scan.geometry, lesions, None if liver is None else liver > 0)
    if MaskKind.LESION in labels:
        stored.lesions = [lesion_row(scan, measure) for measure in measures]
    else:
        stored.contrasts_hu = {measure.number: measure.contrast_hu for measure in measures}


def _labels_of(scan: Scan, kind: MaskKind) -> Labels | None:
    mask = scan.masks.filter(kind=kind).first()
    return None if mask is None else voxels.read_labels(mask.pk, scan.geometry)


def with_masks_added(before: Mapping[str, Any], added: Mapping[str, Any]) -> dict[str, Any]:
    """The report of the scan, with what the later import says about masks instead of what the first one said."""
    notes = [note for note in before.get("notes", []) if not str(note).startswith("the mask ")]
    notes += [note for note in added.get("notes", []) if note not in notes]
    added_on = added.get("added_on", "masks were added by a later import of the same voxels")
    masks = [*before.get("masks", []), *added.get("masks", [])]
    return {**before, "masks": masks, "notes": [*notes, *([] if added_on in notes else [added_on])]}
