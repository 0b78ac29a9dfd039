"""Numbers of lesions in a mask that a person corrects by hand: who paints says where lesions are, and not which."""

import zlib
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from ctplatform.datasets.kinds import Labels
from ctplatform.datasets.scans.measuring import MAX_LESIONS
from ctplatform.errors import DomainError
from ml.geometry import Box, box_of

Marked = npt.NDArray[np.bool_]
# Each takes its time, and nobody paints so many before saving.
MOST_PARTS = 1000
OFFSETS_DTYPE = np.dtype("<i4")


def renumbered(before: Labels, marked: Marked) -> Labels:
    """The numbers of a corrected mask. Lesions keep theirs, and none is given to another lesion.

    What was painted belongs to the lesion that it touches most, or is a new one; of a piece that came apart the largest
    part keeps the number, and lesions that lay in several pieces stay one.
    """
    after = np.where(marked, before, 0).astype(np.uint8)
    changed = box_of(marked != (before > 0))
    if changed is None:
        return after
    free = _free_numbers(before)
    # A view: what is written to it is written to the mask.
    inside = after[_widened(changed)]
    was, is_marked = before[_widened(changed)], marked[_widened(changed)]
    kept = inside.copy()
    for box, part in _parts(is_marked & (was == 0)):
        inside[box][part] = _touched(kept[box], part) or next(free)
    erased_of = set(np.unique(was[(was > 0) & ~is_marked]).tolist())
    for number in sorted(erased_of):
        _number_what_came_off(after, before, number, free)
    return after


def _number_what_came_off(after: Labels, before: Labels, number: int, free: Iterator[int]) -> None:
    """The largest part of each piece that the lesion was keeps its number."""
    from ml.scans.lesions import label_lesions

    around = box_of((before == number) | (after == number))
    if around is None:
        return
    pieces, kept, inside = label_lesions(before[around] == number), set(), after[around]
    for box, part in _parts(inside == number):
        of = np.bincount(pieces[box][part])
        of[0] = 0
        piece = int(of.argmax())
        if piece in kept:
            inside[box][part] = next(free)
        kept.add(piece)


def _free_numbers(before: Labels) -> Iterator[int]:
    used = set(np.unique(before).tolist())
    yield from (number for number in range(1, MAX_LESIONS + 1) if number not in used)
    raise DomainError(f"A mask numbers {MAX_LESIONS} lesions at most, so nothing was saved. Take specks away.")


def _widened(box: tuple[slice, ...]) -> Box:
    """By one voxel: what touches a part is within."""
    z, y, x = (slice(max(0, side.start - 1), side.stop + 1) for side in box)
    return z, y, x


def _parts(marked: Marked) -> list[tuple[Box, Marked]]:
    """Connected parts, the largest first, each in its box with one voxel around it."""
    from scipy.ndimage import find_objects

    from ml.scans.lesions import label_lesions

    numbers = label_lesions(marked)
    boxes = [_widened(box) for box in find_objects(numbers)]
    if len(boxes) > MOST_PARTS:
        raise DomainError(
            f"This is {len(boxes):,} separate pieces; one correction may have {MOST_PARTS:,}. Save more often."
        )
    return [(box, numbers[box] == number) for number, box in enumerate(boxes, start=1)]


def _touched(numbers: Labels, part: Marked) -> int:
    """The number of the lesion that has the most voxels beside the part; 0 where there is none."""
    from scipy.ndimage import binary_dilation

    from ml.scans.lesions import CONNECTED

    beside = numbers[binary_dilation(part, structure=CONNECTED) & ~part]
    counted = np.bincount(beside[beside > 0], minlength=1)
    return int(counted.argmax()) if counted.any() else 0


def numbers_where(before: Labels, changed: Marked) -> bytes:
    """What stood where the numbers changed: with it a correction is taken back bit for bit."""
    offsets = np.flatnonzero(changed).astype(OFFSETS_DTYPE)
    steps = np.diff(offsets, prepend=OFFSETS_DTYPE.type(0))
    return zlib.compress(steps.tobytes() + before[changed].tobytes())


def put_back(labels: Labels, stored: bytes) -> Labels:
    content = zlib.decompress(stored)
    count = len(content) // (OFFSETS_DTYPE.itemsize + 1)
    steps = np.frombuffer(content, dtype=OFFSETS_DTYPE, count=count)
    after = labels.copy()
    after.ravel()[np.cumsum(steps)] = np.frombuffer(content, dtype=np.uint8, offset=steps.nbytes)
    return after
