"""The generator's lesion for a place: an exemplar is chosen, decoded there, and measured in its own frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.editing.outlines import outlined
from ml.editing.spec import LesionSpec
from ml.errors import EditError, SpecError
from ml.generator.model import Generator
from ml.generator.shapes import DifferenceShape, shape_of_difference
from ml.generator.signatures import Codes, SignatureBank
from ml.parallel import in_parallel
from ml.patches.case import Volume
from ml.settled import STEP_SCORE, settled

# The best so many exemplars come in random order, and so many at most are decoded. Set by hand.
CANDIDATES, ATTEMPTS = 6, 4
# How rough a lesion's surface is against a hypodense one's: cysts are smooth.
ROUGHNESS = {"hypodense": 1.0, "cystic": 0.3, "ring_enhancing": 0.8}
# The inscribed sphere against the sphere of equal volume; a rounder lesion is looked for below this.
ROUND_ENOUGH = 0.62
NOTHING_SUITS = "The generator found no lesion that suits this place; try another seed or place."


@dataclass(frozen=True)
class DecodedLesion:
    """The generator's lesion in its own frame: depth (mm, about ``diameter_mm`` across).

    ``irregular`` (0 to 1) is how far it may be stretched.
    """

    depth_mm: Volume
    centre_zyx: tuple[float, float, float]
    diameter_mm: float
    spacing_zyx_mm: tuple[float, float, float]
    profile_hu: Volume
    exemplar: int
    irregular: float


class PlaceDecoder:
    """Decodes exemplars at a place; what the place's own signature ``code`` (1, d) decodes to is kept."""

    def __init__(self, generator: Generator, code: Codes) -> None:
        self.net, self.bank = generator.net, generator.bank
        self.generator, self.code = generator, code
        self.here: Volume | None = None

    def difference_hu(self, exemplar: int) -> Volume:
        """G(code + the exemplar's direction) - G(code), in HU and the patch's shape."""

        def there() -> Volume:
            return self.generator.decode_quietly_hu(self.code + self.bank.directions[exemplar])

        if self.here is not None:
            return there() - self.here
        here, lesion = in_parallel(lambda: self.generator.decode_quietly_hu(self.code), there)
        self.here = here
        return lesion - here


def rank_exemplars(bank: SignatureBank, spec: LesionSpec, rng: np.random.Generator) -> NDArray[np.int64]:
    """Exemplars of the asked kind, a random one of the best matching first; raises SpecError when there is none."""
    known = bank.of_kind(spec.kind)
    if not len(known):
        raise SpecError(f"This generator has not learned {spec.kind.replace('_', '-')} lesions.")
    size = np.abs(np.log(bank.diameters_mm[known].astype(np.float64) / spec.diameter_mm)) / 0.25
    contrast = np.abs(bank.contrasts_hu[known].astype(np.float64) - spec.contrast_hu) / 15
    best = known[np.argsort(settled(size + contrast, STEP_SCORE), kind="stable")]
    shuffled = best[:CANDIDATES][rng.permutation(min(CANDIDATES, len(best)))]
    return np.concatenate([shuffled, best[CANDIDATES:]])


def decode_lesion(
    decoder: PlaceDecoder, spec: LesionSpec, rng: np.random.Generator, *, without: set[int], irregular: float
) -> DecodedLesion:
    """Move the place's signature along an exemplar's direction and decode the difference.

    ``without`` names exemplars that did not suit the place, ``irregular`` (0 to 1) is how far a shape may be made
    uneven. Raises EditError when no other decodes to a lesion.
    """
    bank, spacing = decoder.bank, decoder.net.spacing_zyx_mm
    best: tuple[int, DifferenceShape] | None = None
    candidates = [int(e) for e in rank_exemplars(bank, spec, rng) if e not in without]
    for exemplar in candidates[:ATTEMPTS]:
        shape = shape_of_difference(decoder.difference_hu(exemplar), spacing)
        if shape is None:
            continue
        if best is None or shape.roundness > best[1].roundness:
            best = (exemplar, shape)
        if shape.roundness >= ROUND_ENOUGH:
            break
    if best is None:
        raise EditError(NOTHING_SUITS)
    chosen, shape = best
    outline = outlined(shape, spacing, spec.diameter_mm, irregular * ROUGHNESS[spec.kind], rng)
    return DecodedLesion(
        depth_mm=outline.depth_mm,
        centre_zyx=outline.centre_zyx,
        diameter_mm=outline.diameter_mm,
        spacing_zyx_mm=outline.spacing_zyx_mm,
        profile_hu=bank.profiles_hu[chosen],
        exemplar=chosen,
        irregular=irregular,
    )
