"""A scan and its masks as NIfTI, which every research program reads and whose header has room for one line."""

from pathlib import Path

import numpy as np

from ctplatform.datasets.exporting.described import DescribedScan
from ml.scans.volume_io import write_volume


def write_ct(scan: DescribedScan, path: Path) -> None:
    note = f"SYNTHETIC DATA: {scan.synthesis.description}" if scan.synthesis else "acquired, de-identified"
    write_volume(path, np.stack(list(scan.planes())), scan.grid, note=note)


def write_masks(scan: DescribedScan, folder: Path) -> None:
    """One file a kind; lesions keep their numbers."""
    for mask in scan.masks:
        note = f"{mask.kind} mask, {mask.made_by}"
        write_volume(folder / f"{mask.kind}.nii.gz", scan.labels(mask), scan.grid, note=note)
