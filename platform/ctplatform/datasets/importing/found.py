"""What the importer hands on: a scan that has been read and cleaned, ready to be stored."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ctplatform.datasets.importing.refusal import ImportRefusedError
from ctplatform.datasets.models import MaskKind
from ctplatform.datasets.registration import MaskVolume
from ctplatform.datasets.storage import Volume
from ml.geometry import Grid

AIR_HU = -1024
# Water is 0 HU and air -1000: a CT in which nothing is darker than water is not in HU.
DARKEST_PLAUSIBLE_HU = 0
LEAST_RANGE_HU = 100


@dataclass
class ReadScan:
    volume: Volume
    grid: Grid
    report: dict[str, Any]
    name: str = ""
    subject: str = ""
    acquisition: dict[str, Any] = field(default_factory=dict)
    masks: dict[MaskKind, MaskVolume] = field(default_factory=dict)

    def note(self, text: str) -> None:
        self.report.setdefault("notes", []).append(text)

    def changed(self, text: str) -> None:
        self.report.setdefault("changed", []).append(text)


@dataclass(frozen=True)
class Candidate:
    """Something that may be a scan; label is safe to show and to store."""

    label: str
    read: Callable[[], ReadScan]
    series_uid: str = ""
    frame_uid: str = ""


@dataclass(frozen=True)
class Refusal:
    label: str
    reason: str

    def as_dict(self) -> dict[str, str]:
        return {"name": self.label, "reason": self.reason}


def clean_hu(scan: ReadScan) -> None:
    """Padding becomes air; values that can't be HU are refused."""
    low, high = int(scan.volume.min()), int(scan.volume.max())
    if low >= DARKEST_PLAUSIBLE_HU or high - low < LEAST_RANGE_HU:
        raise ImportRefusedError(
            f"Its values lie between {low} and {high}, so they are not Hounsfield units. "
            "Export the scan in HU, without normalisation or offset."
        )
    if low < AIR_HU:
        padded = int(np.count_nonzero(scan.volume < AIR_HU))
        np.maximum(scan.volume, AIR_HU, out=scan.volume)
        scan.changed(f"{padded} voxels below {AIR_HU} HU (padding, down to {low}) were set to {AIR_HU}")
