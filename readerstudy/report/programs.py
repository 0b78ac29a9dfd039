"""Programs that read beside the people, in a table and in sentences."""

from readerstudy.analysis import ProgramReading, Units
from readerstudy.report.data import ReportData
from readerstudy.report.figures.figure_tables import Table
from readerstudy.report.text import level_percent, p_number, p_words, percent, share_words, signed_words, units_of

NOTE = (
    "Programs read the same blinded cases; they never count among the raters, in the panel or in the majority. Their "
    "answers are not part of any planned test."
)


def programs_table(data: ReportData) -> Table | None:
    """None where no program read."""
    if not data.programs:
        return None
    level = level_percent(data.options)
    return Table(
        columns=["Program", "Runs", "Cases", "Called synthetic", "AUC", "Raters' mean AUC less the program's", "p"],
        rows=[_row(reading, level=level) for reading in data.programs],
    )


def _row(reading: ProgramReading, *, level: str) -> list[str]:
    return [
        reading.program,
        str(reading.runs),
        str(reading.n_answered),
        percent(reading.called_synthetic),
        share_words(reading.auc, level=level),
        signed_words(reading.difference, level=level),
        p_number(reading.p),
    ]


def programs_words(data: ReportData) -> list[str]:
    """One sentence for each program."""
    level = level_percent(data.options)
    return [_sentence(reading, level=level, units=units_of(data)) for reading in data.programs]


def _sentence(reading: ProgramReading, *, level: str, units: Units) -> str:
    runs = f", mean of {reading.runs} runs," if reading.runs > 1 else ""
    area = share_words(reading.auc, level=level)
    test = f", {p_words(reading.p)}" if reading.p is not None else ""
    said = (
        f"{reading.program}{runs} read {reading.n_answered} cases: AUC {area}; the raters' mean AUC less the program's "
        f"{signed_words(reading.difference, level=level)}{test} (raters and {units} random)."
    )
    if reading.same_errors is None:
        return said
    return f"{said} It was wrong too on {percent(reading.same_errors)} of the answers in which raters were wrong."
