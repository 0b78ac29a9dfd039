"""What defines the networks; stored in the generator's card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class NetConfig:
    """Sizes of encoder, decoder and critics.

    ``patch_zyx`` must be divisible by 8. ``noise`` switches the decoder's noise maps (the implicit p(x|z, n));
    without it the decoder is deterministic, as a plain autoencoder's.
    """

    patch_zyx: tuple[int, int, int] = (16, 40, 40)
    spacing_zyx_mm: tuple[float, float, float] = (2.5, 1.4, 1.4)
    width: int = 16
    code_size: int = 64
    noise: bool = True

    def __post_init__(self) -> None:
        if any(n % 8 for n in self.patch_zyx):
            raise ValueError("The patch size must be divisible by 8.")

    @property
    def channels(self) -> tuple[int, int, int, int]:
        """Feature channels from full to eighth resolution."""
        w = self.width
        return w, 2 * w, 3 * w, 4 * w

    @property
    def coarse_zyx(self) -> tuple[int, int, int]:
        """The patch at an eighth of the resolution."""
        z, y, x = self.patch_zyx
        return z // 8, y // 8, x // 8

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
