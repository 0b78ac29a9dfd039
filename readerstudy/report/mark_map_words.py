"""Where raters marked, as rows of tables."""

from collections.abc import Iterator, Mapping
from typing import Any

from readerstudy.report.arm_marks import ArmMarks, MarkMap, OneMark

AXES = ("x", "y", "z")
MARKS_MEANINGS: Mapping[str, str] = {
    "arm": "real, or the program that made the case and what it did",
    "case": "Code of the case",
    "rater": "Number of the rater",
    "edit_x_mm": "From the middle of the nearest edit to the mark, to the left of the patient; empty without an edit",
    "edit_y_mm": "The same to the back",
    "edit_z_mm": "The same to the head",
    "middle_x_mm": "From the middle of the picture to the mark, to the left of the patient",
    "middle_y_mm": "The same to the back",
    "middle_z_mm": "The same to the head",
    "distance_mm": "From the mark to the nearest voxel that was changed, 0 within; empty without an edit",
    "within": "1: within the planned radius of one; empty for real cases",
}
MARKS_BY_ARM_MEANINGS: Mapping[str, str] = {
    "arm": "real, or the program that made the case and what it did",
    "marks": "Marks of the people who take part on cases of this arm; of a case shown twice those of the first answer",
    "cases": "Cases with a mark",
    "raters": "Raters with a mark",
    "within": "Marks within the planned radius of an edit; empty for real cases",
    "expected_within": "As many as by chance, were the marks put without looking",
    "in_middle": "Marks within the same radius of the middle of the picture, as seen on a slice",
    "median_distance_mm": "Median distance of a mark from the nearest voxel that was changed",
    "edit_radius_mm": "Median radius of the marked edits: of a disc as large as their largest section",
}
REASONS_BY_ARM_MEANINGS: Mapping[str, str] = {
    "arm": "real, or the program that made the case and what it did",
    "reason": "What raters chose for a mark, the commonest first",
    "on_places": "Given to so many marks within the planned radius of an edit",
    "beside": "Given to so many other marks",
}

MOST_REASONS = 3


def commonest_reasons(arm: ArmMarks) -> str:
    given = [f"{one.reason} {one.count}" for one in arm.reasons[:MOST_REASONS] if one.count]
    return ", ".join(given) or "none"


def reasons_words(found: MarkMap) -> list[str]:
    """Of one arm of synthetic cases the counts on, beside and without edits say the same."""
    arms = [arm for arm in found.arms if arm.reasons and not arm.real]
    if len(arms) < 2:
        return []
    return [f"Commonest reasons by arm: {'; '.join(f'{arm.arm}: {commonest_reasons(arm)}' for arm in arms)}."]


def mark_rows(found: MarkMap) -> list[dict[str, Any]]:
    return [{"arm": arm.arm, **_row(mark)} for arm in found.arms for mark in arm.marks]


def _row(mark: OneMark) -> dict[str, Any]:
    return {
        **{name: getattr(mark, name) for name in ("case", "rater", "distance_mm")},
        **_along("edit", mark.from_edit_mm or (None, None, None)),
        **_along("middle", mark.from_middle_mm),
        "within": None if mark.within is None else int(mark.within),
    }


def _along(what: str, away: tuple[float | None, ...]) -> dict[str, float | None]:
    return {f"{what}_{axis}_mm": value for axis, value in zip(AXES, away, strict=True)}


def arm_rows(found: MarkMap) -> list[dict[str, Any]]:
    return [_arm_row(arm) for arm in found.arms]


def _arm_row(arm: ArmMarks) -> dict[str, Any]:
    return {name: getattr(arm, name) for name in MARKS_BY_ARM_MEANINGS} | {"marks": len(arm.marks)}


def arm_reason_rows(found: MarkMap) -> Iterator[dict[str, Any]]:
    for arm in found.arms:
        for one in arm.reasons:
            yield {"arm": arm.arm, "reason": one.reason, "on_places": one.on_places, "beside": one.beside}
