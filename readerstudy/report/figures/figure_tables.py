"""The numbers of every figure as a table beside it, for those who read rather than look."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from readerstudy.report.data import ReportData
from readerstudy.report.figures import measures
from readerstudy.report.figures.flow_steps import flow_steps
from readerstudy.report.text import p_words, percent, rating_label, share_words


@dataclass(frozen=True, kw_only=True)
class Table:
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def figure_table(name: str, data: ReportData) -> Table | None:
    """None where the page has the same numbers in a larger table already."""
    make = _TABLES.get(name)
    return None if make is None else make(data)


def _auc(data: ReportData) -> Table:
    rows = [
        [data.rater_labels[row["rater"]], share_words(row["auc"]), p_words(row["auc_p"])]
        for row in data.analysis["raters"]
    ]
    panel = data.analysis["mrmc"]
    rows.append(["Average of raters", share_words(panel["auc"]), p_words(panel["p"])])
    return Table(columns=["Rater", "AUC", "Test against 0.5"], rows=rows)


def _confusion(data: ReportData) -> Table:
    rows = [(data.rater_labels[row["rater"]], row) for row in data.analysis["raters"]]
    return Table(
        columns=[
            "Rater",
            "Synthetic called synthetic",
            "Synthetic called real",
            "Real called synthetic",
            "Real called real",
        ],
        rows=[
            [label, *(str(row[name]) for name in ("tp", "fn", "fp", "tn"))]
            for label, row in [*rows, ("Ensemble (majority)", data.analysis["ensemble"])]
        ],
    )


def _agreement(data: ReportData) -> Table:
    names = {
        "percent_agreement": "Same answer, mean over pairs",
        "fleiss_kappa": "Fleiss' kappa",
        "gwet_ac1": "Gwet's AC1",
        "krippendorff_alpha": "Krippendorff's alpha",
    }
    found: Mapping[str, Any] = data.analysis["agreement"]
    return Table(
        columns=["Coefficient", "Value"], rows=[[words, share_words(found[name])] for name, words in names.items()]
    )


def _calibration(data: ReportData) -> Table:
    levels = int(data.study["confidence_levels"])
    return Table(
        columns=["Answer and confidence", "Ratings", "Cases that were synthetic"],
        rows=[
            [rating_label(int(row["rating"]), levels=levels), str(row["n"]), share_words(row["share_synthetic"])]
            for row in data.analysis["calibration"]
        ],
    )


def _drift(data: ReportData) -> Table:
    rows = []
    for row in data.analysis["raters"]:
        drift = row.get("drift") or {}
        slope = drift.get("slope")
        change = drift.get("reason") or "not computed" if slope is None else f"{slope:+.4f} ({p_words(drift['p_lrt'])})"
        halves = [percent(drift.get(half)) for half in ("first_half", "second_half")]
        rows.append([data.rater_labels[row["rater"]], *halves, change])
    return Table(columns=["Rater", "First half right", "Second half right", "Slope (logit per case)"], rows=rows)


def _times(data: ReportData) -> Table:
    raters = [rater for rater in data.raters if not rater.excluded]
    return Table(
        columns=["Rater", "n", "Median", "Middle half", "5 to 95 %"],
        rows=[
            [
                row.label,
                str(row.n),
                f"{row.seconds[2]:.1f} s",
                f"{row.seconds[1]:.1f} to {row.seconds[3]:.1f} s",
                f"{row.seconds[0]:.1f} to {row.seconds[4]:.1f} s",
            ]
            for row in measures.reading_times(data.counted, raters)
        ],
    )


def _flow(data: ReportData) -> Table:
    rows = [[step.text, "; ".join(step.left_out) or "–"] for step in flow_steps(data)]
    return Table(columns=["Step", "Left out before it"], rows=rows)


_TABLES: dict[str, Callable[[ReportData], Table]] = {
    "forest-auc": _auc,
    "confusion": _confusion,
    "agreement": _agreement,
    "calibration": _calibration,
    "drift": _drift,
    "times": _times,
    "flow": _flow,
}
