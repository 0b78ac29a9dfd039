"""NIfTI, NRRD and MetaImage: the header is judged by its own bytes before any library allocates for it."""

import gzip
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from ctplatform.datasets.importing.axes import canonical, check_orthonormal
from ctplatform.datasets.importing.found import ReadScan, clean_hu
from ctplatform.datasets.importing.refusal import (
    MIB,
    ImportRefusedError,
    check_promise,
    check_size,
    refused_when_damaged,
)
from ml.geometry import Grid

SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".mha", ".mhd")
HEADER_BYTES = 64 * 1024
T = TypeVar("T", bound=np.generic)
_NIFTI_BYTES = {2: 1, 4: 2, 8: 4, 16: 4, 64: 8, 256: 1, 512: 2, 768: 4, 1024: 8, 1280: 8}
_NRRD_BYTES = {
    **dict.fromkeys(("signed char", "int8", "int8_t", "uchar", "unsigned char", "uint8", "uint8_t"), 1),
    **dict.fromkeys(("short", "short int", "signed short", "int16", "int16_t"), 2),
    **dict.fromkeys(("ushort", "unsigned short", "uint16", "uint16_t"), 2),
    **dict.fromkeys(("int", "signed int", "int32", "int32_t", "uint", "unsigned int", "uint32", "uint32_t"), 4),
    **dict.fromkeys(("float",), 4),
    **dict.fromkeys(("double", "int64", "int64_t", "uint64", "uint64_t", "longlong", "ulonglong"), 8),
}
_META_BYTES = {
    **dict.fromkeys(("MET_CHAR", "MET_UCHAR"), 1),
    **dict.fromkeys(("MET_SHORT", "MET_USHORT"), 2),
    **dict.fromkeys(("MET_INT", "MET_UINT", "MET_FLOAT"), 4),
    **dict.fromkeys(("MET_DOUBLE", "MET_LONG", "MET_ULONG", "MET_LONG_LONG", "MET_ULONG_LONG"), 8),
}


@dataclass
class Header:
    format: str
    size_zyx: tuple[int, ...]
    removed: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def is_volume_file(path: Path) -> bool:
    return path.name.lower().endswith(SUFFIXES)


def stem(path: Path) -> str:
    name = path.name
    for suffix in (".nii.gz", ".nii", ".nrrd", ".mha", ".mhd"):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return path.stem


def inspect(path: Path) -> Header:
    """What the header says, after checks that it is honest and of a size that can be read."""
    name = path.name.lower()
    with refused_when_damaged("It is not what its name says, or it is damaged: the header can't be read."):
        if name.endswith((".nii", ".nii.gz")):
            return _inspect_nifti(path)
        return _inspect_nrrd(path) if name.endswith(".nrrd") else _inspect_meta(path)


def read_ct(path: Path) -> ReadScan:
    from ml.volume_io import read_volume

    header = inspect(path)
    array, grid = _read(read_volume, path, header)
    volume, grid, moved = canonical(array, grid)
    report: dict[str, Any] = {"format": header.format, "removed": header.removed, "notes": header.notes}
    scan = ReadScan(volume=volume, grid=grid, report=report, acquisition={"modality": "CT"})
    if moved:
        scan.changed("axes were reordered to left, posterior, superior (no interpolation)")
    clean_hu(scan)
    return scan


def read_labels(path: Path) -> tuple[npt.NDArray[np.uint8], Grid]:
    from ml.volume_io import read_mask

    array, grid = _read(read_mask, path, inspect(path))
    labels, grid, _ = canonical(array, grid)
    return labels, grid


def _read(
    reader: Callable[[Path], tuple[npt.NDArray[T], Grid]], path: Path, header: Header
) -> tuple[npt.NDArray[T], Grid]:
    damaged = f"This {header.format} file can't be read: it is damaged, incomplete, sheared or not one 3-D volume."
    with refused_when_damaged(damaged):
        array, grid = reader(path)
    if array.shape != header.size_zyx:
        raise ImportRefusedError("Its header contradicts itself about its size.")
    return array, grid


