"""Text that was drawn into the pixels of a slice: a person's name in the corner of a picture.

Outside the body a scanner sees a table, cables, metal and the round border of its field of view. None of these makes
a row of slender shapes of one height, close together, whose brightest samples are equal: a pen has one value, noise
has not.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ctplatform.datasets.importing.runs import Mask, shapes_of

Plane = npt.NDArray[np.int16]

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
    outer = _cropped(plane, outside_body(plane))
    return outer.size > 0 and any(_text_at(outer, above_hu) for above_hu in LEVELS_HU)


def _cropped(plane: Plane, outside: Mask) -> Plane:
    """What lies outside of the body, cropped to what isn't air, which is little of most slices."""
    drawn = (plane > FAINTEST_LEVEL_HU) & outside
    rows, columns = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
    if not rows.size:
        return plane[:0, :0]
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return np.where(outside[box], plane[box], np.int16(AIR_HU))


def outside_body(plane: Plane) -> Mask:
    """Everything but large blocks of tissue and what they enclose; judged on every other sample."""
    tissue = (plane[::2] > TISSUE_HU)[:, ::2]
    reach = BODY_OPENING_PX // 2
    blocks = shapes_of(_windowed(tissue, reach, np.logical_and), diagonal=False)
    large = blocks.drawn(blocks.sizes >= SMALLEST_BODY * tissue.size)
    # around the picture too, so that one region holds all that is open to its border
    open_ = np.ones((tissue.shape[0] + 2, tissue.shape[1] + 2), dtype=bool)
    open_[1:-1, 1:-1] = ~_windowed(large, reach + 3, np.logical_or)
    regions = shapes_of(open_, diagonal=False)
    outside = regions.drawn(np.arange(regions.count) == regions.shape_of[0])[1:-1, 1:-1]
    return _doubled(outside)[: plane.shape[0], : plane.shape[1]]


def _doubled(mask: Mask) -> Mask:
    """Every sample as two by two. A pair of equal bytes is one number of 16 bits, made in one pass."""
    pairs = mask.view(np.uint8) * np.uint16(0x0101)
    doubled: Mask = np.repeat(pairs, 2, axis=0).view(np.bool_)
    return doubled


def _windowed(mask: Mask, size: int, combine: np.ufunc) -> Mask:
    """Whether all, or any, of a square window around each sample are true; a window ends where the picture does.

    Each step doubles the window, so that a side of nine takes four passes over whole rows.
    """
    before = size // 2
    rows, columns = mask.shape
    found: Mask = np.full((rows + size - 1, columns + size - 1), combine is np.logical_and)
    found[before : before + rows, before : before + columns] = mask
    reach = 1
    while reach < size:
        step = min(reach, size - reach)
        found = combine(found[:-step], found[step:])
        found = combine(found[:, :-step], found[:, step:])
        reach += step
    return found


def _text_at(outer: Plane, above_hu: int) -> bool:
    drawn = outer > above_hu
    if np.count_nonzero(drawn) < FEWEST_GLYPHS * SMALLEST_GLYPH_PX:  # a glyph has a sample in each row or column
        return False
    found = shapes_of(drawn, diagonal=True)
    shapes = [
        (number, box)
        for number, box in enumerate(found.boxes())
        if SMALLEST_GLYPH_PX <= max(side.stop - side.start for side in box) <= LARGEST_GLYPH_PX
    ]
    if len(shapes) > MOST_SHAPES:
        return True
    if len(shapes) < FEWEST_GLYPHS:
        return False
    glyphs = [
        glyph for number, box in shapes if (glyph := _glyph(outer[box], found.mask(number, box), box)) is not None
    ]
    return any(_is_text(line, above_hu) for along in (1, 0) for line in _lines(glyphs, along))


def _glyph(samples: Plane, shape: Mask, box: tuple[slice, ...]) -> Glyph | None:
    """A shape of slender strokes."""
    broadest = 2 * int(BROADEST_STROKE * max(shape.shape) / 2)
    return None if _holds_square(shape, broadest + 1) else Glyph(box, int(samples[shape].max()))


def _holds_square(shape: Mask, side: int) -> bool:
    """Whether a square of this side lies within the shape; doubled as windows are."""
    if min(shape.shape) < side:
        return False
    reach = 1
    while reach < side:
        step = min(reach, side - reach)
        shape = shape[:-step] & shape[step:]
        shape = shape[:, :-step] & shape[:, step:]
        reach += step
    return bool(shape.any())


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
