"""Build the signature bank of a trained generator from cases whose lesions are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.errors import NoExemplarError, TrainingError
from ml.generator.model import Generator
from ml.generator.shapes import PROFILE_DEPTHS_MM, depth_profile, outer_fade, shape_of_difference, signed_depth_mm
from ml.generator.signatures import Codes, NormalNeighbours, SignatureBank, SignatureSpace
from ml.patches.case import LesionRecord, LiverCase, Volume
from ml.patches.frames import HU_SCALE, PatchFrame, extract
from ml.patches.sampling import PatchSampler, of_population
from ml.scans.lesions import LESION_KINDS

# Every lesion is encoded at the zoom at which it is so wide (mm), within the range of zooms that training has seen.
CANONICAL_DIAMETER_MM = 22.0
# Training draws zooms from 0.45 to 2.0; lesions under 9 mm and over 42 mm are not at the canonical size.
ZOOM_RANGE = (0.4, 1.9)
# Smaller lesions (mm) are no exemplars. Set by hand.
SMALLEST_EXEMPLAR_MM = 6.0
# Codes of lesion-free patches that neighbours are looked for among. Set by hand.
NORMAL_COUNT = 384
# Noise draws over which a decoded lesion is averaged before its shape is judged. Set by hand.
CHECK_DRAWS = 4
# An exemplar whose decoded difference is not a lesion of about the size it was shown at is left out.
DECODED_RANGE_MM = (11.0, 38.0)


def canonical_zoom(diameter_mm: float) -> float:
    """The zoom at which a lesion fills the patch as the networks know it best."""
    return float(np.clip(diameter_mm / CANONICAL_DIAMETER_MM, *ZOOM_RANGE))


def guess_kind(patch: Volume) -> str:
    """The kind of a lesion from its normalised patch, for data without labels of kinds."""
    z, y, x = (n // 2 for n in patch.shape)
    core = HU_SCALE * float(patch[z - 1 : z + 1, y - 2 : y + 2, x - 2 : x + 2].mean())
    if core < -75:
        return "cystic"
    radius = np.hypot(*np.meshgrid(np.arange(patch.shape[1]) - y, np.arange(patch.shape[2]) - x, indexing="ij"))
    rim = HU_SCALE * float(patch[z - 1 : z + 1][:, (radius > 5) & (radius < 10)].mean())
    return "ring_enhancing" if rim > 6 and core < -25 else "hypodense"


@dataclass(frozen=True)
class Lesions:
    """Lesions as a bank takes them, n in every part.

    ``patches`` (n, Z, Y, X) at their canonical zooms, normalised; ``diameters_mm`` and ``contrasts_hu`` (n,),
    ``profiles_hu`` (n, depths), ``kinds`` of LESION_KINDS.
    """

    patches: Volume
    kinds: list[str]
    diameters_mm: Volume
    contrasts_hu: Volume
    profiles_hu: Volume

    @classmethod
    def joined(cls, parts: Sequence[Lesions]) -> Lesions:
        """All lesions of several parts, in their order."""
        return cls(
            np.concatenate([part.patches for part in parts]),
            [kind for part in parts for kind in part.kinds],
            np.concatenate([part.diameters_mm for part in parts]),
            np.concatenate([part.contrasts_hu for part in parts]),
            np.concatenate([part.profiles_hu for part in parts]),
        )


def build_bank(generator: Generator, cases: list[LiverCase], *, seed: int) -> tuple[SignatureBank, SignatureSpace]:
    """Encode every lesion at its canonical zoom and random normal liver; keep exemplars that decode well.

    Raises TrainingError when the cases hold no lesion of 6 mm or no liver that is known to be normal,
    NoExemplarError when no lesion decodes to one.
    """
    known = lesions_to_learn(cases)
    lesions = measured(generator, known, np.random.default_rng([seed, 871]))
    normal_codes = generator.encode(normal_patches(generator, cases, NORMAL_COUNT, seed=seed))
    bank, lesion_codes, _ = bank_of(generator, lesions, normal_codes, seed=seed)
    return bank, SignatureSpace.fit(np.concatenate([lesion_codes, normal_codes]))


def lesions_to_learn(cases: Sequence[LiverCase]) -> list[tuple[LiverCase, LesionRecord]]:
    """The lesions that a trained generator gets as exemplars, each with its case.

    Asked before a training, because its end needs them. Raises TrainingError when there are none, or no liver that
    is known to be normal.
    """
    known = [(c, r) for c in cases for r in c.lesions if r.diameter_mm >= SMALLEST_EXEMPLAR_MM]
    if not known:
        raise TrainingError("The training cases hold no lesion of 6 mm or more to learn directions from.")
    of_population(cases, "normal")
    return known


def measured(
    generator: Generator, known: Sequence[tuple[LiverCase, LesionRecord]], rng: np.random.Generator
) -> Lesions:
    """Patches, kinds, sizes and profiles of lesions; one at least."""
    patches = np.stack([_patch(generator, c, r, canonical_zoom(r.diameter_mm), rng) for c, r in known])
    profiles = [exemplar_profile(c, r) for c, r in known]
    return Lesions(
        patches=patches,
        kinds=[r.kind or guess_kind(p) for (_, r), p in zip(known, patches, strict=True)],
        diameters_mm=np.array([r.diameter_mm for _, r in known], np.float32),
        contrasts_hu=np.array([contrast for _, contrast in profiles], np.float32),
        profiles_hu=np.stack([profile for profile, _ in profiles]),
    )


def normal_patches(generator: Generator, cases: list[LiverCase], count: int, *, seed: int) -> Volume:
    """Patches (count, Z, Y, X) of liver that is known to be normal; raises TrainingError where there is none."""
    sampler = PatchSampler(cases, generator.net, population="normal", seed=seed + 1)
    return sampler.batch(count)[:, 0]


def bank_of(
    generator: Generator, lesions: Lesions, normal_codes: Codes, *, seed: int
) -> tuple[SignatureBank, Codes, NDArray[np.int64]]:
    """The bank of those lesions that decode to lesions among normal codes (m, d), the codes (n, d) of all, and which.

    Raises NoExemplarError when none decodes to a lesion.
    """
    lesion_codes = generator.encode(lesions.patches)
    neighbours = NormalNeighbours(lesion_codes, normal_codes)
    matched = np.stack([neighbours.nearest(code) for code in lesion_codes])
    good = np.arange(len(lesion_codes))
    if generator.net.volumetric:
        difference = generator.decode_difference_hu(matched, lesion_codes, seed=seed, draws=CHECK_DRAWS)
        shapes = [shape_of_difference(d, generator.net.spacing_zyx_mm) for d in difference]
        low, high = DECODED_RANGE_MM
        good = np.flatnonzero([s is not None and low <= s.diameter_mm <= high for s in shapes])
    if not len(good):
        raise NoExemplarError("No exemplar decodes to a lesion; train longer.")
    bank = SignatureBank(
        lesion_codes=lesion_codes[good],
        directions=(lesion_codes - matched)[good],
        kinds=np.array([LESION_KINDS.index(k) for k in lesions.kinds], np.int64)[good],
        diameters_mm=lesions.diameters_mm[good],
        contrasts_hu=lesions.contrasts_hu[good],
        profiles_hu=lesions.profiles_hu[good],
        normal_codes=normal_codes,
    )
    return bank, lesion_codes, good


def exemplar_profile(case: LiverCase, lesion: LesionRecord) -> tuple[Volume, float]:
    """A lesion's HU against the liver around it over depth, and its mean contrast (HU).

    Vessels and other lesions outside it do not count; the profile fades to zero outside.
    """
    spacing = case.grid.spacing_zyx_mm
    reach = [0.6 * lesion.diameter_mm + 16] * 3
    box = case.grid.box_around(lesion.centre_zyx, half_extent_zyx_mm=reach)
    hu, labels, liver = case.hu[box].astype(np.float32), case.labels[box], case.liver[box]
    inside = labels == lesion.label
    depth = signed_depth_mm(inside, spacing)
    tissue = liver & ((labels == 0) | inside) & (inside | (np.abs(hu - case.level_hu) < 60))
    around = tissue & (depth < -3) & (depth > -15)
    level = float(np.median(hu[around])) if around.sum() >= 30 else case.level_hu
    profile = depth_profile(hu[tissue] - level, depth[tissue]) * outer_fade(PROFILE_DEPTHS_MM)
    return profile, float(hu[inside].mean() - level)


def _patch(
    generator: Generator, case: LiverCase, lesion: LesionRecord, zoom: float, rng: np.random.Generator
) -> Volume:
    frame = PatchFrame(generator.net, case.grid.spacing_zyx_mm, lesion.centre_zyx, zoom)
    return extract(case, frame, rng)
