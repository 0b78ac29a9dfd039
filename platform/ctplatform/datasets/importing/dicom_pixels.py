"""The samples of one DICOM slice in HU."""

import struct

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import FileDataset
from pydicom.encaps import generate_frames
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import (
    JPEG2000,
    UID,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from ctplatform.datasets.importing.found import AIR_HU, GivenFile
from ctplatform.datasets.importing.refusal import ImportRefusedError, refused_when_damaged

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
JP2_MARK = b"\x00\x00\x00\x0cjP  "
CODESTREAM_BOX = b"jp2c"


def read_hu(file: GivenFile) -> tuple[npt.NDArray[np.int16], int]:
    """One slice (rows, columns) in HU, and how many padding samples became air."""
    damaged = "A slice is damaged or incomplete: its pixels can't be decoded."
    with refused_when_damaged(damaged), file.open() as opened:
        slice_ = pydicom.dcmread(opened, force=True)
        _check_form(slice_)
        slice_.pixel_array_options(decoding_plugin=DECODERS.get(slice_.file_meta.TransferSyntaxUID, ""))
        stored = slice_.pixel_array
    if stored.shape != (slice_.Rows, slice_.Columns):
        raise ImportRefusedError("A slice's pixels do not have the size that its header claims.")
    return _to_hu(slice_, stored)


def _check_form(slice_: FileDataset) -> None:
    if int(slice_.get("NumberOfFrames", 1) or 1) != 1:
        raise ImportRefusedError("It is a multi-frame (enhanced) CT. Export it as a classic CT series.")
    if int(slice_.get("SamplesPerPixel", 1)) != 1 or slice_.get("PhotometricInterpretation") != "MONOCHROME2":
        raise ImportRefusedError("It is a colour or inverted picture, not CT values.")
    if "PixelData" not in slice_:
        raise ImportRefusedError("A slice has no pixels.")
    syntax = UID(str(slice_.file_meta.get("TransferSyntaxUID", "")))
    if not syntax.is_compressed:
        return
    if syntax not in DECODERS or not get_decoder(syntax).is_available:
        raise ImportRefusedError(
            f"Its compression ({syntax.name}) can't be read. Export it uncompressed or as lossless JPEG 2000."
        )
    if syntax == RLELossless:
        return
    if _codestream_size(next(generate_frames(slice_.PixelData, number_of_frames=1))) != (slice_.Rows, slice_.Columns):
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


def _to_hu(slice_: FileDataset, stored: npt.NDArray[np.generic]) -> tuple[npt.NDArray[np.int16], int]:
    slope, intercept = float(slice_.get("RescaleSlope", 1) or 1), float(slice_.get("RescaleIntercept", 0) or 0)
    samples = stored.astype(np.float32)
    values = np.clip(np.rint(samples * slope + intercept), -32768, 32767).astype(np.int16)
    padding = _padding_mask(slice_, samples)
    if padding is None or not padding.any():
        return values, 0
    if values[padding].max() > DENSEST_PADDING_HU:
        return values, 0
    values[padding] = AIR_HU
    return values, int(np.count_nonzero(padding))


def _padding_mask(slice_: FileDataset, samples: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_] | None:
    value = slice_.get("PixelPaddingValue", None)
    if not isinstance(value, int):
        return None
    limit = slice_.get("PixelPaddingRangeLimit", value)
    low, high = sorted((value, limit if isinstance(limit, int) else value))
    if slice_.get("PixelRepresentation", 0) == 1 and low > 0x7FFF:
        low, high = low - 0x10000, high - 0x10000  # written as unsigned beside signed samples
    mask: npt.NDArray[np.bool_] = (samples >= low) & (samples <= high)
    return mask
