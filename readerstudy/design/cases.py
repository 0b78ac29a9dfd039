"""The cases of a study as the pure parts of design, locking and analysis want them."""

from readerstudy.design.candidates import fetch_ancestors, root_of
from readerstudy.design.matching import Candidate
from readerstudy.models import CaseTruth, Study


def truths_of(study: Study) -> list[CaseTruth]:
    """Sealed rows, ordered by the random id of their case."""
    rows = CaseTruth.objects.filter(case__study=study)
    rows = rows.select_related("case", "scan__dataset", "scan__provenance")
    truths = list(rows.order_by("case_id"))
    fetch_ancestors(truth.scan for truth in truths)
    return truths


def chosen_candidates(study: Study) -> list[Candidate]:
    return [as_candidate(truth) for truth in truths_of(study)]


def as_candidate(truth: CaseTruth) -> Candidate:
    x, y, z = truth.place_lps_mm
    return Candidate(
        synthetic=truth.synthetic,
        scan=str(truth.scan_id),
        root=str(root_of(truth.scan).pk),
        subject=truth.scan.subject,
        place_lps_mm=(x, y, z),
        diameter_mm=truth.diameter_mm,
        depth_mm=truth.depth_mm,
        lesion=truth.lesion_id,
        details=truth.details,
    )
