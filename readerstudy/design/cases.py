"""The cases of a study as the pure parts of design, locking and analysis want them."""

from collections.abc import Iterable
from uuid import UUID

from readerstudy.analysis import SameNames
from readerstudy.design.arms import Arm, arm_from, arm_order
from readerstudy.design.candidate import Candidate
from readerstudy.design.candidates import fetch_ancestors, patient_of, root_of
from readerstudy.design.patients import counted_as
from readerstudy.models import CaseTruth, Study


def truths_of(study: Study) -> list[CaseTruth]:
    """Sealed rows, ordered by the random id of their case."""
    rows = CaseTruth.objects.filter(case__study=study)
    rows = rows.select_related("case", "scan__dataset", "scan__provenance")
    truths = list(rows.order_by("case_id"))
    fetch_ancestors(truth.scan for truth in truths)
    return truths


def chosen_candidates(study: Study) -> list[Candidate]:
    """Without the positive controls, which are matched to nothing."""
    return [as_candidate(truth) for truth in truths_of(study) if not truth.control]


def patients_and_kinds(truths: Iterable[CaseTruth], *, same_names: SameNames) -> list[tuple[str, bool]]:
    """Whose body every case shows, and whether it is synthetic."""
    return [(counted_as(patient_of(truth.scan), same_names), truth.synthetic) for truth in truths]


def place_of(truth: CaseTruth) -> tuple[object, ...]:
    """Which place of which scan a case shows, whatever study it is of."""
    return truth.scan_id, *truth.place_lps_mm


def roots_shown(study: Study) -> set[UUID]:
    """The scans that its cases show, edited ones by what they were made of. Which case shows which it doesn't tell."""
    return {root_of(truth.scan).pk for truth in truths_of(study)}


def arm_of(truth: CaseTruth) -> Arm:
    """Sealed as the truth is."""
    return arm_from(synthetic=truth.synthetic, control=truth.control, details=truth.details)


def compared_arms(truths: Iterable[CaseTruth]) -> list[str]:
    """Names of the arms of synthetic cases that are no positive controls, in the order of tables."""
    arms = {arm_of(truth) for truth in truths}
    return [arm.name for arm in sorted(arms, key=arm_order) if not (arm.is_real or arm.control)]


def as_candidate(truth: CaseTruth) -> Candidate:
    x, y, z = truth.place_lps_mm
    return Candidate(
        synthetic=truth.synthetic,
        scan=str(truth.scan_id),
        root=str(root_of(truth.scan).pk),
        subject=patient_of(truth.scan),
        place_lps_mm=(x, y, z),
        diameter_mm=truth.diameter_mm,
        depth_mm=truth.depth_mm,
        lesion=truth.lesion_id,
        details=truth.details,
        pair=truth.pair,
        **truth.position,
    )
