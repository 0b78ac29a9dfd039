"""What the results page shows, verdict first. Every number comes from readerstudy.analysis."""

from dataclasses import dataclass
from typing import Any

from readerstudy.models import Study, StudyRater
from readerstudy.report.figures import Forest, forest
from readerstudy.results import analysis_of


@dataclass(frozen=True, kw_only=True)
class ResultRow:
    """One rater, or the panel, in the results table."""

    label: str
    reading: dict[str, Any]
    simulated: bool
    summary: bool


@dataclass(frozen=True, kw_only=True)
class ResultsPage:
    analysis: dict[str, Any]
    verdict: dict[str, Any] | None
    rows: list[ResultRow]
    figure: Forest
    excluded: list[StudyRater]
    simulated: int
    options: dict[str, Any]


def results_page(study: Study) -> ResultsPage:
    analysis = analysis_of(study)
    raters = {str(rater.number): rater for rater in study.raters.select_related("user", "excluded_by")}
    rows = [
        ResultRow(
            label=str(raters[reading["rater"]].user),
            reading=reading,
            simulated=raters[reading["rater"]].user.is_simulated,
            summary=False,
        )
        for reading in analysis["raters"]
    ]
    simulated = sum(row.simulated for row in rows)
    panel = ResultRow(label="Ensemble (majority)", reading=analysis["ensemble"], simulated=simulated > 0, summary=True)
    rows.append(panel)
    options = analysis["options"]
    return ResultsPage(
        analysis=analysis,
        verdict=analysis["primary"],
        rows=rows,
        figure=forest([_entry(row) for row in rows], margin=options["margin"]),
        excluded=[rater for rater in raters.values() if rater.excluded_at is not None],
        simulated=simulated,
        options=options,
    )


def _entry(row: ResultRow) -> dict[str, Any]:
    return {
        "label": f"{row.label}{' (simulated)' if row.simulated else ''}",
        "n": row.reading["n"],
        "accuracy": row.reading["accuracy"],
        "summary": row.summary,
        "simulated": row.simulated,
    }
