"""Small synthetic volumes for tests: cheap, deterministic, and CT at a glance."""

import numpy as np

from ml.geometry import Grid

OBLIQUE_DEGREES = 20.0


def small_grid(size_zyx=(6, 24, 32), spacing_zyx_mm=(3.0, 1.25, 1.25), *, oblique=False, origin=(-20.0, -15.0, 100.0)):
    angle = np.deg2rad(OBLIQUE_DEGREES if oblique else 0.0)
    cos, sin = float(np.cos(angle)), float(np.sin(angle))
    return Grid(size_zyx, spacing_zyx_mm, origin, (1.0, 0.0, 0.0, 0.0, cos, -sin, 0.0, sin, cos))


def small_ct(grid, seed=0):
    """Air around a body of 60 HU with noise; every seed gives other voxels."""
    noise = np.random.default_rng(seed).normal(0, 12, grid.size_zyx)
    volume = np.where(liver_box(grid, margin=2), 60 + noise, -1000 + noise / 4)
    return np.clip(np.rint(volume), -1024, 3071).astype(np.int16)


def liver_box(grid, margin=5):
    """A block that stays clear of the edges of every slice."""
    mask = np.zeros(grid.size_zyx, dtype=bool)
    mask[:, margin:-margin, margin:-margin] = True
    return mask


def ball(grid, centre_zyx, diameter_mm):
    index = np.stack(np.indices(grid.size_zyx), axis=-1)
    distance_mm = np.linalg.norm((index - np.asarray(centre_zyx)) * np.asarray(grid.spacing_zyx_mm), axis=-1)
    return distance_mm <= diameter_mm / 2
