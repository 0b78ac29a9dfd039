"""The maps of marks: around what was edited, and in the picture, where marks without looking show."""

from math import hypot

from ctplatform.figures.drawing import Drawing
from readerstudy.report.arm_marks import ArmMarks, MarkMap
from readerstudy.report.figures.plots.heat import HeatPanel, heat_plot

# So many radii of the largest circle are shown to each side: what lies further off is counted, and no near miss.
RADII_SHOWN = 3


def marks_at_edits(found: MarkMap) -> Drawing | None:
    """Of the arms in which something was edited."""
    arms = [arm for arm in found.arms if any(mark.from_edit_mm for mark in arm.marks)]
    if not arms:
        return None
    return heat_plot(
        [_at_edits(arm, found.radius_mm) for arm in arms],
        half_mm=_half_mm(arms, found.radius_mm),
        title="Marks around the edits: cases and raters of an arm together",
        middle="the middle of the nearest edit",
        notes=[
            "Cross: middle of the nearest edit; all slices lie upon one another. A mark is right within",
            f"{found.radius_mm:g} mm of a changed voxel; circle: this around an edit of the arm's median size.",
            "Who marks the middle of every picture without looking is near many edits too: see the next figure.",
        ],
    )


def marks_in_pictures(found: MarkMap) -> Drawing | None:
    if not found.arms:
        return None
    return heat_plot(
        [_in_pictures(arm, found.radius_mm) for arm in found.arms],
        half_mm=found.picture_half_mm,
        frame_half_mm=found.picture_half_mm,
        title="Marks in the picture: cases and raters of an arm together",
        middle="the middle of the picture",
        notes=[
            "Cross: middle of the picture; frame: the largest picture; all slices lie upon one another. Marks that",
            "crowd at the cross, in real cases as in synthetic ones, are such as are put without looking.",
        ],
    )


def _at_edits(arm: ArmMarks, radius_mm: float) -> HeatPanel:
    return HeatPanel(
        label=arm.arm,
        places=[(x, y) for x, y, _ in (mark.from_edit_mm for mark in arm.marks if mark.from_edit_mm)],
        notes=[counts_words(arm), _right(arm)],
        circle_mm=_circle_mm(arm, radius_mm),
    )


def _in_pictures(arm: ArmMarks, radius_mm: float) -> HeatPanel:
    return HeatPanel(
        label=arm.arm,
        places=[(x, y) for x, y, _ in (mark.from_middle_mm for mark in arm.marks)],
        notes=[counts_words(arm), f"{_of_all(arm.in_middle, arm)} within {radius_mm:g} mm of it"],
    )


def counts_words(arm: ArmMarks) -> str:
    counts = ((len(arm.marks), "mark"), (arm.cases, "case"), (arm.raters, "rater"))
    return ", ".join(f"{count} {name}{'' if count == 1 else 's'}" for count, name in counts)


def _right(arm: ArmMarks) -> str:
    """Only arms with edits are asked."""
    return f"Right {_of_all(arm.within or 0, arm)}, by chance {_share(arm.expected_within or 0.0, arm)}"


def _of_all(count: int, arm: ArmMarks) -> str:
    return f"{count} of {len(arm.marks)} ({_share(count, arm)})"


def _share(count: float, arm: ArmMarks) -> str:
    return f"{100 * count / len(arm.marks):.0f} %"


def _circle_mm(arm: ArmMarks, radius_mm: float) -> float:
    return radius_mm + (arm.edit_radius_mm or 0.0)


def _half_mm(arms: list[ArmMarks], radius_mm: float) -> float:
    """As far as marks lie, but no further than tells near misses apart."""
    circle = max(_circle_mm(arm, radius_mm) for arm in arms)
    furthest = max(hypot(*mark.from_edit_mm[:2]) for arm in arms for mark in arm.marks if mark.from_edit_mm)
    return min(RADII_SHOWN * circle, max(furthest, 1.2 * circle))
