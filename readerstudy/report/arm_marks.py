"""Where raters marked, arm by arm, as plain data."""

from dataclasses import dataclass
from statistics import median
from typing import Annotated


@dataclass(frozen=True, kw_only=True)
class OneMark:
    """In millimetres to the left, the back and the head of the patient, from the middle of the nearest edit and from
    that of the picture. What belongs to an edit is null where nothing was edited that is seen.
    """

    case: str
    rater: str
    from_edit_mm: tuple[float, ...] | None
    from_middle_mm: tuple[float, ...]
    distance_mm: Annotated[float | None, "To the nearest voxel that was changed, 0 within"]
    within: Annotated[bool | None, "Whether that is within the planned radius"]


@dataclass(frozen=True, kw_only=True)
class ReasonOfArm:
    reason: str
    on_places: Annotated[int, "Given to so many marks within the planned radius of an edit"]
    beside: Annotated[int, "Given to so many other marks"]

    @property
    def count(self) -> int:
        return self.on_places + self.beside


@dataclass(frozen=True, kw_only=True)
class ArmMarks:
    """The marks of the people who take part on the cases of one arm."""

    arm: str
    real: bool
    marks: tuple[OneMark, ...]
    within: Annotated[int | None, "Marks within the planned radius of an edit; null for real cases"]
    expected_within: Annotated[float | None, "As many as by chance, were the marks put without looking"]
    in_middle: Annotated[int, "Marks within the same radius of the middle of the picture, as seen on a slice"]
    edit_radius_mm: Annotated[float | None, "Median over the marked edits, as large as they look on a slice"]
    reasons: Annotated[tuple[ReasonOfArm, ...], "The commonest first; empty where none are asked for"] = ()

    @property
    def cases(self) -> int:
        return len({mark.case for mark in self.marks})

    @property
    def raters(self) -> int:
        return len({mark.rater for mark in self.marks})

    @property
    def median_distance_mm(self) -> float | None:
        known = [mark.distance_mm for mark in self.marks if mark.distance_mm is not None]
        return median(known) if known else None


@dataclass(frozen=True, kw_only=True)
class MarkMap:
    """All marks by arm. Without arms where no places are asked for, or nobody marked any."""

    radius_mm: float = 0.0
    picture_half_mm: Annotated[float, "Half of the longer side of the largest picture"] = 0.0
    arms: tuple[ArmMarks, ...] = ()
