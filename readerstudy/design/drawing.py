"""The job that draws the cases of a study."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from django.utils.translation import gettext

from ctplatform.datasets.models import Lesion, Scan
from ctplatform.errors import ConflictError, DomainError
from ctplatform.jobs.registry import JobContext
from readerstudy.design.candidate import Candidate
from readerstudy.design.candidates import flow_counts, measured_candidates, picture_of
from readerstudy.design.matching import matched_draw
from readerstudy.design.phases import patients_shown_before
from readerstudy.design.services import described_match, write_cases
from readerstudy.models import Case, CaseTruth, Study
from readerstudy.permissions import study_of_job


def run_draw(payload: dict[str, Any], context: JobContext) -> Callable[[], dict[str, Any]]:
    study, _ = study_of_job(payload, context)
    real, synthetic = measured_candidates(study, on_progress=context.progress)
    if study.other_patients:
        known = patients_shown_before(study)
        real, synthetic = ([one for one in kind if one.subject not in known] for kind in (real, synthetic))
    if not real or not synthetic:
        no_real = gettext("No real case fits this study.")
        missing = no_real if not real else gettext("No accepted synthetic case fits this study.")
        check = gettext(
            "Check the datasets chosen, the limits of diameter, and whether synthetic scans have been accepted in the "
            "review, and whether the protocol asks for other patients than linked studies show."
        )
        message = f"{missing} {check}"
        raise DomainError(message)
    images = study.asked.task.images
    if images > 1:
        stay = {(str(truth.scan_id), *truth.place_lps_mm) for truth in _of_control_trials(study)}
        real, synthetic = (
            [one for one in kind if (one.scan, *one.place_lps_mm) not in stay] for kind in (real, synthetic)
        )
    context.progress(0.96, "matching")
    picture = picture_of(study, [*real, *synthetic])
    of_each_kind = study.asked.task.of_each_kind
    groups = matched_draw(
        real,
        synthetic,
        pairs=study.cases_planned // sum(of_each_kind),
        seed=study.seed,
        shares_picture=None if study.twins_allowed else picture.shares,
        of_each_kind=of_each_kind,
    )
    chosen = [candidate for group in groups for candidate in group]
    report = described_match(study, chosen)
    flow = {
        **flow_counts(study),
        "candidates_real": len(real),
        "candidates_synthetic": len(synthetic),
        "drawn": len(chosen),
    }

    def write() -> dict[str, Any]:
        _refuse_changed_lesions(chosen)
        held = Study.objects.select_for_update().get(pk=study.pk)
        if not held.is_draft or str(held.draw_job_id) != context.job_id:
            raise ConflictError(
                gettext("The study was locked or drawn again in the meantime, so this draw was dropped.")
            )
        # Positive controls were chosen by hand: a new draw of the other cases leaves them, and what stands with them.
        kept = set() if images == 1 else {truth.pair or 0 for truth in _of_control_trials(held)}
        CaseTruth.objects.filter(case__study=held, control=False).exclude(pair__in=kept).delete()
        Case.objects.filter(study=held, truth=None).delete()
        write_cases(held, _numbered_after(chosen, max(kept, default=-1)))
        held.match_report, held.flow = report, flow
        held.save(update_fields=["match_report", "flow"])
        return {"cases": len(chosen)}

    return write


def _of_control_trials(study: Study) -> list[CaseTruth]:
    """Positive controls that were drawn as ordinary cases and marked since, and what was drawn for them."""
    cases = CaseTruth.objects.filter(case__study=study).exclude(pair=None)
    return list(cases.filter(pair__in=cases.filter(control=True).values("pair")))


def _numbered_after(chosen: Sequence[Candidate], last: int) -> list[Candidate]:
    """No new match has the number of one that stays."""
    return [replace(one, pair=None if one.pair is None else one.pair + last + 1) for one in chosen]


def _refuse_changed_lesions(chosen: Sequence[Candidate]) -> None:
    """Their scans are held until the cases are written: from then on nobody changes their lesions."""
    scans = Scan.objects.select_for_update().filter(pk__in={one.scan for one in chosen})
    list(scans.order_by("pk").values_list("pk"))
    drawn = {one.lesion: (one.place_lps_mm, one.diameter_mm) for one in chosen if one.lesion is not None}
    lesions = Lesion.objects.filter(pk__in=drawn)
    if drawn != {one.pk: (tuple(one.centroid_lps_mm), one.diameter_mm) for one in lesions}:
        raise ConflictError(
            gettext("A mask of lesions was changed while cases were drawn, so none were written. Draw again.")
        )
