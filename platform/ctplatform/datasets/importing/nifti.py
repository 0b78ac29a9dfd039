"""NIfTI-1: 348 bytes of numbers, then the samples, all in one file."""

import gzip
import math
import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ctplatform.datasets.importing.found import GivenFile
from ctplatform.datasets.importing.headers import HEADER_BYTES, Header, grid_of_axes
from ctplatform.datasets.importing.refusal import ImportRefusedError, check_size
from ml.geometry import Grid

SAMPLES = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8"}
# xyzt_units: unknown is taken as millimetres, as every reader does
MM_PER_UNIT = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}
# extensions stand between header and voxels
LARGEST_OFFSET = 1024**2
# Rounding of the 32-bit quaternion
SAME_DIRECTION, SAME_PLACE_MM = 0.01, 0.5
LPS_OF_RAS = np.diag([-1.0, -1.0, 1.0])


def inspect(file: GivenFile) -> Header:
    start, compressed = _start(file)
    order = "<" if struct.unpack_from("<i", start)[0] in {348, 540} else ">"
    version = struct.unpack_from(f"{order}i", start)[0]
    if version == 540:
        raise ImportRefusedError("NIfTI-2 is not read. Save the scan as NIfTI-1.")
    if version != 348 or start[344:348] != b"n+1\0":
        raise ImportRefusedError("It is not a NIfTI-1 file (.nii with header and voxels in one file).")
    datatype = struct.unpack_from(f"{order}h", start, 70)[0]
    if datatype not in SAMPLES:
        raise ImportRefusedError("It holds colours, complex or unknown samples, not one CT value per voxel.")
    size_zyx = _size_zyx(start, order)
    check_size(size_zyx)
    offset = struct.unpack_from(f"{order}f", start, 108)[0]
    if not 0 <= offset <= LARGEST_OFFSET:
        raise ImportRefusedError("Its voxels do not begin behind its header.")
    slope, intercept = struct.unpack_from(f"{order}2f", start, 112)
    scaled = slope != 0 and math.isfinite(slope) and math.isfinite(intercept)
    notes: list[str] = []
    place = _place(start, order, notes)
    lacks_spacing = not place.scaled.any(axis=0).all()
    return Header(
        "NIfTI",
        grid=_grid(size_zyx, place, start, lacks_spacing=lacks_spacing),
        dtype=np.dtype(SAMPLES[datatype]).newbyteorder("<" if order == "<" else ">"),
        data=file,
        start=max(352, int(offset)),
        encoding="gzip" if compressed else "raw",
        slope=slope if scaled else 1.0,
        intercept=intercept if scaled else 0.0,
        lacks_spacing=lacks_spacing,
        removed=_texts(start),
        notes=notes,
    )


def _start(file: GivenFile) -> tuple[bytes, bool]:
    with file.open() as opened:
        packed = opened.read(2) == b"\x1f\x8b"
        opened.seek(0)
        if not packed:
            return opened.read(HEADER_BYTES), False
        with gzip.GzipFile(fileobj=opened, mode="rb") as unpacked:
            return unpacked.read(HEADER_BYTES), True


def _size_zyx(start: bytes, order: str) -> tuple[int, ...]:
    dim = struct.unpack_from(f"{order}8h", start, 40)
    sides = [int(n) for n in dim[1 : 1 + dim[0]]]
    while len(sides) > 3 and sides[-1] == 1:
        sides.pop()
    return tuple(reversed(sides))


def _texts(start: bytes) -> list[str]:
    """Text that a header may carry and that is dropped; named here, never kept."""
    fields = {"data_type": (4, 10), "db_name": (14, 18), "descrip": (148, 80), "aux_file": (228, 24)}
    fields["intent_name"] = (328, 16)
    removed = [name for name, (at, size) in fields.items() if start[at : at + size].strip(b"\0 ")]
    if len(start) >= 352 and start[348] != 0:
        removed.append("extensions")
    return removed


@dataclass(frozen=True)
class _Place:
    """Where voxels lie by one of the header's forms: columns are the index axes with their spacing."""

    scaled: npt.NDArray[np.float64]
    origin: npt.NDArray[np.float64]


def _grid(size_zyx: tuple[int, ...], place: _Place, start: bytes, *, lacks_spacing: bool) -> Grid:
    unit_mm = MM_PER_UNIT.get(start[123] & 0x07, 1.0)
    scaled = np.eye(3) if lacks_spacing else place.scaled
    return grid_of_axes(size_zyx, LPS_OF_RAS @ scaled * unit_mm, LPS_OF_RAS @ place.origin * unit_mm, "sform or qform")


def _place(start: bytes, order: str, notes: list[str]) -> _Place:
    """The standard's three methods: sform, else qform, else spacing alone."""
    qform_code, sform_code = struct.unpack_from(f"{order}2h", start, 252)
    pixdim = struct.unpack_from(f"{order}8f", start, 76)
    spacing = np.diag(np.array(pixdim[1:4], dtype=np.float64))
    if sform_code > 0:
        rows = np.array(struct.unpack_from(f"{order}12f", start, 280), dtype=np.float64).reshape(3, 4)
        place = _Place(rows[:, :3], rows[:, 3])
        if qform_code > 0:
            _compare(place, _qform(start, order, spacing, pixdim[0]), notes)
        return place
    if qform_code > 0:
        return _qform(start, order, spacing, pixdim[0])
    notes.append("the file gives no orientation: the usual NIfTI axes were assumed")
    return _Place(spacing, np.zeros(3))


def _qform(start: bytes, order: str, spacing: npt.NDArray[np.float64], first: float) -> _Place:
    qfac = np.diag([1.0, 1.0, -1.0 if first < 0 else 1.0])
    origin = np.array(struct.unpack_from(f"{order}3f", start, 268), dtype=np.float64)
    return _Place(_rotation(start, order) @ spacing @ qfac, origin)


def _compare(sform: _Place, qform: _Place, notes: list[str]) -> None:
    """Readers choose differently between two forms that disagree, so whoever imports is told which was taken."""
    if not (np.isfinite(qform.scaled).all() and qform.scaled.any(axis=0).all()):
        return
    directions = [form.scaled / np.linalg.norm(form.scaled, axis=0) for form in (sform, qform)]
    turned = np.abs(directions[0] - directions[1]).max()
    moved_mm = float(np.abs(sform.origin - qform.origin).max())
    scaled = np.abs(np.linalg.norm(sform.scaled, axis=0) / np.linalg.norm(qform.scaled, axis=0) - 1).max()
    if turned < SAME_DIRECTION and moved_mm < SAME_PLACE_MM and scaled < SAME_DIRECTION:
        return
    mirrored = np.linalg.det(sform.scaled) * np.linalg.det(qform.scaled) < 0
    how = "mirrored" if mirrored else "turned" if turned >= SAME_DIRECTION else "displaced or scaled"
    notes.append(
        f"the file's two places (sform and qform) contradict each other: one is {how} against the other. The sform was "
        "used; look at the scan whether the liver lies on the patient's right"
    )


def _rotation(start: bytes, order: str) -> npt.NDArray[np.float64]:
    """The matrix of the unit quaternion of which a header stores b, c and d."""
    b, c, d = (float(v) for v in struct.unpack_from(f"{order}3f", start, 256))
    length = b * b + c * c + d * d
    if length > 1:  # rounded: a half turn
        b, c, d = (v / math.sqrt(length) for v in (b, c, d))
    a = math.sqrt(max(0.0, 1.0 - (b * b + c * c + d * d)))
    return np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
