"""Write phantoms as files: ``python -m ml.phantom --count N --seed S --out DIR``."""

from __future__ import annotations

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ml.errors import command_line
from ml.geometry import sphere_diameter_mm
from ml.phantom import PhantomConfig, PhantomVolume, make_phantom
from ml.scans.volume_io import write_volume


def describe(phantom: PhantomVolume) -> dict[str, Any]:
    """What is written beside the volumes: seed, acquisition, grid and lesions in patient millimetres."""
    voxel_ml = phantom.grid.voxel_volume_mm3 / 1000
    lesions = []
    for lesion in phantom.lesions:
        inside = phantom.labels == lesion.label
        centre = phantom.grid.to_world(np.argwhere(inside).mean(0))
        volume_ml = float(inside.sum() * voxel_ml)
        diameter_mm = sphere_diameter_mm(1000 * volume_ml)
        lesions.append(
            {**lesion.to_dict(), "centroid_lps_mm": centre.tolist(), "volume_ml": volume_ml, "diameter_mm": diameter_mm}
        )
    return {"seed": phantom.seed, "grid": phantom.grid.to_dict(), "acquisition": phantom.config, "lesions": lesions}


def write_phantom(phantom: PhantomVolume, folder: Path) -> None:
    """CT, lesion-free twin, liver, numbered lesions and vessels as NIfTI, the description as JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = {
        "ct": phantom.hu,
        "lesion_free": phantom.lesion_free_hu,
        "liver": phantom.liver,
        "lesions": phantom.labels,
        "vessels": phantom.vessels,
    }
    for name, array in parts.items():
        write_volume(folder / f"{name}.nii.gz", array, phantom.grid)
    (folder / "phantom.json").write_text(json.dumps(describe(phantom), indent=2) + "\n")


def make_and_write(seed: int, folder: Path, config: PhantomConfig) -> str:
    """One phantom from seed to files; returns a line for the log."""
    phantom = make_phantom(seed, config)
    write_phantom(phantom, folder)
    return f"{folder.name}: {len(phantom.lesions)} lesions, {phantom.config['phase']}, {phantom.config['kernel']}"


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m ml.phantom", description=__doc__)
    parser.add_argument("--count", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0, help="first seed; phantom n has seed + n")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--slices", type=int, default=PhantomConfig.size_zyx[0])
    parser.add_argument("--pixels", type=int, default=PhantomConfig.size_zyx[1])
    parser.add_argument("--slice-mm", type=float, default=PhantomConfig.slice_mm, help="0 draws it from the seed")
    parser.add_argument("--phase", choices=("portal", "arterial", "plain"))
    parser.add_argument("--kernel", choices=("soft", "standard", "sharp"))
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args(arguments)
    config = PhantomConfig(
        size_zyx=(options.slices, options.pixels, options.pixels),
        slice_mm=options.slice_mm or None,
        phase=options.phase,
        kernel=options.kernel,
    )
    seeds = [options.seed + n for n in range(options.count)]
    folders = [options.out / f"phantom_{seed:05d}" for seed in seeds]
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "config.json").write_text(json.dumps(asdict(config), indent=2) + "\n")
    with ProcessPoolExecutor(max_workers=options.jobs) as pool:
        for line in pool.map(make_and_write, seeds, folders, [config] * len(seeds)):
            print(line, flush=True)


if __name__ == "__main__":
    command_line(main)
