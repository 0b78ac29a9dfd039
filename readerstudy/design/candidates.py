"""Which places of the datasets may become cases. What synthesis made counts only after a person accepted it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from django.db.models import QuerySet, prefetch_related_objects

from ctplatform.datasets.models import Lesion, Operation, Origin, Scan, Verdict
from readerstudy.design.matching import Candidate
from readerstudy.design.places import LiverMap
from readerstudy.models import Study, Template

OPERATIONS = {Template.INSERTED_LESIONS: Operation.INSERT, Template.REMOVED_LESIONS: Operation.REMOVE}
# Healthy places sampled for every place of an accepted removal in the same scan.
HEALTHY_PER_REMOVAL = 4
HEALTHY_PER_SCAN = 4

Progress = Callable[[float, str], None]


def scans_of(study: Study) -> QuerySet[Scan]:
    scans = Scan.objects.visible_to(study.owner)
    chosen = study.datasets.all()
    return scans.filter(dataset__in=chosen) if chosen.exists() else scans


def edited_scans(study: Study) -> QuerySet[Scan]:
    operation = OPERATIONS[Template(study.template)]
    return scans_of(study).filter(provenance__operation=operation)


def accepted_scans(study: Study) -> QuerySet[Scan]:
    return edited_scans(study).filter(provenance__verdict=Verdict.ACCEPTED).select_related("provenance")


def is_accepted(scan: Scan) -> bool:
    return scan.origin == Origin.SYNTHETIC and scan.provenance.verdict == Verdict.ACCEPTED


def lesions_of_kind(study: Study, *, synthetic: bool) -> QuerySet[Lesion]:
    """Inserted lesions of accepted scans, or lesions of scans that nobody edited; within the study's sizes."""
    scans = accepted_scans(study) if synthetic else scans_of(study).exclude(origin=Origin.SYNTHETIC)
    return Lesion.objects.filter(
        scan__in=scans,
        inserted=synthetic,
        diameter_mm__gte=study.diameter_min_mm,
        diameter_mm__lte=study.diameter_max_mm,
    ).select_related("scan__dataset", "scan__provenance")


def flow_counts(study: Study) -> dict[str, int]:
    """The denominator: every edit counts, also those that a person refused or has not looked at."""
    verdicts = list(edited_scans(study).values_list("provenance__verdict", flat=True))
    return {
        "edited": len(verdicts),
        "accepted": verdicts.count(Verdict.ACCEPTED),
        "rejected": verdicts.count(Verdict.REJECTED),
        "not_reviewed": verdicts.count(Verdict.PENDING),
        "untouched_scans": scans_of(study).exclude(origin=Origin.SYNTHETIC).count(),
    }


def fetch_ancestors(scans: Iterable[Scan]) -> None:
    """Join the scans' sources, and theirs, in one query per generation of edits: root_of asks nothing any more."""
    generation = list(scans)
    while generation:
        prefetch_related_objects(generation, "source_scan")
        sources = {scan.source_scan.pk: scan.source_scan for scan in generation if scan.source_scan is not None}
        generation = list(sources.values())


def root_of(scan: Scan) -> Scan:
    """The scan that all its edited twins descend from."""
    while scan.source_scan is not None:
        scan = scan.source_scan
    return scan


def from_lesions(lesions: Sequence[Lesion]) -> list[Candidate]:
    fetch_ancestors(lesion.scan for lesion in lesions)
    return [_from_lesion(lesion) for lesion in lesions]


def _from_lesion(lesion: Lesion) -> Candidate:
    return _candidate(
        lesion.scan,
        synthetic=lesion.inserted,
        place=lesion.centroid_lps_mm,
        diameter_mm=lesion.diameter_mm,
        lesion=lesion.pk,
        details={**lesion.scan.provenance.facts, **lesion.measurements} if lesion.inserted else {},
    )


def from_removals(scans: Sequence[Scan]) -> list[Candidate]:
    fetch_ancestors(scans)
    return [_from_removal(scan) for scan in scans]


