"""The part of a scan that an edit reads, and what is normal in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ml.editing.frame import pool
from ml.editing.scanner import ScannerResponse
from ml.errors import EditError, MlError
from ml.generator.model import Generator
from ml.generator.signatures import Codes
from ml.geometry import Box, Float3, Grid
from ml.parallel import in_parallel
from ml.patches.case import Mask, Volume, liver_level, liver_weight
from ml.patches.frames import PatchFrame, normalise

# Half of the smallest crop (mm) that the liver's level is told from; small zooms see less than that. Set by hand.
SMALLEST_VIEW_MM = 24.0
# The low-pass (sigma, mm) in which vessels stand out of the noise.
VESSEL_SIGMA_MM = 1.3
# Low-passed values this many times the liver's own are surely not vessels, and surely are.
VESSEL_RAMP = (3.0, 5.0)
# A removal takes it that a lesion took this part of a vessel's brightness, and brings it back from the rest.
VESSEL_SHARE = 0.5
# Cells of plain liver, pooled to about the patch's resolution, without which its level is not told. Set by hand.
MIN_LIVER_VOXELS = 60
# Pixels so far apart (mm) share no noise; of more pairs than this some are taken.
NOISE_PAIR_MM, ENOUGH_NOISE_PAIRS = 4.0, 10_000


@dataclass(frozen=True)
class Neighbourhood:
    """The voxels that an edit may change: HU, liver, the liver's own level (HU) and noise (HU).

    ``scanner`` knows what the scan's kernel lets through.

    ``box`` are the crop's voxels in the scan, ``grid`` its lattice.
    """

    box: Box
    grid: Grid
    source_hu: NDArray[np.int16]
    liver: Mask
    level_hu: float
    noise_hu: float
    scanner: ScannerResponse

    @property
    def spacing_zyx_mm(self) -> Float3:
        """Voxel distances."""
        return self.grid.spacing_zyx_mm

    def local_index(self, index_zyx: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scan indices in the crop's indices."""
        local: NDArray[np.float64] = index_zyx - np.array([s.start for s in self.box])
        return local

    def part(self, box: Box) -> Neighbourhood:
        """A smaller neighbourhood, with the same level and noise; ``box`` in the crop's indices."""
        z, y, x = (slice(s.start + o.start, s.stop + o.start) for s, o in zip(box, self.box, strict=True))
        return Neighbourhood(
            (z, y, x),
            self.grid.crop(box),
            self.source_hu[box],
            self.liver[box],
            self.level_hu,
            self.noise_hu,
            self.scanner,
        )


@dataclass(frozen=True)
class WideView:
    """What the encoder looks at: a wider crop, pooled in the slice to about the patch's resolution."""

    hu: Volume
    liver: Volume
    spacing_zyx_mm: Float3
    frame: PatchFrame

    def level_hu(self, excluded: Volume | None) -> float:
        """The liver's attenuation; raises EditError when there is too little of it."""
        normal = self.liver > 0.99
        if excluded is not None:
            normal &= excluded < 0.01
        if normal.sum() < MIN_LIVER_VOXELS:
            raise EditError("There is too little liver around this place to learn its appearance from.")
        try:
            return liver_level(self.hu, normal)
        except MlError as error:
            raise EditError("The liver's attenuation cannot be told around this place.") from error

    def signature(self, generator: Generator, *, level_hu: float, seed: int) -> Codes:
        """The code (1, d) of the patch at the view's centre."""
        z, y, x = (slice(0, n) for n in self.hu.shape)
        tissue = self.frame.sample(self.hu, (z, y, x), smooth=True, outside=None)
        weight = liver_weight(self.liver > 0.5, self.spacing_zyx_mm)
        inside = self.frame.sample(weight, (z, y, x), smooth=False, outside=0.0)
        patch = normalise(tissue, inside, level_hu, np.random.default_rng([seed, 11]))
        return generator.encode_exactly(patch)


