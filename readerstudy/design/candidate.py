"""A place that may become a case, with all that is known of it beside its pixels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.geometry import Float3
from readerstudy.design.arms import Arm, arm_from

# Which of two lists of places of one scan, shapes (n, 3) and (m, 3) in LPS mm, show the same part of it: shape (n, m).
SharesPicture = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.bool_]]

# What stands in a case's `position`.
POSITION_FIELDS = (
    "row_mm",
    "column_mm",
    "slice_share",
    "liver_left",
    "liver_back",
    "liver_head",
    "others",
    "other_distance_mm",
    "around_hu",
    "noise_hu",
)


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """`root` names the acquired scan from which its scan descends; cases with one `pair` were drawn together."""

    synthetic: bool
    scan: str
    root: str
    subject: str
    place_lps_mm: Float3
    diameter_mm: float
    depth_mm: float | None = None
    lesion: int | None = None
    details: dict[str, Any] = field(default_factory=dict)
    pair: int | None = None
    # On the screen: mm below and to the right of the scan's middle, share of the way through the slices.
    row_mm: float | None = None
    column_mm: float | None = None
    slice_share: float | None = None
    # Share of the way through the liver towards the patient's left, back and head.
    liver_left: float | None = None
    liver_back: float | None = None
    liver_head: float | None = None
    # Other lesions that its picture shows, and how far the nearest of them is; None when there is none.
    others: int | None = None
    other_distance_mm: float | None = None
    # Mean of the tissue around the place, and the mean step from pixel to pixel in it.
    around_hu: float | None = None
    noise_hu: float | None = None

    @property
    def arm(self) -> Arm:
        """That of the case which it may become; whether it is a control is said of cases only."""
        return arm_from(synthetic=self.synthetic, control=False, details=self.details)

    @property
    def position(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in POSITION_FIELDS}

    @property
    def segment(self) -> str | None:
        """The liver segment by position alone: quarters from right to left, each in an upper and a lower half.

        The planes stand where hepatic veins run on average; nobody's vessels were looked at.
        """
        if self.liver_left is None or self.liver_back is None or self.liver_head is None:
            return None
        upper = self.liver_head >= 0.5
        if self.liver_left >= LATERAL_FROM:
            return "II" if upper else "III"
        if self.liver_left >= MEDIAL_FROM:
            return "IVa" if upper else "IVb"
        if self.liver_back < 0.5:
            return "VIII" if upper else "V"
        return "VII" if upper else "VI"


# Where the middle and the left hepatic vein stand on the way through the liver's box from right to left. By eye.
MEDIAL_FROM, LATERAL_FROM = 0.55, 0.72
