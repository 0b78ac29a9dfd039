"""Connected shapes of a mask by the runs of its rows: what is drawn outside of a body is a few hundred runs of a slice,
and a general labelling looks at every sample.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.intp]
# Empty samples behind each row, so that nothing touches across the border of the picture
BETWEEN_ROWS = 2


@dataclass(frozen=True)
class Shapes:
    """Runs of true samples of a picture, from the first to the last row, and which shape each belongs to."""

    picture: Mask
    rows: Indices
    starts: Indices
    stops: Indices
    shape_of: Indices
    count: int

    @property
    def sizes(self) -> Indices:
        sizes: Indices = np.bincount(self.shape_of, self.stops - self.starts, self.count).astype(np.intp)
        return sizes

    def drawn(self, chosen: Mask) -> Mask:
        """The chosen ones of the shapes, in the whole picture: the others are taken out, for they are few samples."""
        others = ~chosen[self.shape_of]
        starts, lengths = self.starts[others], (self.stops - self.starts)[others]
        within_run = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        drawn = self.picture.copy()
        drawn[np.repeat(self.rows[others], lengths), np.repeat(starts, lengths) + within_run] = False
        return drawn

    def boxes(self) -> list[tuple[slice, slice]]:
        """Rows and columns of every shape."""
        order = np.argsort(self.shape_of, kind="stable")
        first = np.searchsorted(self.shape_of[order], np.arange(self.count))
        top = np.minimum.reduceat(self.rows[order], first) if self.count else first
        bottom = np.maximum.reduceat(self.rows[order], first) + 1 if self.count else first
        left = np.minimum.reduceat(self.starts[order], first) if self.count else first
        right = np.maximum.reduceat(self.stops[order], first) if self.count else first
        sides = zip(top.tolist(), bottom.tolist(), left.tolist(), right.tolist(), strict=True)
        return [(slice(a, b), slice(c, d)) for a, b, c, d in sides]

    def mask(self, shape: int, box: tuple[slice, slice]) -> Mask:
        """One shape within its box."""
        rows, columns = box
        drawn: Mask = np.zeros((rows.stop - rows.start, columns.stop - columns.start), dtype=bool)
        for run in np.flatnonzero(self.shape_of == shape):
            drawn[self.rows[run] - rows.start, self.starts[run] - columns.start : self.stops[run] - columns.start] = (
                True
            )
        return drawn


def shapes_of(mask: Mask, *, diagonal: bool) -> Shapes:
    """Samples belong together that touch at a side, or at a corner too."""
    width = mask.shape[1] + BETWEEN_ROWS
    flat = np.zeros(mask.shape[0] * width + 1, dtype=np.int8)
    flat[1:].reshape(mask.shape[0], width)[:, : mask.shape[1]] = mask
    edges = np.flatnonzero(flat[1:] != flat[:-1])
    starts, stops = edges[::2], edges[1::2]
    count, shape_of = _joined(starts, stops, width, int(diagonal))
    rows = starts // width
    return Shapes(mask, rows, starts - rows * width, stops - rows * width, shape_of, count)


def _joined(starts: Indices, stops: Indices, width: int, reach: int) -> tuple[int, Indices]:
    """Runs that touch one of the row above, counted along the flattened picture."""
    first = np.searchsorted(stops + width, starts - reach, "right")
    last = np.searchsorted(starts + width, stops + reach, "left")
    touched = np.maximum(last - first, 0)
    own = np.repeat(np.arange(len(starts)), touched)
    above = np.arange(len(own)) + np.repeat(first - np.cumsum(touched) + touched, touched)
    root = _roots(len(starts), own, above)
    is_root = root == np.arange(len(starts))
    return int(np.count_nonzero(is_root)), (np.cumsum(is_root) - 1)[root]


def _roots(count: int, ones: Indices, others: Indices) -> Indices:
    """The first run that each can be reached from. Every turn halves the ways, so that no pattern takes many."""
    root: Indices = np.arange(count)
    while True:
        a, b = root[ones], root[others]
        apart = a != b
        if not apart.any():
            return root
        a, b = a[apart], b[apart]
        np.minimum.at(root, np.maximum(a, b), np.minimum(a, b))
        while (nearer := root[root]).tobytes() != root.tobytes():
            root = nearer
