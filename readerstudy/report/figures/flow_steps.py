"""The way from edits to analysed ratings, with what was left out at every step."""

from readerstudy.report.data import ReportedStudy
from readerstudy.report.figures.plots.flow import FlowStep
from readerstudy.report.text import shown_apart


def flow_steps(data: ReportedStudy) -> list[FlowStep]:
    return [*_edits(data), _cases(data), *_readings(data)]


def _edits(data: ReportedStudy) -> list[FlowStep]:
    flow = data.flow
    if "edited" not in flow:
        return []
    # Studies that were drawn before these were counted have none.
    beforehand = flow.get("excluded_beforehand", 0)
    reviewed = flow["accepted"] + flow["rejected"] - beforehand
    return [
        FlowStep(text=f"Edits made: {flow['edited']}"),
        FlowStep(
            text=f"Edits reviewed by a person: {reviewed}",
            left_out=[
                *_some(beforehand, "excluded before the study"),
                *_some(flow["not_reviewed"], "not reviewed"),
            ],
        ),
        FlowStep(
            text=f"Edits accepted: {flow['accepted']}",
            left_out=_some(flow["rejected"] - beforehand, "rejected"),
        ),
    ]


def _cases(data: ReportedStudy) -> FlowStep:
    cases = data.judged_cases
    synthetic, patients = sum(case.synthetic for case in cases), len({case.patient for case in cases})
    unused = data.flow["accepted"] - synthetic - data.n_controls if "accepted" in data.flow else 0
    return FlowStep(
        text=(
            f"Cases: {len(cases)} ({synthetic} synthetic, {len(cases) - synthetic} real), {data.n_scans} scans, "
            f"{patients} patients{shown_apart(data)}"
        ),
        left_out=[
            *_some(max(unused, 0), "accepted but not drawn as cases"),
            *_some(data.flow.get("untouched_excluded", 0), "real scans excluded before the study"),
        ],
    )


def _readings(data: ReportedStudy) -> list[FlowStep]:
    planned = data.planned_readings * len(data.raters)
    valid = [row for row in data.ratings if row["valid"]]
    excluded = [rater for rater in data.raters if rater.excluded]
    of_excluded = sum(bool(row["excluded"]) for row in valid)
    analysed = data.analysed_readings
    superseded = len(data.ratings) - len(valid)
    apart = data.counted_apart
    of_controls = sum(row["case"] in apart and not row["excluded"] for row in valid)
    again = sum(row["again"] and not row["excluded"] and row["case"] not in apart for row in valid)
    left_out = [
        *_some(of_controls, "ratings of positive controls, counted apart"),
        *_some(again, "second ratings of cases that were shown twice"),
        *(f"{rater.label} excluded: {rater.excluded_reason}" for rater in excluded),
        *_some(of_excluded, "ratings of excluded raters"),
        *_some(len(valid) - of_excluded - of_controls - again - analysed, "ratings of cases that not all raters rated"),
    ]
    return [
        FlowStep(text=f"Readings planned for {len(data.raters)} raters: {planned}"),
        FlowStep(
            text=f"Readings answered: {len(valid)}",
            left_out=[
                *_some(planned - len(valid), "not answered"),
                *_some(superseded, "answers replaced by a revision"),
            ],
        ),
        FlowStep(text=f"Ratings analysed: {analysed}", left_out=left_out),
    ]


def _some(count: int, what: str) -> list[str]:
    return [f"{what}: {count}"] if count else []
