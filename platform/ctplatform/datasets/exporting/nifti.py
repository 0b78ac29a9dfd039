"""A scan and its masks as NIfTI, which every research program reads and whose header has room for one line."""

from collections.abc import Iterable
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from isal import isal_zlib

from ctplatform.datasets.exporting.described import DescribedMask, DescribedScan
from ctplatform.datasets.scans.voxels import GZIP_LEVEL, HU_DTYPE, LABEL_DTYPE
from ml.scans.volume_io import nifti_header

# zlib's number for its widest window within gzip's head and tail.
IN_GZIP = 31


def write_ct(scan: DescribedScan, target: IO[bytes]) -> None:
    note = f"SYNTHETIC DATA: {scan.synthesis.description}" if scan.synthesis else "acquired, de-identified"
    _write(target, nifti_header(scan.grid, HU_DTYPE, note=note), scan.planes(), HU_DTYPE)


def write_mask(scan: DescribedScan, mask: DescribedMask, target: IO[bytes]) -> None:
    """One file a kind; lesions keep their numbers."""
    note = f"{mask.kind} mask, {mask.made_by}"
    _write(target, nifti_header(scan.grid, LABEL_DTYPE, note=note), scan.label_planes(mask), LABEL_DTYPE)


def _write(target: IO[bytes], header: bytes, planes: Iterable[npt.NDArray[np.generic]], dtype: np.dtype[Any]) -> None:
    """Slice by slice: a scan may be larger than what a worker may hold."""
    packing = isal_zlib.compressobj(GZIP_LEVEL, wbits=IN_GZIP)
    target.write(packing.compress(header))
    for plane in planes:
        target.write(packing.compress(np.ascontiguousarray(plane, dtype).tobytes()))
    target.write(packing.flush())
