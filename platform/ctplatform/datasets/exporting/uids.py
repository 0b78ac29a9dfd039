"""Identifiers of exported objects: new ones, and the same ones each time the same thing is exported.

An archive that gets a scan twice recognises it, an edited slice can name its source whether or not that is in the
same package, and nothing leads back to the archive that a scan came from. The subject is part of them, because a
study that appears under two patients is refused by archives.
"""

import uuid

from pydicom.uid import UID

from ctplatform.datasets.exporting.described import DescribedScan

_NAMESPACE = uuid.UUID("6d5bb9d2-5c0b-4a0a-93a0-3b7b0a5f7f0e")


def _uid(*parts: object) -> UID:
    """2.25 with a UUID: the form that needs no registered root (PS3.5 B.2)."""
    return UID(f"2.25.{uuid.uuid5(_NAMESPACE, '/'.join(map(str, parts))).int}")


def study(scan: DescribedScan) -> UID:
    """An edited scan belongs to the study of the scan it was edited from."""
    return study_of(scan.root, scan.subject)


def study_of(root: uuid.UUID, subject: str) -> UID:
    return _uid("study", root, subject)


def frame_of_reference(scan: DescribedScan) -> UID:
    return _uid("frame", scan.root, scan.subject)


def series(scan_id: uuid.UUID, subject: str) -> UID:
    return _uid("series", scan_id, subject)


def instance(scan_id: uuid.UUID, subject: str, index: int) -> UID:
    return _uid("slice", scan_id, subject, index)


def mask_series(scan: DescribedScan, mask_id: uuid.UUID) -> UID:
    return _uid("mask series", mask_id, scan.subject)


def mask_instance(scan: DescribedScan, mask_id: uuid.UUID) -> UID:
    return _uid("mask", mask_id, scan.subject)
