"""NRRD: lines of text, an empty line, then the samples; header and samples in one file."""

import re
from typing import Literal

import numpy as np
import numpy.typing as npt

from ctplatform.datasets.importing.found import GivenFile
from ctplatform.datasets.importing.headers import HEADER_BYTES, Header, grid_of_axes
from ctplatform.datasets.importing.refusal import ImportRefusedError, check_size
from ml.geometry import Grid

SAMPLES = {
    **dict.fromkeys(("signed char", "int8", "int8_t"), "i1"),
    **dict.fromkeys(("uchar", "unsigned char", "uint8", "uint8_t"), "u1"),
    **dict.fromkeys(("short", "short int", "signed short", "signed short int", "int16", "int16_t"), "i2"),
    **dict.fromkeys(("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"), "u2"),
    **dict.fromkeys(("int", "signed int", "int32", "int32_t"), "i4"),
    **dict.fromkeys(("uint", "unsigned int", "uint32", "uint32_t"), "u4"),
    **dict.fromkeys(("longlong", "long long", "int64", "int64_t", "signed long long"), "i8"),
    **dict.fromkeys(("ulonglong", "unsigned long long", "uint64", "uint64_t"), "u8"),
    "float": "f4",
    "double": "f8",
}
ENCODINGS = {"raw": "raw", "gzip": "gzip", "gz": "gzip", "bzip2": "bzip2", "bz2": "bzip2"}
ORDERS: dict[str, Literal["<", ">"]] = {"little": "<", "big": ">"}
# Signs that bring a space's axes to left, posterior, superior. Spaces without anatomy are taken as they are.
SIGNS = {
    **dict.fromkeys(("right-anterior-superior", "ras"), (-1.0, -1.0, 1.0)),
    **dict.fromkeys(("left-anterior-superior", "las"), (1.0, -1.0, 1.0)),
}


def inspect(file: GivenFile) -> Header:
    head, length = _head(file)
    lines = [line for line in head.splitlines()[1:] if not line.startswith("#")]
    fields = _fields([line for line in lines if ":=" not in line])
    if {"data file", "datafile"} & fields.keys():
        raise ImportRefusedError("Its voxels lie in another file. Save header and voxels in one .nrrd file.")
    skipped = [fields.get(key, "0") for key in ("line skip", "lineskip", "byte skip", "byteskip")]
    if any(int(count) != 0 for count in skipped):
        raise ImportRefusedError("It skips lines or bytes before its voxels. Save it again without.")
    encoding = fields.get("encoding", "raw").lower()
    if encoding not in ENCODINGS:
        raise ImportRefusedError("Its voxels are written as text. Save it as raw or gzip.")
    size_zyx = tuple(reversed([int(n) for n in fields["sizes"].split()]))
    check_size(size_zyx)
    sample = SAMPLES.get(fields["type"].lower())
    if sample is None:
        raise ImportRefusedError("It holds samples of a type that no CT scan has.")
    order = ORDERS.get(fields.get("endian", "little").lower())
    if order is None:
        raise ImportRefusedError("It names an order of bytes that does not exist.")
    notes: list[str] = []
    return Header(
        "NRRD",
        lacks_spacing=not {"spacings", "space directions"} & fields.keys(),
        grid=_grid(size_zyx, fields, notes),
        dtype=np.dtype(sample).newbyteorder(order),
        data=file,
        start=length,
        encoding=ENCODINGS[encoding],
        label_names=_segments(lines),
        removed=_removed(lines, fields),
        notes=notes,
    )


def _head(file: GivenFile) -> tuple[str, int]:
    """The header's text, and how many bytes it takes with its empty line."""
    start = file.start(HEADER_BYTES)
    end = re.search(rb"\r?\n\r?\n", start)
    if not start.startswith(b"NRRD000") or end is None:
        raise ImportRefusedError("It is not an NRRD file.")
    return start[: end.start()].decode("latin-1"), end.end()


def _fields(lines: list[str]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for line in lines:
        key, separator, value = line.partition(":")
        if not separator:
            raise ImportRefusedError("Its header holds a line that is no field.")
        name = key.strip().lower()
        if name in fields:
            raise ImportRefusedError("Its header gives a field twice, so it can be read in two ways.")
        fields[name] = value.strip()
    return fields


def _segments(lines: list[str]) -> dict[int, str]:
    """3D Slicer's .seg.nrrd: Segment0_LabelValue:=1, Segment0_Name:=liver."""
    pairs = dict(line.split(":=", 1) for line in lines if ":=" in line)
    labels = {key.removesuffix("_LabelValue"): value for key, value in pairs.items() if key.endswith("_LabelValue")}
    return {int(label): pairs.get(f"{segment}_Name", "") for segment, label in labels.items() if label.isdigit()}


def _removed(lines: list[str], fields: dict[str, str]) -> list[str]:
    removed = ["key/value pairs"] if any(":=" in line for line in lines) else []
    return removed + [key for key in ("content", "sample units") if key in fields]


def _grid(size_zyx: tuple[int, ...], fields: dict[str, str], notes: list[str]) -> Grid:
    signs = np.array(SIGNS.get(fields.get("space", "").lower(), (1.0, 1.0, 1.0)))
    axes = _vectors(fields.get("space directions", ""))
    origin = _vectors(fields.get("space origin", ""))
    if not axes:
        notes.append("the file gives no orientation: axes were taken as left, posterior, superior")
        spacings = [float(v) for v in fields.get("spacings", "1 1 1").split()]
        axes, signs = list(np.diag(spacings)), np.ones(3)
    corner = origin[0] if origin else np.zeros(3)
    return grid_of_axes(size_zyx, (np.stack(axes) * signs).T, corner * signs, "space directions")


def _vectors(text: str) -> list[npt.NDArray[np.float64]]:
    return [np.array([float(v) for v in found.split(",")]) for found in re.findall(r"\(([^)]*)\)", text)]
