"""Text that was drawn into the pixels of a slice: a person's name in the corner of a picture.

Outside the body a scanner sees a table, cables, metal and the round border of its field of view. None of these makes
a row of slender shapes of one height, close together, whose brightest samples are equal: a pen has one value, noise
has not.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.int16]
Mask = npt.NDArray[np.bool_]

AIR_HU = -1000
TISSUE_HU = -300


# A stroke is best cut out half way between air and the pen, so several levels cover pens from faint to saturated.
FAINTEST_LEVEL_HU = -750
LEVELS_HU = (FAINTEST_LEVEL_HU, -500, -200, 300, 1200)
# How alike the brightest samples of glyphs are: median deviation as a part of their contrast to air. Few glyphs must
# be more alike, for the bones of four fingers are a row too; so must faint ones, which lie near the noise of a table.
FEWEST_GLYPHS, MANY_GLYPHS = 4, 6
MOST_SPREAD_OF_FEW, MOST_SPREAD_OF_MANY, MOST_SPREAD_OF_FAINT = 0.02, 0.06, 0.015
SMALLEST_GLYPH_PX, LARGEST_GLYPH_PX = 5, 96
# Wider strokes than this part of a glyph are filled shapes, as rods and vials are
BROADEST_STROKE = 0.6
# Strokes are narrower than this, bodies and arms are not
BODY_OPENING_PX = 12
SMALLEST_BODY = 0.003
# More shapes of a glyph's size than this are a page of text or a pattern made to be slow
MOST_SHAPES = 2000


@dataclass(frozen=True)
class Glyph:
    box: tuple[slice, ...]
    brightest_hu: int

    def start(self, axis: int) -> int:
        return int(self.box[axis].start)

    def stop(self, axis: int) -> int:
        return int(self.box[axis].stop)

    def length(self, axis: int) -> int:
        return self.stop(axis) - self.start(axis)


def planes_with_text(volume: npt.NDArray[np.int16]) -> list[int]:
    """Indices along the first axis of planes that seem to hold text."""
    return [index for index, plane in enumerate(volume) if has_text(plane)]


def has_text(plane: Plane) -> bool:
    """Whether a row of glyphs, upright or sideways, lies outside the body, or more of them than can be judged."""
    outer = np.where(outside_body(plane), plane, AIR_HU)
    return any(_text_at(outer, above_hu) for above_hu in LEVELS_HU)


def outside_body(plane: Plane) -> Mask:
    """Everything but large blocks of tissue and what they enclose; judged on every other sample."""
    from scipy import ndimage

    reach = BODY_OPENING_PX // 2
    tissue = plane[::2, ::2] > TISSUE_HU
    labels, _ = ndimage.label(ndimage.minimum_filter(tissue, reach))
    large = np.bincount(labels.ravel()) >= SMALLEST_BODY * tissue.size
    large[0] = False
    body = ndimage.binary_fill_holes(ndimage.maximum_filter(large[labels], reach + 3))
    outside: Mask = ~np.repeat(np.repeat(body, 2, axis=0), 2, axis=1)[: plane.shape[0], : plane.shape[1]]
    return outside


def _text_at(outer: Plane, above_hu: int) -> bool:
    from scipy import ndimage

    labels, _ = ndimage.label(outer > above_hu, structure=np.ones((3, 3)))
    shapes = [
        (number, box)
        for number, box in enumerate(ndimage.find_objects(labels), start=1)
        if SMALLEST_GLYPH_PX <= max(side.stop - side.start for side in box) <= LARGEST_GLYPH_PX
    ]
    if len(shapes) > MOST_SHAPES:
        return True
    if len(shapes) < FEWEST_GLYPHS:
        return False
    glyphs = [glyph for number, box in shapes if (glyph := _glyph(outer, labels, number, box)) is not None]
    return any(_is_text(line, above_hu) for along in (1, 0) for line in _lines(glyphs, along))


def _glyph(outer: Plane, labels: npt.NDArray[np.integer[Any]], number: int, box: tuple[slice, ...]) -> Glyph | None:
    """A shape of slender strokes."""
    from scipy import ndimage

    shape = labels[box] == number
    stroke_px = 2 * int(ndimage.distance_transform_cdt(np.pad(shape, 1), "chessboard").max())
    if stroke_px > BROADEST_STROKE * max(shape.shape):
        return None
    return Glyph(box, int(outer[box][shape].max()))


def _lines(glyphs: list[Glyph], along: int) -> Iterator[list[Glyph]]:
    """Neighbours along an axis that stand side by side and are of similar height; each glyph stands in one line."""
    across = 1 - along
    waiting = sorted((g for g in glyphs if g.length(across) >= SMALLEST_GLYPH_PX), key=lambda g: g.start(along))
    edges = np.array([(g.start(along), g.stop(along), g.start(across), g.stop(across)) for g in waiting]).reshape(-1, 4)
    free = np.ones(len(waiting), dtype=bool)
    for first in range(len(waiting)):
        if not free[first]:
            continue
        line, last = [waiting[first]], first
        free[first] = False
        while (found := _next(edges, free, last)) is not None:
            line.append(waiting[found])
            free[found] = False
            last = found
        yield line


def _next(edges: npt.NDArray[np.int64], free: Mask, last: int) -> int | None:
    """The first free glyph behind the last one of a line that continues it."""
    behind = edges[last + 1 :]
    start, _, low, high = behind.T
    _, stop, last_low, last_high = edges[last]
    height = np.maximum(high - low, last_high - last_low)
    shared = np.minimum(high, last_high) - np.maximum(low, last_low)
    fits = free[last + 1 :] & (shared >= 0.6 * height) & (start - stop <= 1.5 * height)
    return last + 1 + int(np.argmax(fits)) if fits.any() else None


def _is_text(line: list[Glyph], above_hu: int) -> bool:
    faint = above_hu == FAINTEST_LEVEL_HU
    if len(line) < (FEWEST_GLYPHS + 1 if faint else FEWEST_GLYPHS):
        return False
    most = MOST_SPREAD_OF_FAINT if faint else MOST_SPREAD_OF_MANY if len(line) >= MANY_GLYPHS else MOST_SPREAD_OF_FEW
    brightest = np.array([glyph.brightest_hu for glyph in line])
    spread = float(np.median(np.abs(brightest - np.median(brightest))))
    return spread <= most * float(np.median(brightest) - AIR_HU)
