"""Liver patches as the networks see them: resampled, liver-normalised and liver-masked.

The view decides more than the network: HU are taken relative to the patient's own liver, and everything
outside the liver is replaced by liver-like noise, so that codes are not spent on organ borders.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from ml.errors import TrainingError
from ml.geometry import Box, Grid, Int3, sphere_diameter_mm
from ml.nets.config import NetConfig

Volume: TypeAlias = NDArray[np.float32]
Mask: TypeAlias = NDArray[np.bool_]
Population: TypeAlias = Literal["all", "normal"]

HU_SCALE = 80.0
CLIP = 2.5
SOFT_MASK_SIGMA_MM = 1.5
FALLBACK_NOISE = 0.12
MIN_LESION_VOXELS = 4
ANTIALIAS = 0.42
PLACE_TRIES = 2000


@dataclass(frozen=True)
class LesionRecord:
    """A lesion of a case; ``centre_zyx`` in voxels, ``kind`` where it is known."""

    label: int
    centre_zyx: tuple[float, float, float]
    diameter_mm: float
    kind: str | None


@dataclass(frozen=True)
class Case:
    """A scan with its liver (bool, lesions included), numbered lesions and what follows from them.

    ``liver_note`` says so where the liver is an estimate; it is empty for a mask that came with the scan.
    """

    name: str
    grid: Grid
    hu: NDArray[np.int16]
    liver: Mask
    labels: NDArray[np.uint8]
    weight: Volume
    level_hu: float
    lesions: list[LesionRecord] = field(default_factory=list)
    liver_note: str = ""


def liver_level(hu: NDArray[np.generic], liver: Mask) -> float:
    """The parenchyma's HU: mean around the mode of the liver's smoothed histogram (lesions hardly shift it)."""
    values = np.asarray(hu[liver], dtype=np.float32)
    values = values[(values > -60) & (values < 260)]
    if len(values) < 30:
        raise TrainingError("There is too little liver to tell its attenuation.")
    histogram = np.bincount(np.rint(values + 60).astype(np.int64), minlength=321)[:321].astype(np.float64)
    mode = float(np.argmax(ndimage.gaussian_filter1d(histogram, 7)) - 60)
    # Twice, so that a mode found off the centre does not bias the mean.
    for _ in range(2):
        mode = float(values[np.abs(values - mode) < 25].mean())
    return mode


def liver_weight(liver: Mask, spacing_zyx_mm: tuple[float, float, float]) -> Volume:
    """Soft inner mask (0 to 1) that falls to 0 before the capsule."""
    sigma = (0.5, SOFT_MASK_SIGMA_MM / spacing_zyx_mm[1], SOFT_MASK_SIGMA_MM / spacing_zyx_mm[2])
    smooth = ndimage.gaussian_filter(liver.astype(np.float32), sigma, truncate=2.5)
    weight: Volume = np.clip((smooth - 0.6) / 0.35, 0, 1)
    return weight


def antialias_sigma(spacing_zyx_mm: ArrayLike, target_zyx_mm: ArrayLike) -> tuple[float, float, float]:
    """Gaussian widths (voxels) before sampling a grid at a coarser one."""
    spacing, target = np.asarray(spacing_zyx_mm), np.asarray(target_zyx_mm)
    z, y, x = ANTIALIAS * np.sqrt(np.maximum(0, target**2 - spacing**2)) / spacing
    return float(z), float(y), float(x)


@dataclass(frozen=True)
class PatchFrame:
    """Where a patch lies: its centre in voxels of a grid and its zoom (2.0 sees twice as far)."""

    config: NetConfig
    spacing_zyx_mm: tuple[float, float, float]
    centre_zyx: tuple[float, float, float]
    zoom: float = 1.0

    @property
    def step_zyx(self) -> NDArray[np.float64]:
        """Voxels of the grid per patch sample."""
        step: NDArray[np.float64] = np.asarray(self.config.spacing_zyx_mm) * self.zoom / np.asarray(self.spacing_zyx_mm)
        return step

    @property
    def middle_zyx(self) -> NDArray[np.float64]:
        """The patch's centre in its own samples."""
        return (np.asarray(self.config.patch_zyx) - 1) / 2

    def source_box(self, size_zyx: Int3) -> Box:
        """The voxels that the patch reads, clipped to the volume."""
        reach = self.middle_zyx * self.step_zyx + 3
        centre = np.asarray(self.centre_zyx)
        low = np.clip(np.floor(centre - reach).astype(int), 0, np.asarray(size_zyx) - 1)
        high = np.clip(np.ceil(centre + reach).astype(int) + 1, low + 1, size_zyx)
        return slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1])), slice(int(low[2]), int(high[2]))

    def sample(self, volume: NDArray[np.generic], box: Box, *, smooth: bool, outside: float | None) -> Volume:
        """The patch of a volume's ``box``; ``outside`` None repeats the border."""
        part = np.asarray(volume, dtype=np.float32)
        if smooth:
            sigma = antialias_sigma(self.spacing_zyx_mm, np.asarray(self.config.spacing_zyx_mm) * self.zoom)
            part = ndimage.gaussian_filter(part, sigma, truncate=2.5)
        start = np.asarray([s.start for s in box])
        offset = np.asarray(self.centre_zyx) - start - self.middle_zyx * self.step_zyx
        sampled: Volume = ndimage.affine_transform(
            part,
            self.step_zyx,
            offset=offset,
            output_shape=self.config.patch_zyx,
            order=1,
            mode="nearest" if outside is None else "constant",
            cval=0.0 if outside is None else outside,
            output=np.float32,
        )
        return sampled


