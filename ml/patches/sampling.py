"""Where in the liver patches are taken: at random for training, at lesions and away from them for comparisons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ml.errors import TrainingError
from ml.nets.config import NetConfig
from ml.patches.case import LiverCase, Volume
from ml.patches.frames import PatchFrame, extract

Population: TypeAlias = Literal["all", "normal"]

# Random places that may show a lesion before lesion-free liver counts as not to be had. Set by hand.
PLACE_TRIES = 2000
# Half of a box without lesions around a normal place (mm). Set by hand.
CLEARANCE_ZYX_MM = (10.0, 14.0, 14.0)
# The views: the whole patch, and one that a lesion of 8 mm fills a third of.
VIEW_ZOOMS = {"wide": 1.0, "close": 0.4}


def of_population(cases: Sequence[LiverCase], population: Population) -> list[LiverCase]:
    """The cases that patches of a population may come from; raises TrainingError when normal liver is known of none."""
    if population == "all":
        return list(cases)
    known = [case for case in cases if case.all_drawn]
    if not known:
        raise TrainingError(
            "Of none of these scans is it known that all lesions are drawn, so none shows normal liver. Add lesion "
            "masks (empty ones where there is no lesion), or say which scans are free of lesions."
        )
    return known


class PatchSampler:
    """Draws training patches; masks steer where it looks, the training itself stays unsupervised.

    Half of the patches (population "all") are near lesions, half anywhere in the liver. With "normal" no
    patch holds a lesion voxel, nor comes from a scan with lesions that nobody drew. Zooms are drawn so that
    lesions of every size come at many patch sizes.
    Patch number n depends on the seed and n alone, so that it does not matter who draws it, or when.
    """

    def __init__(self, cases: list[LiverCase], config: NetConfig, *, population: Population, seed: int) -> None:
        self.config, self.population, self.seed, self.drawn = config, population, seed, 0
        cases = of_population(cases, population)
        places = [(case, np.flatnonzero(case.weight > 0.9)) for case in cases]
        self.places = [(case, voxels) for case, voxels in places if voxels.size]
        self.lesions = [(c, record) for c in cases for record in c.lesions if record.diameter_mm >= 5]
        if not self.places:
            raise TrainingError("No case has liver to take patches from.")

    def batch(self, count: int) -> Volume:
        """The next normalised patches, shape (count, 1, Z, Y, X)."""
        first = self.drawn
        self.drawn += count
        return np.stack([self.patch(first + n) for n in range(count)])[:, None]

    def patch(self, number: int) -> Volume:
        """Patch ``number``, mirrored and turned at random, its level moved a little."""
        rng = np.random.default_rng([self.seed, 3108, number])
        if self.population == "all" and self.lesions and rng.random() < 0.5:
            case, frame = self.near_lesion(rng)
        else:
            case, frame = self.anywhere(rng)
        patch = extract(case, frame, rng)
        for axis in range(3):
            if rng.random() < 0.5:
                patch = np.flip(patch, axis)
        if rng.random() < 0.5:
            patch = patch.transpose(0, 2, 1)
        return patch + np.float32(rng.normal(0, 0.04))

    def near_lesion(self, rng: np.random.Generator) -> tuple[LiverCase, PatchFrame]:
        """A place near a lesion, seen at a zoom at which the lesion is 13 to 32 mm wide."""
        case, record = self.lesions[rng.integers(len(self.lesions))]
        zoom = float(np.clip(record.diameter_mm / rng.uniform(13, 32), 0.45, 2.0))
        jitter = rng.uniform(-4, 4, 3) * zoom / np.asarray(case.grid.spacing_zyx_mm)
        return case, self._frame(case, np.asarray(record.centre_zyx) + jitter, zoom)

    def anywhere(self, rng: np.random.Generator) -> tuple[LiverCase, PatchFrame]:
        """A place anywhere in the liver; raises TrainingError when every place tried shows a lesion."""
        for _ in range(PLACE_TRIES):
            case, voxels = self.places[int(rng.integers(len(self.places)))]
            centre = np.unravel_index(voxels[rng.integers(len(voxels))], case.grid.size_zyx)
            frame = self._frame(case, np.asarray(centre, float), float(np.exp(rng.uniform(np.log(0.5), np.log(1.8)))))
            if self.population == "all" or not case.labels[frame.source_box(case.grid.size_zyx)].any():
                return case, frame
        raise TrainingError("No lesion-free liver was found for normal patches; the lesions are everywhere.")

    def _frame(self, case: LiverCase, centre_zyx: NDArray[np.float64], zoom: float) -> PatchFrame:
        z, y, x = (float(v) for v in centre_zyx)
        return PatchFrame(self.config, case.grid.spacing_zyx_mm, (z, y, x), zoom)


def normal_centres(case: LiverCase, *, count: int, rng: np.random.Generator) -> list[tuple[float, float, float]]:
    """Random liver voxels with no lesion near them (10 mm through the slices, 14 mm within).

    None of a case whose lesions are not known to be all drawn.
    """
    if not case.all_drawn:
        return []
    voxels = np.flatnonzero(case.weight > 0.9)
    found: list[tuple[float, float, float]] = []
    for voxel in voxels[rng.permutation(len(voxels))[: 40 * count]]:
        z, y, x = (float(v) for v in np.unravel_index(voxel, case.grid.size_zyx))
        if not case.labels[case.grid.box_around((z, y, x), half_extent_zyx_mm=CLEARANCE_ZYX_MM)].any():
            found.append((z, y, x))
        if len(found) == count:
            break
    return found