def look_around(
    volume_hu: NDArray[np.int16],
    grid: Grid,
    *,
    liver_mask: Mask,
    centre_zyx: NDArray[np.float64],
    generator: Generator,
    zoom: float,
    excluded: Mask | None = None,
) -> tuple[WideView, float]:
    """The encoder's view of a place and the liver's level (HU) there, without the ``excluded`` voxels.

    Raises EditError when sizes differ or there is too little liver.
    """
    if volume_hu.shape != grid.size_zyx or liver_mask.shape != grid.size_zyx:
        raise EditError("The scan, its grid and its liver mask do not have the same size.")
    net = generator.net
    reach = np.maximum(np.asarray(net.patch_zyx) * np.asarray(net.spacing_zyx_mm) * zoom / 2 + 4, SMALLEST_VIEW_MM)
    box = grid.box_around(centre_zyx, half_extent_zyx_mm=reach)
    fz, fy, fx = (
        max(1, int(n * zoom / s + 0.01)) for n, s in zip(net.spacing_zyx_mm, grid.spacing_zyx_mm, strict=True)
    )
    factors = (fz, min(fy, fx), min(fy, fx))
    z, y, x = (s * f for s, f in zip(grid.spacing_zyx_mm, factors, strict=True))
    spacing = (z, y, x)
    centre = centre_zyx - np.array([s.start for s in box])
    centre = (centre - (np.array(factors) - 1) / 2) / factors
    frame = PatchFrame(net, spacing, (float(centre[0]), float(centre[1]), float(centre[2])), zoom)
    hu, liver = in_parallel(lambda: pool(volume_hu[box], factors), lambda: pool(liver_mask[box], factors))
    view = WideView(hu, liver, spacing, frame)
    return view, view.level_hu(None if excluded is None else pool(excluded[box], factors))


def read_neighbourhood(
    volume_hu: NDArray[np.int16],
    grid: Grid,
    *,
    liver_mask: Mask,
    centre_zyx: NDArray[np.float64],
    half_extent_mm: float,
    level_hu: float,
) -> Neighbourhood:
    """Read the voxels within ``half_extent_mm`` of a place."""
    half = (half_extent_mm, half_extent_mm, half_extent_mm)
    box = grid.box_around(centre_zyx, half_extent_zyx_mm=half)
    source = np.asarray(volume_hu[box])
    liver = np.asarray(liver_mask[box], dtype=np.bool_)
    noise = _noise_sd(source, liver, level_hu, pixel_mm=grid.spacing_zyx_mm[2])
    scanner = ScannerResponse.of(source, liver, level_hu)
    return Neighbourhood(box, grid.crop(box), source, liver, level_hu, noise, scanner)


def _noise_sd(source: NDArray[np.int16], liver: Mask, level_hu: float, *, pixel_mm: float) -> float:
    """Noise of the scan from differences within parenchyma (robust), between pixels that share none of it."""
    sample = (slice(None, None, 2), slice(None, None, 3), slice(None))
    hu, liver = source[sample].astype(np.float32), liver[sample]
    tissue = liver & (np.abs(hu - level_hu) < 80)
    apart = max(2, round(NOISE_PAIR_MM / pixel_mm))
    pair = tissue[:, :, apart:] & tissue[:, :, :-apart]
    steps = (hu[:, :, apart:] - hu[:, :, :-apart])[pair]
    steps = steps[:: 1 + len(steps) // ENOUGH_NOISE_PAIRS]
    return float(1.4826 * np.median(np.abs(steps)) / np.sqrt(2)) if len(steps) > 50 else 10.0


def vessel_sigma(spacing_zyx_mm: Float3) -> Float3:
    """The low-pass in which vessels stand out of the noise, in cells; hardly any through the slices."""
    z, y, x = (VESSEL_SIGMA_MM / s for s in spacing_zyx_mm)
    return min(0.6, z), y, x


def vessel_excess(hu: Volume, liver: Mask, level_hu: float, spacing_zyx_mm: Float3) -> Volume:
    """What smooth bright structures (vessels) add to the liver's level, in HU; zero in plain parenchyma.

    Only what stands out of the low-passed noise counts, so that the noise itself is not touched.
    """
    clipped = np.clip(hu, level_hu - 100, level_hu + 150)
    smooth = ndimage.gaussian_filter(clipped, vessel_sigma(spacing_zyx_mm), truncate=2.5) - level_hu
    below = smooth[liver & (smooth < 0)]
    spread = float(np.sqrt((below**2).mean())) if len(below) > 30 else 5.0
    spread = min(spread, 12.0)
    low, high = VESSEL_RAMP
    # A ramp, because a hard threshold would leave steps in the scan.
    certain = np.clip((smooth / spread - low) / (high - low), 0, 1)
    excess: Volume = (smooth * certain).astype(np.float32)
    return excess
