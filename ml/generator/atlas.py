"""The signature atlas: codes of liver patches as points, each with its place in the patient and a picture."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.errors import TrainingError
from ml.generator.model import Generator
from ml.generator.signatures import Codes, SignatureSpace
from ml.nets.config import NetConfig
from ml.patches.case import LiverCase, Volume
from ml.patches.frames import PatchFrame, extract
from ml.patches.sampling import VIEW_ZOOMS, normal_centres

# Principal components that a person can choose axes from.
COMPONENTS = 6
# Side of a picture in pixels, and pictures in a row of the sheet.
TILE_PX, TILE_COLUMNS = 40, 32
# Pictures are 56 mm wide, whatever patches a generator looks at.
PICTURE = NetConfig(patch_zyx=(1, TILE_PX, TILE_PX), spacing_zyx_mm=(2.5, 1.4, 1.4))
# A liver window: level and width relative to the patient's own parenchyma (HU).
WINDOW_CENTRE_HU, WINDOW_WIDTH_HU = -5.0, 180.0
# Smaller lesions (mm) are left out. Set by hand.
SMALLEST_MM = 4.0
# Near the end of what float32 holds.
LARGEST_SPREAD = 1e30


@dataclass(frozen=True)
class AtlasPlace:
    """A patch of a case: where (LPS, mm), and which lesion (0 is normal liver)."""

    case: str
    at_lps_mm: tuple[float, float, float]
    lesion: int
    kind: str
    diameter_mm: float | None


@dataclass(frozen=True)
class Sampled:
    """Places of one case, their patches (n, Z, Y, X) as the encoder sees them and pictures (n, 40, 40) uint8."""

    places: list[AtlasPlace]
    patches: Volume
    pictures: NDArray[np.uint8]


@dataclass(frozen=True)
class Atlas:
    """All places, their principal components (n, 6), the variance each explains (6,) and one sheet of pictures."""

    places: list[AtlasPlace]
    coordinates: Codes
    explained_variance_ratio: Codes
    sheet: NDArray[np.uint8]


def sample(case: LiverCase, generator: Generator, *, lesions: int, seed: int) -> Sampled:
    """Up to ``lesions`` lesions of a case and as many places of normal liver (two at least).

    Of a case with lesions that nobody drew, no normal liver.
    """
    rng = np.random.default_rng([seed, 64])
    found = sorted((r for r in case.lesions if r.diameter_mm >= SMALLEST_MM), key=lambda r: -r.diameter_mm)[:lesions]
    normals = normal_centres(case, count=max(2, len(found)), rng=rng)
    centres = [r.centre_zyx for r in found] + normals
    places = [
        AtlasPlace(case.name, _world(case, r.centre_zyx), r.label, r.kind or "lesion", round(r.diameter_mm, 1))
        for r in found
    ] + [AtlasPlace(case.name, _world(case, c), 0, "normal", None) for c in normals]
    spacing = case.grid.spacing_zyx_mm
    close = [PatchFrame(generator.net, spacing, c, VIEW_ZOOMS["close"]) for c in centres]
    wide = [PatchFrame(PICTURE, spacing, c) for c in centres]
    size = generator.net.patch_zyx
    patches = np.stack([extract(case, f, rng) for f in close]) if close else np.zeros((0, *size), np.float32)
    pictures = np.stack([_picture(case, f) for f in wide]) if wide else np.zeros((0, TILE_PX, TILE_PX), np.uint8)
    return Sampled(places, patches, pictures)


def assemble(samples: list[Sampled], generator: Generator) -> Atlas:
    """Signatures of all samples in their principal components.

    Raises TrainingError when there are too few of them or they are no numbers or all the same.
    """
    places = [place for part in samples for place in part.places]
    if len(places) <= COMPONENTS:
        raise TrainingError(
            "There are too few liver patches for an atlas; choose scans with lesions, or whose lesions are all drawn."
        )
    codes = generator.signatures(np.concatenate([part.patches for part in samples]))
    # Numbers near the end of what float32 holds have no components either.
    if not np.isfinite(codes).all() or not 0 < np.ptp(codes.astype(np.float64), axis=0).max() < LARGEST_SPREAD:
        raise TrainingError("This generator's signatures are not numbers or are all the same, so they can't be drawn.")
    space = SignatureSpace.fit(codes, COMPONENTS)
    sheet = contact_sheet(np.concatenate([part.pictures for part in samples]))
    return Atlas(places, space.coordinates(codes), space.explained_variance_ratio, sheet)


def contact_sheet(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pictures (n, 40, 40) row by row on one sheet, 32 in a row."""
    rows = math.ceil(len(pictures) / TILE_COLUMNS)
    sheet = np.zeros((rows * TILE_PX, TILE_COLUMNS * TILE_PX), np.uint8)
    for number, picture in enumerate(pictures):
        y, x = TILE_PX * (number // TILE_COLUMNS), TILE_PX * (number % TILE_COLUMNS)
        sheet[y : y + TILE_PX, x : x + TILE_PX] = picture
    return sheet


def _world(case: LiverCase, centre_zyx: tuple[float, float, float]) -> tuple[float, float, float]:
    x, y, z = (round(float(v), 2) for v in case.grid.to_world(centre_zyx))
    return x, y, z


def _picture(case: LiverCase, frame: PatchFrame) -> NDArray[np.uint8]:
    """One slice (40, 40) with everything around the liver, in a liver window."""
    box = frame.source_box(case.grid.size_zyx)
    middle = frame.sample(case.hu[box], box, smooth=False, outside=None)[0]
    low = case.level_hu + WINDOW_CENTRE_HU - WINDOW_WIDTH_HU / 2
    grey: NDArray[np.uint8] = np.clip((middle - low) / WINDOW_WIDTH_HU * 255, 0, 255).astype(np.uint8)
    return grey
