"""One zip of several scans, with a table that says what every folder holds and what of it is synthetic."""

import csv
import io
import json
import re
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

from ctplatform.datasets.exporting.described import DescribedScan
from ctplatform.datasets.kinds import ExportFormat
from ctplatform.spreadsheets import harmless

# DICOM slices shrink to about a half at the fastest level, and hardly further at others. NIfTI is packed by itself.
# Files that are only stored would need their size in front of them, which nobody knows while they are written.
ZIP_LEVELS = {ExportFormat.DICOM: 1, ExportFormat.NIFTI: 0}
TABLE = "scans.csv"
LONGEST_NAME = 60
OnProgress = Callable[[float, str], None]


def write_package(
    target: Path | IO[bytes],
    scans: Sequence[DescribedScan],
    *,
    form: ExportFormat,
    masks: bool,
    on_progress: OnProgress,
) -> None:
    """Written from the first byte to the last, a slice at a time; an error leaves a part that its caller removes."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=ZIP_LEVELS[form]) as archive:
        rows = []
        for number, scan in enumerate(scans):
            on_progress(number / len(scans), f"scan {number + 1} of {len(scans)}: {scan.name}")
            folder = f"{number + 1:04d}_{file_name(scan.name)}"
            writer = _write_dicom if form == ExportFormat.DICOM else _write_nifti
            files = writer(archive, folder, scan, masks=masks)
            archive.writestr(f"{folder}/scan.json", json.dumps(_facts(scan), indent=2))
            rows.append(_row(folder, scan, files))
        archive.writestr(TABLE, _table(rows))


def file_name(text: str) -> str:
    """Letters, digits, dot, dash and underscore: what every file system and unpacking program takes."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text).strip("._")[:LONGEST_NAME] or "scan"


def _write_dicom(archive: zipfile.ZipFile, folder: str, scan: DescribedScan, *, masks: bool) -> int:
    from ctplatform.datasets.exporting.dicom_ct import as_file, ct_series

    count = 0
    for count, made in enumerate(ct_series(scan), start=1):
        archive.writestr(f"{folder}/CT/{count:04d}.dcm", as_file(made))
    if masks and scan.masks:
        # highdicom loads slowly, and not every package has masks
        from ctplatform.datasets.exporting.dicom_seg import segmentations

        for kind, segmentation in segmentations(scan):
            archive.writestr(f"{folder}/SEG/{kind}.dcm", as_file(segmentation))
    return count


def _write_nifti(archive: zipfile.ZipFile, folder: str, scan: DescribedScan, *, masks: bool) -> int:
    from ctplatform.datasets.exporting.nifti import write_ct, write_mask

    with archive.open(f"{folder}/ct.nii.gz", "w", force_zip64=True) as target:
        write_ct(scan, target)
    for mask in scan.masks if masks else ():
        with archive.open(f"{folder}/masks/{mask.kind}.nii.gz", "w", force_zip64=True) as target:
            write_mask(scan, mask, target)
    return 1


def _facts(scan: DescribedScan) -> dict[str, Any]:
    return {
        "scan": str(scan.id),
        "name": scan.name,
        "subject": scan.subject,
        "origin": scan.origin,
        "synthetic": scan.is_synthetic,
        "dataset": scan.dataset,
        "source": scan.dataset_source,
        "licence": scan.licence,
        "grid": scan.grid.to_dict(),
        "acquisition": dict(scan.acquisition),
        "provenance": dict(scan.facts) or None,
        "masks": {mask.kind: mask.made_by for mask in scan.masks},
    }


def _row(folder: str, scan: DescribedScan, files: int) -> dict[str, Any]:
    return {
        "folder": folder,
        "name": scan.name,
        "subject": scan.subject,
        "origin": scan.origin,
        "synthetic": "yes" if scan.is_synthetic else "no",
        "edited_from": str(scan.source or ""),
        "scan": str(scan.id),
        "ct_files": files,
        "masks": " ".join(mask.kind for mask in scan.masks),
        "dataset": scan.dataset,
        "licence": scan.licence,
    }


def _table(rows: Sequence[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows({name: harmless(value) for name, value in row.items()} for row in rows)
    return text.getvalue()
