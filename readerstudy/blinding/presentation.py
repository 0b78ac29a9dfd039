"""All that a rater's browser is told about a case, besides its samples. The leak audit reads the same functions."""

import math
from collections.abc import Sequence
from typing import Any

SLICE_CONTENT_TYPE = "application/octet-stream"
# Whatever stands in between must not compress a slice again: its length would tell of its noise.
NO_STORE = "private, no-store, no-transform"

# The case being read and those to fetch meanwhile: an outage of half a minute must not end the reading of whoever takes
# a second and a half for a case. The page asks for as many as its reader's pace, its line and its memory make sense of.
IN_SIGHT = 20

# Room between the edge of a lesion and its ring, so that the ring covers nothing that is asked about.
RING_MARGIN_MM = 5.0
# Few sizes: a ring says roughly where to look, and no more of the diameter than that takes.
RING_STEP_MM = 5.0
SMALLEST_RING_MM = 10.0


def ring_radius_mm(diameter_mm: float) -> float:
    """Around a lesion of this diameter, real or synthetic, and around a healthy place as if one were there.

    The diameter is what the draw matches the kinds by; nothing else may enter here.
    """
    return max(SMALLEST_RING_MM, RING_STEP_MM * math.ceil((diameter_mm / 2 + RING_MARGIN_MM) / RING_STEP_MM))


def presentation_payload(
    *,
    size_zyx: Sequence[int],
    spacing_zyx_mm: Sequence[float],
    start_slice: int,
    marker_zyx: Sequence[int] | None,
    ring_mm: float | None,
    samples: str,
    images: Sequence[str],
) -> dict[str, Any]:
    """`images`: tokens of all that are shown together, from the left, this one among them."""
    slices, rows, columns = size_zyx
    marker = None
    if marker_zyx is not None:
        marker = {"row": marker_zyx[1], "column": marker_zyx[2], "slice": marker_zyx[0], "radius_mm": ring_mm}
    return {
        "rows": rows,
        "columns": columns,
        "slices": slices,
        "spacing_zyx_mm": list(spacing_zyx_mm),
        "start_slice": start_slice,
        "marker": marker,
        "samples": samples,
        "images": list(images),
    }
