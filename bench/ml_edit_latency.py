"""Latency of one warm edit against the lesion's and the volume's size, as a ratio to a fixed reference.

The reference, timed in the same run, is a Gaussian filter (sigma 2 voxels) of a 96-voxel cube of float32 with
SciPy: it makes numbers from different machines and loads comparable. Run: python bench/ml_edit_latency.py
"""

import json
import time

import numpy as np
from scipy import ndimage

from ml.artefact import load_generator
from ml.editing import LesionSpec, insert_lesion, remove_lesion
from ml.geometry import Grid

REPEATS = 7


def timed(function):
    """Best of several runs in milliseconds: wall clock and processor time."""
    function()
    wall, cpu = [], []
    for _ in range(REPEATS):
        start, used = time.perf_counter(), time.process_time()
        function()
        wall.append(time.perf_counter() - start)
        cpu.append(time.process_time() - used)
    return round(1000 * min(wall), 1), round(1000 * min(cpu), 1)


def scene(slices, pixels=512):
    """A noisy liver ball in an int16 volume of 0.75 x 0.75 x 1.5 mm voxels."""
    rng = np.random.default_rng(0)
    grid = Grid((slices, pixels, pixels), (1.5, 0.75, 0.75))
    z, y, x = (np.arange(n) - n // 2 for n in grid.size_zyx)
    liver = ((1.5 * z[:, None, None]) ** 2 + (0.75 * y[:, None]) ** 2 + (0.75 * x) ** 2) < 70**2
    slab = (100 + ndimage.gaussian_filter(rng.standard_normal((pixels, pixels)), 0.8) * 40).astype(np.int16)
    return np.broadcast_to(slab, grid.size_zyx).copy(), grid, liver


def main():
    start = time.perf_counter()
    generator = load_generator(device="cpu")
    rows = [{"what": "load", "wall_ms": round(1000 * (time.perf_counter() - start), 1)}]
    cube = np.random.default_rng(0).standard_normal((96, 96, 96)).astype(np.float32)
    reference_wall, reference_cpu = timed(lambda: ndimage.gaussian_filter(cube, 2))
    rows.append({"what": "reference", "wall_ms": reference_wall, "cpu_ms": reference_cpu})
    for slices in (60, 200):
        volume, grid, liver = scene(slices)
        centre = grid.to_world([n // 2 for n in grid.size_zyx])
        for diameter in (8, 22, 44):
            spec = LesionSpec("hypodense", diameter, -40, 1)

            def insert(volume=volume, grid=grid, liver=liver, spec=spec, centre=centre):
                return insert_lesion(
                    volume, grid, liver_mask=liver, centre_lps_mm=centre, spec=spec, generator=generator
                )

            result = insert()
            edited, mask = result.apply(volume), result.paste_mask(volume.shape, what="lesion")

            def remove(edited=edited, grid=grid, liver=liver, mask=mask):
                return remove_lesion(edited, grid, liver_mask=liver, lesion_mask=mask, generator=generator, seed=1)

            for what, function in (("insert", insert), ("remove", remove)):
                wall, cpu = timed(function)
                rows.append(
                    {
                        "what": what,
                        "slices": slices,
                        "diameter_mm": diameter,
                        "wall_ms": wall,
                        "cpu_ms": cpu,
                        "cpu_ratio": round(cpu / reference_cpu, 2),
                    }
                )
    for row in rows:
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
