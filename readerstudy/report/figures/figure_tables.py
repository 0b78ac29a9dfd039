"""The numbers of every figure as a table beside it, for those who read rather than look."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from readerstudy.analysis import Drift, Reading
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
        [data.rater_labels[row.rater], share_words(row.auc), p_words(row.auc_p)]
        for row in data.analysis.raters
        if row.auc is not None
    ]
    panel = data.analysis.mrmc
    rows.append(["Average of raters", share_words(panel.auc), p_words(panel.p)])
    return Table(columns=["Rater", "AUC", "Test against 0.5"], rows=rows)


def _confusion(data: ReportData) -> Table:
    rows: list[tuple[str, Reading]] = [(data.rater_labels[row.rater], row) for row in data.analysis.raters]
    return Table(
        columns=[
            "Rater",
            "Synthetic called synthetic",
            "Synthetic called real",
            "Real called synthetic",
            "Real called real",
        ],
        rows=[
            [label, *(str(count) for count in (row.tp, row.fn, row.fp, row.tn))]
            for label, row in [*rows, ("Ensemble (majority)", data.analysis.ensemble)]
        ],
    )


def _agreement(data: ReportData) -> Table:
    found = data.analysis.agreement
    return Table(
        columns=["Coefficient", "Value"],
        rows=[
            ["Same answer, mean over pairs", share_words(found.percent_agreement)],
            ["Fleiss' kappa", share_words(found.fleiss_kappa)],
            ["Gwet's AC1", share_words(found.gwet_ac1)],
            ["Krippendorff's alpha", share_words(found.krippendorff_alpha)],
        ],
    )


def _calibration(data: ReportData) -> Table:
    levels = int(data.study["confidence_levels"])
    return Table(
        columns=["Answer and confidence", "Ratings", "Cases that were synthetic"],
        rows=[
            [rating_label(int(row.rating), levels=levels), str(row.n), share_words(row.share_synthetic)]
            for row in data.analysis.calibration or ()
        ],
    )


def _drift(data: ReportData) -> Table:
    rows = [[data.rater_labels[row.rater], *_drift_words(row.drift)] for row in data.analysis.raters]
    return Table(columns=["Rater", "First half right", "Second half right", "Slope (logit per case)"], rows=rows)


def _drift_words(drift: Drift | None) -> list[str]:
    if drift is None:
        return [percent(None), percent(None), "not computed"]
    halves = [percent(drift.first_half), percent(drift.second_half)]
    if drift.slope is None:
        return [*halves, drift.reason or "not computed"]
    return [*halves, f"{drift.slope:+.4f} ({p_words(drift.p_lrt)})"]


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
