"""What importing a DICOM series costs beside SimpleITK's plain read, and what its slices weigh at rest.

    python -m bench.import_speed [FOLDER ...]

A folder holds one series; without any, one of 90 slices is made. Prints the best of a few rounds: SimpleITK's read, and
ours from the files to the stored slices: headers and pixels through the confined reader with the look for drawn text,
digest and packed slices on the disk. The start of the reader, once for an import of any size, is told apart. All times
are of the processor, worker and reader together, so that other work on the machine counts for neither side.
"""

import argparse
import gzip
import os
import tempfile
import time
import uuid
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ctplatform.settings.testing")

import django
import numpy as np
import SimpleITK
from django.test import override_settings

from ctplatform.datasets.importing.confined.process import Limits, Reader
from ctplatform.datasets.importing.offering import files_of
from ctplatform.datasets.scans import voxels
from ml.geometry import Grid
from tests.datasets.files import write_series

MADE_ZYX = (90, 512, 512)


def best_of(rounds, work):
    """Seconds of the quickest round, part by part, and what it gave."""
    results = [work() for _ in range(rounds)]
    return min(results, key=lambda result: sum(result[0].values()))


def plain_read(folder):
    started = time.process_time()
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    volume = SimpleITK.GetArrayFromImage(reader.Execute())
    return {"read": time.process_time() - started}, volume


def our_import(folder):
    clock, children = [time.process_time()], []

    def lap():
        clock.append(time.process_time() + sum(map(processor_seconds, children)))
        return clock[-1] - clock[-2]

    took = {}
    offered = files_of(folder)
    with Reader(offered, Limits()) as reader:
        children.append(reader._process.pid)  # noqa: SLF001
        took["start"] = lap()
        (candidate, *_), _ = reader.discover()
        took["headers"] = lap()
        scan = reader.read(0, candidate)
        took["pixels"] = lap()
        children.clear()
        clock.append(time.process_time())
    voxels.content_digest(scan.volume, scan.grid)
    took["digest"] = lap()
    voxels.write_volume(uuid.uuid4(), scan.volume)
    took["packed and stored"] = lap()
    return took, scan.volume


def processor_seconds(pid):
    """User and system time of another process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def made(folder, slices=MADE_ZYX[0]):
    """A body of noisy tissue in air, with the padding outside of the scanner's circle that most scanners write."""
    size_zyx = (slices, *MADE_ZYX[1:])
    _, rows, columns = size_zyx
    y, x = np.mgrid[:rows, :columns]
    body = ((y - rows / 2) / 150) ** 2 + ((x - columns / 2) / 200) ** 2 < 1
    random = np.random.default_rng(0)
    volume = np.where(body, 60.0, -1000.0) + random.normal(0, 15, size_zyx)
    volume[:, (y - rows / 2) ** 2 + (x - columns / 2) ** 2 > (rows / 2) ** 2] = -1024
    grid = Grid(size_zyx=size_zyx, spacing_zyx_mm=(2.5, 0.8, 0.8))
    write_series(folder, np.clip(np.rint(volume), -1024, 3071).astype(np.int16), grid)
    return folder


def report(folder, rounds):
    plain, reference = best_of(rounds, lambda: plain_read(folder))
    took, volume = best_of(rounds, lambda: our_import(folder))
    assert np.array_equal(np.sort(volume, axis=None), np.sort(np.maximum(reference, -1024), axis=None)), "other voxels"
    start = took.pop("start")
    whole = sum(took.values())
    slices = len(volume)
    parts = ", ".join(f"{name} {1000 * seconds / slices:.1f}" for name, seconds in took.items())
    size = " x ".join(map(str, volume.shape))
    print(f"{folder.name}: {size}, best of {rounds}; ms of processor time a slice:")
    print(f"  SimpleITK {1000 * plain['read'] / slices:.1f}; ours {1000 * whole / slices:.1f} ({parts})")
    print(f"  {whole / plain['read']:.1f} times SimpleITK; start of the reader {start:.2f} s")
    packed = sum(len(voxels.pack(plane, voxels.HU_DTYPE)) for plane in volume)
    level_6 = sum(len(gzip.compress(plane.astype(voxels.HU_DTYPE).tobytes(), 6)) for plane in volume)
    print(f"  at rest {packed / 1e6:.1f} MB, {packed / level_6 - 1:+.1%} against zlib's level 6", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="*")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--slices", type=int, default=MADE_ZYX[0], help="of the series that is made")
    options = parser.parse_args()
    django.setup()
    with tempfile.TemporaryDirectory() as scratch, override_settings(MEDIA_ROOT=Path(scratch) / "storage"):
        for folder in options.folders or [made(Path(scratch) / "made", options.slices)]:
            report(folder, options.rounds)


if __name__ == "__main__":
    main()