def unit_noise(rng: np.random.Generator, shape: Int3) -> Volume:
    """CT-like noise of unit standard deviation at the patch's resolution."""
    white = rng.standard_normal(shape).astype(np.float32)
    noise: Volume = ndimage.gaussian_filter(white, (0.3, 0.7, 0.7), truncate=2.5)
    noise /= noise.std()
    return noise


def _high_pass_sd(patch: Volume, inside: Mask | None) -> float:
    rough = patch - ndimage.gaussian_filter(patch, (0, 2, 2), truncate=2.0)
    values = rough if inside is None else rough[inside]
    return float(1.4826 * np.median(np.abs(values - np.median(values))))


def normalise(patch_hu: Volume, weight: Volume, level_hu: float, rng: np.random.Generator) -> Volume:
    """What the encoder sees: (HU - liver) / 80 in the liver, noise of the same strength elsewhere."""
    tissue: Volume = np.clip((patch_hu - level_hu) / HU_SCALE, -CLIP, CLIP)
    if weight.min() > 0.99:
        return tissue
    # Nothing of the outside may show, not even in the strength of the noise that replaces it.
    inside = weight > 0.95
    strength = _high_pass_sd(tissue * inside, inside) if inside.sum() > 300 else FALLBACK_NOISE
    noise = unit_noise(rng, (patch_hu.shape[0], patch_hu.shape[1], patch_hu.shape[2]))
    filled: Volume = weight * tissue + (1 - weight) * noise * (strength / _high_pass_sd(noise, None))
    return filled


def extract(case: Case, frame: PatchFrame, rng: np.random.Generator) -> Volume:
    """One normalised patch of a case."""
    box = frame.source_box(case.grid.size_zyx)
    tissue = frame.sample(case.hu[box], box, smooth=True, outside=None)
    weight = frame.sample(case.weight[box], box, smooth=False, outside=0.0)
    return normalise(tissue, weight, case.level_hu, rng)


def build_case(
    name: str,
    hu: NDArray[np.int16],
    grid: Grid,
    *,
    liver: Mask,
    labels: NDArray[np.uint8],
    kinds: dict[int, str] | None = None,
    liver_note: str = "",
) -> Case:
    """A case from arrays; ``labels`` numbers the lesions."""
    liver = liver | (labels > 0)
    lesions = []
    for label, where in enumerate(ndimage.find_objects(labels), start=1):
        if where is None or (labels[where] == label).sum() < MIN_LESION_VOXELS:
            continue
        inside = labels[where] == label
        z, y, x = (float(c + s.start) for c, s in zip(np.argwhere(inside).mean(0), where, strict=True))
        diameter_mm = sphere_diameter_mm(float(inside.sum() * grid.voxel_volume_mm3))
        lesions.append(LesionRecord(label, (z, y, x), diameter_mm, (kinds or {}).get(label)))
    weight = liver_weight(liver, grid.spacing_zyx_mm)
    return Case(name, grid, hu, liver, labels, weight, liver_level(hu, liver & (labels == 0)), lesions, liver_note)


class PatchSampler:
    """Draws training patches; masks steer where it looks, the training itself stays unsupervised.

    Half of the patches (population "all") are near lesions, half anywhere in the liver. With "normal" no
    patch holds a lesion voxel. Zooms are drawn so that lesions of every size come at many patch sizes.
    Patch number n depends on the seed and n alone, so that it does not matter who draws it, or when.
    """

    def __init__(self, cases: list[Case], config: NetConfig, *, population: Population, seed: int) -> None:
        self.config, self.population, self.seed, self.drawn = config, population, seed, 0
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

    def near_lesion(self, rng: np.random.Generator) -> tuple[Case, PatchFrame]:
        """A place near a lesion, seen at a zoom at which the lesion is 13 to 32 mm wide."""
        case, record = self.lesions[rng.integers(len(self.lesions))]
        zoom = float(np.clip(record.diameter_mm / rng.uniform(13, 32), 0.45, 2.0))
        jitter = rng.uniform(-4, 4, 3) * zoom / np.asarray(case.grid.spacing_zyx_mm)
        return case, self._frame(case, np.asarray(record.centre_zyx) + jitter, zoom)

    def anywhere(self, rng: np.random.Generator) -> tuple[Case, PatchFrame]:
        """A place anywhere in the liver; raises TrainingError when every place tried shows a lesion."""
        for _ in range(PLACE_TRIES):
            case, voxels = self.places[int(rng.integers(len(self.places)))]
            centre = np.unravel_index(voxels[rng.integers(len(voxels))], case.grid.size_zyx)
            frame = self._frame(case, np.asarray(centre, float), float(np.exp(rng.uniform(np.log(0.5), np.log(1.8)))))
            if self.population == "all" or not case.labels[frame.source_box(case.grid.size_zyx)].any():
                return case, frame
        raise TrainingError("No lesion-free liver was found for normal patches; the lesions are everywhere.")

    def _frame(self, case: Case, centre_zyx: NDArray[np.float64], zoom: float) -> PatchFrame:
        z, y, x = (float(v) for v in centre_zyx)
        return PatchFrame(self.config, case.grid.spacing_zyx_mm, (z, y, x), zoom)
