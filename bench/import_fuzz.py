"""What mutated files do to the import: how many are refused or read, and that none gets further than that.

    python bench/import_fuzz.py --count 10000 --seed 1

Ordinary files of every format are damaged at random (bytes, runs, cuts, numbers of headers, foreign pieces) and given
to the confined reader, many at a time, as an import gives them. Counted are refusals and scans, and what must stay at
zero: exceptions in the worker, crashes and time-outs of the reader, more memory than allowed, files left behind, and
bytes of a file that was not given.
"""

import argparse
import collections
import struct
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np
import pydicom
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless, generate_uid

from ctplatform.datasets.importing.confined.process import Limits, Reader, ReaderStoppedError
from ctplatform.datasets.importing.offering import files_of
from ctplatform.datasets.importing.refusal import ImportRefusedError
from tests.datasets.files import write_dicom_seg, write_file, write_series
from tests.phantoms import liver_box, small_ct, small_grid

MUST_STAY_ZERO = ("exceptions", "crashes", "time-outs", "out of memory", "left behind", "foreign bytes")
CANARY = b"CANARY-of-the-server"
LIMITS = Limits(seconds=20)
GRID = small_grid((4, 80, 96))  # large enough for JPEG 2000
WORDS = (
    b"LOCAL",
    b"LIST",
    b"/etc/passwd",
    b"%s%n",
    b"-1",
    b"99999999999",
    b"NaN",
    b"data file: ",
    b"ElementDataFile = ",
    b"\0",
)


def originals(folder):
    """One file, or one folder of files, of each kind."""
    volume = small_ct(GRID)
    for suffix in (".nii", ".nii.gz", ".nrrd", ".mha", ".mhd"):
        write_file(folder / suffix[1:] / f"case_1{suffix}", volume, GRID)
    for name, syntax in (("plain", None), ("j2k", JPEG2000Lossless), ("jls", JPEGLSLossless), ("rle", RLELossless)):
        write_series(folder / f"dicom-{name}", volume, GRID, **({"syntax": syntax} if syntax else {}))
    write_series(folder / "seg", volume, GRID)
    headers = [pydicom.dcmread(file) for file in sorted((folder / "seg").iterdir())]
    write_dicom_seg(folder / "seg" / "seg.dcm", headers, {"liver": liver_box(GRID)})
    for name, kind in (("zip", zipfile.ZIP_DEFLATED), ("zip-lzma", zipfile.ZIP_LZMA)):
        (folder / name).mkdir()
        with zipfile.ZipFile(folder / name / "a.zip", "w", kind) as archive:
            for file in (folder / "dicom-plain").iterdir():
                archive.write(file, file.name)
    return sorted(path for path in folder.iterdir())


def mutated(content, random):
    """Headers stand in front, so half of the damage goes there."""
    content = bytearray(content)
    for _ in range(int(random.integers(1, 6))):
        size = max(1, len(content))
        end = size if random.random() < 0.5 else min(size, 600)
        at = int(random.integers(0, end))
        kind = random.integers(0, 7)
        if kind == 0:
            content[at : at + 1] = random.bytes(1)
        elif kind == 1:
            content[at : at + int(random.integers(1, 64))] = random.bytes(int(random.integers(0, 64)))
        elif kind == 2:
            content[at : at + 4] = struct.pack("<I", int(random.choice([0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])))
        elif kind == 3:
            content[at : at + 2] = struct.pack("<h", int(random.choice([-1, 0, 1, 4096, 32767, -32768])))
        elif kind == 4:
            del content[at:]
        elif kind == 5:
            word = WORDS[int(random.integers(0, len(WORDS)))]
            content[at : at + len(word)] = word
        else:
            piece = bytes(content[at : at + 200])
            content[at:at] = piece * int(random.integers(1, 4))
    return bytes(content)


def place(original, folder, random):
    """One mutated copy; a series gets its own identifiers so that many can be read together."""
    folder.mkdir(parents=True)
    files = sorted(original.iterdir())
    victims = {int(random.integers(0, len(files))) for _ in range(2)}
    uid = generate_uid()
    for position, file in enumerate(files):
        content = file.read_bytes()
        if file.suffix != ".zip" and content[128:132] == b"DICM":
            old = str(pydicom.dcmread(file, stop_before_pixels=True).SeriesInstanceUID)
            content = content.replace(old.encode(), uid[: len(old)].ljust(len(old), "1").encode())
        (folder / file.name).write_bytes(mutated(content, random) if position in victims else content)


def look(offered, counts):
    """Everything that a reader makes of the files."""
    with Reader(offered, LIMITS) as reader:
        candidates, refusals = guarded(counts, reader.discover) or ([], [])
        counts["refused"] += len(refusals)
        for number, candidate in enumerate(candidates):
            scan = guarded(counts, lambda number=number, candidate=candidate: reader.read(number, candidate))
            if scan is not None:
                counts["read"] += 1
                held = [scan.volume.tobytes(), scan.volume.astype(np.int8).tobytes(), repr(scan).encode()]
                counts["foreign bytes"] += any(CANARY in each for each in held)
            if reader._process.poll() is not None:  # noqa: SLF001
                return


def guarded(counts, work):
    try:
        return work()
    except ReaderStoppedError as error:
        counts["time-outs" if "too long" in error.message else "crashes"] += 1
    except ImportRefusedError as error:
        counts["out of memory" if "more memory" in error.message else "refused"] += 1
    except Exception as error:  # noqa: BLE001 - this is what is looked for
        counts["exceptions"] += 1
        print(type(error).__name__, error, flush=True)
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--together", type=int, default=40, help="Mutated copies given to one reader")
    options = parser.parse_args()
    counts, kinds = collections.Counter(), collections.Counter()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder)
        (top / "tmp").mkdir()
        (top / "secret.raw").write_bytes(CANARY * 1000)
        tempfile.tempdir = str(top / "tmp")
        sources = originals(top / "originals")
        random = np.random.default_rng(options.seed)
        done = 0
        while done < options.count:
            source = sources[int(random.integers(0, len(sources)))]
            together = 1 if "zip" in source.name else min(options.together, options.count - done)
            batch = top / f"batch-{done}"
            for copy in range(together):
                place(source, batch / f"case-{copy}", random)
            kinds[source.name] += together
            look(files_of(batch), counts)
            done += together
        counts["left behind"] = len(list((top / "tmp").iterdir()))
    print(f"{done} mutated copies in {time.monotonic() - started:.0f} s, seed {options.seed}:", dict(kinds))
    for name in (
        "refused",
        "read",
        "exceptions",
        "crashes",
        "time-outs",
        "out of memory",
        "left behind",
        "foreign bytes",
    ):
        print(f"{name:>15} {counts[name]}")


if __name__ == "__main__":
    main()
