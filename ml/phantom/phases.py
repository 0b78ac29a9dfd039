"""Attenuation of organs and vessels in three contrast phases."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PhaseHu:
    """Attenuation of one contrast phase in HU."""

    liver: tuple[float, float]
    vessel_over_liver: tuple[float, float]
    aorta: float
    vena_cava: float
    kidney_cortex: tuple[float, float]
    kidney_medulla: float
    spleen: tuple[float, float]
    pancreas: float
    bowel_wall: float


# HU; a pair is a range that is drawn from.
PHASES: dict[str, PhaseHu] = {
    "portal": PhaseHu((98, 116), (48, 72), 152, 138, (165, 190), 140, (112, 130), 95, 78),
    "arterial": PhaseHu((68, 84), (14, 34), 285, 88, (175, 215), 95, (110, 140), 105, 85),
    "plain": PhaseHu((54, 64), (-18, -10), 42, 40, (32, 36), 34, (46, 52), 40, 42),
}
