"""Masks that a person corrects by brush, or draws where there was none: a new version takes the old one's place."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from ctplatform.datasets.scans.measured_by import MeasuredBy
from ctplatform.datasets.scans.measuring import lesion_measures
from ctplatform.datasets.scans.numbering import numbers_where, put_back, renumbered
from ctplatform.datasets.scans.registration import lesion_row
from ctplatform.errors import ConflictError, DomainError

# Changed voxels belong to their edit.
CORRECTABLE = (MaskKind.LIVER, MaskKind.VESSEL, MaskKind.LESION)
# A whole scan and its masks are in memory while one is corrected: not in every thread of the web process at once.
_whole_volumes = threading.Lock()
# The kind of a version from the moment the next one has its place until it is deleted, within one transaction.
GIVEN_UP = "given up"


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
    with _whole_volumes:
        if before is not None and kind == MaskKind.LESION:
            correction = _Correction.of_lesions(
                scan, user, before, lambda numbers: renumbered(numbers, (numbers > 0) ^ flips.turned())
            )
        else:
            correction = _Correction.of(scan, user, kind, before, flips)
    return correction.save()


def take_back_correction(*, scan: Scan, user: User, correction: int) -> Mask | None:
    """Turn the voxels of a mask's last correction over once more; this is a correction too, and recorded as one.

    A mask that was drawn where there was none, and not corrected since, is gone then.
    """
    with_flips = MaskCorrection.objects.defer(None).filter(pk=correction, mask__scan=scan)
    last = with_flips.select_related("mask").first()
    if last is None or last != last.mask.corrections.first():
        raise ConflictError("This is no longer the last correction of its mask. Look at what came after it.")
    kind = MaskKind(last.mask.kind)
    _refuse_unless_correctable(scan, user, kind)
    if last.mask.made_by == MadeBy.DRAWN and last.mask.corrections.count() == 1:
        _take_away(scan, user, last.mask)
        return None
    with _whole_volumes:
        taking_back = _taking_back(scan, user, last)
    return taking_back.save()


def _taking_back(scan: Scan, user: User, last: MaskCorrection) -> "_Correction":
    if last.numbers_before is not None:
        before = bytes(last.numbers_before)
        correction = _Correction.of_lesions(scan, user, last.mask, lambda numbers: put_back(numbers, before))
        correction.kinds = last.kinds_before
        return correction
    flips = Flips.from_bytes(bytes(last.flips), scan.geometry)
    return _Correction.of(scan, user, MaskKind(last.mask.kind), last.mask, flips)


def _take_away(scan: Scan, user: User, mask: Mask) -> None:
    with transaction.atomic():
        held = _held(scan)
        kind = MaskKind(mask.kind)
        _current(held, kind, mask.pk)
        _give_up(mask, held)
        if kind == MaskKind.LIVER:
            Lesion.objects.filter(scan=held).update(contrast_hu=None)
        what = f"{str(kind.label).lower()} mask: what was drawn by hand"
        note = f"{what} was taken away by {user} on {timezone.now():%Y-%m-%d}"
        held.import_report = _with_note(held.import_report, note)
        held.save(update_fields=["import_report"])


def _held(scan: Scan) -> Scan:
    """As it is now, and until the transaction ends."""
    held = Scan.objects.select_for_update().filter(pk=scan.pk).first()
    if held is None:
        raise ConflictError("Somebody has deleted this scan meanwhile, so nothing was saved.")
    refuse_without_pixels([held])
    return held


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
            code=voxels.MASK_CHANGED,
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
    measured_by: MeasuredBy
    contrasts_hu: dict[int, float | None] = field(default_factory=dict)
    # Of a mask of lesions: all of them, and what those were whose numbers come back.
    lesions: list[Lesion] | None = None
    kinds: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, scan: Scan, user: User, kind: MaskKind, before: Mask | None, flips: Flips) -> "_Correction":
        """Slices without a flip are copied byte for byte."""
        mask = Mask(scan=scan, kind=kind, made_by=before.made_by if before else MadeBy.DRAWN)
        mask.note = before.note if before else ""
        labels = voxels.read_labels(before.pk, scan.geometry) if before else _nothing(scan)
        added, removed, edited = _turn_over(labels, flips)
        _refuse_nothing(labels)
        made = MaskCorrection(mask=mask, by=user, voxels_added=added, voxels_removed=removed, flips=flips.to_bytes())
        correction = cls(scan, user, before, mask, made, MeasuredBy.of(scan, [MaskKind.LESION]))
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
    def of_lesions(cls, scan: Scan, user: User, before: Mask, numbered: Callable[[Labels], Labels]) -> "_Correction":
        """From one numbering to another; all lesions are measured anew."""
        numbers = voxels.read_labels(before.pk, scan.geometry)
        after = numbered(numbers)
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
        correction = cls(scan, user, before, mask, made, MeasuredBy.of(scan, [MaskKind.LIVER]))
        edited = {int(z): after[z] for z in np.flatnonzero(changed.any(axis=(1, 2)))}
        try:
            with _gone_means_changed():
                voxels.write_edited_labels(mask.pk, before.pk, scan.slices, edited)
            liver = scan.masks.filter(kind=MaskKind.LIVER).first()
            parenchyma = voxels.read_labels(liver.pk, scan.geometry) > 0 if liver else None
            volume = voxels.read_volume(scan.pk, scan.geometry)
            measures = lesion_measures(volume, scan.geometry, after, parenchyma)
            correction.lesions = [lesion_row(scan, measure) for measure in measures]
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
            raise ConflictError(
                "The scan has got a mask of the same kind meanwhile.", code=voxels.MASK_CHANGED
            ) from None
        except BaseException:
            self.discard()
            raise
        return self.mask

    def _save_rows(self) -> None:
        self.scan = _held(self.scan)
        now = _current(self.scan, MaskKind(self.mask.kind), self.before.pk if self.before else None)
        if self.contrasts_hu or self.lesions is not None:
            self.measured_by.refuse_where_changed(self.scan)
        if self.lesions is not None:
            refuse_where_lesions_stand(self.scan, {MaskKind.LESION})
        self.mask.scan = self.scan
        if now is None:
            self.mask.save(force_insert=True)
        else:
            self._take_the_place_of(now)
        if self.lesions is not None:
            self.made.kinds_before = _put_in_place(self.scan, self.lesions, self.kinds)
        self.made.at = timezone.now()
        self.made.save(force_insert=True)
        for number, contrast_hu in self.contrasts_hu.items():
            Lesion.objects.filter(scan=self.scan, number=number).update(contrast_hu=contrast_hu)
        self.scan.import_report = _with_note(self.scan.import_report, self._in_words())
        self.scan.save(update_fields=["import_report"])

    def _take_the_place_of(self, now: Mask) -> None:
        """What was corrected before goes over without being read: its flips may be large."""
        Mask.objects.filter(pk=now.pk).update(kind=GIVEN_UP)
        self.mask.save(force_insert=True)
        now.corrections.update(mask=self.mask)
        _give_up(now, self.scan)

    def _in_words(self) -> str:
        kind = str(MaskKind(self.mask.kind).label).lower()
        done = f"{self.made.voxels_added} voxels were added and {self.made.voxels_removed} removed"
        return f"{kind} mask: by hand {done} by {self.user} on {self.made.at:%Y-%m-%d}"

    def discard(self) -> None:
        voxels.delete_mask_files(self.mask.pk, self.scan.slices)


def _put_in_place(scan: Scan, lesions: Sequence[Lesion], kinds: Mapping[str, str]) -> dict[str, str]:
    """By their numbers: a lesion that stays is the same row, with what a person or an import said of its kind.

    Gives back the kinds of those that went.
    """
    there = {lesion.number: lesion for lesion in Lesion.objects.filter(scan=scan)}
    for lesion in lesions:
        known = there.pop(lesion.number, None)
        if known is None:
            lesion.kind = kinds.get(str(lesion.number), "")
        else:
            lesion.pk, lesion.kind, lesion.inserted = known.pk, known.kind, known.inserted
        lesion.save()
    Lesion.objects.filter(pk__in=[gone.pk for gone in there.values()]).delete()
    return {str(number): gone.kind for number, gone in there.items() if gone.kind}


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
    """The files of a mask go when another version takes its place, also while they are being copied."""
    try:
        yield
    except FileNotFoundError:
        raise ConflictError(
            "Somebody has changed this mask meanwhile, so nothing was saved.", code=voxels.MASK_CHANGED
        ) from None
