"""What the benchmarks of edits on real scans share: what they are asked for, which lesions count, pictures."""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ml.scans.cases import find_cases, load_case

SMALLEST_MM = 8.0


@dataclass(frozen=True)
class Asked:
    data: Path
    pictures: Path | None

    @classmethod
    def of_command_line(cls, description, *, of_every):
        options = argparse.ArgumentParser(description=description)
        options.add_argument("--data", type=Path, required=True)
        options.add_argument("--pictures", type=Path, help=f"before and after of every {of_every}")
        given = options.parse_args()
        if given.pictures:
            given.pictures.mkdir(parents=True, exist_ok=True)
        return cls(given.data, given.pictures)

    def cases(self):
        return (load_case(files) for files in find_cases(self.data))


def picture(case, edited, centre, path):
    """Before and after, axial above coronal, 90 mm wide, 160 HU about the liver."""
    from PIL import Image

    z, y, x = (int(v) for v in centre)
    sz, sy, sx = case.grid.spacing_zyx_mm
    columns = []
    for scan in (case.hu, edited):
        grey = np.clip((scan - (case.level_hu - 90)) / 160 * 255, 0, 255).astype(np.uint8)
        ry, rx, rz = (int(45 / s) for s in (sy, sx, sz))
        axial = grey[z, max(0, y - ry) : y + ry, max(0, x - rx) : x + rx]
        coronal = grey[max(0, z - rz) : z + rz, y, max(0, x - rx) : x + rx][::-1]
        parts = [Image.fromarray(v).resize((360, round(360 * v.shape[0] * s / (v.shape[1] * sx))), Image.BICUBIC)
                 for v, s in ((axial, sy), (coronal, sz))]  # fmt: skip
        columns.append(np.vstack([np.asarray(p) for p in parts]))
    Image.fromarray(np.hstack(columns)).save(path)
