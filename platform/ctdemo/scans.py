"""The phantom dataset: scans with known lesions and their lesion-free twins."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ctdemo.phantoms import make_phantoms
from ctplatform.accounts.models import User
from ctplatform.datasets.kinds import MaskKind
from ctplatform.datasets.models import Dataset, MadeBy, Origin, Scan
from ctplatform.datasets.scans.registration import register_scan
from ml.geometry import Grid

DATASET_NAME = "Phantom abdomens"
SUBJECTS = 16

Report = Callable[[str], None]


def ensure_dataset(owner: User, members: list[User]) -> Dataset:
    dataset, made = Dataset.objects.get_or_create(
        name=DATASET_NAME,
        defaults={
            "owner": owner,
            "description": "Procedural abdominal CT with simulated acquisition: every lesion is known exactly, "
            "and each scan has a twin with the same noise and no lesion.",
            "source": "python -m ml.phantom",
            "licence": "CC0",
        },
    )
    if made:
        dataset.members.set(members)
    return dataset


def scan_name(number: int) -> str:
    return f"phantom-{number:02d}"


def ensure_scans(dataset: Dataset, owner: User, report: Report) -> None:
    missing = [n for n in range(1, SUBJECTS + 1) if not complete(dataset, n)]
    if not missing:
        return
    report(f"Making {len(missing)} phantom scans and their lesion-free twins")
    for number, made in make_phantoms(missing):
        register_pair(dataset, owner, number, made)
        report(f"  {scan_name(number)}: {len(made['kinds'])} lesions")


def complete(dataset: Dataset, number: int) -> bool:
    names = [scan_name(number), f"{scan_name(number)}-free"]
    return Scan.objects.filter(dataset=dataset, name__in=names).count() == len(names)


def register_pair(dataset: Dataset, owner: User, number: int, made: dict[str, Any]) -> None:
    grid: Grid = made["grid"]
    common = {
        "dataset": dataset,
        "subject": f"phantom subject {number:02d}",
        "origin": Origin.PHANTOM,
        "grid": grid,
        "created_by": owner,
        "masks_made_by": MadeBy.PHANTOM,
        "acquisition": made["acquisition"],
    }
    anatomy = {MaskKind.LIVER: made["liver"], MaskKind.VESSEL: made["vessels"]}
    scan = Scan.objects.filter(dataset=dataset, name=scan_name(number)).first() or register_scan(
        name=scan_name(number),
        volume=made["hu"],
        masks={**anatomy, MaskKind.LESION: made["labels"].astype(np.uint8)},
        lesion_kinds=made["kinds"],
        **common,
    )
    if not Scan.objects.filter(dataset=dataset, name=f"{scan_name(number)}-free").exists():
        register_scan(
            name=f"{scan_name(number)}-free",
            volume=made["lesion_free_hu"],
            masks=anatomy,
            source_scan=scan,
            **common,
        )
