"""From a seed to a scanned phantom with its truth."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ml.geometry import Grid
from ml.patches.case import Volume
from ml.phantom.acquisition import Kernel, Scanner, acquire_pair
from ml.phantom.bones import paint_bones
from ml.phantom.bowel import paint_bowel
from ml.phantom.canvas import Canvas
from ml.phantom.chest import paint_chest
from ml.phantom.left_abdomen import paint_left_abdomen
from ml.phantom.lesions import LesionPainter, PhantomLesion
from ml.phantom.liver import paint_gallbladder, paint_liver, paint_vessels
from ml.phantom.organs import paint_great_vessels, paint_kidneys, paint_spleen
from ml.phantom.phases import PHASES, PhaseHu
from ml.phantom.table import paint_table
from ml.phantom.wall import paint_wall

Phase: TypeAlias = Literal["portal", "arterial", "plain"]
# Side of the scan (mm).
FIELD_OF_VIEW_MM = 320.0
# The most lesions that are drawn for one liver. Set by hand.
MAX_LESIONS = 9


@dataclass(frozen=True)
class PhantomConfig:
    """What is fixed about a phantom; None is drawn from the seed.

    ``size_zyx`` must be square in y and x. ``photons`` is the scanner's dose (8e4 noisy, 3e5 fine).
    """

    size_zyx: tuple[int, int, int] = (24, 256, 256)
    slice_mm: float | None = 3.0
    phase: Phase | None = None
    kernel: Kernel | None = None
    photons: float | None = None
    lesion_count: int | None = None


@dataclass(frozen=True)
class PhantomVolume:
    """A scanned phantom. Arrays have shape ``grid.size_zyx``.

    ``hu`` and ``lesion_free_hu`` are int16 scans with the same noise; ``clean_hu`` and ``clean_free_hu``
    are the objects without noise (float32). ``labels``: 0 background, n lesion n; ``liver`` includes lesions.
    """

    seed: int
    grid: Grid
    hu: NDArray[np.int16]
    lesion_free_hu: NDArray[np.int16]
    clean_hu: Volume
    clean_free_hu: Volume
    liver: NDArray[np.bool_]
    labels: NDArray[np.uint8]
    vessels: NDArray[np.bool_]
    lesions: list[PhantomLesion]
    config: dict[str, Any]


def make_phantom(seed: int, config: PhantomConfig | None = None) -> PhantomVolume:
    """Build and scan one abdomen; the same seed and configuration give the same voxels.

    On one kind of processor: on another the objects are the same and the noise is not, because counts of photons are
    random numbers that the last bit of what is expected changes.
    """
    asked = config or PhantomConfig()
    if asked.size_zyx[1] != asked.size_zyx[2]:
        raise ValueError("A phantom's slices are square.")
    rng = np.random.default_rng([seed, 20210622])
    phase, scanner, slice_mm = _draw_protocol(rng, asked)
    pixel_mm = FIELD_OF_VIEW_MM / asked.size_zyx[2]
    canvas = Canvas(rng, asked.size_zyx, (slice_mm, pixel_mm, pixel_mm), z0_mm=float(rng.uniform(-18, 22)))
    liver, vessels = _paint_abdomen(canvas, PHASES[phase])
    free = canvas.hu.copy()
    painter = LesionPainter(canvas, liver)
    count = asked.lesion_count if asked.lesion_count is not None else int(rng.integers(3, MAX_LESIONS + 1))
    painter.paint_some(count)
    scan, twin = acquire_pair(canvas.hu, free, rng=rng, pixel_mm=pixel_mm, scanner=scanner)
    settings = {**asdict(scanner), "phase": phase, "slice_mm": slice_mm, "liver_hu": liver.hu}
    return PhantomVolume(
        seed=seed,
        grid=_grid(asked.size_zyx, slice_mm, pixel_mm),
        hu=np.rint(scan).astype(np.int16),
        lesion_free_hu=np.rint(twin).astype(np.int16),
        clean_hu=canvas.hu,
        clean_free_hu=free,
        liver=liver.mask,
        labels=painter.labels,
        vessels=vessels,
        lesions=painter.lesions,
        config=settings,
    )


def _draw_protocol(rng: np.random.Generator, asked: PhantomConfig) -> tuple[Phase, Scanner, float]:
    phases: tuple[Phase, ...] = ("portal", "arterial", "plain")
    kernels: tuple[Kernel, ...] = ("soft", "standard", "sharp")
    phase = phases[rng.choice(3, p=(0.8, 0.12, 0.08))]
    kernel = kernels[rng.choice(3, p=(0.4, 0.45, 0.15))]
    photons = float(np.exp(rng.uniform(np.log(1.0e5), np.log(3.2e5))))
    slice_mm = float(rng.choice([2.0, 2.5, 3.0, 4.0, 5.0]))
    scanner = Scanner(photons=asked.photons or photons, kernel=asked.kernel or kernel)
    return asked.phase or phase, scanner, asked.slice_mm or slice_mm


def _paint_abdomen(canvas: Canvas, phase: PhaseHu) -> tuple[Any, NDArray[np.bool_]]:
    """Everything but lesions, back to front."""
    wall = paint_wall(canvas)
    paint_table(canvas, wall)
    paint_bowel(canvas, wall, phase)
    paint_left_abdomen(canvas, wall, phase)
    paint_spleen(canvas, wall, phase)
    liver = paint_liver(canvas, wall, phase)
    paint_gallbladder(canvas, liver)
    for kidney in paint_kidneys(canvas, wall, phase):
        liver.exclude(kidney, margin_mm=5.5)
    cava, aorta = paint_great_vessels(canvas, phase)
    liver.exclude(cava, margin_mm=2)
    liver.exclude(aorta, margin_mm=3)
    lungs = paint_chest(canvas, wall, phase, liver.depth_mm)
    liver.mask &= lungs <= -2
    paint_bones(canvas, wall)
    return liver, paint_vessels(canvas, liver, phase)


def _grid(size_zyx: tuple[int, int, int], slice_mm: float, pixel_mm: float) -> Grid:
    """The table's isocentre is the origin of the patient frame."""
    z, y, x = (-(n - 1) / 2 * s for n, s in zip(size_zyx, (slice_mm, pixel_mm, pixel_mm), strict=True))
    return Grid(size_zyx, (slice_mm, pixel_mm, pixel_mm), (x, y, z))
