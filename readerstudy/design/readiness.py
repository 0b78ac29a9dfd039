"""May this study be locked? Every condition with what is missing, in words for the coordinator."""

from collections import Counter
from dataclasses import dataclass

from readerstudy.design.candidates import is_accepted, root_of
from readerstudy.design.cases import truths_of
from readerstudy.models import CaseTruth, DisplayMode, Study


@dataclass(frozen=True, kw_only=True)
class Check:
    title: str
    met: bool
    message: str
    # An advice does not keep the study from being locked.
    advice: bool = False

    @property
    def blocks(self) -> bool:
        return not self.met and not self.advice


def readiness(study: Study) -> list[Check]:
    truths = truths_of(study)
    return [
        _enough_cases(study, truths),
        _balanced(truths),
        _all_accepted(truths),
        _places_differ(truths),
        _raters(study),
        _match(study),
        _recognisable(study, truths),
        _no_job(study),
    ]


def blocking(checks: list[Check]) -> list[str]:
    return [check.message for check in checks if check.blocks]


def _enough_cases(study: Study, truths: list[CaseTruth]) -> Check:
    count, planned = len(truths), study.cases_planned
    message = f"{count} of {planned} planned cases are chosen"
    if count != planned:
        message += "; draw or choose more, or plan for another number" if count < planned else "; remove some"
    return Check(title="Cases", met=count == planned, message=message + ".")


def _balanced(truths: list[CaseTruth]) -> Check:
    synthetic = sum(truth.synthetic for truth in truths)
    real = len(truths) - synthetic
    return Check(
        title="Balance",
        met=real == synthetic > 0,
        message=f"{real} real and {synthetic} synthetic cases" + ("." if real == synthetic else "; make them equal."),
    )


def _all_accepted(truths: list[CaseTruth]) -> Check:
    open_ = sum(truth.synthetic and not is_accepted(truth.scan) for truth in truths)
    message = (
        f"{open_} synthetic cases are not accepted in the review; review them or remove them."
        if open_
        else "All synthetic cases were reviewed and accepted."
    )
    return Check(title="Review", met=not open_, message=message)


def _places_differ(truths: list[CaseTruth]) -> Check:
    places = Counter((truth.scan_id, *(round(v, 1) for v in truth.place_lps_mm)) for truth in truths)
    twice = sum(count - 1 for count in places.values())
    message = f"{twice} cases show the same place of the same scan; remove them." if twice else "No case comes twice."
    return Check(title="No case twice", met=not twice, message=message)


def _raters(study: Study) -> Check:
    count = study.raters.filter(excluded_at=None).count()
    message = f"{count} raters are chosen." if count else "No rater is chosen; invite people and choose them here."
    return Check(title="Raters", met=count > 0, message=message)


def _match(study: Study) -> Check:
    apart = [
        name
        for name, measure in (("diameter", "diameter_mm"), ("depth", "depth_mm"))
        if (study.match_report.get(measure) or {}).get("p", 1.0) < 0.05
    ]
    message = (
        f"Real and synthetic cases differ in {' and '.join(apart)}; draw them again with more candidates."
        if apart
        else "Real and synthetic cases are alike in diameter and depth."
    )
    return Check(title="Match", met=not apart, message=message, advice=True)


def _recognisable(study: Study, truths: list[CaseTruth]) -> Check:
    """Whoever sees a whole slice twice, once with one lesion more, needs no radiology to call it synthetic."""
    roots = Counter(root_of(truth.scan).pk for truth in truths)
    again = sum(count - 1 for count in roots.values())
    shown_whole = study.display_mode != DisplayMode.PATCH
    message = (
        f"{again} cases show a scan that another case shows too, and the display shows whole slices: raters may "
        "compare the two. Patches avoid that."
        if shown_whole and again
        else "Raters can't compare whole slices of a scan with its edited twin."
    )
    return Check(title="Recognisable scans", met=not (shown_whole and again), message=message, advice=True)


def _no_job(study: Study) -> Check:
    job = study.busy_job
    message = f"“{job.title}” is still at work." if job else "No job is at work on this study."
    return Check(title="Nothing in progress", met=job is None, message=message)
