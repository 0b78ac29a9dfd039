"""What the confined reader makes of a folder, here in this process: quick, and with masks as they were read."""

import os
import tempfile
from pathlib import Path, PurePosixPath

import numpy as np

from ctplatform.datasets.importing.discovery import discover
from ctplatform.datasets.importing.found import GivenFile
from ctplatform.datasets.importing.refusal import ImportRefusedError
from ctplatform.datasets.importing.said import Said


class PlainRoom:
    def array(self, size_zyx, dtype):
        return np.zeros(size_zyx, dtype)

    def volume(self, size_zyx, planes):
        volume = self.array(size_zyx, np.int16)
        for index, plane in planes:
            volume[index] = plane
        return volume

    def file(self):
        with tempfile.TemporaryFile() as file:
            return os.dup(file.fileno())


def given(folder, *, as_mask=False):
    root = Path(folder)
    files = sorted(path for path in root.rglob("*") if path.is_file()) if root.is_dir() else [root]
    top = root if root.is_dir() else root.parent
    role = "masks" if as_mask else "scans"
    return [_given(PurePosixPath(role, top.name, *path.relative_to(top).parts), path, as_mask) for path in files]


def _given(place, path, as_mask):
    return GivenFile(place, path.stat().st_size, lambda: path.open("rb"), given_as_mask=as_mask)


class Read:
    """Scans by their names, reasons by what was refused."""

    def __init__(self, folder, *, masks=None, labels="", spacing=""):
        files = given(folder) + (given(masks, as_mask=True) if masks else [])
        room = PlainRoom()
        found = discover(files, room, Said.of(labels=labels, spacing=spacing))
        self.refusals = [(refusal.label, refusal.reason) for refusal in found.refusals]
        self.scans = []
        for candidate in found.candidates:
            try:
                self.scans.append(candidate.read(room))
            except ImportRefusedError as error:
                self.refusals.append((candidate.label, error.message))

    @property
    def only(self):
        assert self.refusals == []
        (scan,) = self.scans
        return scan

    def named(self, name):
        (scan,) = [scan for scan in self.scans if scan.name == name]
        return scan

    @property
    def reasons(self):
        return " ".join(reason for _, reason in self.refusals)


def masks_of(scan):
    """Voxels that carry a label, by kind."""
    return {str(kind): labels > 0 for kind, labels in scan.masks.items()}


def notes_of(scan):
    return " ".join(scan.report.get("notes", []))
