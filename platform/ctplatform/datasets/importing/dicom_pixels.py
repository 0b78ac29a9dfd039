"""The samples of one DICOM slice in HU."""

import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset, FileDataset
from pydicom.encaps import generate_frames
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.utils import iter_pixels
from pydicom.uid import (
    JPEG2000,
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from ctplatform.datasets.importing.dicom_frames import frame_count
from ctplatform.datasets.importing.found import AIR_HU, BEYOND_METAL_HU, GivenFile
from ctplatform.datasets.importing.refusal import ImportRefusedError, refused_when_damaged

# Beyond any scanner's, and far from where whole numbers of 32 bits end
LARGEST_INTERCEPT = 1_000_000
# A padding value inside the range of tissue is a mistake of the exporter: such voxels stay as they are.
DENSEST_PADDING_HU = -900
# Named, so that the choice does not hang on what happens to be installed. GDCM only where nothing else decodes.
DECODERS = {
    **dict.fromkeys((JPEG2000, JPEG2000Lossless), "pylibjpeg"),
    **dict.fromkeys((JPEGLSLossless, JPEGLSNearLossless), "pyjpegls"),
    **dict.fromkeys((JPEGBaseline8Bit, JPEGExtended12Bit), "pillow"),
    **dict.fromkeys((JPEGLossless, JPEGLosslessSV1), "gdcm"),
    RLELossless: "pydicom",
}
# Bytes of tag, representation and length in front of the samples
PIXELS_HEAD = {str(ImplicitVRLittleEndian): 8, str(ExplicitVRLittleEndian): 12}
PIXELS_TAG, UNDEFINED_LENGTH = b"\xe0\x7f\x10\x00", b"\xff\xff\xff\xff"
JP2_MARK = b"\x00\x00\x00\x0cjP  "
CODESTREAM_BOX = b"jp2c"


DAMAGED = "A slice is damaged or incomplete: its pixels can't be decoded."


def read_hu(file: GivenFile, header: Dataset, pixels_at: int) -> tuple[npt.NDArray[np.int16], int]:
    """One slice (rows, columns) in HU, and how many padding samples became air."""
    stored = _plain_samples(file, header, pixels_at)
    return _to_hu(header, _decoded(file) if stored is None else stored)


def frames_hu(file: GivenFile, headers: Mapping[int, Dataset]) -> Iterator[tuple[npt.NDArray[np.int16], int]]:
    """The frames of these numbers in their order, one in memory at a time where they are not compressed."""
    with refused_when_damaged(DAMAGED), file.open() as opened:
        whole = pydicom.dcmread(opened, force=True, stop_before_pixels=True)
        _check_form(whole)
        syntax = UID(str(whole.file_meta.get("TransferSyntaxUID", "")))
        opened.seek(0)
        source: Any = opened
        if syntax.is_compressed:
            source = pydicom.dcmread(opened, force=True)
            frames = generate_frames(source.PixelData, number_of_frames=frame_count(whole))
            _check_code_streams(frames, whole)
        pixels = iter_pixels(source, indices=list(headers), raw=True, decoding_plugin=DECODERS.get(syntax, ""))
        for header, stored in zip(headers.values(), pixels, strict=True):
            yield _to_hu(header, _of_right_size(stored, whole))


def read_stored(file: GivenFile) -> npt.NDArray[np.generic]:
    """The samples of one picture as they are stored: the labels of a mask."""
    return _decoded(file)


def _decoded(file: GivenFile) -> npt.NDArray[np.generic]:
    with refused_when_damaged(DAMAGED), file.open() as opened:
        slice_ = pydicom.dcmread(opened, force=True)
        if frame_count(slice_) != 1:
            raise ImportRefusedError("It is a multi-frame picture. Export it as a classic CT series.")
        _name_syntax(slice_)
        _check_form(slice_)
        if "PixelData" not in slice_:
            raise ImportRefusedError("A slice has no pixels.")
        syntax = slice_.file_meta.TransferSyntaxUID
        if syntax.is_compressed:
            _check_code_streams(generate_frames(slice_.PixelData, number_of_frames=1), slice_)
        slice_.pixel_array_options(decoding_plugin=DECODERS.get(syntax, ""))
        return _of_right_size(slice_.pixel_array, slice_)


def _plain_samples(file: GivenFile, header: Dataset, pixels_at: int) -> npt.NDArray[np.generic] | None:
    """The samples of the commonest form, 16 bits in a row, without a second look at the header; None for any other."""
    syntax = header.file_meta.get("TransferSyntaxUID", "") if isinstance(header, FileDataset) else ""
    if syntax not in PIXELS_HEAD or frame_count(header) != 1:
        return None
    with refused_when_damaged(DAMAGED):
        _check_form(header)
        bits = int(header.BitsStored)
        if int(header.BitsAllocated) != 16 or int(header.HighBit) != bits - 1 or not 8 <= bits <= 16:
            return None
        size = int(header.Rows), int(header.Columns)
        with file.open() as opened:
            opened.seek(pixels_at)
            head = opened.read(PIXELS_HEAD[syntax])
            stored = opened.read(size[0] * size[1] * 2)
        if head[:4] != PIXELS_TAG or head[-4:] == UNDEFINED_LENGTH:
            return None
        plane = np.frombuffer(stored, "<i2" if header.get("PixelRepresentation", 0) else "<u2").reshape(size)
        spare = 16 - bits  # may hold an overlay
        return (plane << spare) >> spare if spare else plane


def _of_right_size(stored: npt.NDArray[np.generic], slice_: Dataset) -> npt.NDArray[np.generic]:
    if stored.shape != (slice_.Rows, slice_.Columns):
        raise ImportRefusedError("A slice's pixels do not have the size that its header claims.")
    return stored


def _name_syntax(slice_: FileDataset) -> None:
    """A data set without the part in front that names its encoding: the bytes themselves show it."""
    if slice_.file_meta.get("TransferSyntaxUID"):
        return
    if "PixelData" in slice_ and slice_["PixelData"].is_undefined_length:
        raise ImportRefusedError("Its pixels are compressed and its header doesn't say how. Export it again.")
    is_implicit, is_little = slice_.original_encoding
    syntax = ImplicitVRLittleEndian if is_implicit else ExplicitVRLittleEndian
    slice_.file_meta.TransferSyntaxUID = syntax if is_little else ExplicitVRBigEndian


def _check_form(slice_: Dataset) -> None:
    if int(slice_.get("SamplesPerPixel", 1)) != 1 or slice_.get("PhotometricInterpretation") != "MONOCHROME2":
        raise ImportRefusedError("It is a colour or inverted picture, not CT values.")
    syntax = UID(str(slice_.file_meta.get("TransferSyntaxUID", "")))
    if syntax.is_compressed and (syntax not in DECODERS or not get_decoder(syntax).is_available):
        raise ImportRefusedError(
            f"Its compression ({syntax.name}) can't be read. Export it uncompressed or as lossless JPEG 2000."
        )


def _check_code_streams(frames: Iterable[bytes], slice_: FileDataset) -> None:
    """Before a decoder allocates for what a code stream claims."""
    if slice_.file_meta.TransferSyntaxUID == RLELossless:
        return
    if any(_codestream_size(frame) != (slice_.Rows, slice_.Columns) for frame in frames):
        raise ImportRefusedError("A slice's compressed pixels do not have the size that its header claims.")


def _codestream_size(frame: bytes) -> tuple[int, int] | None:
    """Rows and columns that a JPEG family code stream claims, read before a decoder allocates for them."""
    if frame.startswith(JP2_MARK):
        frame = frame[frame.find(CODESTREAM_BOX) + len(CODESTREAM_BOX) :]
    if frame[:4] == b"\xff\x4f\xff\x51":  # JPEG 2000: SOC, SIZ
        columns, rows = struct.unpack_from(">II", frame, 8)
        return rows, columns
    if frame[:2] != b"\xff\xd8":
        return None
    at = 2
    while at + 9 < len(frame) and frame[at] == 0xFF:
        if frame[at + 1] == 0xFF:  # a fill byte before a marker
            at += 1
            continue
        marker, length = frame[at + 1], struct.unpack_from(">H", frame, at + 2)[0]
        if marker in {0xC0, 0xC1, 0xC3, 0xF7}:  # start of frame: baseline, extended, lossless, JPEG-LS
            rows, columns = struct.unpack_from(">HH", frame, at + 5)
            return rows, columns
        at += 2 + length
    return None


def _to_hu(slice_: Dataset, stored: npt.NDArray[np.generic]) -> tuple[npt.NDArray[np.int16], int]:
    slope, intercept = float(slice_.get("RescaleSlope", 1) or 1), float(slice_.get("RescaleIntercept", 0) or 0)
    shifted = _shifted(slice_, stored, slope, intercept)
    if shifted is not None:
        return shifted, 0
    exact = _rescaled(stored, slope, intercept)
    beyond = exact > BEYOND_METAL_HU
    padding = _padding_mask(slice_, stored)
    if padding is not None and padding.any() and exact[padding].max() <= DENSEST_PADDING_HU:
        beyond |= padding
    count = int(np.count_nonzero(beyond))
    if count:
        np.copyto(exact, AIR_HU, where=beyond)
    return np.clip(exact, -32768, 32767).astype(np.int16), count


def _shifted(
    slice_: Dataset, stored: npt.NDArray[np.generic], slope: float, intercept: float
) -> npt.NDArray[np.int16] | None:
    """The commonest slice in one pass: steps of one HU, no padded sample, nothing beyond metal. None for any other."""
    if slope != 1 or not intercept.is_integer() or stored.dtype.itemsize > 2 or not stored.size:
        return None
    low, high = int(stored.min()), int(stored.max())
    if low + intercept < -32768 or high + intercept > BEYOND_METAL_HU:
        return None
    padding = _padding_range(slice_)
    if padding is not None and padding[0] <= high and padding[1] >= low:
        return None
    # Whole numbers of 16 bits wrap around, and the sum is within them: the same bits whatever their sign.
    wrapped = np.int16((int(intercept) + 0x8000) % 0x10000 - 0x8000)
    hu: npt.NDArray[np.int16] = stored.astype(np.int16, copy=False) + wrapped
    return hu


def _rescaled(stored: npt.NDArray[np.generic], slope: float, intercept: float) -> npt.NDArray[Any]:
    """Whole HU. Nearly every CT has steps of one HU from a whole number on, for which whole numbers do."""
    if slope == 1 and intercept.is_integer() and abs(intercept) <= LARGEST_INTERCEPT and stored.dtype.itemsize <= 2:
        return stored.astype(np.int32) + np.int32(intercept)
    rounded: npt.NDArray[Any] = np.rint(stored.astype(np.float32) * slope + intercept)
    return rounded


def _padding_mask(slice_: Dataset, stored: npt.NDArray[Any]) -> npt.NDArray[np.bool_] | None:
    padding = _padding_range(slice_)
    if padding is None:
        return None
    low, high = padding
    mask: npt.NDArray[np.bool_] = stored == low if low == high else (stored >= low) & (stored <= high)
    return mask


def _padding_range(slice_: Dataset) -> tuple[int, int] | None:
    """The lowest and the highest sample that stand for no tissue."""
    value = slice_.get("PixelPaddingValue", None)
    if not isinstance(value, int):
        return None
    limit = slice_.get("PixelPaddingRangeLimit", value)
    low, high = sorted((value, limit if isinstance(limit, int) else value))
    if slice_.get("PixelRepresentation", 0) == 1 and low > 0x7FFF:
        low, high = low - 0x10000, high - 0x10000  # written as unsigned beside signed samples
    return low, high