def _start(path: Path) -> tuple[bytes, bool]:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    if not packed:
        with path.open("rb") as file:
            return file.read(HEADER_BYTES), False
    with gzip.open(path) as unpacked:
        return unpacked.read(HEADER_BYTES), True


def _inspect_nifti(path: Path) -> Header:
    start, compressed = _start(path)
    order = "<" if struct.unpack_from("<i", start)[0] in {348, 540} else ">"
    version = struct.unpack_from(f"{order}i", start)[0]
    if version == 540:
        raise ImportRefusedError("NIfTI-2 is not read. Save the scan as NIfTI-1.")
    if version != 348 or start[344:348] != b"n+1\0":
        raise ImportRefusedError("It is not a NIfTI-1 file (.nii with header and voxels in one file).")
    dim = struct.unpack_from(f"{order}8h", start, 40)
    datatype = struct.unpack_from(f"{order}h", start, 70)[0]
    if datatype not in _NIFTI_BYTES:
        raise ImportRefusedError("It holds colours, complex or unknown samples, not one CT value per voxel.")
    sides = [int(n) for n in dim[1 : 1 + dim[0]]]
    while len(sides) > 3 and sides[-1] == 1:
        sides.pop()
    size_zyx = tuple(reversed(sides))
    check_size(size_zyx)
    offset = int(struct.unpack_from(f"{order}f", start, 108)[0])
    claimed = int(np.prod(size_zyx, dtype=np.int64)) * _NIFTI_BYTES[datatype]
    check_promise(claimed + offset, path.stat().st_size, compressed=compressed)
    if compressed:
        _check_gzip(path, claimed + offset)
    header = Header("NIfTI", size_zyx, removed=_nifti_texts(start))
    _check_nifti_axes(start, order, header)
    return header


def _check_gzip(path: Path, promised_bytes: int) -> None:
    """A cut-off gzip file is read by some libraries as a scan that ends in zeros."""
    unpacked = 0
    with gzip.open(path) as file:
        while block := file.read(4 * MIB):
            unpacked += len(block)
            if unpacked > promised_bytes + HEADER_BYTES * 16:
                break
    if unpacked < promised_bytes:
        check_promise(promised_bytes, unpacked, compressed=False)


def _nifti_texts(start: bytes) -> list[str]:
    """Text that a header may carry and that is dropped; named here, never kept."""
    fields = {"data_type": (4, 10), "db_name": (14, 18), "descrip": (148, 80), "aux_file": (228, 24)}
    fields["intent_name"] = (328, 16)
    removed = [name for name, (at, size) in fields.items() if start[at : at + size].strip(b"\0 ")]
    if len(start) >= 352 and start[348] != 0:
        removed.append("extensions")
    return removed


def _check_nifti_axes(start: bytes, order: str, header: Header) -> None:
    qform_code, sform_code = struct.unpack_from(f"{order}2h", start, 252)
    if sform_code > 0:
        affine = np.array(struct.unpack_from(f"{order}12f", start, 280), dtype=np.float64).reshape(3, 4)[:, :3]
        lengths = np.linalg.norm(affine, axis=0)
        if not (np.isfinite(lengths).all() and (lengths > 0).all()):
            raise ImportRefusedError("Its sform gives no usable geometry.")
        check_orthonormal(affine / lengths)
    elif qform_code <= 0:
        header.notes.append("the file gives no orientation: the usual NIfTI axes were assumed")


def _text_fields(text: str, separator: str) -> dict[str, str]:
    pairs = (line.partition(separator) for line in text.splitlines() if separator in line)
    return {key.strip(): value.strip() for key, _, value in pairs}


