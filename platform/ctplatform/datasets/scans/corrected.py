"""Masks that a person corrects by brush, or draws where there was none: a new version takes the old one's place."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID

import numpy as np
from django.db import IntegrityError, transaction
from django.utils import timezone

from ctplatform.accounts.models import User
from ctplatform.datasets.kinds import Labels, MaskKind
from ctplatform.datasets.models import Lesion, MadeBy, Mask, MaskCorrection, Origin, Scan
from ctplatform.datasets.permissions import refuse_unless_editor, refuse_without_pixels
from ctplatform.datasets.scans import voxels
from ctplatform.datasets.scans.added_masks import refuse_where_lesions_stand
from ctplatform.datasets.scans.flips import Flips, turned_over
from ctplatform.datasets.scans.liver import lesion_contrasts
from ctplatform.datasets.scans.measuring import lesion_measures
from ctplatform.datasets.scans.numbering import numbers_where, put_back, renumbered
from ctplatform.datasets.scans.registration import lesion_row
from ctplatform.errors import ConflictError, DomainError

# Changed voxels belong to their edit.
CORRECTABLE = (MaskKind.LIVER, MaskKind.VESSEL, MaskKind.LESION)


def may_be_corrected(scan: Scan) -> bool:
    return scan.origin != Origin.SYNTHETIC and scan.withdrawn_at is None


def correct_mask(*, scan: Scan, user: User, kind: MaskKind, base: UUID | None, lengths: Sequence[int]) -> Mask:
    """Turn voxels over in the mask that was `base` (None: drawn where there was none); refused once it is another."""
    _refuse_unless_correctable(scan, user, kind)
    before = _current(scan, kind, base)
    if before is None and kind == MaskKind.LESION:
        # A mask of lesions says that all of the scan's lesions are drawn.
        raise DomainError("This scan has no mask of lesions to correct. Send one as a file, which may be empty.")
    flips = Flips.of(lengths, scan.geometry)
    if before is not None and kind == MaskKind.LESION:
        with _gone_means_changed():
            numbers = voxels.read_labels(before.pk, scan.geometry)
        marked = (numbers > 0) ^ flips.turned()
        return _Correction.of_lesions(scan, user, before, numbers, renumbered(numbers, marked)).save()
    return _Correction.of(scan, user, kind, before, flips).save()


def take_back_correction(*, scan: Scan, user: User, correction: int) -> Mask | None:
    """Turn the voxels of a mask's last correction over once more; this is a correction too, and recorded as one.

    A mask that was drawn where there was none, and not corrected since, is gone then.
    """
    last = MaskCorrection.objects.filter(pk=correction, mask__scan=scan).select_related("mask").first()
    if last is None or last != last.mask.corrections.first():
        raise ConflictError("This is no longer the last correction of its mask. Look at what came after it.")
    kind = MaskKind(last.mask.kind)
    _refuse_unless_correctable(scan, user, kind)
    if last.mask.made_by == MadeBy.DRAWN and last.mask.corrections.count() == 1:
        _take_away(scan, user, last.mask)
        return None
    if last.numbers_before is not None:
        with _gone_means_changed():
            numbers = voxels.read_labels(last.mask.pk, scan.geometry)
        earlier = put_back(numbers, bytes(last.numbers_before))
        return _Correction.of_lesions(scan, user, last.mask, numbers, earlier).save()
    return _Correction.of(scan, user, kind, last.mask, Flips.from_bytes(bytes(last.flips), scan.geometry)).save()


def _take_away(scan: Scan, user: User, mask: Mask) -> None:
    with transaction.atomic():
        held = Scan.objects.select_for_update().get(pk=scan.pk)
        refuse_without_pixels([held])
        kind = MaskKind(mask.kind)
        _current(held, kind, mask.pk)
        _give_up(mask, held)
        if kind == MaskKind.LIVER:
            Lesion.objects.filter(scan=held).update(contrast_hu=None)
        what = f"{str(kind.label).lower()} mask: what was drawn by hand"
        note = f"{what} was taken away by {user} on {timezone.now():%Y-%m-%d}"
        held.import_report = _with_note(held.import_report, note)
        held.save(update_fields=["import_report"])


def _give_up(mask: Mask, scan: Scan) -> None:
    """The row now, the files once it is gone for good."""
    transaction.on_commit(partial(voxels.delete_mask_files, mask.pk, scan.slices))
    mask.delete()


def _refuse_unless_correctable(scan: Scan, user: User, kind: MaskKind) -> None:
    refuse_unless_editor(scan.dataset, user)
    refuse_without_pixels([scan])
    if not may_be_corrected(scan):
        raise ConflictError("The masks of a synthetic scan belong to its edit, so they stay as they are.")
    if kind not in CORRECTABLE:
        raise DomainError("Masks of liver, vessels and lesions can be corrected by brush; this one belongs to an edit.")
    refuse_where_lesions_stand(scan, {kind})


def _current(scan: Scan, kind: MaskKind, base: UUID | None) -> Mask | None:
    mask = Mask.objects.filter(scan=scan, kind=kind).first()
    if (mask.pk if mask else None) != base:
        last = mask.corrections.select_related("by").first() if mask else None
        raise ConflictError(
            f"{last.by if last else 'Somebody'} has changed this mask since you opened it, so nothing was saved. "
            "Put your strokes onto the mask as it is now, look at the result, and save it.",
            code="mask_changed",
        )
    return mask


@dataclass
class _Correction:
    """A corrected mask whose files are stored and whose rows are not yet written."""

    scan: Scan
    user: User
    before: Mask | None
    mask: Mask
    made: MaskCorrection
    contrasts_hu: dict[int, float | None] = field(default_factory=dict)
    # Of a mask of lesions: all of them, beside the liver that they were compared with.
    lesions: list[Lesion] | None = None
    liver: Mask | None = None

    @classmethod
    def of(cls, scan: Scan, user: User, kind: MaskKind, before: Mask | None, flips: Flips) -> "_Correction":
        """Slices without a flip are copied byte for byte."""
        mask = Mask(scan=scan, kind=kind, made_by=before.made_by if before else MadeBy.DRAWN)
        mask.note = before.note if before else ""
        with _gone_means_changed():
            labels = voxels.read_labels(before.pk, scan.geometry) if before else _nothing(scan)
        added, removed, edited = _turn_over(labels, flips)
        _refuse_nothing(labels)
        made = MaskCorrection(mask=mask, by=user, voxels_added=added, voxels_removed=removed, flips=flips.to_bytes())
        correction = cls(scan, user, before, mask, made)
        try:
            with _gone_means_changed():
                if before:
                    voxels.write_edited_labels(mask.pk, before.pk, scan.slices, edited)
                else:
                    voxels.write_labels(mask.pk, labels)
            if kind == MaskKind.LIVER and scan.lesions.exists():
                volume = voxels.read_volume(scan.pk, scan.geometry)
                correction.contrasts_hu = lesion_contrasts(scan, volume, labels > 0)
        except BaseException:
            correction.discard()
            raise
        return correction

    @classmethod
    def of_lesions(cls, scan: Scan, user: User, before: Mask, numbers: Labels, after: Labels) -> "_Correction":
        """From one numbering to another; all lesions are measured anew."""
        _refuse_nothing(after)
        changed = numbers != after
        mask = Mask(scan=scan, kind=before.kind, made_by=before.made_by, note=before.note)
        made = MaskCorrection(
            mask=mask,
            by=user,
            voxels_added=int(np.count_nonzero((numbers == 0) & (after > 0))),
            voxels_removed=int(np.count_nonzero((numbers > 0) & (after == 0))),
            flips=Flips.of_voxels((numbers > 0) != (after > 0), scan.geometry).to_bytes(),
            numbers_before=numbers_where(numbers, changed),
        )
        correction = cls(scan, user, before, mask, made)
        edited = {int(z): after[z] for z in np.flatnonzero(changed.any(axis=(1, 2)))}
        try:
            with _gone_means_changed():
                voxels.write_edited_labels(mask.pk, before.pk, scan.slices, edited)
                liver = scan.masks.filter(kind=MaskKind.LIVER).first()
                parenchyma = voxels.read_labels(liver.pk, scan.geometry) > 0 if liver else None
            volume = voxels.read_volume(scan.pk, scan.geometry)
            measures = lesion_measures(volume, scan.geometry, after, parenchyma)
            correction.lesions, correction.liver = [lesion_row(scan, measure) for measure in measures], liver
        except BaseException:
            correction.discard()
            raise
        return correction

    def save(self) -> Mask:
        try:
            with transaction.atomic():
                self._save_rows()
        except IntegrityError:
            self.discard()
            raise ConflictError("The scan has got a mask of the same kind meanwhile.", code="mask_changed") from None
        except BaseException:
            self.discard()
            raise
        return self.mask

    def _save_rows(self) -> None:
        self.scan = Scan.objects.select_for_update().get(pk=self.scan.pk)
        refuse_without_pixels([self.scan])
        now = _current(self.scan, MaskKind(self.mask.kind), self.before.pk if self.before else None)
        if self.lesions is not None:
            refuse_where_lesions_stand(self.scan, {MaskKind.LESION})
            _current(self.scan, MaskKind.LIVER, self.liver.pk if self.liver else None)
        earlier: list[MaskCorrection] = []
        if now is not None:
            earlier = list(now.corrections.order_by("at", "pk"))
            _give_up(now, self.scan)
        self.mask.scan = self.scan
        self.mask.save(force_insert=True)
        for one in earlier:
            one.pk, one.mask = None, self.mask
        self.made.at = timezone.now()
        MaskCorrection.objects.bulk_create([*earlier, self.made])
        for number, contrast_hu in self.contrasts_hu.items():
            Lesion.objects.filter(scan=self.scan, number=number).update(contrast_hu=contrast_hu)
        if self.lesions is not None:
            _put_in_place(self.scan, self.lesions)
        self.scan.import_report = _with_note(self.scan.import_report, self._in_words())
        self.scan.save(update_fields=["import_report"])

    def _in_words(self) -> str:
        kind = str(MaskKind(self.mask.kind).label).lower()
        done = f"{self.made.voxels_added} voxels were added and {self.made.voxels_removed} removed"
        return f"{kind} mask: by hand {done} by {self.user} on {self.made.at:%Y-%m-%d}"

    def discard(self) -> None:
        voxels.delete_mask_files(self.mask.pk, self.scan.slices)


def _put_in_place(scan: Scan, lesions: Sequence[Lesion]) -> None:
    """By their numbers: a lesion that stays is the same row, with what a person or an import said of its kind."""
    there = {lesion.number: lesion for lesion in Lesion.objects.filter(scan=scan)}
    for lesion in lesions:
        known = there.pop(lesion.number, None)
        if known is not None:
            lesion.pk, lesion.kind, lesion.inserted = known.pk, known.kind, known.inserted
        lesion.save()
    Lesion.objects.filter(pk__in=[gone.pk for gone in there.values()]).delete()


def _refuse_nothing(labels: Labels) -> None:
    if not labels.any():
        raise DomainError("Not one voxel would be left in this mask. Leave some, or send another mask as a file.")


def _turn_over(labels: Labels, flips: Flips) -> tuple[int, int, dict[int, Labels]]:
    """Changes the labels in place; how many voxels came, how many went, and the slices that changed."""
    added, removed, edited = 0, 0, {}
    for z, turned in flips.by_slice().items():
        gone = int(np.count_nonzero(labels[z][turned]))
        added, removed = added + int(np.count_nonzero(turned)) - gone, removed + gone
        labels[z] = turned_over(labels[z], turned)
        edited[z] = labels[z]
    return added, removed, edited


def _nothing(scan: Scan) -> Labels:
    return np.zeros(scan.geometry.size_zyx, dtype=np.uint8)


def _with_note(report: dict[str, Any], note: str) -> dict[str, Any]:
    return {**report, "notes": [*report.get("notes", []), note]}


@contextmanager
def _gone_means_changed() -> Iterator[None]:
    """The files of a mask go when another version takes its place, also while they are being read."""
    try:
        yield
    except FileNotFoundError:
        raise ConflictError(
            "Somebody has changed this mask meanwhile, so nothing was saved.", code="mask_changed"
        ) from None
