"""The way from edits to analysed ratings, with what was left out at every step."""

from readerstudy.report.data import ReportData
from readerstudy.report.figures.plots.flow import FlowStep


def flow_steps(data: ReportData) -> list[FlowStep]:
    return [*_edits(data), _cases(data), *_readings(data)]


def _edits(data: ReportData) -> list[FlowStep]:
    flow = data.flow
    if "edited" not in flow:
        return []
    reviewed = flow["accepted"] + flow["rejected"]
    return [
        FlowStep(text=f"Edits made: {flow['edited']}"),
        FlowStep(text=f"Edits reviewed by a person: {reviewed}", left_out=_some(flow["not_reviewed"], "not reviewed")),
        FlowStep(text=f"Edits accepted: {flow['accepted']}", left_out=_some(flow["rejected"], "rejected")),
    ]


def _cases(data: ReportData) -> FlowStep:
    synthetic = sum(case.synthetic for case in data.cases)
    unused = data.flow["accepted"] - synthetic if "accepted" in data.flow else 0
    return FlowStep(
        text=f"Cases: {len(data.cases)} ({synthetic} synthetic, {len(data.cases) - synthetic} real)",
        left_out=_some(max(unused, 0), "accepted but not drawn as cases"),
    )


def _readings(data: ReportData) -> list[FlowStep]:
    planned = len(data.cases) * len(data.raters)
    valid = [row for row in data.ratings if row["valid"]]
    excluded = [rater for rater in data.raters if rater.excluded]
    of_excluded = sum(bool(row["excluded"]) for row in valid)
    analysed = data.analysis.design.n_ratings
    superseded = len(data.ratings) - len(valid)
    left_out = [
        *(f"{rater.label} excluded: {rater.excluded_reason}" for rater in excluded),
        *_some(of_excluded, "ratings of excluded raters"),
        *_some(len(valid) - of_excluded - analysed, "ratings of cases that not all raters rated"),
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
