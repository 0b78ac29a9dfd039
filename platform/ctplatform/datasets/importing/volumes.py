"""NIfTI, NRRD and MetaImage files. No library opens them: a header may name any file, and would be obeyed.

Each format's own module reads the header as text or numbers and says where the samples lie; they are read here.
"""

import bz2
import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import PurePath
from typing import Any, BinaryIO, TypeVar

import numpy as np
import numpy.typing as npt

from ctplatform.datasets.importing import metaimage, nifti, nrrd
from ctplatform.datasets.importing.axes import canonical
from ctplatform.datasets.importing.found import AIR_HU, BEYOND_METAL_HU, GivenFile, ReadScan, Room, clean_hu
from ctplatform.datasets.importing.headers import Beside, Header
from ctplatform.datasets.importing.label_values import LabelValues, Numbers, judged
from ctplatform.datasets.importing.refusal import (
    MIB,
    ImportRefusedError,
    check_promise,
    check_size,
    refused_when_damaged,
)
from ctplatform.datasets.importing.said import Spacing
from ctplatform.datasets.kinds import StoredVolume

SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha", ".mhd")
# What may follow the samples (padding, a foreign tail) and is still read, so that a checksum at the end is compared
TAIL_BYTES = MIB
T = TypeVar("T", np.int16, np.float32)


def is_volume_file(path: PurePath) -> bool:
    return path.name.lower().endswith(SUFFIXES)


def stem(path: PurePath) -> str:
    for suffix in SUFFIXES:
        if path.name.lower().endswith(suffix):
            return path.name[: -len(suffix)]
    return path.stem


def inspect(file: GivenFile, beside: Beside) -> Header:
    """What the header says, after checks that it is honest and of a size that can be read."""
    name = file.path.name.lower()
    with refused_when_damaged("It is not what its name says, or it is damaged: the header can't be read."):
        if name.endswith((".nii", ".nii.gz")):
            header = nifti.inspect(file)
        elif name.endswith(".nrrd"):
            header = nrrd.inspect(file)
        else:
            header = metaimage.inspect(file, beside)
        check_size(header.grid.size_zyx)
        claimed = int(np.prod(header.grid.size_zyx, dtype=np.int64)) * header.dtype.itemsize
        compressed = header.encoding != "raw"
        check_promise(claimed + (0 if compressed else header.start), header.data.size, compressed=compressed)
        return header


def read_ct(file: GivenFile, beside: Beside, room: Room, spacing: Spacing) -> ReadScan:
    header = inspect(file, beside)
    _ask_for_lost_spacing(header, spacing)
    volume, grid, moved = canonical(room.volume(header.grid.size_zyx, _planes(header, _to_hu)), header.grid)
    report: dict[str, Any] = {"format": header.format, "removed": header.removed, "notes": header.notes}
    scan = ReadScan(volume=volume, grid=grid, report=report, acquisition={"modality": "CT"})
    if moved:
        scan.changed("axes were reordered to left, posterior, superior (no interpolation)")
    if header.unreal:
        scan.changed(f"{header.unreal} voxels that can't be HU (no number, or beyond all metal) were set to {AIR_HU}")
    clean_hu(scan)
    return scan


def _ask_for_lost_spacing(header: Header, spacing: Spacing) -> None:
    """A header that nobody filled in gives 1 x 1 x 1 mm at the origin: sizes from it would be wrong in silence."""
    grid = header.grid
    unfilled = grid.spacing_zyx_mm == (1.0, 1.0, 1.0) and (spacing.known_lost or not any(grid.origin_lps_mm))
    if not (header.lacks_spacing or unfilled):
        return
    if spacing.said is None:
        raise ImportRefusedError(
            "Its header gives no spacing of its own (1 x 1 x 1 mm at the origin, or none at all)"
            + (", as with the cases 28 to 47 of LiTS" if spacing.known_lost else "")
            + ". Look it up and import the file again with it: the field “Spacing”, or --spacing, "
            "such as “0.57 0.57 1.6” in mm."
        )
    header.grid = replace(grid, spacing_zyx_mm=spacing.said)
    shown = " x ".join(f"{mm:g}" for mm in spacing.said)
    header.notes.append(
        f"the file has no spacing of its own; {shown} mm (slices, rows, columns) were given at the import"
    )


