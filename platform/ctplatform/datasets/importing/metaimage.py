"""MetaImage: lines of text, the last of which says where the samples lie: behind it, or in one file beside it."""

import re

import numpy as np

from ctplatform.datasets.importing.found import GivenFile
from ctplatform.datasets.importing.headers import HEADER_BYTES, Beside, Header, grid_of_axes
from ctplatform.datasets.importing.refusal import ImportRefusedError, check_size
from ml.geometry import Grid

SAMPLES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
# Both separators are used; the samples may begin right behind the line's end.
_DATA_LINE = re.compile(rb"(?:^|\n)[ \t]*ElementDataFile[ \t]*[=:][^\n]*(?:\n|$)")
ELSEWHERE = (
    "Its header points to a data file that is not beside it. Give the .mhd and its .raw or .zraw together, "
    "or save header and voxels in one .mha file."
)
IDENTITY = "1 0 0 0 1 0 0 0 1"
KNOWN_TEXTS = ("Comment", "Name", "AcquisitionDate", "Modality", "ID", "ParentID")


def inspect(file: GivenFile, beside: Beside) -> Header:
    start = file.start(HEADER_BYTES)
    found = _DATA_LINE.search(start)
    if found is None:
        raise ImportRefusedError("It is not a MetaImage file (.mha, .mhd).")
    fields = _fields(start[: found.end()].decode("latin-1"))
    size_zyx = tuple(reversed([int(n) for n in fields["DimSize"].split()]))
    if int(fields.get("NDims", "3")) != len(size_zyx):
        raise ImportRefusedError("Its header contradicts itself about its size.")
    check_size(size_zyx)
    sample = SAMPLES.get(fields["ElementType"])
    if sample is None or fields.get("ElementNumberOfChannels", "1") != "1" or not _says(fields, "BinaryData", "True"):
        raise ImportRefusedError("It holds samples of a type that no CT scan has.")
    _refuse_unread(fields)
    data, at = _data(file, found.end(), fields["ElementDataFile"], beside)
    big_endian = _says(fields, "BinaryDataByteOrderMSB", "False") or _says(fields, "ElementByteOrderMSB", "False")
    notes: list[str] = []
    return Header(
        "MetaImage",
        lacks_spacing=not {"ElementSpacing", "ElementSize"} & fields.keys(),
        grid=_grid(size_zyx, fields, notes),
        dtype=np.dtype(sample).newbyteorder(">" if big_endian else "<"),
        data=data,
        start=at,
        encoding="zlib" if _says(fields, "CompressedData", "False") else "raw",
        removed=[key for key in fields if key in KNOWN_TEXTS],
        notes=notes,
    )


def _fields(text: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    for line in text.splitlines():
        match = re.fullmatch(r"\s*(\w+)\s*[=:]\s*(.*?)\s*", line)
        if match is None:
            if line.strip():
                raise ImportRefusedError("Its header holds a line that is no field.")
            continue
        if match.group(1) in fields:
            raise ImportRefusedError("Its header gives a field twice, so it can be read in two ways.")
        fields[match.group(1)] = match.group(2)
    return fields


def _says(fields: dict[str, str], key: str, otherwise: str) -> bool:
    return fields.get(key, otherwise).lower() in {"true", "1"}


def _refuse_unread(fields: dict[str, str]) -> None:
    """Settings that change the samples and that nothing in use writes for CT."""
    plain = {"HeaderSize": 0.0, "ElementToIntensityFunctionSlope": 1.0, "ElementToIntensityFunctionOffset": 0.0}
    for key, value in plain.items():
        if float(fields.get(key, value)) != value:
            raise ImportRefusedError(f"Its header sets {key}, which is not read. Save it again without.")


def _data(file: GivenFile, end: int, named: str, beside: Beside) -> tuple[GivenFile, int]:
    if named.upper() == "LOCAL":
        return file, end
    other = beside(named)
    if other is None or named.upper().startswith("LIST") or "%" in named:
        raise ImportRefusedError(ELSEWHERE)
    return other, 0


def _grid(size_zyx: tuple[int, ...], fields: dict[str, str], notes: list[str]) -> Grid:
    matrix = _first(fields, ("TransformMatrix", "Orientation", "Rotation"), "")
    if not matrix:
        notes.append("the file gives no orientation: axes were taken as left, posterior, superior")
    rows = np.array([float(v) for v in (matrix or IDENTITY).split()]).reshape(3, 3)
    spacing_xyz_mm = np.array([float(v) for v in _first(fields, ("ElementSpacing", "ElementSize"), "1 1 1").split()])
    origin = np.array([float(v) for v in _first(fields, ("Offset", "Position", "Origin"), "0 0 0").split()])
    if (spacing_xyz_mm <= 0).any() or origin.shape != (3,):
        raise ImportRefusedError("Its spacing and offset give no usable geometry.")
    # each row of the file is the direction of one index axis
    return grid_of_axes(size_zyx, rows.T * spacing_xyz_mm, origin, "TransformMatrix")


def _first(fields: dict[str, str], keys: tuple[str, ...], otherwise: str) -> str:
    return next((fields[key] for key in keys if key in fields), otherwise)
