"""What exports of large scans take of memory and of room on the disk beside the package itself.

    python -m bench.export_memory [--slices 300] [--scans 10] [--side 512]

Each package is made in a process of its own, of one scan and of many, as DICOM and as NIfTI, with a liver mask and one
of twenty lesions. Prints the peak of resident memory above that of an idle worker, the most that stood in the
temporary folder, and the size of the package.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ctplatform.settings.testing")

MIB = 2**20
LESIONS = 20


def peak_mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def store_scans(storage, count, shape):
    """One scan under several identifiers; all but the first are links."""
    import numpy as np

    from ctplatform.datasets.scans import voxels

    grid = grid_of(shape)
    random = np.random.default_rng(0)
    _, y, x = np.indices((1, *shape[1:]))
    body = ((y - shape[1] / 2) / 150) ** 2 + ((x - shape[2] / 2) / 200) ** 2 < 1
    scan, masks = first_identifiers()
    for index in range(shape[0]):
        plane = np.where(body[0], random.normal(60, 15, shape[1:]), -1000).astype("<i2")
        voxels.save_bytes(voxels.scan_slice_key(scan, index), voxels.pack(plane, voxels.HU_DTYPE))
        liver = (body[0] & (x[0] < shape[2] / 2)).astype(np.uint8)
        numbers = liver * np.uint8(1 + (index * LESIONS) // shape[0]) * (np.abs(y[0] - shape[1] / 2) < 9)
        for mask, labels in zip(masks, (liver, numbers), strict=True):
            voxels.save_bytes(voxels.mask_slice_key(mask, index), voxels.pack(labels, voxels.LABEL_DTYPE))
    return [described(scan, masks, grid, number) for number in range(count)]


def first_identifiers():
    import uuid

    return uuid.UUID(int=1), [uuid.UUID(int=2), uuid.UUID(int=3)]


def grid_of(shape):
    from ml.geometry import Grid

    return Grid(size_zyx=shape, spacing_zyx_mm=(1.0, 0.8, 0.8))


def described(scan, masks, grid, number):
    from ctplatform.datasets.exporting.described import DescribedMask, DescribedScan

    return DescribedScan(
        id=scan,
        name=f"scan {number}",
        subject="P1",
        origin="acquired",
        dataset="Bench",
        dataset_source="",
        licence="",
        grid=grid,
        acquisition={},
        is_deidentified=True,
        synthesis=None,
        source=None,
        source_subject="",
        root=scan,
        masks=tuple(
            DescribedMask(pk, kind, "made", by_hand=False) for pk, kind in zip(masks, ("liver", "lesion"), strict=True)
        ),
        facts={},
    )


class Watched:
    """The most that a folder held, looked at every few milliseconds."""

    def __init__(self, folder):
        self.folder, self.most, self._done = folder, 0, threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def _watch(self):
        while not self._done.wait(0.02):
            self.most = max(self.most, sum(one.stat().st_size for one in self._files()))

    def _files(self):
        for path in self.folder.rglob("*"):
            try:
                if path.is_file():
                    yield path
            except FileNotFoundError:
                continue

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._done.set()
        self._thread.join()


def one_package(options):
    """In the process of a worker that has done nothing else."""
    import django
    from django.core.files.storage import default_storage
    from django.test import override_settings

    django.setup()
    import ctplatform.datasets.exporting.dicom_ct
    import ctplatform.datasets.exporting.dicom_seg
    import ctplatform.datasets.exporting.nifti  # noqa: F401 - what every export loads is not of its size
    from ctplatform.datasets.exporting.execution import store_package
    from ctplatform.datasets.kinds import ExportFormat

    with override_settings(MEDIA_ROOT=options.storage):
        first, masks = first_identifiers()
        grid = grid_of((options.slices, options.side, options.side))
        scans = [described(first, masks, grid, number) for number in range(options.scans)]
        idle, started = peak_mib(), time.process_time()
        with Watched(Path(tempfile.gettempdir())) as watched:
            store_package(
                "exports/x/scans.zip", scans, form=ExportFormat(options.form), masks=True, on_progress=lambda *_: None
            )
        seconds = time.process_time() - started
        size = default_storage.size("exports/x/scans.zip")
    print(
        f"  {options.form}, {options.scans} scans: {peak_mib() - idle:.0f} MiB above {idle:.0f}, "
        f"{watched.most / MIB:.0f} MiB of temporary files, package {size / MIB:.0f} MiB, {seconds:.0f} s",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--scans", type=int, default=10)
    parser.add_argument("--form", help=argparse.SUPPRESS)
    parser.add_argument("--storage", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.form:
        one_package(options)
        return
    import django
    from django.test import override_settings

    django.setup()
    shape = (options.slices, options.side, options.side)
    with tempfile.TemporaryDirectory() as storage, override_settings(MEDIA_ROOT=storage):
        store_scans(storage, options.scans, shape)
        voxels_mib = shape[0] * shape[1] * shape[2] * 2 / MIB
        print(f"scans of {' x '.join(map(str, shape))}, {voxels_mib:.0f} MiB of voxels each", flush=True)
        for form in ("nifti", "dicom"):
            for count in (1, options.scans):
                with tempfile.TemporaryDirectory() as temporary:
                    told = ["--form", form, "--scans", str(count), "--storage", storage, "--slices", str(shape[0])]
                    command = [sys.executable, "-m", "bench.export_memory", *told, "--side", str(options.side)]
                    subprocess.run(command, check=True, env={**os.environ, "TMPDIR": temporary})


if __name__ == "__main__":
    main()
