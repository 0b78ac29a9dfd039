"""What a volume file's header claims, in one form for all formats, and the geometry that all of them check."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ctplatform.datasets.importing.axes import check_orthonormal
from ctplatform.datasets.importing.found import GivenFile
from ctplatform.datasets.importing.refusal import ImportRefusedError
from ml.geometry import Grid

HEADER_BYTES = 64 * 1024
# The file of a plain name in the same folder of the same upload: the only other file that a header may speak of.
Beside = Callable[[str], GivenFile | None]


@dataclass
class Header:
    """What a file claims, judged. ``data`` holds the samples from ``start`` on, as ``encoding`` says."""

    format: str
    grid: Grid
    dtype: np.dtype[Any]
    data: GivenFile
    start: int = 0
    encoding: str = "raw"
    slope: float = 1.0
    intercept: float = 0.0
    # nothing in it is a spacing; the grid's is 1 mm then
    lacks_spacing: bool = False
    # samples that can't be HU, counted while they are read
    unreal: int = 0
    # what the file itself calls its labels
    label_names: dict[int, str] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def grid_of_axes(
    size_zyx: tuple[int, ...], scaled: npt.NDArray[np.float64], origin: npt.NDArray[np.float64], named: str
) -> Grid:
    """The grid whose index axes (x, y, z), scaled to their spacing in mm, are the columns of a matrix in LPS."""
    lengths = np.linalg.norm(scaled, axis=0)
    usable = scaled.shape == (3, 3) and np.isfinite(lengths).all() and (lengths > 0).all() and np.isfinite(origin).all()
    if not usable:
        raise ImportRefusedError(f"Its {named} gives no usable geometry.")
    check_orthonormal(scaled / lengths)
    return Grid.from_dict(
        {
            "size_zyx": size_zyx,
            "spacing_zyx_mm": lengths[::-1].tolist(),
            "origin_lps_mm": np.asarray(origin).tolist(),
            "direction": (scaled / lengths).ravel().tolist(),
        }
    )
