"""Agreement of raters with themselves on cases that they were shown twice, in a table and in sentences."""

from readerstudy.analysis import SelfAgreement
from readerstudy.report.data import ReportData
from readerstudy.report.figures.figure_tables import Table
from readerstudy.report.text import level_percent, share_words, units_of

NONE_TWICE = "no case was shown twice"
ALL_RATERS = "All raters"


def repeats_table(data: ReportData) -> Table | None:
    """None where no case was shown twice."""
    if data.repeats is None:
        return None
    level = level_percent(data.options)
    scored = data.repeats.panel.weighted_kappa is not None
    return Table(
        columns=[
            *("Rater", "Answered twice", "Patients", "Same answer", "Kappa"),
            *(["Weighted kappa of the scores"] if scored else []),
        ],
        rows=[_row(one, data, level=level) for one in (*data.repeats.raters, data.repeats.panel)],
    )


def _row(one: SelfAgreement, data: ReportData, *, level: str) -> list[str]:
    found = [one.same, one.kappa, *([] if one.weighted_kappa is None else [one.weighted_kappa])]
    return [_label(one, data), str(one.n), str(one.n_patients), *(share_words(share, level=level) for share in found)]


def _label(one: SelfAgreement, data: ReportData) -> str:
    return ALL_RATERS if one.rater is None else data.rater_labels[one.rater]


def repeats_words(data: ReportData) -> str:
    """What all raters together did, in a sentence or two."""
    if data.repeats is None:
        return f"{NONE_TWICE}."
    panel, level = data.repeats.panel, level_percent(data.options)
    units = units_of(data)
    said = (
        f"On {panel.n} occasions a rater saw a case again, at least {data.study['repeat_distance']} cases later: the "
        f"same answer in {share_words(panel.same, level=level)} of them, kappa {share_words(panel.kappa, level=level)}"
    )
    if panel.weighted_kappa is not None:
        said += f", of the scores with quadratic weights {share_words(panel.weighted_kappa, level=level)}"
    return f"{said}; intervals over {units}, the raters fixed. Second answers are in no other number."
