"""Which places of the datasets may become cases. What synthesis made counts only after a person accepted it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet

from ctplatform.datasets.importing.manifest import EXCLUDED
from ctplatform.datasets.kinds import MaskKind
from ctplatform.datasets.models import Lesion, Made, Operation, Origin, Scan, ScanQuerySet, Verdict
from ctplatform.datasets.scans import voxels
from ctplatform.datasets.scans.liver_map import LiverMap, LiverPlace
from ctplatform.errors import DomainError
from ml.scans.parenchyma import Parenchyma
from readerstudy.design.candidate import Candidate
from readerstudy.design.patients import patient_key
from readerstudy.design.pictures import Picture, frame_position, surroundings_hu
from readerstudy.design.places import healthy_places
from readerstudy.models import Study, Template

# A whole image that a program made shows its lesions as synthetic ones.
OPERATIONS = {
    Template.INSERTED_LESIONS: (Operation.INSERT, Operation.WHOLE),
    Template.REMOVED_LESIONS: (Operation.REMOVE,),
}
# Healthy places sampled for every place of an accepted removal in the same scan.
HEALTHY_PER_REMOVAL = 4
HEALTHY_PER_SCAN = 4
IN_A_CIRCLE = "By its row a scan was edited from itself. No edit writes that: somebody changed the database."

Progress = Callable[[float, str], None]


def scans_of(study: Study) -> ScanQuerySet:
    scans = Scan.objects.visible_to(study.owner)
    chosen = study.datasets.all()
    return scans.filter(dataset__in=chosen) if chosen.exists() else scans


def edited_scans(study: Study) -> ScanQuerySet:
    return scans_of(study).filter(provenance__operation__in=OPERATIONS[Template(study.template)])


def real_scans(study: Study) -> ScanQuerySet:
    """Scans of patients and phantoms, without those that a manifest excludes."""
    return scans_of(study).exclude(origin=Origin.SYNTHETIC).exclude(import_report__has_key=EXCLUDED)


def accepted_scans(study: Study) -> ScanQuerySet:
    accepted = edited_scans(study).with_pixels().filter(provenance__verdict=Verdict.ACCEPTED)
    return accepted.select_related("provenance")


def is_accepted(scan: Scan) -> bool:
    return scan.origin == Origin.SYNTHETIC and scan.provenance.verdict == Verdict.ACCEPTED


def lesions_of_kind(study: Study, *, synthetic: bool) -> QuerySet[Lesion]:
    """Synthetic lesions of accepted scans, or lesions of scans that nobody edited; within the study's sizes."""
    scans = accepted_scans(study) if synthetic else real_scans(study).with_pixels()
    lesions = Lesion.objects.filter(
        scan__in=scans,
        inserted=synthetic,
        diameter_mm__gte=study.diameter_min_mm,
        diameter_mm__lte=study.diameter_max_mm,
    ).select_related("scan__dataset", "scan__provenance")
    if not synthetic:
        return lesions
    # A scan edited twice here carries its first lesion too, which is already a candidate of its source.
    later = Lesion.objects.filter(scan=OuterRef("scan"), inserted=True, number__gt=OuterRef("number"))
    return lesions.exclude(Exists(later), scan__provenance__made=Made.HERE)


def flow_counts(study: Study) -> dict[str, int]:
    """The denominator: every edit counts, also those that a person refused or has not looked at."""
    edited = edited_scans(study)
    verdicts = list(edited.values_list("provenance__verdict", flat=True))
    beforehand = edited.filter(provenance__verdict=Verdict.REJECTED, provenance__details__has_key=EXCLUDED)
    real = scans_of(study).exclude(origin=Origin.SYNTHETIC)
    return {
        "edited": len(verdicts),
        "accepted": verdicts.count(Verdict.ACCEPTED),
        "rejected": verdicts.count(Verdict.REJECTED),
        "not_reviewed": verdicts.count(Verdict.PENDING),
        "excluded_beforehand": beforehand.count(),
        "untouched_scans": real.count(),
        "untouched_excluded": real.filter(import_report__has_key=EXCLUDED).count(),
    }


