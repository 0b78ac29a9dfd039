"""Text that was drawn into the pixels of a slice: a person's name in the corner of a picture.

Outside the body a scanner sees a table, cables, metal and the round border of its field of view. None of these makes
a row of slender shapes of one height, close together, whose brightest samples are equal: a pen has one value, noise
has not.
"""

from collections.abc import Iterator
from dataclasses import dataclass

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
MOST_SHAPES = 2000


@dataclass(frozen=True)
class Glyph:
    box: tuple[slice, slice]
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
    """Whether a row of glyphs, upright or sideways, lies outside the body."""
    outer = np.where(outside_body(plane), plane, AIR_HU)
    return any(_is_text(line, above_hu) for above_hu in LEVELS_HU for line in _rows(outer, above_hu))


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


def _rows(outer: Plane, above_hu: int) -> Iterator[list[Glyph]]:
    glyphs = list(_glyphs(outer, above_hu))
    for along in (1, 0):
        yield from _lines(glyphs, along)


def _glyphs(outer: Plane, above_hu: int) -> Iterator[Glyph]:
    from scipy import ndimage

    labels, count = ndimage.label(outer > above_hu, structure=np.ones((3, 3)))
    if not FEWEST_GLYPHS <= count <= MOST_SHAPES:
        return
    for number, (rows, columns) in enumerate(ndimage.find_objects(labels), start=1):
        largest = max(rows.stop - rows.start, columns.stop - columns.start)
        if not SMALLEST_GLYPH_PX <= largest <= LARGEST_GLYPH_PX:
            continue
        shape = labels[rows, columns] == number
        stroke_px = 2 * int(ndimage.distance_transform_cdt(np.pad(shape, 1), "chessboard").max())
        if stroke_px <= BROADEST_STROKE * largest:
            yield Glyph((rows, columns), int(outer[rows, columns][shape].max()))


def _lines(glyphs: list[Glyph], along: int) -> Iterator[list[Glyph]]:
    """Neighbours along an axis that stand side by side and are of similar height."""
    across = 1 - along
    waiting = sorted((g for g in glyphs if g.length(across) >= SMALLEST_GLYPH_PX), key=lambda g: g.start(along))
    while waiting:
        line = [waiting.pop(0)]
        for glyph in list(waiting):
            if _continues(line[-1], glyph, along):
                line.append(glyph)
                waiting.remove(glyph)
        yield line


def _continues(last: Glyph, glyph: Glyph, along: int) -> bool:
    across = 1 - along
    height = max(last.length(across), glyph.length(across))
    shared = min(last.stop(across), glyph.stop(across)) - max(last.start(across), glyph.start(across))
    return shared >= 0.6 * height and glyph.start(along) - last.stop(along) <= 1.5 * height


def _is_text(line: list[Glyph], above_hu: int) -> bool:
    faint = above_hu == FAINTEST_LEVEL_HU
    if len(line) < (FEWEST_GLYPHS + 1 if faint else FEWEST_GLYPHS):
        return False
    most = MOST_SPREAD_OF_FAINT if faint else MOST_SPREAD_OF_MANY if len(line) >= MANY_GLYPHS else MOST_SPREAD_OF_FEW
    brightest = np.array([glyph.brightest_hu for glyph in line])
    spread = float(np.median(np.abs(brightest - np.median(brightest))))
    return spread <= most * float(np.median(brightest) - AIR_HU)
