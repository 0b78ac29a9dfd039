"""From an unblinded study to the plain data of its report. Refuses, like the truth itself, before the unblinding."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from typing import Any

from ctplatform.datasets.models import Scan
from readerstudy.analysis import ArmsComparison, DefaultAnalysis
from readerstudy.auditing.certificate import certificate_for_report
from readerstudy.choices import counted_apart
from readerstudy.design.cases import arm_of
from readerstudy.ledger.screens import display_policy
from readerstudy.ledger.turns import policy_of
from readerstudy.models import CaseTruth, DisplayCheck, Study, Template
from readerstudy.planning.plans import deviations_of, plan_of, sentences_of
from readerstudy.report.at_the_end import said_at_the_end
from readerstudy.report.data import Material, Phases, ReportData, ReportedCase, ReportedDisplay, ReportedRater, Row
from readerstudy.report.display import display_words
from readerstudy.report.export import END_COLUMN, codebook, column_of, rating_rows
from readerstudy.report.free_response import free_response_of
from readerstudy.report.further import further_of
from readerstudy.report.groups import groups_of
from readerstudy.report.interactions import comparisons_of
from readerstudy.report.mark_map import mark_map_of
from readerstudy.report.material import material_of
from readerstudy.report.phases import phases_of
from readerstudy.report.places import places_of
from readerstudy.results import analysis_of, arms_of, programs_of, repeats_of
from readerstudy.unblinding.course import course_words
from readerstudy.unblinding.looks import exclusions_after_looking, looks_words
from readerstudy.unblinding.opened import UnblindedStudy
from readerstudy.unblinding.unusual import unusual_arrivals
from readerstudy.unblinding.withdrawn import withdrawn_words
from readerstudy.verification import verify

# A report goes to readers of papers: names of raters stay in the study.
NOT_REPORTED = {"study", "rater_name", "case_label", "reading_program"}


def reported_facts(
    opened: UnblindedStudy, *, cases: frozenset[str] | None = None, raters: frozenset[str] | None = None
) -> dict[str, Any]:
    """What every report says, whatever was asked, but the deviations from the plan: fields of `ReportedStudy`."""
    study, plan = opened.study, plan_of(opened.study)
    whole = cases is None and raters is None
    _ = opened.events  # read once, for the analysis too
    rows = [row for row in rating_rows(opened) if cases is None or row["case"] in cases]
    # Words of raters may name people: they stay in the export, but for those of the end, in the table of raters.
    untold = NOT_REPORTED | {END_COLUMN} | {column_of(item) for item in study.asked.items if not item.counted}
    return {
        "study": _study_fields(opened),
        "raters": [rater for rater in _raters(opened) if raters is None or rater.key in raters],
        "cases": _cases(opened, cases),
        "ratings": [
            _reported(row, untold)
            for row in rows
            if not row["reading_program"] and (raters is None or str(row["rater"]) in raters)
        ],
        "ratings_of_programs": [
            {"reading_program": row["reading_program"], **_reported(row, untold)}
            for row in rows
            if row["reading_program"]
        ],
        "codebook": {name: text for name, text in codebook(opened).items() if name not in untold},
        "plan": asdict(plan),
        "plan_in_words": sentences_of(study, plan),
        "hashes": _hashes(study),
        "flow": study.flow if whole else {},
        "blinding": certificate_for_report(study) if whole else {},
        "material": material_of(opened) if whole else Material(),
        "phases": phases_of(opened) if whole else None,
        "groups": groups_of(opened, cases=cases, raters=raters),
        "further": further_of(opened, cases=cases, raters=raters).questions,
    }


def report_data(
    opened: UnblindedStudy, *, cases: frozenset[str] | None = None, raters: frozenset[str] | None = None
) -> ReportData:
    """Of the whole study, or of a part: the cases with these codes, the raters with these numbers."""
    analysis = analysis_of(opened, cases=cases, raters=raters)
    arms = arms_of(opened, cases=cases, raters=raters)
    facts, whole = reported_facts(opened, cases=cases, raters=raters), cases is None and raters is None
    return ReportData(
        **facts,
        deviations=_deviations(opened, analysis, arms, facts["phases"]) if whole else [],
        analysis=analysis,
        comparisons=comparisons_of(opened, facts["cases"], facts["raters"]) if whole else [],
        arms=arms,
        programs=programs_of(opened, cases=cases, raters=raters),
        repeats=repeats_of(opened, cases=cases, raters=raters),
        places=places_of(opened, cases=cases, raters=raters),
        free_response=free_response_of(opened, cases=cases, raters=raters),
        mark_map=mark_map_of(opened, cases=cases, raters=raters),
    )


def verified_report_data(opened: UnblindedStudy) -> ReportData:
    """Of the whole study, after a verification that reads every pixel; for what goes to readers."""
    outcome = verify(opened.study)
    return replace(report_data(opened), verified=outcome.sentence(), intact=outcome.intact)


def _deviations(
    opened: UnblindedStudy, analysis: DefaultAnalysis, arms: ArmsComparison | None, phases: Phases | None
) -> list[str]:
    found = deviations_of(opened.study, analysis, excluded=opened.excluded)
    found += groups_not_compared(opened) + phases_not_compared(phases)
    return found + _arms_not_compared(plan_of(opened.study).compared_arms, arms) + general_deviations(opened)


def general_deviations(opened: UnblindedStudy) -> list[str]:
    """What happened that no plan foresaw, whatever was asked."""
    found = exclusions_after_looking(opened.record) + course_words(opened)
    withdrawn = withdrawn_words(opened.study)
    if withdrawn:
        found.append(withdrawn)
    late = len(opened.out_of_turn)
    if late:
        found.append(f"{late} answers were given out of turn, as the protocol allows (column out_of_turn).")
    return found + unusual_arrivals(opened)


def _arms_not_compared(named: Sequence[str], arms: ArmsComparison | None) -> list[str]:
    """Where the planned comparison of arms found no cases, or no answers, of some."""
    missing = list(named) if arms is None else list(arms.missing)
    return [f"The planned comparison of arms could not be made for {', '.join(missing)}."] if missing else []


def groups_not_compared(opened: UnblindedStudy) -> list[str]:
    if "groups" not in plan_of(opened.study).secondary:
        return []
    contrast = groups_of(opened).contrast
    if contrast is not None and contrast.p is not None:
        return []
    reason = "there are not two groups with answers" if contrast is None else contrast.difference.reason
    return [f"The planned comparison of two groups of raters could not be made: {reason}."]


def phases_not_compared(phases: Phases | None) -> list[str]:
    """Where the plan names a comparison that the answers don't allow; while the earlier study is sealed it may come."""
    if phases is None or not phases.planned or phases.waits:
        return []
    reason = phases.reason
    if phases.change is not None:
        judged = phases.change.judged
        reason = "" if judged is not None and judged.p is not None else str(phases.change.difference.reason)
    return [f"The planned comparison with “{phases.earlier}” could not be made: {reason}."] if reason else []