def _from_removal(scan: Scan) -> Candidate:
    made = scan.provenance
    if made.centre_lps_mm is None or made.diameter_mm is None:
        raise ValueError(f"the removal in {scan} has no place, which the table forbids")
    return _candidate(scan, synthetic=True, place=made.centre_lps_mm, diameter_mm=made.diameter_mm, details=made.facts)


def _candidate(
    scan: Scan,
    *,
    synthetic: bool,
    place: Iterable[float],
    diameter_mm: float,
    lesion: int | None = None,
    details: dict[str, Any],
) -> Candidate:
    x, y, z = (float(v) for v in place)
    return Candidate(
        synthetic=synthetic,
        scan=str(scan.pk),
        root=str(root_of(scan).pk),
        subject=scan.subject,
        place_lps_mm=(x, y, z),
        diameter_mm=diameter_mm,
        lesion=lesion,
        details=details,
    )


def measured_candidates(study: Study, *, on_progress: Progress) -> tuple[list[Candidate], list[Candidate]]:
    """All real and all synthetic candidates, with their depth where the scan has a liver mask."""
    if study.template == Template.INSERTED_LESIONS:
        synthetic = from_lesions(_newest_per_scan(lesions_of_kind(study, synthetic=True)))
        real = from_lesions(list(lesions_of_kind(study, synthetic=False)))
    else:
        synthetic = [
            removal
            for removal in from_removals(list(accepted_scans(study)))
            if study.diameter_min_mm <= removal.diameter_mm <= study.diameter_max_mm
        ]
        real = _healthy_candidates(study, synthetic, on_progress)
    measured = with_depths([*real, *synthetic], on_progress=on_progress)
    return [c for c in measured if not c.synthetic], [c for c in measured if c.synthetic]


def _newest_per_scan(lesions: Iterable[Lesion]) -> list[Lesion]:
    """A scan edited twice carries its first lesion too, which is already a candidate of its source."""
    newest: dict[Any, Lesion] = {}
    for lesion in lesions:
        held = newest.get(lesion.scan_id)
        newest[lesion.scan_id] = lesion if held is None or lesion.number > held.number else held
    return list(newest.values())


def _healthy_candidates(study: Study, removals: list[Candidate], on_progress: Progress) -> list[Candidate]:
    scans = list(scans_of(study).exclude(origin=Origin.SYNTHETIC).order_by("pk"))
    fetch_ancestors(scans)
    sizes = sorted(removal.diameter_mm for removal in removals) or [study.diameter_min_mm]
    found: list[Candidate] = []
    for number, scan in enumerate(scans):
        on_progress(0.5 * number / len(scans), f"looking for healthy places in scan {number + 1} of {len(scans)}")
        here = [removal.diameter_mm for removal in removals if removal.root == str(root_of(scan).pk)]
        liver = LiverMap.of(scan)
        if liver is None:
            continue
        places = liver.healthy_places(
            count=HEALTHY_PER_SCAN + HEALTHY_PER_REMOVAL * len(here),
            radius_mm=sizes[len(sizes) // 2] / 2,
            seed=study.seed + number,
        )
        # A healthy place has no size of its own: it stands for a lesion as large as one that was removed.
        pattern = here or sizes
        found += [
            _candidate(scan, synthetic=False, place=place, diameter_mm=pattern[index % len(pattern)], details={})
            for index, place in enumerate(places)
        ]
    return found


def with_depths(candidates: list[Candidate], *, on_progress: Progress | None = None) -> list[Candidate]:
    """The candidates with their depth in the liver of their root scan, where it has a liver mask."""
    by_root = sorted(candidates, key=lambda candidate: candidate.root)
    measured: list[Candidate] = []
    for root, group in groupby(by_root, key=lambda candidate: candidate.root):
        together = list(group)
        liver = LiverMap.of(Scan.objects.prefetch_related("masks").get(pk=root))
        if liver is None:
            measured += together
            continue
        depths = liver.depths_mm([candidate.place_lps_mm for candidate in together])
        measured += [replace(c, depth_mm=depth) for c, depth in zip(together, depths, strict=True)]
        if on_progress is not None:
            on_progress(0.5 + 0.45 * len(measured) / len(candidates), "measuring depths")
    return measured