def fetch_ancestors(scans: Iterable[Scan]) -> None:
    """Join the scans' sources, and theirs, in one query per generation of edits: root_of asks nothing any more."""
    generation = list(scans)
    known: set[UUID] = set()
    generations = 0
    while generation:
        known |= {scan.pk for scan in generation}
        generations += 1
        if generations > len(known):
            raise DomainError(IN_A_CIRCLE)
        unjoined = [scan for scan in generation if scan.source_scan_id and not Scan.source_scan.is_cached(scan)]
        if unjoined:
            # Prefetching would ask SQLite for each by an OR of its own, of which it takes a thousand at most.
            sources = Scan.objects.in_bulk({scan.source_scan_id for scan in unjoined})
            for scan in unjoined:
                scan.source_scan = sources[scan.source_scan_id]
        generation = list({scan.source_scan_id: scan.source_scan for scan in generation if scan.source_scan}.values())


def root_of(scan: Scan) -> Scan:
    """The scan that all its edited twins descend from."""
    passed = {scan.pk}
    while scan.source_scan is not None:
        scan = scan.source_scan
        if scan.pk in passed:
            raise DomainError(IN_A_CIRCLE)
        passed.add(scan.pk)
    return scan


def patient_of(scan: Scan) -> str:
    """Whose body it shows. An edited scan shows that of its root, whatever a table said of it."""
    root = root_of(scan)
    return patient_key(dataset=root.dataset_id, subject=root.subject)


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
        subject=patient_of(scan),
        place_lps_mm=(x, y, z),
        diameter_mm=diameter_mm,
        lesion=lesion,
        details=details,
    )


def measured_candidates(study: Study, *, on_progress: Progress) -> tuple[list[Candidate], list[Candidate]]:
    """All real and all synthetic candidates, with their position in picture and liver."""
    if study.template == Template.INSERTED_LESIONS:
        synthetic = from_lesions(list(lesions_of_kind(study, synthetic=True)))
        real = from_lesions(list(lesions_of_kind(study, synthetic=False)))
    else:
        synthetic = [
            removal
            for removal in from_removals(list(accepted_scans(study)))
            if study.diameter_min_mm <= removal.diameter_mm <= study.diameter_max_mm
        ]
        real = _healthy_candidates(study, synthetic, on_progress)
    measured = with_positions(study, [*real, *synthetic], on_progress=on_progress)
    return [c for c in measured if not c.synthetic], [c for c in measured if c.synthetic]


