"""What is measured of one stimulus as it lies in the storage, outside the lesion and of its form."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.geometry import Float3, Int3
from readerstudy.blinding.observables import Observable, Sort
from readerstudy.hounsfield import HU_HIGH, HU_LOW

Pixels = NDArray[np.int16]
Area = NDArray[np.bool_]
Measures = dict[str, float | str]

SURROUNDINGS, FORM = "surroundings of the lesion", "form of the pixels"

# How each measure is judged: sort, family, and whether more than a shift can be told from noise.
MEASURES: dict[str, tuple[Sort, str, bool]] = {
    "samples": ("fixed", FORM, True),
    "samples out of range": ("fixed", FORM, True),
    "padding": ("blind", FORM, True),
    "upper clipping": ("blind", FORM, True),
    "even values": ("blind", FORM, True),
    "multiples of five": ("blind", FORM, True),
    "sum is odd": ("blind", FORM, True),
    "repeated rows": ("blind", FORM, True),
    "repeated columns": ("blind", FORM, True),
    "repeated slices": ("blind", FORM, True),
    "first sample": ("blind", FORM, True),
    "last sample": ("blind", FORM, True),
    "chequered": ("blind", FORM, False),
    "edge against its neighbours": ("blind", FORM, False),
    "row of the lesion's middle": ("blind", FORM, False),
    "column of the lesion's middle": ("blind", FORM, False),
    "mean HU": ("blind", SURROUNDINGS, True),
    "spread of HU": ("blind", SURROUNDINGS, True),
    "noise": ("blind", SURROUNDINGS, True),
    "noise along columns": ("blind", SURROUNDINGS, True),
    "noise of one pixel against two": ("blind", SURROUNDINGS, True),
    "unused grey values": ("blind", SURROUNDINGS, True),
    "equal neighbours": ("blind", SURROUNDINGS, True),
    "left against right": ("blind", SURROUNDINGS, True),
    "front against back": ("blind", SURROUNDINGS, True),
    "first slice against last": ("blind", SURROUNDINGS, True),
    "compressed bytes": ("content", FORM, True),
    "mean HU with the lesion": ("content", FORM, True),
}


@dataclass(frozen=True, kw_only=True)
class Shown:
    """Shape and place of one stimulus. Without a place it is the middle pixel."""

    size_zyx: Int3
    spacing_zyx_mm: Float3
    place_zyx: Int3 | None

    @property
    def place_yx(self) -> tuple[int, int]:
        _, rows, columns = self.size_zyx
        return (rows // 2, columns // 2) if self.place_zyx is None else (self.place_zyx[1], self.place_zyx[2])

    def distances_mm(self) -> NDArray[np.float64]:
        """In-plane distance of every pixel from the place, shape (rows, columns)."""
        _, rows, columns = self.size_zyx
        row, column = self.place_yx
        y, x = np.ogrid[:rows, :columns]
        return np.asarray(np.hypot((y - row) * self.spacing_zyx_mm[1], (x - column) * self.spacing_zyx_mm[2]))


def surroundings(shown: Shown, *, radius_mm: float) -> Area:
    """Where no lesion is in any case: in-plane farther from the place than the largest lesion reaches."""
    distance = shown.distances_mm()
    # In a small patch at least the corners count.
    return np.asarray(distance > min(radius_mm, 0.9 * float(distance.max())))


def stimulus_measures(pixels: Pixels, *, area: Area) -> Measures:
    """`pixels` has shape (slices, rows, columns), `area` (rows, columns) is where both kinds must look alike."""
    samples = pixels.astype(np.int32)
    around = samples[:, area] if area.any() else samples.reshape(len(samples), -1)
    across, along = _steps(samples, area, axis=2), _steps(samples, area, axis=1)
    row, column = _middle_of_lesion(samples, area)
    values: list[float | str] = [
        float(pixels.size),
        float(((samples < HU_LOW) | (samples > HU_HIGH)).sum()),
        float((samples == HU_LOW).mean()),
        float((samples == HU_HIGH).mean()),
        float((samples % 2 == 0).mean()),
        float((samples % 5 == 0).mean()),
        float(samples.sum() % 2),
        _repeated(samples, axis=1),
        _repeated(samples, axis=2),
        _repeated(samples, axis=0),
        float(samples.flat[0]),
        float(samples.flat[-1]),
        _chequered(samples),
        _edge(samples),
        row,
        column,
        float(around.mean()),
        float(np.percentile(around, 84) - np.percentile(around, 16)),
        float(np.median(np.abs(across))),
        float(np.median(np.abs(along))),
        float(np.abs(across).mean() / max(float(np.abs(_steps(samples, area, axis=2, lag=2)).mean()), 1e-9)),
        _unused_values(around.ravel()),
        float((across == 0).mean()),
        _halves(samples, area, axis=1),
        _halves(samples, area, axis=0),
        float(around[0].mean() - around[-1].mean()),
        float(len(gzip.compress(pixels.tobytes(), 6, mtime=0))),
        float(samples.mean()),
    ]
    return dict(zip(MEASURES, values, strict=True))


def measure_observables(measures: Sequence[Measures]) -> list[Observable]:
    """One observable per measure, from the measures of all stimuli in the order of the cases."""
    return [
        Observable(
            name=f"{family}: {name}" if family == SURROUNDINGS else name,
            sort=sort,
            values=[measured[name] for measured in measures],  # type: ignore[arg-type]
            family=family,
            spread=spread,
        )
        for name, (sort, family, spread) in MEASURES.items()
    ]


def _steps(samples: NDArray[np.int32], area: Area, *, axis: int, lag: int = 1) -> NDArray[np.int32]:
    """Differences of in-plane neighbours that both lie in the area: noise and sharpness, hardly anatomy."""
    plane = axis - 1
    early = [slice(None), slice(None)]
    late = [slice(None), slice(None)]
    early[plane], late[plane] = slice(None, -lag), slice(lag, None)
    both = area[tuple(early)] & area[tuple(late)]
    steps = samples[:, *late] - samples[:, *early]
    return steps[:, both] if both.any() else steps.reshape(len(steps), -1)


def _repeated(samples: NDArray[np.int32], *, axis: int) -> float:
    """Share of the rows (columns, slices) that repeat the one before and are not all of one value."""
    if samples.shape[axis] < 2:
        return 0.0
    ahead = np.moveaxis(samples, axis, 0)
    # A row or column is one of its own slice; padding repeats itself in honest pictures.
    lines = ahead.reshape(len(ahead), samples.shape[0] if axis else 1, -1)
    same = (lines[1:] == lines[:-1]).all(axis=-1) & (np.ptp(lines[1:], axis=-1) > 0)
    return float(same.mean())


def _chequered(samples: NDArray[np.int32]) -> float:
    rows, columns = samples.shape[1:]
    y, x = np.ogrid[:rows, :columns]
    return float((samples * np.where((y + x) % 2, -1, 1)).mean())


def _edge(samples: NDArray[np.int32]) -> float:
    """Mean of the outermost pixels against those beside them: frames, seams, marks in a corner."""
    if min(samples.shape[1:]) < 5:
        return 0.0
    whole, inner, innermost = samples, samples[:, 1:-1, 1:-1], samples[:, 2:-2, 2:-2]
    outer_ring = (whole.sum() - inner.sum()) / (whole.size - inner.size)
    inner_ring = (inner.sum() - innermost.sum()) / (inner.size - innermost.size)
    return float(outer_ring - inner_ring)


def _middle_of_lesion(samples: NDArray[np.int32], area: Area) -> tuple[float, float]:
    """Where what differs from the surroundings lies within the rest, in pixels from the middle of the rest."""
    inside = ~area
    if not inside.any() or not area.any():
        return 0.0, 0.0
    middle = samples[len(samples) // 2]
    apart = np.abs(middle - np.median(middle[area])).astype(np.float64)
    weight = np.where(inside, np.maximum(apart - np.median(apart[area]) * 2, 0.0), 0.0)
    if not weight.sum():
        return 0.0, 0.0
    rows, columns = np.nonzero(inside)
    y, x = np.ogrid[: middle.shape[0], : middle.shape[1]]
    total = weight.sum()
    return float((weight * y).sum() / total - rows.mean()), float((weight * x).sum() / total - columns.mean())


def _halves(samples: NDArray[np.int32], area: Area, *, axis: int) -> float:
    """Mean of the first half of the surroundings against the second: a mirrored picture changes its sign."""
    half = area.shape[axis] // 2
    first, second = np.zeros_like(area), np.zeros_like(area)
    if axis:
        first[:, :half], second[:, -half:] = True, True
    else:
        first[:half], second[-half:] = True, True
    first, second = first & area, second & area
    if not first.any() or not second.any():
        return 0.0
    return float(samples[:, first].mean() - samples[:, second].mean())


def _unused_values(samples: NDArray[np.int32]) -> float:
    """Share of unused values in the middle of the range: a rescaled copy has a comb there."""
    low, high = (int(v) for v in np.percentile(samples, [5, 95]))
    span = high - low + 1
    inside = samples[(samples >= low) & (samples <= high)]
    return 1.0 - len(np.unique(inside)) / span if span > 1 else 0.0
