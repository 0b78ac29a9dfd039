"""Twenty edits of two small scans, and what each of them changed.

``python tests/ml/recorded_edits.py FILE`` makes them here. What was recorded lies in ``recorded_edits.npz``; it is
written anew only by a change that is meant to change edits, and ml/LOG.md says so. After one that is not, a new file
has the same bytes. The scans are made of sums, products and comparisons alone, which every processor has alike:
phantoms hold random counts of photons, which they have not.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ml.editing import EditResult, LesionSpec, insert_lesion, remove_lesion
from ml.generator.files import load_generator
from ml.generator.model import Generator
from ml.geometry import Grid

RECORDED = Path(__file__).with_suffix(".npz")
LIVER_HU, OUTSIDE_HU, VESSEL_HU = 105, -20, 160
VESSELS = 14
# The blur within the slice; whole numbers have one sum. Noise in 2304ths of a HU, about 9 HU when it is blurred.
BLUR = np.array([1, 3, 4, 3, 1])
NOISE = 83_000


@dataclass(frozen=True)
class Scan:
    """A liver with vessels and two numbered lesions; arrays are (z, y, x)."""

    grid: Grid
    hu: NDArray[np.int16]
    liver: NDArray[np.bool_]
    lesions: NDArray[np.uint8]


@dataclass(frozen=True)
class Insertion:
    """A lesion to insert into a scan, ``centre_mm`` (z, y, x) from the middle of the scan."""

    scan: int
    spec: LesionSpec
    centre_mm: tuple[float, float, float]


@dataclass(frozen=True)
class Removal:
    """A lesion of a scan to remove."""

    scan: int
    lesion: int
    seed: int


EDITS: list[Insertion | Removal] = [
    Insertion(0, LesionSpec("hypodense", 6, -30, 1), (0, 5, 20)),
    Insertion(0, LesionSpec("hypodense", 9, -60, 2), (5, -20, 10)),
    Insertion(0, LesionSpec("hypodense", 14, -40, 3), (-6, 12, 25)),
    Insertion(0, LesionSpec("hypodense", 22, -45, 4), (0, 0, 15)),
    Insertion(0, LesionSpec("hypodense", 36, -50, 5), (0, -5, 5)),
    Insertion(0, LesionSpec("cystic", 10, -80, 6), (4, 15, 0)),
    Insertion(0, LesionSpec("cystic", 24, -90, 7), (0, -10, 20)),
    Insertion(0, LesionSpec("ring_enhancing", 16, -35, 8), (-4, 10, -10)),
    Insertion(1, LesionSpec("hypodense", 5, -25, 9), (8, -15, 10)),
    Insertion(1, LesionSpec("hypodense", 12, -15, 10), (0, 18, 12)),
    Insertion(1, LesionSpec("hypodense", 18, -70, 11), (-5, 0, 22)),
    Insertion(1, LesionSpec("hypodense", 44, -40, 12), (0, 0, 5)),
    Insertion(1, LesionSpec("cystic", 16, -100, 13), (6, -18, 18)),
    Insertion(1, LesionSpec("ring_enhancing", 28, -30, 14), (0, 8, 10)),
    Removal(0, 1, 15),
    Removal(0, 2, 16),
    Removal(0, 2, 17),
    Removal(1, 1, 18),
    Removal(1, 2, 19),
    Removal(1, 1, 20),
]


def make_scans() -> list[Scan]:
    """A scan of coarse voxels and thick slices, and one of fine voxels."""
    return [
        _scan(1, Grid((28, 110, 110), (2.5, 1.2, 1.2)), lesions_mm=[(10, -22, -28, 7.0), (-8, 14, -26, 11.0)]),
        _scan(2, Grid((46, 170, 170), (1.5, 0.8, 0.8)), lesions_mm=[(9, -18, -26, 9.0), (-10, 16, -24, 15.0)]),
    ]


def _scan(seed: int, grid: Grid, *, lesions_mm: list[tuple[float, float, float, float]]) -> Scan:
    """Lesions are two touching balls each: z, y and x from the middle, and the radius of the larger one."""
    rng = np.random.default_rng(seed)
    place = np.ogrid[tuple(slice(n) for n in grid.size_zyx)]
    z, y, x = ((a - n // 2) * s for a, n, s in zip(place, grid.size_zyx, grid.spacing_zyx_mm, strict=True))
    liver = np.square(z / 50) + np.square(y / 58) + np.square(x / 60) < 1
    hu = np.where(liver, LIVER_HU, OUTSIDE_HU)
    for _ in range(VESSELS):
        (y0, z0), (dy, dz), radius = rng.uniform(-30, 30, 2), rng.uniform(-0.5, 0.5, 2), rng.uniform(1.5, 3.5)
        hu[liver & (np.square(y - y0 - dy * x) + np.square(z - z0 - dz * x) < radius * radius)] = VESSEL_HU
    numbered = np.zeros(grid.size_zyx, np.uint8)
    for number, (z0, y0, x0, radius) in enumerate(lesions_mm, start=1):
        for part, shift, darkness in ((1.0, 0.0, 35), (0.6, 0.9, 60)):
            away = np.square(z - z0) + np.square(y - y0 - shift * radius) + np.square(x - x0)
            inside = liver & (away < np.square(part * radius))
            hu[inside], numbered[inside] = LIVER_HU - darkness, number
    # Blurred twice in whole numbers, 2304 to a HU.
    whole = 2304 * hu.astype(np.int64) + np.rint(NOISE * rng.standard_normal(grid.size_zyx)).astype(np.int64)
    for axis in (1, 2):
        whole = ndimage.convolve1d(whole, BLUR, axis, mode="nearest")
    return Scan(grid, (whole // (2304 * BLUR.sum() ** 2)).astype(np.int16), liver, numbered)


def run(edit: Insertion | Removal, scan: Scan, generator: Generator) -> EditResult:
    """One edit of its scan."""
    if isinstance(edit, Removal):
        return remove_lesion(
            scan.hu,
            scan.grid,
            liver_mask=scan.liver,
            lesion_mask=scan.lesions == edit.lesion,
            generator=generator,
            seed=edit.seed,
        )
    middle = [
        n // 2 + d / s for n, d, s in zip(scan.grid.size_zyx, edit.centre_mm, scan.grid.spacing_zyx_mm, strict=True)
    ]
    return insert_lesion(
        scan.hu,
        scan.grid,
        liver_mask=scan.liver,
        centre_lps_mm=scan.grid.to_world(middle),
        spec=edit.spec,
        generator=generator,
    )


def make_edits(path: Path) -> None:
    """Write box, change (HU) and lesion of every edit, and the exemplar that an insertion chose."""
    generator, scans, arrays = load_generator(device="cpu"), make_scans(), {}
    for number, edit in enumerate(EDITS):
        result = run(edit, scans[edit.scan], generator)
        arrays[f"box{number}"] = np.array([(s.start, s.stop) for s in result.box], np.int16)
        arrays[f"change{number}"] = result.edited - scans[edit.scan].hu[result.box]
        arrays[f"lesion{number}"] = result.lesion_mask
        arrays[f"exemplar{number}"] = np.int16(result.provenance.get("exemplar", -1))
    np.savez_compressed(path, **arrays)


def read_changes(path: Path) -> list[NDArray[np.int16]]:
    """The change of every edit on its whole scan."""
    sizes = [scan.grid.size_zyx for scan in make_scans()]
    changes = []
    with np.load(path) as arrays:
        for number, edit in enumerate(EDITS):
            change = np.zeros(sizes[edit.scan], np.int16)
            change[tuple(slice(*edges) for edges in arrays[f"box{number}"])] = arrays[f"change{number}"]
            changes.append(change)
    return changes


if __name__ == "__main__":
    make_edits(Path(sys.argv[1]))
