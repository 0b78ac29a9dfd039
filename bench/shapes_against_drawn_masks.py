"""Are the outlines of inserted lesions those of drawn ones? A two-sample test of shapes, sizes and lattices matched.

Run: python -m bench.shapes_against_drawn_masks --masks lesion_masks.npz [--lesions lesions.csv] [--half odd]
The masks are single lesions of the LiTS training set as packed bits (x, y, z) with their shapes and spacings; the table
tells which of them touch the liver's surface, and these are left out. What the editor's constants were fitted to are
cases of even numbers.
"""

import argparse
import csv
from pathlib import Path

import numpy as np

from ml.editing import LesionSpec, insert_lesion
from ml.errors import EditError, command_line
from ml.evaluation.ranking import area_under_curve
from ml.evaluation.shape_measures import NAMES, shape_measures, shape_test
from ml.generator.files import load_generator
from ml.geometry import Grid, sphere_diameter_mm

SIZES_MM, LEAST_VOXELS, LEAST_SLICES = (6, 60), 40, 3
LIVER_HU, NOISE_HU, AROUND_MM = 105, 10, 28


def drawn_masks(path, table, odd):
    """(patient, mask zyx, spacing zyx) of the lesions that lie in the liver, in a fixed random order."""
    inner = None
    if table:
        with table.open() as lines:
            inner = {f"liver{int(r['case']):03d}_les{int(r['lesion']):03d}" for r in csv.DictReader(lines)
                     if r["touches_surface"] == "0"}  # fmt: skip
    with np.load(path) as arrays:
        names = [n for n in arrays.files if not n.endswith(("_shape", "_sp")) and (inner is None or n in inner)]
        names = [n for n in names if int(n[5:8]) % 2 == odd]
        for name in np.random.default_rng(0).permutation(names):
            shape = arrays[f"{name}_shape"]
            mask = np.unpackbits(arrays[name])[: int(np.prod(shape))].reshape(shape).astype(bool).transpose(2, 1, 0)
            if mask.sum() >= LEAST_VOXELS and min(mask.shape) >= LEAST_SLICES:
                yield name[:8], mask, tuple(float(s) for s in arrays[f"{name}_sp"])[::-1]


def inserted_mask(diameter_mm, spacing, seed, generator):
    """A lesion of this size in a plain noisy liver on this lattice; None where the editor refuses."""
    size = tuple(int(np.ceil((1.4 * diameter_mm + 2 * AROUND_MM) / s)) for s in spacing)
    grid, rng = Grid(size, spacing), np.random.default_rng(seed)
    hu = (LIVER_HU + NOISE_HU * rng.standard_normal(size)).astype(np.int16)
    try:
        return insert_lesion(
            hu,
            grid,
            liver_mask=np.ones(size, bool),
            centre_lps_mm=grid.to_world([n // 2 for n in size]),
            spec=LesionSpec("hypodense", diameter_mm, -45.0, seed),
            generator=generator,
        ).lesion_mask
    except EditError as error:
        print(f"{diameter_mm:.0f} mm: refused: {error}")
        return None


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--masks", type=Path, required=True)
    options.add_argument("--lesions", type=Path)
    options.add_argument("--half", choices=("even", "odd"), default="odd")
    options.add_argument("--count", type=int, default=140)
    asked = options.parse_args()
    generator, pairs = load_generator(device="cpu"), []
    for seed, (patient, mask, spacing) in enumerate(drawn_masks(asked.masks, asked.lesions, asked.half == "odd")):
        diameter = sphere_diameter_mm(float(mask.sum() * np.prod(spacing)))
        if seed == asked.count:
            break
        if not SIZES_MM[0] <= diameter <= SIZES_MM[1]:
            continue
        made = inserted_mask(float(diameter), spacing, seed, generator)
        if made is not None:
            pairs.append((patient, shape_measures(mask, spacing), shape_measures(made, spacing)))
    people, drawn, made = (list(column) for column in zip(*pairs, strict=True))
    result = shape_test(drawn, made, people)
    print(
        f"{len(pairs)} pairs of {len(set(people))} patients: AUC {result.auc:.3f} ({result.low:.3f}-{result.high:.3f})"
    )
    truth = np.repeat([0, 1], len(pairs))
    for name in NAMES:
        values = np.array([item[name] for item in drawn + made])
        middle = [np.median(values[truth == k]) for k in (0, 1)]
        print(f"{name:<18} drawn {middle[0]:.3f}  inserted {middle[1]:.3f}  AUC {area_under_curve(truth, values):.2f}")


if __name__ == "__main__":
    command_line(main)