def _healthy_candidates(study: Study, removals: list[Candidate], on_progress: Progress) -> list[Candidate]:
    scans = list(real_scans(study).order_by("pk"))
    fetch_ancestors(scans)
    sizes = sorted(removal.diameter_mm for removal in removals) or [study.diameter_min_mm]
    like = _where_lesions_were(removals)
    found: list[Candidate] = []
    for number, scan in enumerate(scans):
        on_progress(0.5 * number / len(scans), f"looking for healthy places in scan {number + 1} of {len(scans)}")
        here = [removal.diameter_mm for removal in removals if removal.root == str(root_of(scan).pk)]
        liver = LiverMap.of(scan)
        if liver is None:
            continue
        radius_mm = sizes[len(sizes) // 2] / 2
        places = healthy_places(
            liver,
            parenchyma=_parenchyma_of(scan, radius_mm),
            like=like,
            count=HEALTHY_PER_SCAN + HEALTHY_PER_REMOVAL * len(here),
            radius_mm=radius_mm,
            seed=study.seed + number,
        )
        # A healthy place has no size of its own: it stands for a lesion as large as one that was removed.
        pattern = here or sizes
        found += [
            _candidate(scan, synthetic=False, place=place, diameter_mm=pattern[index % len(pattern)], details={})
            for index, place in enumerate(places)
        ]
    return found


def _parenchyma_of(scan: Scan, radius_mm: float) -> Parenchyma | None:
    grid = scan.geometry
    masks = {mask.kind: mask.pk for mask in scan.masks.all()}
    liver = voxels.read_labels(masks[MaskKind.LIVER], grid) > 0
    return Parenchyma.of(voxels.read_volume(scan.pk, grid), grid, liver, radius_mm=radius_mm)


def _where_lesions_were(removals: list[Candidate]) -> list[LiverPlace]:
    """Each removed lesion's place as it would be found again in another liver."""
    return [
        place
        for liver, together in _by_liver(removals)
        if liver is not None
        for place in liver.places([removal.place_lps_mm for removal in together])
    ]


def _by_liver(candidates: Iterable[Candidate]) -> Iterator[tuple[LiverMap | None, list[Candidate]]]:
    """The candidates scan by scan, with the liver of their root."""
    by_root = sorted(candidates, key=lambda candidate: (candidate.root, candidate.scan, candidate.place_lps_mm))
    for root, group in groupby(by_root, key=lambda candidate: candidate.root):
        yield LiverMap.of(Scan.objects.prefetch_related("masks").get(pk=root)), list(group)


def picture_of(study: Study, candidates: Iterable[Candidate]) -> Picture:
    scans = Scan.objects.in_bulk({candidate.scan for candidate in candidates})
    return Picture.of(study, scans.values())


def with_positions(
    study: Study, candidates: Sequence[Candidate], *, on_progress: Progress | None = None
) -> list[Candidate]:
    """The candidates with their position in the picture, among other lesions, and in the liver where it is known."""
    scans = Scan.objects.in_bulk({candidate.scan for candidate in candidates})
    by_id = {str(pk): scan for pk, scan in scans.items()}
    lesions = _lesions_by_scan(by_id)
    picture = Picture.of(study, by_id.values())
    measured: list[Candidate] = []
    for liver, together in _by_liver(candidates):
        placed = [_in_picture(c, by_id[c.scan], lesions.get(c.scan, []), picture) for c in together]
        measured += placed if liver is None else _in_liver(placed, liver)
        if on_progress is not None:
            on_progress(0.5 + 0.45 * len(measured) / len(candidates), "measuring positions")
    return measured


def _lesions_by_scan(scans: Iterable[str]) -> dict[str, list[Lesion]]:
    found: dict[str, list[Lesion]] = {}
    for lesion in Lesion.objects.filter(scan__in=list(scans)):
        found.setdefault(str(lesion.scan_id), []).append(lesion)
    return found


def _in_picture(candidate: Candidate, scan: Scan, lesions: Iterable[Lesion], picture: Picture) -> Candidate:
    others = picture.others(candidate.place_lps_mm, [lesion for lesion in lesions if lesion.pk != candidate.lesion])
    row_mm, column_mm, slice_share = frame_position(scan, candidate.place_lps_mm)
    around = surroundings_hu(scan, candidate.place_lps_mm, radius_mm=candidate.diameter_mm / 2)
    return replace(
        candidate,
        row_mm=row_mm,
        column_mm=column_mm,
        slice_share=slice_share,
        others=len(others),
        other_distance_mm=min(others, default=None),
        around_hu=None if around is None else around[0],
        noise_hu=None if around is None else around[1],
    )


def _in_liver(candidates: Sequence[Candidate], liver: LiverMap) -> list[Candidate]:
    places = liver.places([candidate.place_lps_mm for candidate in candidates])
    measured = []
    for candidate, place in zip(candidates, places, strict=True):
        left, back, head = place.shares_lps
        measured.append(replace(candidate, depth_mm=place.depth_mm, liver_left=left, liver_back=back, liver_head=head))
    return measured
