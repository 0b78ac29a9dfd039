"""The job that draws the cases of a study."""

from collections.abc import Callable
from typing import Any

from ctplatform.errors import ConflictError, DomainError
from ctplatform.jobs.registry import JobContext
from readerstudy.design.candidates import flow_counts, measured_candidates
from readerstudy.design.matching import match_report, matched_draw
from readerstudy.design.services import write_cases
from readerstudy.models import Case, CaseTruth, Study


def run_draw(payload: dict[str, Any], context: JobContext) -> Callable[[], dict[str, Any]]:
    study = Study.objects.select_related("owner").get(pk=payload["study"])
    real, synthetic = measured_candidates(study, on_progress=context.progress)
    if not real or not synthetic:
        missing = "real" if not real else "accepted synthetic"
        raise DomainError(
            f"No {missing} case fits this study. Check the datasets chosen, the limits of diameter, and whether "
            "synthetic scans have been accepted in the review."
        )
    context.progress(0.96, "matching")
    pairs = matched_draw(real, synthetic, pairs=study.cases_planned // 2, seed=study.seed)
    chosen = [candidate for pair in pairs for candidate in pair]
    report = match_report(chosen)
    flow = {
        **flow_counts(study),
        "candidates_real": len(real),
        "candidates_synthetic": len(synthetic),
        "drawn": len(chosen),
    }

    def write() -> dict[str, Any]:
        held = Study.objects.select_for_update().get(pk=study.pk)
        if not held.is_draft or str(held.draw_job_id) != context.job_id:
            raise ConflictError("The study was locked or drawn again in the meantime, so this draw was dropped.")
        CaseTruth.objects.filter(case__study=held).delete()
        Case.objects.filter(study=held).delete()
        write_cases(held, chosen)
        held.match_report, held.flow = report, flow
        held.save(update_fields=["match_report", "flow"])
        return {"cases": len(chosen)}

    return write
