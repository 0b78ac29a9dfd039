"""All that a rater's browser is told about a case, besides its samples. The leak audit reads the same functions."""

from collections.abc import Sequence
from typing import Any

SLICE_CONTENT_TYPE = "application/octet-stream"
NO_STORE = "private, no-store"


def presentation_payload(
    *,
    size_zyx: Sequence[int],
    spacing_zyx_mm: Sequence[float],
    start_slice: int,
    marker_zyx: Sequence[int] | None,
) -> dict[str, Any]:
    slices, rows, columns = size_zyx
    marker = None
    if marker_zyx is not None:
        marker = {"row": marker_zyx[1], "column": marker_zyx[2], "slice": marker_zyx[0]}
    return {
        "rows": rows,
        "columns": columns,
        "slices": slices,
        "spacing_zyx_mm": list(spacing_zyx_mm),
        "start_slice": start_slice,
        "marker": marker,
    }
