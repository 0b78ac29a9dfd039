"""What defines the networks; stored in the generator's card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

# Halvings from the patch to the coarsest features.
LEVELS = 3
# Thinner patches (mm) cannot carry a lesion.
SMALLEST_EDITING_DEPTH_MM = 24.0


@dataclass(frozen=True)
class NetConfig:
    """Sizes of encoder, decoder and critics.

    ``patch_zyx`` must be divisible by 8 in the plane. Across slices every level halves an even number and keeps
    an odd one: 1 slice is the two-dimensional network, an odd slab of a few slices the one between, a multiple
    of 8 the three-dimensional one. ``noise`` switches the decoder's noise maps (the implicit p(x|z, n));
    without it the decoder is deterministic, as a plain autoencoder's.
    """

    patch_zyx: tuple[int, int, int] = (16, 40, 40)
    spacing_zyx_mm: tuple[float, float, float] = (2.5, 1.4, 1.4)
    width: int = 16
    code_size: int = 64
    noise: bool = True

    def __post_init__(self) -> None:
        if any(n % 8 for n in self.patch_zyx[1:]) or min(self.patch_zyx) < 1:
            raise ValueError("The patch size must be divisible by 8 in the plane.")
        if self.patch_zyx[1] != self.patch_zyx[2]:
            raise ValueError("A patch is square in the plane, so that it can be turned.")

    @property
    def channels(self) -> tuple[int, int, int, int]:
        """Feature channels from full to eighth resolution."""
        w = self.width
        return w, 2 * w, 3 * w, 4 * w

    @property
    def slice_strides(self) -> tuple[int, int, int]:
        """By how much each of the three levels shrinks the number of slices: 2 where it is even, else 1."""
        slices, strides = self.patch_zyx[0], []
        for _ in range(LEVELS):
            strides.append(2 if slices % 2 == 0 else 1)
            slices //= strides[-1]
        return strides[0], strides[1], strides[2]

    @property
    def kernel_zyx(self) -> tuple[int, int, int]:
        """The convolutions' size; a single slice has no neighbours to look at."""
        return (1 if self.patch_zyx[0] == 1 else 3), 3, 3

    @property
    def padding_zyx(self) -> tuple[int, int, int]:
        """Padding that keeps the size at stride 1."""
        return self.kernel_zyx[0] // 2, 1, 1

    @property
    def volumetric(self) -> bool:
        """Whether decoded patches are deep enough to carry a lesion (needed for editing, not for signatures)."""
        return self.patch_zyx[0] * self.spacing_zyx_mm[0] >= SMALLEST_EDITING_DEPTH_MM

    @property
    def coarse_zyx(self) -> tuple[int, int, int]:
        """The patch at an eighth of the resolution in the plane, fewer slices where they could be halved."""
        z, y, x = self.patch_zyx
        a, b, c = self.slice_strides
        return z // (a * b * c), y // 8, x // 8

    @property
    def coarse_features(self) -> int:
        """Number of features at an eighth of the resolution."""
        z, y, x = self.coarse_zyx
        return self.channels[3] * z * y * x

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready description."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> NetConfig:
        """The configuration described by ``to_dict``."""
        z, y, x = (int(n) for n in values["patch_zyx"])
        sz, sy, sx = (float(s) for s in values["spacing_zyx_mm"])
        return cls((z, y, x), (sz, sy, sx), int(values["width"]), int(values["code_size"]), bool(values["noise"]))
