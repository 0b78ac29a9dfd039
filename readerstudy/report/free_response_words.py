"""Any number of marked places in a table, in sentences and as rows."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from readerstudy.analysis import FreeResponseReading, FreeResponseWithin, ReasonCount
from readerstudy.report.data import ReportData
from readerstudy.report.figures.figure_tables import Table
from readerstudy.report.mark_map_words import reasons_words
from readerstudy.report.text import level_percent, p_number, p_words, percent, share_words

NOTE = (
    "Chance is that of the same marks set apart from one another in the searched region without looking: it depends on "
    "how many places a reader marks. What is not marked counts as less sure than any mark."
)


def free_response_table(data: ReportData) -> Table | None:
    """Of the planned radius; None where no places were asked for or nobody answered."""
    planned = data.free_response.planned
    if planned is None:
        return None
    columns = [
        "Rater",
        "Area under weighted AFROC",
        "By chance",
        "Places found",
        "Expected by chance",
        "False marks per case",
        "p",
        "p adjusted",
    ]
    rows = [
        [
            data.rater_labels[one.reader],
            _area(one.area),
            _area(one.chance_area),
            f"{one.found} of {one.places}",
            f"{one.expected_found:.1f}",
            "–" if one.false_marks_per_case is None else f"{one.false_marks_per_case:.2f}",
            p_number(one.p),
            p_number(one.p_adjusted),
        ]
        for one in planned.readers
    ]
    return Table(columns=columns, rows=rows)


def _area(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def free_response_words(data: ReportData) -> list[str]:
    """The planned radius first, then how much hangs on it, then why places were marked."""
    planned, level = data.free_response.planned, level_percent(data.options)
    if planned is None:
        return []
    others = "; ".join(
        f"{one.radius_mm:g} mm: area {share_words(one.area, level=level)}, found {percent(one.found.value)}"
        for one in sorted(data.free_response.others, key=lambda one: one.radius_mm)
    )
    reasons = "; ".join(map(_reason_words, data.free_response.reasons))
    return [
        _within(planned, level=level),
        f"With another radius: {others}.",
        f"Reasons given to marks on edited places, to other marks on synthetic cases, and on real cases: {reasons}.",
        *reasons_words(data.mark_map),
        NOTE,
    ]


def _within(found: FreeResponseWithin, *, level: str) -> str:
    tested = f", one-sided {p_words(found.p)}" if found.p is not None else ""
    return (
        f"Within {found.radius_mm:g} mm, area under the weighted AFROC curve averaged over raters "
        f"{share_words(found.area, level=level)}, by chance {_area(found.chance_area)}{tested}; "
        f"{share_words(found.found, level=level)} of the edited places found, cases counting alike."
    )


def _reason_words(count: ReasonCount) -> str:
    return f"{count.reason} {count.on_places}, {count.beside}, {count.on_real}"


_OF_READERS = (
    "reader",
    "area",
    "chance_area",
    "area_of_places",
    "area_of_cases",
    "places",
    "found",
    "expected_found",
    "marks",
    "false_marks",
    "false_marks_per_case",
    "p",
    "p_adjusted",
)
FREE_RESPONSE_MEANINGS: Mapping[str, str] = {
    "radius_mm": "Radius within which a mark finds a place; the first one was planned",
    "reader": "Number of the rater; panel: the mean of the raters",
    "area": "Area under the weighted AFROC curve",
    "area_low": "Lower limit, of the panel",
    "area_high": "Upper limit, of the panel",
    "chance_area": "Area of the same marks, were they set apart without looking",
    "area_of_places": "Area under the AFROC curve, in which every place counts alike",
    "area_of_cases": "Area under the ROC curve of the surest mark of each case (inferred ROC)",
    "places": "Edited places in the answered cases",
    "found": "Places with a mark within the radius",
    "expected_found": "Were the marks set apart without looking",
    "marks": "Marks on all cases",
    "false_marks": "Marks beside every edited place, and all on real cases",
    "false_marks_per_case": "The same for each answered case",
    "p": "Probability of so many found places or more by chance; of the panel that of the area, one-sided",
    "p_adjusted": "Adjusted by Holm over the raters",
}
REASON_MEANINGS: Mapping[str, str] = {
    "reason": "What raters chose for a mark",
    "on_places": "Given to so many marks within the planned radius of an edited place",
    "beside": "To other marks on synthetic cases",
    "on_real": "To marks on real cases",
}


def free_response_rows(reading: FreeResponseReading) -> list[dict[str, Any]]:
    if reading.planned is None:
        return []
    return [row for found in (reading.planned, *reading.others) for row in _rows(found)]


def _rows(found: FreeResponseWithin) -> list[dict[str, Any]]:
    panel = {
        "reader": "panel",
        "area": found.area.value,
        "area_low": found.area.low,
        "area_high": found.area.high,
        "chance_area": found.chance_area,
        "p": found.p,
    }
    of_readers = [{name: getattr(one, name) for name in _OF_READERS} for one in found.readers]
    empty = dict.fromkeys(FREE_RESPONSE_MEANINGS)
    return [{**empty, "radius_mm": found.radius_mm, **row} for row in [*of_readers, panel]]


def reason_rows(reading: FreeResponseReading) -> list[dict[str, Any]]:
    return [asdict(count) for count in reading.reasons]