def _inspect_nrrd(path: Path) -> Header:
    with path.open("rb") as file:
        start = file.read(HEADER_BYTES)
    head, found, _ = start.replace(b"\r\n", b"\n").partition(b"\n\n")
    if not start.startswith(b"NRRD000") or not found:
        raise ImportRefusedError("It is not an NRRD file.")
    lines = [line for line in head.decode("latin-1").splitlines()[1:] if not line.startswith("#")]
    fields = _text_fields("\n".join(line for line in lines if ":=" not in line), ":")
    keys = [line.partition(":=")[0].strip() for line in lines if ":=" in line]
    if {"data file", "datafile"} & {key.lower() for key in fields}:
        raise ImportRefusedError("Its voxels lie in another file. Save header and voxels in one .nrrd file.")
    size_zyx = tuple(reversed([int(n) for n in fields["sizes"].split()]))
    check_size(size_zyx)
    if fields["type"] not in _NRRD_BYTES:
        raise ImportRefusedError("It holds samples of a type that no CT scan has.")
    claimed = int(np.prod(size_zyx, dtype=np.int64)) * _NRRD_BYTES[fields["type"]]
    check_promise(claimed, path.stat().st_size, compressed=fields.get("encoding", "raw") != "raw")
    removed = ["key/value pairs"] if keys else []
    removed += [key for key in ("content", "sample units") if key in fields]
    header = Header("NRRD", size_zyx, removed=removed)
    _check_nrrd_axes(fields, header)
    return header


def _check_nrrd_axes(fields: dict[str, str], header: Header) -> None:
    directions = re.findall(r"\(([^)]*)\)", fields.get("space directions", ""))
    if not directions:
        header.notes.append("the file gives no orientation: axes were taken as left, posterior, superior")
        return
    axes = np.array([[float(v) for v in axis.split(",")] for axis in directions]).T
    lengths = np.linalg.norm(axes, axis=0)
    if axes.shape != (3, 3) or not (lengths > 0).all():
        raise ImportRefusedError("Its space directions give no usable geometry.")
    check_orthonormal(axes / lengths)


def _inspect_meta(path: Path) -> Header:
    with path.open("rb") as file:
        start = file.read(HEADER_BYTES)
    head = re.match(rb"(?s).*?ElementDataFile\s*=[^\n]*", start)
    if head is None:
        raise ImportRefusedError("It is not a MetaImage file (.mha, .mhd).")
    fields = _text_fields(head.group().decode("latin-1"), "=")
    size_zyx = tuple(reversed([int(n) for n in fields["DimSize"].split()]))
    check_size(size_zyx)
    if fields["ElementType"] not in _META_BYTES or fields.get("ElementNumberOfChannels", "1") != "1":
        raise ImportRefusedError("It holds samples of a type that no CT scan has.")
    data = _meta_data_file(path, fields["ElementDataFile"])
    claimed = int(np.prod(size_zyx, dtype=np.int64)) * _META_BYTES[fields["ElementType"]]
    compressed = fields.get("CompressedData", "False").lower() == "true"
    check_promise(claimed, data.stat().st_size, compressed=compressed)
    matrix = fields.get("TransformMatrix", fields.get("Orientation", fields.get("Rotation", "")))
    header = Header("MetaImage", size_zyx)
    if matrix:
        check_orthonormal(np.array([float(v) for v in matrix.split()]).reshape(3, 3).T)
    else:
        header.notes.append("the file gives no orientation: axes were taken as left, posterior, superior")
    known = ("Comment", "Name", "AcquisitionDate", "Modality")
    header.removed = [key for key in fields if key in known]
    return header


def _meta_data_file(path: Path, named: str) -> Path:
    """A header may point anywhere on the disk; only a plain file beside it is followed."""
    if named == "LOCAL":
        return path
    data = path.parent / named
    plain = re.fullmatch(r"[\w][\w.\- ]*", named) is not None and "%" not in named and named != "LIST"
    if not plain or data.is_symlink() or not data.is_file():
        raise ImportRefusedError(
            "Its header points to a data file that is not beside it. Give the .mhd and its .raw or .zraw together."
        )
    return data
