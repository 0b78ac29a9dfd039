"""Marked places in a table, in sentences and as rows: one place per case, or any number of them."""

from collections.abc import Mapping
from typing import Any

from readerstudy.analysis import PlacesReading, PlacesWithin
from readerstudy.report.data import ReportData
from readerstudy.report.figures.figure_tables import Table
from readerstudy.report.free_response_words import free_response_table, free_response_words
from readerstudy.report.text import level_percent, p_number, p_words, percent, share_words

NOTE = (
    "A reader without skill has half the chance of a hit as area, not one half. The place of the panel is, for every "
    "synthetic case, the mark that most others lie near to: readers agree on what looks odd, so their hits are not "
    "counted together."
)


def places_table(data: ReportData) -> Table | None:
    """Of the planned radius; None where no places were asked for or marked."""
    planned = data.places.planned
    if planned is None:
        return free_response_table(data)
    rows = [
        [
            data.rater_labels[one.reader],
            "–" if one.area is None else f"{one.area:.3f}",
            f"{one.hits} of {one.marks}",
            f"{one.expected_hits:.1f}",
            p_number(one.p),
            p_number(one.p_adjusted),
        ]
        for one in planned.readers
    ]
    panel = planned.panel
    found = f"{panel.hits} of {panel.marks}"
    rows.append(["Panel, central marks", "", found, f"{panel.expected_hits:.1f}", p_number(panel.p), ""])
    columns = ["Rater", "Area under LROC", "Marks that hit", "Expected by chance", "p", "p adjusted"]
    return Table(columns=columns, rows=rows)


def places_words(data: ReportData) -> list[str]:
    """The planned radius first, then how much hangs on it."""
    planned, level = data.places.planned, level_percent(data.options)
    if planned is None:
        return free_response_words(data)
    others = "; ".join(
        f"{one.radius_mm:g} mm: area {share_words(one.area, level=level)}, found {percent(one.found.value)}"
        for one in sorted(data.places.others, key=lambda one: one.radius_mm)
    )
    return [_within(planned, level=level), f"With another radius: {others}.", NOTE]


def _within(found: PlacesWithin, *, level: str) -> str:
    tested = f", one-sided {p_words(found.p)}" if found.p is not None else ""
    return (
        f"Within {found.radius_mm:g} mm, area under the LROC curve averaged over raters "
        f"{share_words(found.area, level=level)}, by chance {found.chance_area:.3f}{tested}; places found in "
        f"{share_words(found.found, level=level)} of the synthetic cases, by chance {percent(found.chance_found)}."
    )


def places_paragraph(data: ReportData) -> str:
    """In running text; empty where no places were marked."""
    words = places_words(data)
    return f"Marked places: {' '.join(words)}" if words else ""


PLACES_MEANINGS: Mapping[str, str] = {
    "radius_mm": "Radius within which a mark is a hit; the first one was planned",
    "reader": "Number of the rater; panel: the mean of the raters, and the central mark of every case",
    "area": "Area under the LROC curve",
    "area_low": "Lower limit, of the panel",
    "area_high": "Upper limit, of the panel",
    "chance_area": "Area of a reader without skill",
    "marks": "Marks on synthetic cases",
    "hits": "Marks within the radius",
    "expected_hits": "Were the marks put at random",
    "p": "Probability of so many hits or more by chance",
    "p_adjusted": "Adjusted by Holm over the raters",
}


def places_rows(reading: PlacesReading) -> list[dict[str, Any]]:
    if reading.planned is None:
        return []
    return [row for found in (reading.planned, *reading.others) for row in _rows(found)]


def _rows(found: PlacesWithin) -> list[dict[str, Any]]:
    common = {"radius_mm": found.radius_mm, "chance_area": found.chance_area}
    panel = {
        "reader": "panel",
        "area": found.area.value,
        "area_low": found.area.low,
        "area_high": found.area.high,
        "marks": found.panel.marks,
        "hits": found.panel.hits,
        "expected_hits": found.panel.expected_hits,
        "p": found.panel.p,
    }
    of_readers = [
        {name: getattr(one, name) for name in ("reader", "area", "marks", "hits", "expected_hits", "p", "p_adjusted")}
        for one in found.readers
    ]
    return [{**dict.fromkeys(PLACES_MEANINGS), **common, **row} for row in [*of_readers, panel]]
