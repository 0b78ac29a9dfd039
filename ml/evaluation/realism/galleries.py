"""Galleries of edits: before, after and difference in three planes, in a liver window and in physical proportions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.editing import remove_lesion
from ml.errors import EditError
from ml.evaluation.realism.places import SMALLEST_MM, Place, Scan, insertion_places, try_insert
from ml.generator.model import Generator
from ml.patches.case import LiverCase
from ml.scans.cases import CaseFiles, load_case, load_twin

# A liver window (HU).
WINDOW_HU = (-15.0, 185.0)
# Differences are shown from minus to plus this.
DIFFERENCE_HU = 60.0
# Half of a picture's side (mm).
HALF_MM = 32.0
PLANES = ("axial", "coronal", "sagittal")


def write_galleries(
    scans: list[CaseFiles], generator: Generator, folder: Path, *, count: int = 6, seed: int = 0
) -> list[Path]:
    """Write ``insertion_N.png`` and ``removal_N.png`` for up to ``count`` examples each; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    found: dict[str, list[Path]] = {"insertion": [], "removal": []}
    for number in np.random.default_rng([seed, 91]).permutation(len(scans)):
        if min(len(paths) for paths in found.values()) >= count:
            break
        left = {what: count - len(paths) for what, paths in found.items()}
        # A scan or two only must give all examples; many give one each, so that they differ.
        per_scan = max(1, -(-count // len(scans)))
        examples = _examples(scans[number], generator, most={w: min(n, per_scan) for w, n in left.items()}, seed=seed)
        for what, case, before, after, centre, title in examples:
            path = folder / f"{what}_{len(found[what]) + 1}.png"
            gallery_figure(before, after, case.grid.spacing_zyx_mm, centre, path, title=title)
            found[what].append(path)
    return found["insertion"] + found["removal"]


Example = tuple[str, LiverCase, Scan, Scan, NDArray[np.float64], str]


def _examples(files: CaseFiles, generator: Generator, *, most: dict[str, int], seed: int) -> list[Example]:
    case = load_case(files)
    twin = load_twin(files, case.grid)
    places = insertion_places(case, twin, seed=seed)[: most["insertion"]]
    inserted = [_insertion(case, case.hu if twin is None else twin, place, generator) for place in places]
    large = [record for record in case.lesions if record.diameter_mm >= SMALLEST_MM]
    removed = [_removal(case, record.label, generator, seed=seed) for record in large[: most["removal"]]]
    good = [example for example in inserted if example is not None]
    return good + [example for example in removed if example is not None]


def _insertion(case: LiverCase, source: Scan, place: Place, generator: Generator) -> Example | None:
    result = try_insert(case, source, place, generator)
    if result is None:
        return None
    spec = place.spec
    title = f"inserted: {spec.kind.replace('_', ' ')}, {spec.diameter_mm:.0f} mm, {spec.contrast_hu:.0f} HU"
    return "insertion", case, source, result.apply(source), place.centre, title


def _removal(case: LiverCase, label: int, generator: Generator, *, seed: int) -> Example | None:
    mask = case.labels == label
    try:
        result = remove_lesion(
            case.hu, case.grid, liver_mask=case.liver, lesion_mask=mask, generator=generator, seed=seed
        )
    except EditError:
        # A gallery shows what the editor makes; what it refuses is no example of it.
        return None
    title = f"removed: {result.measured['diameter_mm']:.0f} mm"
    return "removal", case, case.hu, result.apply(case.hu), np.argwhere(mask).mean(0), title


def plane_of(
    volume: NDArray[np.generic], spacing_zyx_mm: tuple[float, float, float], centre_zyx: NDArray[np.float64], plane: int
) -> tuple[NDArray[np.generic], tuple[float, float, float, float]]:
    """A slice through the centre, 64 mm wide, and its extent in mm about it (left, right, bottom, top).

    ``plane`` 0 is axial, 1 coronal, 2 sagittal; head is up in the latter two where slices go from feet to head.
    """
    rows, columns = [axis for axis in range(3) if axis != plane]
    index: list[Any] = [0, 0, 0]
    edges: dict[int, tuple[float, float]] = {}
    index[plane] = int(np.clip(np.rint(centre_zyx[plane]), 0, volume.shape[plane] - 1))
    for axis in (rows, columns):
        reach = HALF_MM / spacing_zyx_mm[axis]
        start = max(0, int(np.floor(centre_zyx[axis] - reach)))
        stop = min(volume.shape[axis], int(np.ceil(centre_zyx[axis] + reach)) + 1)
        index[axis] = slice(start, stop)
        low, high = ((edge - 0.5 - centre_zyx[axis]) * spacing_zyx_mm[axis] for edge in (start, stop))
        edges[axis] = (float(low), float(high))
    (low, high), (left, right) = edges[rows], edges[columns]
    vertical = (high, low) if plane == 0 else (low, high)
    part = volume[tuple(index)]
    return (part if plane == 0 else part[::-1]), (left, right, *vertical)


def gallery_figure(
    before: Scan,
    after: Scan,
    spacing_zyx_mm: tuple[float, float, float],
    centre_zyx: NDArray[np.float64],
    path: Path,
    *,
    title: str,
) -> None:
    """Three rows (planes) of before, after and difference; axes in mm about the lesion."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(3, 3, figsize=(9, 9), layout="constrained")
    change = after.astype(np.float32) - before
    for row, plane in enumerate(PLANES):
        for column, (name, volume) in enumerate((("before", before), ("after", after), ("difference", change))):
            picture, extent = plane_of(volume, spacing_zyx_mm, centre_zyx, row)
            limits = WINDOW_HU if column < 2 else (-DIFFERENCE_HU, DIFFERENCE_HU)
            image = axes[row, column].imshow(
                picture,
                cmap="gray" if column < 2 else "RdBu_r",
                vmin=limits[0],
                vmax=limits[1],
                extent=extent,
                aspect="equal",
                interpolation="nearest",
            )
            axes[row, column].set_title(f"{plane}, {name}", fontsize=9)
            axes[row, column].tick_params(labelsize=7)
            if column:
                figure.colorbar(image, ax=axes[row, column], shrink=0.7, label="HU")
        axes[row, 0].set_ylabel("mm")
    for column in range(3):
        axes[2, column].set_xlabel("mm")
    figure.suptitle(title)
    figure.savefig(path, dpi=110)
    plt.close(figure)
