"""The arms of a study in a table and in sentences."""

from readerstudy.analysis import AnalysisOptions, ArmContrast, ArmReading, ArmsComparison, Units, level_words
from readerstudy.report.data import ReportData
from readerstudy.report.figures.figure_tables import Table
from readerstudy.report.text import level_percent, p_number, p_words, percent, share_words, units_of

COLUMNS = ["Arm", "Cases", "Answers", "Called synthetic", "AUC against the real cases", "p", "p adjusted"]


def arms_table(data: ReportData) -> Table | None:
    """None where all synthetic cases are of one arm."""
    if data.arms is None:
        return None
    level = level_percent(data.options)
    return Table(
        columns=[*COLUMNS, "Status"] if data.plan.get("compared_arms") else COLUMNS,
        rows=[_row(reading, level=level, named=bool(data.plan.get("compared_arms"))) for reading in data.arms.readings],
    )


def arms_status(data: ReportData) -> str:
    """What stands beside the heading; where the plan names some arms only, their rows and sentences tell."""
    if data.arms is None or not data.arms.contrasts:
        return "exploratory"
    planned = [pair.planned for pair in data.arms.contrasts]
    return "planned" if all(planned) else "" if any(planned) else "exploratory"


def _row(reading: ArmReading, *, level: str, named: bool) -> list[str]:
    share, area = reading.called_synthetic, reading.auc
    limits = share.limits
    status = "–" if reading.p is None else _status(planned=reading.planned)
    return [
        reading.arm,
        str(reading.n_cases),
        str(reading.n_ratings),
        percent(share.value) + (f" ({percent(limits[0])} to {percent(limits[1])})" if limits else ""),
        "–" if area is None else share_words(area, level=level),
        p_number(reading.p),
        p_number(reading.p_adjusted),
        *([status] if named else []),
    ]


def _status(*, planned: bool) -> str:
    return "planned" if planned else "exploratory"


def arms_words(data: ReportData) -> list[str]:
    """Sentences about arm against arm, with what they were adjusted for."""
    if data.arms is None:
        return []
    level, pairs = level_percent(data.options), data.arms.contrasts
    several = {planned: sum(pair.planned == planned for pair in pairs) > 1 for planned in (True, False)}
    return [
        *_overall(data.arms, units_of(data)),
        *(
            (f"{_status(planned=pair.planned).capitalize()}: " if data.plan.get("compared_arms") else "")
            + _contrast(pair, level=level, several=several[pair.planned])
            + _equivalence(pair, data.options, several=several[True])
            for pair in pairs
        ),
    ]


def families_words(data: ReportData) -> str:
    """What was adjusted over what."""
    named = "; those of the plan and the others are families of their own" if data.plan.get("compared_arms") else ""
    return (
        "Every arm is compared with all real cases; p-values are adjusted by Holm over the arms, and over their pairs"
        f"{named}. Positive controls are in neither family."
    )


def _overall(arms: ArmsComparison, units: Units) -> list[str]:
    test = arms.overall
    if test is None or test.df2 is None:
        return []
    freedom = f"{test.df1:g} and {test.df2:.1f} degrees of freedom"
    return [f"All areas equal (readers and {units} random): F = {test.statistic:.2f} on {freedom}, {p_words(test.p)}."]


def _contrast(pair: ArmContrast, *, level: str, several: bool) -> str:
    difference = pair.difference
    if difference.value is None:
        return f"{pair.first} against {pair.second}: not comparable ({difference.reason})."
    words = f"AUC of {pair.first} minus {pair.second}: {difference.value:+.3f}"
    if difference.limits is None:
        return f"{words} (no interval: {difference.reason})."
    low, high = difference.limits
    adjusted = f", adjusted {p_words(pair.p_adjusted)}" if several else ""
    return (
        f"{words} ({level} % interval {low:+.3f} to {high:+.3f}; random: {pair.random}), {p_words(pair.p)}{adjusted}."
    )


def _equivalence(pair: ArmContrast, options: AnalysisOptions, *, several: bool) -> str:
    """Whether the two count as equal by the margin of the plan; nothing where the plan does not name them."""
    band = pair.equivalence
    if band is None:
        return ""
    margin = f"± {100 * band.margin:g} points"
    if band.low is None or band.high is None:
        return f" Whether they are equal within {margin} can't be tested: {band.reason}."
    inner = f"{level_words(1 - 2 * options.alpha)} % interval {band.low:+.3f} to {band.high:+.3f}"
    tests = f"{inner}, two one-sided tests {p_words(band.p)}" + (
        f", adjusted {p_words(band.p_adjusted)}" if several else ""
    )
    if band.equivalent:
        return f" Equal within {margin} ({tests})."
    if band.equivalent is None:
        return f" Whether they are equal within {margin} is not assessable ({tests}): {band.reason}."
    return f" Not shown to be equal within {margin} ({tests})."


def arms_paragraph(data: ReportData) -> str:
    """Every arm and every pair in running text; empty where there is one arm."""
    if data.arms is None:
        return ""
    level = level_percent(data.options)
    arms = [
        f"{reading.arm} {percent(reading.called_synthetic.value)} called synthetic"
        + ("" if reading.auc is None else f", AUC {share_words(reading.auc, level=level)}")
        for reading in data.arms.readings
    ]
    status = arms_status(data)
    heading = f"By arm ({status})" if status else "By arm"
    return f"{heading}: {'; '.join(arms)}. {' '.join(arms_words(data))}".strip()