def read_label_values(file: GivenFile, beside: Beside, room: Room) -> LabelValues:
    header = inspect(file, beside)
    values = room.array(header.grid.size_zyx, np.float32)
    for z, plane in _planes(header, _to_numbers):
        values[z] = plane
    values, grid, _ = canonical(values, header.grid)
    return replace(judged(values, grid), names=header.label_names)


def _to_hu(plane: npt.NDArray[Any], header: Header) -> StoredVolume:
    values: npt.NDArray[Any]
    if plane.dtype.kind in "iu" and header.slope == 1 and header.intercept == 0:
        values = plane
    else:
        values = np.rint(plane.astype(np.float64) * header.slope + header.intercept)
    unreal = ~(values <= BEYOND_METAL_HU)  # not-a-number neither
    if unreal.any():
        header.unreal += int(np.count_nonzero(unreal))
        values = np.where(unreal, AIR_HU, values)
    clipped: StoredVolume = np.clip(values, -32768, 32767).astype(np.int16)
    return clipped


def _to_numbers(plane: npt.NDArray[Any], header: Header) -> Numbers:
    return (plane.astype(np.float64) * header.slope + header.intercept).astype(np.float32)


def _planes(
    header: Header, convert: Callable[[npt.NDArray[Any], Header], npt.NDArray[T]]
) -> Iterator[tuple[int, npt.NDArray[T]]]:
    """One by one, so that memory holds one plane whatever the file claims."""
    size_zyx = header.grid.size_zyx
    plane_bytes = size_zyx[1] * size_zyx[2] * header.dtype.itemsize
    damaged = f"This {header.format} file can't be read: its voxels are damaged or incomplete."
    with refused_when_damaged(damaged), header.data.open() as packed, closing(_unpacked(packed, header)) as stream:
        for z in range(size_zyx[0]):
            block = stream.read(plane_bytes)
            if len(block) < plane_bytes:
                check_promise(size_zyx[0] * plane_bytes, z * plane_bytes + len(block), compressed=False)
            yield z, convert(np.frombuffer(block, header.dtype).reshape(size_zyx[1:]), header)
        stream.read(TAIL_BYTES)


def _unpacked(packed: BinaryIO, header: Header) -> BinaryIO:
    if header.format == "NIfTI" and header.encoding == "gzip":
        stream: Any = gzip.GzipFile(fileobj=packed, mode="rb")
        _skip(stream, header.start)
        return io.BufferedReader(stream)
    packed.seek(header.start)
    if header.encoding == "raw":
        return packed
    openers: dict[str, Callable[[], Any]] = {
        "gzip": lambda: gzip.GzipFile(fileobj=packed, mode="rb"),
        "bzip2": lambda: bz2.BZ2File(packed),
        "zlib": lambda: _ZlibStream(packed),
    }
    return io.BufferedReader(openers[header.encoding]())


def _skip(stream: BinaryIO, count: int) -> None:
    while count > 0:
        block = stream.read(min(count, MIB))
        if not block:
            raise EOFError
        count -= len(block)


class _ZlibStream(io.RawIOBase):
    """What zlib wrote without the frame of gzip, as MetaImage has it."""

    def __init__(self, packed: BinaryIO) -> None:
        super().__init__()
        self._packed, self._decompress = packed, zlib.decompressobj()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._decompress.eof:
            given = self._decompress.unconsumed_tail or self._packed.read(MIB)
            content = self._decompress.decompress(given, len(buffer))
            if content:
                buffer[: len(content)] = content
                return len(content)
            if not given:
                raise EOFError
        return 0
