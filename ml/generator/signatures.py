"""Digital signatures: the codes of liver patches, their principal components and the lesion directions."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ml.scans.lesions import LESION_KINDS, LesionKind
from ml.settled import STEP_SCORE, settled

Codes: TypeAlias = NDArray[np.float32]

# Normal codes that are averaged to one without a lesion. Set by hand.
NEAREST_NORMALS = 8
# Directions that tell lesions from normal liver best are left out when neighbours are looked for. Set by hand.
SEPARATING_COMPONENTS = 12


@dataclass(frozen=True)
class SignatureSpace:
    """Principal components of codes: ``mean`` (d,), ``components`` (k, d), ``explained_variance_ratio`` (k,)."""

    mean: Codes
    components: Codes
    explained_variance_ratio: Codes

    @classmethod
    def fit(cls, codes: Codes, count: int | None = None) -> SignatureSpace:
        """PCA by singular value decomposition; each component's largest weight is positive."""
        mean = codes.mean(0)
        centred = (codes - mean).astype(np.float64)
        _, singular, rows = np.linalg.svd(centred, full_matrices=False)
        largest = np.take_along_axis(rows, np.abs(rows).argmax(1)[:, None], 1)
        ratio = singular**2 / (singular**2).sum()
        signed = rows * np.sign(largest)
        return cls(mean.astype(np.float32), signed[:count].astype(np.float32), ratio[:count].astype(np.float32))

    def coordinates(self, codes: Codes) -> Codes:
        """Codes (n, d) in components (n, k)."""
        return ((codes - self.mean).astype(np.float64) @ self.components.T).astype(np.float32)

    def codes(self, coordinates: Codes) -> Codes:
        """Back from components to codes."""
        return (coordinates @ self.components + self.mean).astype(np.float32)


@dataclass(frozen=True)
class SignatureBank:
    """Codes of exemplar lesions and of normal liver, seen at zooms at which every lesion is about equally large.

    ``directions`` are each lesion's code minus the mean of the normal codes nearest to it in the components
    that do not tell lesions from normal liver. ``kinds`` index LESION_KINDS; diameters are in mm, contrasts
    (mean over the lesion against the liver around) in HU; ``profiles_hu`` are the exemplars' HU against the
    liver over ``ml.generator.shapes.PROFILE_DEPTHS_MM``.
    """

    lesion_codes: Codes
    directions: Codes
    kinds: NDArray[np.int64]
    diameters_mm: Codes
    contrasts_hu: Codes
    profiles_hu: Codes
    normal_codes: Codes

    def of_kind(self, kind: LesionKind) -> NDArray[np.int64]:
        """Indices of the exemplars of a kind."""
        return np.flatnonzero(self.kinds == LESION_KINDS.index(kind))

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """All arrays by name, for storage."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


class NormalNeighbours:
    """Finds the normal codes that share everything with a code but the lesion."""

    def __init__(self, lesion_codes: Codes, normal_codes: Codes) -> None:
        both = np.concatenate([lesion_codes, normal_codes])
        self.space = SignatureSpace.fit(both)
        self.normal_codes = normal_codes
        coordinates = self.space.coordinates(both)
        spread = coordinates.std(0) + 1e-6
        gap = np.abs(coordinates[: len(lesion_codes)].mean(0) - coordinates[len(lesion_codes) :].mean(0)) / spread
        separating = min(SEPARATING_COMPONENTS, len(gap) // 2)
        self.shared = np.sort(np.argsort(-settled(gap, STEP_SCORE), kind="stable")[separating:])
        self.normal_shared = coordinates[len(lesion_codes) :][:, self.shared]

    def nearest(self, code: Codes, count: int = NEAREST_NORMALS) -> Codes:
        """Mean of the ``count`` nearest normal codes of one code (d,)."""
        own = self.space.coordinates(code[None])[0, self.shared]
        distance = np.square(self.normal_shared - own, dtype=np.float64).sum(1)
        order = np.argsort(settled(distance, STEP_SCORE), kind="stable")
        nearest: Codes = self.normal_codes[order[:count]].mean(0)
        return nearest
