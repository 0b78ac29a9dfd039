"""From an unblinded study to the plain data of its report. Refuses, like the truth itself, before the unblinding."""

from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from readerstudy.models import CaseTruth, DisplayMode, Study
from readerstudy.planning.plans import deviations_of, plan_of
from readerstudy.planning.words import plan_sentences
from readerstudy.report.data import ReportData, ReportedCase, ReportedRater, Row
from readerstudy.report.export import codebook, rating_rows
from readerstudy.results import analysis_of
from readerstudy.unblinding.opened import UnblindedStudy

# A report goes to readers of papers: names of raters stay in the study.
NOT_REPORTED = {"study", "rater_name"}


def report_data(
    opened: UnblindedStudy, *, cases: frozenset[str] | None = None, raters: frozenset[str] | None = None
) -> ReportData:
    """Of the whole study, or of a part: the cases with these codes, the raters with these numbers."""
    study, truths = opened.study, opened.truths
    analysis, plan = analysis_of(opened, cases=cases, raters=raters), plan_of(study)
    whole = cases is None and raters is None
    return ReportData(
        study=_study_fields(study),
        raters=[rater for rater in _raters(opened) if raters is None or rater.key in raters],
        cases=[
            _case(number, code, truths[code])
            for number, code in enumerate(sorted(truths), start=1)
            if cases is None or code in cases
        ],
        ratings=[
            _reported(row)
            for row in rating_rows(opened)
            if (cases is None or row["case"] in cases) and (raters is None or str(row["rater"]) in raters)
        ],
        codebook={name: text for name, text in codebook(opened).items() if name not in NOT_REPORTED},
        plan=asdict(plan),
        plan_in_words=plan_sentences(plan),
        deviations=deviations_of(study, analysis, excluded=opened.excluded) if whole else [],
        hashes=_hashes(study),
        flow=study.flow if whole else {},
        analysis=analysis,
    )


def _study_fields(study: Study) -> dict[str, Any]:
    return {
        "id": str(study.pk),
        "title": study.title,
        "template": study.get_template_display(),
        "question": study.question,
        "display": display_words(study),
        "confidence_levels": study.confidence_levels,
        "locked_at": _iso(study.locked_at),
        "opened_at": _iso(study.opened_at),
        "closed_at": _iso(study.closed_at),
        "unblinded_at": _iso(study.unblinded_at),
        "software_version": version("turing-ward"),
    }


def _iso(moment: Any) -> str:
    return moment.isoformat() if moment else ""


def display_words(study: Study) -> str:
    what = {
        DisplayMode.PATCH: f"magnified square patches of {study.field_of_view_mm:g} mm",
        DisplayMode.SLICE: "whole axial slices with a ring around the place",
        DisplayMode.STACK: f"stacks of {study.stack_slices} axial slices with a ring around the place",
    }[DisplayMode(study.display_mode)]
    return f"{what}, window {study.window_center_hu:g}/{study.window_width_hu:g} HU"


def rater_labels(opened: UnblindedStudy) -> dict[str, str]:
    return {rater.key: rater.label for rater in _raters(opened)}


def _raters(opened: UnblindedStudy) -> list[ReportedRater]:
    return [
        ReportedRater(
            number=rater.number,
            simulated=rater.user.is_simulated,
            excluded_reason=rater.excluded_reason,
            experience_years=rater.user.experience_years,
        )
        for rater in opened.raters
    ]


def _case(number: int, code: str, truth: CaseTruth) -> ReportedCase:
    return ReportedCase(
        number=number,
        code=code,
        synthetic=truth.synthetic,
        scan=truth.scan.name,
        subject=truth.scan.subject,
        diameter_mm=round(truth.diameter_mm, 2),
        depth_mm=None if truth.depth_mm is None else round(truth.depth_mm, 2),
        generator=_generator(truth.details),
        kind=str(truth.details.get("kind", "")),
    )


def _generator(details: dict[str, Any]) -> str:
    """By the digest of its weights, or as another program calls itself."""
    named = f"{details.get('generator_name', '')} {details.get('generator_version', '')}".strip()
    return str(details.get("generator_digest") or "")[:12] or named


def _reported(row: Row) -> Row:
    return {name: value for name, value in row.items() if name not in NOT_REPORTED}


def _hashes(study: Study) -> dict[str, Any]:
    return {
        "protocol": study.protocol_digest,
        "plan": study.plan_digest,
        "schedule": study.schedule_digest,
        "ledger_head": study.ledger_head,
        "ledger_entries": study.ledger_count,
        **study.protocol["sealed"],
    }
