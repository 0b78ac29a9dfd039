"""The numbers of every figure as a table beside it, for those who read rather than look."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from readerstudy.analysis import Drift, Reading
from readerstudy.report.arm_marks import ArmMarks
from readerstudy.report.data import ReportData
from readerstudy.report.figures import measures
from readerstudy.report.figures.flow_steps import flow_steps
from readerstudy.report.mark_map_words import commonest_reasons
from readerstudy.report.text import level_percent, p_words, percent, share_words


@dataclass(frozen=True, kw_only=True)
class Table:
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def figure_table(name: str, data: ReportData) -> Table | None:
    """None where the page has the same numbers in a larger table already."""
    make = _TABLES.get(name)
    return None if make is None else make(data)


def _auc(data: ReportData) -> Table:
    level = level_percent(data.options)
    rows = [
        [data.rater_labels[row.rater], share_words(row.auc, level=level), p_words(row.auc_p)]
        for row in data.analysis.raters
        if row.auc is not None
    ]
    panel = data.analysis.mrmc
    rows.append(["Average of raters", share_words(panel.auc, level=level), p_words(panel.p)])
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
    found, level = data.analysis.agreement, level_percent(data.options)
    return Table(
        columns=["Coefficient", "Value"],
        rows=[
            ["Same answer, mean over pairs", share_words(found.percent_agreement, level=level)],
            ["Fleiss' kappa", share_words(found.fleiss_kappa, level=level)],
            ["Gwet's AC1", share_words(found.gwet_ac1, level=level)],
            ["Krippendorff's alpha", share_words(found.krippendorff_alpha, level=level)],
        ],
    )


def _calibration(data: ReportData) -> Table:
    level = level_percent(data.options)
    return Table(
        columns=[data.task.score_axis, "Ratings", "Cases that were synthetic"],
        rows=[
            [data.task.score_label(row.rating), str(row.n), share_words(row.share_synthetic, level=level)]
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


def _marks_at_edits(data: ReportData) -> Table:
    """With the commonest reasons where any are asked for."""
    asked = any(arm.reasons for arm in data.mark_map.arms)
    rows = [
        [
            arm.arm,
            *_counts(arm),
            "–" if arm.within is None else f"{arm.within} of {len(arm.marks)}",
            "–" if arm.expected_within is None else f"{arm.expected_within:.1f}",
            "–" if arm.median_distance_mm is None else f"{arm.median_distance_mm:.1f} mm",
            *([commonest_reasons(arm)] if asked else []),
        ]
        for arm in data.mark_map.arms
    ]
    columns = ["Arm", "Marks", "Cases", "Raters", "Right", "Right by chance", "Median distance"]
    return Table(columns=[*columns, *(["Commonest reasons"] if asked else [])], rows=rows)


def _counts(arm: ArmMarks) -> list[str]:
    return [str(len(arm.marks)), str(arm.cases), str(arm.raters)]


def _marks_in_pictures(data: ReportData) -> Table:
    found = data.mark_map
    return Table(
        columns=["Arm", "Marks", "Cases", "Raters", f"Within {found.radius_mm:g} mm of the picture's middle"],
        rows=[[arm.arm, *_counts(arm), f"{arm.in_middle} of {len(arm.marks)}"] for arm in found.arms],
    )


def _flow(data: ReportData) -> Table:
    rows = [[step.text, "; ".join(step.left_out) or "–"] for step in flow_steps(data)]
    return Table(columns=["Step", "Left out before it"], rows=rows)


_TABLES: dict[str, Callable[[ReportData], Table]] = {
    "forest-auc": _auc,
    "confusion": _confusion,
    "marks-at-edits": _marks_at_edits,
    "marks-in-pictures": _marks_in_pictures,
    "agreement": _agreement,
    "calibration": _calibration,
    "drift": _drift,
    "times": _times,
    "flow": _flow,
}
