"""How slices of stimuli travel: compressed, and every one of a study in as many bytes as the others.

How well a slice compresses follows from its noise, so a size alone could tell about a picture that was not even looked
at. What is stored is a gzip stream that every browser takes apart by itself: samples less what their neighbours
foretell (`GRADIENT`), low bytes before high bytes, which makes CT a third smaller than gzip alone, and after them empty
blocks up to the common length. It is served as it lies.
"""

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from readerstudy.blinding.cutting import STIMULUS_DTYPE

# What the decompressed bytes are: samples as they are, or each less left + above - above left.
RAW, GRADIENT = "int16", "gradient"

# No stimulus begins like this: as a sample it would be -29921 HU.
GZIP_MAGIC = b"\x1f\x8b"
# Without name and time; with an extra field that takes up what is no whole block.
GZIP_HEAD = GZIP_MAGIC + b"\x08\x04\x00\x00\x00\x00\x00\xff"
EMPTY_BLOCK, LAST_BLOCK = b"\x00\x00\x00\xff\xff", b"\x01\x00\x00\xff\xff"
TAIL_BYTES = 8
# Higher levels save 0.4 % of CT and take twice the time.
LEVEL = 6

Samples = NDArray[np.int16]


class UnreadableError(ValueError):
    """What is stored is no slice of this shape."""


def compressed(plane: Samples) -> bytes:
    """A slice in as few bytes as it takes: what `travelling` fills up."""
    content = _foretold(plane)
    packer = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    stream = packer.compress(content) + packer.flush(zlib.Z_SYNC_FLUSH)
    return stream + struct.pack("<II", zlib.crc32(content), len(content))


def shortest_length(squeezed: bytes) -> int:
    return len(GZIP_HEAD) + 2 + len(squeezed) + len(LAST_BLOCK)


def travelling(squeezed: bytes, *, length: int) -> bytes:
    """The slice as it is stored and sent, in `length` bytes."""
    filling = length - shortest_length(squeezed)
    if filling < 0:
        raise ValueError(f"a slice of {shortest_length(squeezed)} bytes does not fit in {length}")
    stream, tail = squeezed[:-TAIL_BYTES], squeezed[-TAIL_BYTES:]
    blocks, rest = divmod(filling, len(EMPTY_BLOCK))
    extra = struct.pack("<H", rest) + bytes(rest)
    return b"".join((GZIP_HEAD, extra, stream, EMPTY_BLOCK * blocks, LAST_BLOCK, tail))


def is_as_written(content: bytes, plane: Samples) -> bool:
    """Nothing but the samples is in it: no other way to compress them, no other filling."""
    if not is_compressed(content):
        return content == plane.tobytes()
    squeezed = compressed(plane)
    return shortest_length(squeezed) <= len(content) and content == travelling(squeezed, length=len(content))


def is_compressed(content: bytes) -> bool:
    """False for studies that were locked before slices were compressed."""
    return content.startswith(GZIP_MAGIC)


def samples_of(content: bytes, *, rows: int, columns: int) -> Samples:
    """What a browser makes of a stored slice, of either form."""
    wanted = rows * columns * STIMULUS_DTYPE.itemsize
    plain = _decompressed(content, wanted) if is_compressed(content) else content
    if len(plain) != wanted:
        raise UnreadableError(f"{len(plain)} bytes in place of {wanted}")
    if not is_compressed(content):
        return np.frombuffer(plain, dtype=STIMULUS_DTYPE).reshape(rows, columns)
    low, high = np.frombuffer(plain, dtype=np.uint8).reshape(2, rows, columns).astype(np.uint16)
    folded = low | high << 8
    steps = folded >> 1 ^ (0 - (folded & 1)).astype(np.uint16)
    summed = np.cumsum(np.cumsum(steps, axis=0, dtype=np.uint16), axis=1, dtype=np.uint16)
    return summed.astype(STIMULUS_DTYPE)


def _decompressed(content: bytes, wanted: int) -> bytes:
    unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        plain = unpacker.decompress(content, wanted + 1)
        plain += unpacker.flush()
    except zlib.error as error:
        raise UnreadableError(str(error)) from error
    if not unpacker.eof or unpacker.unused_data:
        raise UnreadableError("the stream does not end where the slice does")
    return plain


def _foretold(plane: Samples) -> bytes:
    """Differences to what the neighbours foretell, signs folded into the last bit; low bytes, then high bytes."""
    wide = plane.astype(np.int32)
    steps = np.diff(np.diff(wide, axis=0, prepend=0), axis=1, prepend=0).astype(np.int16)
    folded = (steps << 1 ^ steps >> 15).astype(np.uint16)
    return (folded & 0xFF).astype(np.uint8).tobytes() + (folded >> 8).astype(np.uint8).tobytes()
