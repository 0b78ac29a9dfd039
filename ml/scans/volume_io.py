"""Volumes and masks in files; the only place that imports SimpleITK."""

# SimpleITK ships no types.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import struct
import tempfile
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813 - the name everybody knows
from numpy.typing import NDArray

from ml.errors import VolumeError
from ml.geometry import Direction, Grid, same_grid

# Characters; NIfTI's field has 80 bytes, the last of them zero.
LONGEST_NOTE = 79
# Of a single file, with the four bytes that say that nothing else comes before the samples.
NIFTI_HEADER_BYTES = 352
# Where columns, rows and slices stand in it.
NIFTI_SIZE_AT = 42
SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".mha", ".mhd")

# ITK writes warnings with the file's name straight to stderr, and a file may be called after a person.
sitk.ProcessObject.SetGlobalWarningDisplay(False)


def read_volume(path: Path | str) -> tuple[NDArray[np.int16], Grid]:
    """Read a CT: int16 HU of shape (z, y, x) and its grid (LPS).

    Values are rounded and clipped to int16; not-a-number becomes -1024. Raises VolumeError for files that
    cannot be read, that are not three-dimensional or have sheared axes.
    """
    image = _opened(path)
    array = sitk.GetArrayFromImage(image)
    if array.dtype != np.int16:
        clean = np.nan_to_num(array.astype(np.float64), nan=-1024.0, posinf=32767.0, neginf=-32768.0)
        array = np.clip(np.rint(clean), -32768, 32767).astype(np.int16)
    return array, _grid(image)


def read_mask(path: Path | str, *, expected: Grid | None = None) -> tuple[NDArray[np.uint8], Grid]:
    """Read a label volume as uint8; raises VolumeError when it is not on the ``expected`` grid."""
    image = _opened(path)
    grid = _grid(image)
    if expected is not None and not same_grid(grid, expected):
        raise VolumeError("The mask does not lie on the same grid as its scan.")
    array = np.rint(sitk.GetArrayFromImage(image).astype(np.float64))
    if array.min() < 0 or array.max() > 255:
        raise VolumeError("A mask holds labels from 0 to 255.")
    return array.astype(np.uint8), grid


def write_volume(path: Path | str, array: NDArray[np.generic], grid: Grid, *, note: str = "") -> None:
    """Write an array of shape ``grid.size_zyx``; the suffix chooses NIfTI, NRRD or MHA (compressed).

    bool is written as uint8. ``note`` becomes the description in the header, cut to what fits in NIfTI's.
    Raises VolumeError for another suffix or shape.
    """
    target = Path(path)
    if not target.name.lower().endswith(SUFFIXES):
        raise VolumeError(f"A volume is written as one of {', '.join(SUFFIXES)}.")
    if array.shape != grid.size_zyx:
        raise VolumeError(f"The array {array.shape} does not have the grid's size {grid.size_zyx}.")
    image = sitk.GetImageFromArray(array.astype(np.uint8) if array.dtype == np.bool_ else array)
    image.SetSpacing(grid.spacing_zyx_mm[::-1])
    image.SetOrigin(grid.origin_lps_mm)
    image.SetDirection(grid.direction)
    if note:
        image.SetMetaData("ITK_FileNotes", note.encode("ascii", "replace").decode()[:LONGEST_NOTE])
    try:
        sitk.WriteImage(image, str(target), useCompression=True)
    except RuntimeError as error:
        raise VolumeError(f"{target.name} cannot be written.") from error


def nifti_header(grid: Grid, dtype: np.dtype[np.generic], *, note: str = "") -> bytes:
    """What stands before the samples in a NIfTI file of one array of the grid's size, as ``write_volume`` writes it.

    The samples follow as they lie in the array, little-endian, so that a volume can be written slice by slice.
    """
    one = Grid((1, 1, 1), grid.spacing_zyx_mm, grid.origin_lps_mm, grid.direction)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "one.nii"
        write_volume(path, np.zeros(one.size_zyx, dtype), one, note=note)
        header = bytearray(path.read_bytes()[:NIFTI_HEADER_BYTES])
    struct.pack_into("<3h", header, NIFTI_SIZE_AT, *grid.size_zyx[::-1])
    return bytes(header)


def _opened(path: Path | str) -> sitk.Image:
    source = Path(path)
    if not source.is_file():
        raise VolumeError(f"{source.name} does not exist.")
    try:
        image = sitk.ReadImage(str(source))
    except RuntimeError as error:
        raise VolumeError(f"{source.name} is not a volume that can be read.") from error
    if image.GetDimension() == 4 and image.GetSize()[3] == 1:
        image = image[:, :, :, 0]
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        raise VolumeError(f"{source.name} is not a single three-dimensional volume.")
    return image


def _grid(image: sitk.Image) -> Grid:
    x, y, z = image.GetSize()
    sx, sy, sz = image.GetSpacing()
    left, posterior, superior = image.GetOrigin()
    direction: Direction = tuple(float(v) for v in image.GetDirection())  # type: ignore[assignment]
    try:
        return Grid((z, y, x), (sz, sy, sx), (left, posterior, superior), direction)
    except ValueError as error:
        raise VolumeError(str(error)) from error
