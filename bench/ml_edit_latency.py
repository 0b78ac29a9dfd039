"""Latency of one warm edit against the lesion's and the volume's size, start-up and peak memory.

The reference, timed in the same run, is a Gaussian filter (sigma 2 voxels) of a 96-voxel cube of float32 with
SciPy: it makes numbers from different machines and loads comparable. Wall clock is the best of several runs;
processor time counts all threads. Start-up is measured in fresh processes, best of three.
Run: python bench/ml_edit_latency.py
"""

import json
import subprocess
import sys
import time

import numpy as np
from scipy import ndimage

from ml.editing import LesionSpec, insert_lesion, remove_lesion
from ml.generator.files import load_generator
from ml.geometry import Grid

REPEATS = 9
STARTS = 3
START = """
import json, resource, time
began = time.perf_counter()
import numpy as np
from ml.generator.files import load_generator
from ml.editing import LesionSpec, insert_lesion
from ml.geometry import Grid
imported = time.perf_counter()
generator = load_generator(device="cpu")
loaded = time.perf_counter()
grid = Grid((48, 180, 180), (1.5, 0.75, 0.75))
volume = (100 + 10 * np.random.default_rng(0).standard_normal(grid.size_zyx)).astype(np.int16)
spec = LesionSpec("hypodense", 22, -40, 1)
centre = grid.to_world([n // 2 for n in grid.size_zyx])
ready = time.perf_counter()
insert_lesion(volume, grid, liver_mask=volume > -2000, centre_lps_mm=centre, spec=spec, generator=generator)
edited = time.perf_counter() - ready
print(json.dumps({
    "what": "start",
    "import_s": round(imported - began, 2),
    "load_s": round(loaded - imported, 2),
    "first_edit_s": round(edited, 2),
    "total_s": round(loaded - began + edited, 2),
    "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
}))
"""


def start():
    """Import, loading and the first edit in the quickest of some fresh processes."""
    runs = [
        json.loads(subprocess.run([sys.executable, "-c", START], capture_output=True, text=True, check=True).stdout)
        for _ in range(STARTS)
    ]
    return min(runs, key=lambda run: run["total_s"])


def timed(function):
    """Best of several runs in milliseconds: wall clock and processor time."""
    function()
    wall, cpu = [], []
    for _ in range(REPEATS):
        began, used = time.perf_counter(), time.process_time()
        function()
        wall.append(time.perf_counter() - began)
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


def edits(slices, generator):
    """Insertion and removal of three sizes in a volume of some slices, as (what, diameter, function)."""
    volume, grid, liver = scene(slices)
    centre = grid.to_world([n // 2 for n in grid.size_zyx])
    shared = {"liver_mask": liver, "generator": generator}
    for diameter in (8, 22, 44):
        spec = LesionSpec("hypodense", diameter, -40, 1)

        def insert(spec=spec):
            return insert_lesion(volume, grid, centre_lps_mm=centre, spec=spec, **shared)

        result = insert()
        edited, mask = result.apply(volume), result.paste_mask(volume.shape, what="lesion")

        def remove(edited=edited, mask=mask):
            return remove_lesion(edited, grid, lesion_mask=mask, seed=1, **shared)

        yield "insert", diameter, insert
        yield "remove", diameter, remove


def main():
    print(json.dumps(start()), flush=True)
    generator = load_generator(device="cpu")
    cube = np.random.default_rng(0).standard_normal((96, 96, 96)).astype(np.float32)
    for slices in (60, 200):
        for what, diameter, function in edits(slices, generator):
            # Beside every edit, because other work on the machine comes and goes.
            reference, _ = timed(lambda: ndimage.gaussian_filter(cube, 2))
            wall, cpu = timed(function)
            row = {"what": what, "slices": slices, "diameter_mm": diameter, "wall_ms": wall, "cpu_ms": cpu}
            print(json.dumps(row | {"reference_ms": reference, "ratio": round(wall / reference, 2)}), flush=True)


if __name__ == "__main__":
    main()