def _study_fields(opened: UnblindedStudy) -> dict[str, Any]:
    study = opened.study
    asked = study.asked
    return {
        "id": str(study.pk),
        "title": asked.title,
        "template": Template(asked.template).label,
        "question": asked.question,
        "display": display_words(study),
        "confidence_levels": asked.confidence_levels,
        "task_name": asked.task_name,
        "task_settings": asked.task_settings,
        "further_questions": asked.further_questions,
        "end_question": asked.end_question,
        "published": study.protocol.get("published"),
        "continues": study.protocol.get("continues"),
        "going_back": str(policy_of(study)),
        "feedback": str(asked.feedback),
        "repeats": study.repeats,
        "repeat_distance": study.repeat_distance if study.repeats else None,
        "display_check": display_policy(study).value,
        "locked_at": _iso(study.locked_at),
        "opened_at": _iso(study.opened_at),
        "closed_at": _iso(study.closed_at),
        "unblinded_at": _iso(study.unblinded_at),
        "software_version": version("turing-ward"),
        "looks": looks_words(opened.looks),
    }


def _iso(moment: Any) -> str:
    return moment.isoformat() if moment else ""


def rater_labels(opened: UnblindedStudy) -> dict[str, str]:
    return {rater.key: rater.label for rater in _raters(opened)}


def _raters(opened: UnblindedStudy) -> list[ReportedRater]:
    """Covariates are those of the lock; protocols of before do not hold them."""
    locked = {rater["number"]: rater for rater in opened.study.protocol["raters"]}
    displays, said = _displays(opened.study), said_at_the_end(opened)
    return [
        ReportedRater(
            number=rater.number,
            simulated=rater.user.is_simulated,
            excluded_reason=rater.excluded_reason,
            experience_years=locked[rater.number].get("experience_years", rater.user.experience_years),
            group=locked[rater.number].get("group", ""),
            display=displays.get(rater.pk),
            at_the_end=said.get(rater.pk),
        )
        for rater in opened.people
    ]


def _displays(study: Study) -> dict[int, ReportedDisplay]:
    """By the raters' ids; whoever made no check has none."""
    found: dict[int, list[DisplayCheck]] = {}
    for check in DisplayCheck.objects.filter(session__rater__study=study).select_related("session").order_by("at"):
        found.setdefault(check.session.rater_id, []).append(check)
    return {
        rater: ReportedDisplay(
            checks=len(checks),
            passed=sum(check.passed for check in checks),
            screens=tuple(dict.fromkeys(_screen_words(check.screen) for check in checks)),
        )
        for rater, checks in found.items()
    }


def _screen_words(screen: Mapping[str, Any]) -> str:
    width, height = screen["screen_px"]
    return f"{width}x{height} at {screen['device_pixel_ratio']:g}"


def _cases(opened: UnblindedStudy, cases: frozenset[str] | None) -> list[ReportedCase]:
    apart = counted_apart(opened)
    return [
        _case(
            number,
            code,
            opened.truths[code],
            host=opened.hosts[code],
            patient=opened.patients[code],
            control=code in apart,
        )
        for number, code in enumerate(sorted(opened.truths), start=1)
        if cases is None or code in cases
    ]


def _case(number: int, code: str, truth: CaseTruth, *, host: Scan, patient: int, control: bool) -> ReportedCase:
    return ReportedCase(
        number=number,
        code=code,
        synthetic=truth.synthetic,
        scan=truth.scan.name,
        patient=patient,
        dataset=host.dataset.name,
        subject=host.subject,
        host_scan=host.name,
        diameter_mm=round(truth.diameter_mm, 2),
        depth_mm=None if truth.depth_mm is None else round(truth.depth_mm, 2),
        generator=_generator(truth.details),
        kind=str(truth.details.get("kind", "")),
        control=control,
        arm=arm_of(truth).name,
    )


def _generator(details: dict[str, Any]) -> str:
    """By the digest of its weights, or as another program calls itself."""
    named = f"{details.get('generator_name', '')} {details.get('generator_version', '')}".strip()
    return str(details.get("generator_digest") or "")[:12] or named


def _reported(row: Row, untold: set[str]) -> Row:
    return {name: value for name, value in row.items() if name not in untold}


def _hashes(study: Study) -> dict[str, Any]:
    return {
        "protocol": study.protocol_digest,
        "plan": study.plan_digest,
        "schedule": study.schedule_digest,
        "ledger_head": study.ledger_head,
        "ledger_entries": study.ledger_count,
        **study.protocol["sealed"],
    }
