"""Insertion and removal of lesions; torch is loaded by the first edit, not by this import."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ml.editing.spec import EditResult, LesionSpec
from ml.errors import EditError
from ml.geometry import Grid
from ml.scans.lesions import LESION_KINDS, LesionKind

if TYPE_CHECKING:
    from ml.generator.files import Generator

# Counts up whenever the same order gives other voxels: what was measured of one editor holds for that one only.
# 1: edits in bfloat16; 2: in whole numbers; 3: vessels by kind, outlines at full resolution; 4: vessels pushed aside,
# uneven insides, rings that are seen, removals as even as the liver; 5: outlines fitted to drawn masks by size.
EDITOR_VERSION = 5

__all__ = ["EDITOR_VERSION", "LESION_KINDS", "EditResult", "LesionKind", "LesionSpec", "insert_lesion", "remove_lesion"]


def insert_lesion(
    volume_hu: NDArray[np.int16],
    grid: Grid,
    *,
    liver_mask: NDArray[np.bool_],
    centre_lps_mm: Sequence[float],
    spec: LesionSpec,
    generator: Generator,
    device: str = "auto",
    on_progress: Callable[[float], None] | None = None,
) -> EditResult:
    """Insert a lesion by the difference of two decoded signatures (residual transfer).

    Args:
        volume_hu: int16 HU, shape ``grid.size_zyx``; only the neighbourhood of the edit is read, so a
            memory map or a sub-volume with its own grid will do (leave 60 mm plus the lesion's diameter).
        grid: the volume's lattice.
        liver_mask: bool, same shape.
        centre_lps_mm: the lesion's centre in patient millimetres; must lie in the liver.
        spec: kind, diameter, contrast and seed.
        generator: from ``ml.generator.files.load_generator``.
        device: "auto", "cpu" or "cuda".
        on_progress: called with fractions up to 1.0; may raise to cancel.

    Returns:
        The edit; what was asked for is measured again in ``measured``.

    Raises:
        PointOutsideLiverError: the centre is not in the liver.
        LesionDoesNotFitError: the liver around it is too small.
        SpecError: the generator has not learned this kind.
        EditError: no lesion of this contrast can be made here, or there is too little liver to learn from.
    """
    check_depth(generator)
    from ml.editing.insertion import insert
    from ml.editing.resampling import one_thread

    with one_thread():
        return insert(
            volume_hu,
            grid,
            liver_mask=liver_mask,
            centre_lps_mm=centre_lps_mm,
            spec=spec,
            generator=generator,
            device=device,
            on_progress=on_progress,
        )


def remove_lesion(
    volume_hu: NDArray[np.int16],
    grid: Grid,
    *,
    liver_mask: NDArray[np.bool_],
    lesion_mask: NDArray[np.bool_],
    generator: Generator,
    seed: int,
    device: str = "auto",
    on_progress: Callable[[float], None] | None = None,
) -> EditResult:
    """Remove one lesion: the signature moves to normal codes, what remains is filled with own noise.

    Args:
        volume_hu: int16 HU, shape ``grid.size_zyx``; a sub-volume with its own grid will do.
        grid: the volume's lattice.
        liver_mask: bool, same shape (with or without the lesion).
        lesion_mask: bool, same shape; exactly the lesion to remove.
        generator: from ``ml.generator.files.load_generator``.
        seed: varies the noise that is transplanted where a fill is needed.
        device: "auto", "cpu" or "cuda".
        on_progress: called with fractions up to 1.0; may raise to cancel.

    Returns:
        The edit; ``measured`` holds what is left of the lesion.

    Raises:
        NothingToRemoveError: the mask is empty.
        EditError: there is too little liver around the lesion to learn from, or it holds calcification.
    """
    check_depth(generator)
    from ml.editing.removal import remove
    from ml.editing.resampling import one_thread

    with one_thread():
        return remove(
            volume_hu,
            grid,
            liver_mask=liver_mask,
            lesion_mask=lesion_mask,
            generator=generator,
            seed=seed,
            device=device,
            on_progress=on_progress,
        )


def check_depth(generator: Generator) -> None:
    """Raises EditError for a generator whose patches are too thin to carry a lesion."""
    if not generator.net.volumetric:
        slices, spacing = generator.net.patch_zyx[0], generator.net.spacing_zyx_mm[0]
        raise EditError(
            f"This generator sees {slices} slices of {spacing:g} mm; a lesion needs more depth. It serves for "
            "signatures and classification; choose a three-dimensional one to edit with."
        )
