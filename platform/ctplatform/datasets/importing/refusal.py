"""Why something was not imported, and the limits that keep hostile files from doing harm."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from ctplatform.errors import DomainError

logger = logging.getLogger(__name__)

MIB = 1024**2
GIB = 1024**3

MAX_FILES = 20_000
MAX_UNPACKED_BYTES = 16 * GIB
# A zip of CT slices shrinks to a half or a third; air and masks to a hundredth at best.
MAX_ZIP_RATIO = 200
FREE_UNPACKED_BYTES = 64 * MIB
# deflate can't shrink anything more than this
MAX_GZIP_RATIO = 1040
MAX_SIDE = 4096
MIN_SIDE = 16
MIN_SLICES = 3
# 512 x 512 x 2300: 1.2 GB as int16
MAX_VOXELS = 600_000_000
TOO_MUCH_MEMORY = "Reading it takes more memory than is allowed, so it is damaged, hostile or too large."


class ImportRefusedError(DomainError):
    """This file or series can't be imported; the message says why and what would help."""


@contextmanager
def refused_when_damaged(message: str) -> Iterator[None]:
    """Libraries fail on hostile bytes in ways that no list can name, and say so with the bytes themselves.

    Those bytes may be a name, so neither the log nor the chain of causes keeps more than the kind of failure.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except DomainError:
        raise
    except MemoryError:
        raise ImportRefusedError(TOO_MUCH_MEMORY) from None
    except Exception as error:  # noqa: BLE001 - a library may fail at a stranger's file in any way
        logger.warning("a file can't be read", extra={"failure": type(error).__name__})
        raise ImportRefusedError(message) from None


def check_size(size_zyx: tuple[int, ...]) -> None:
    """Look at the sizes that a header claims before anything is allocated for them."""
    if len(size_zyx) != 3:
        raise ImportRefusedError(f"It has {len(size_zyx)} dimensions; a scan has three.")
    slices, rows, columns = size_zyx
    described = f"{slices} slices of {rows} x {columns}"
    if slices < MIN_SLICES:
        raise ImportRefusedError(f"It has {slices} slice(s); a scan has at least {MIN_SLICES}.")
    if min(rows, columns) < MIN_SIDE or max(rows, columns) > MAX_SIDE:
        raise ImportRefusedError(f"Its header claims {described}, which is no CT scan.")
    if slices * rows * columns > MAX_VOXELS:
        raise ImportRefusedError(
            f"Its header claims {described}: more than the {MAX_VOXELS // 10**6} million voxels that are read. "
            "Crop or resample it first."
        )


def check_promise(claimed_bytes: int, present_bytes: int, *, compressed: bool) -> None:
    """A file must be able to hold what its header claims."""
    if claimed_bytes > present_bytes * (MAX_GZIP_RATIO if compressed else 1):
        raise ImportRefusedError(
            "It is truncated or its header is wrong: "
            f"the header claims {claimed_bytes / MIB:.1f} MiB of voxels, "
            f"the file has {present_bytes / MIB:.1f} MiB. Copy it again from its source."
        )
