"""Whose body a case of a locked study shows stands: the study was locked on it, and its results count by patients."""

from uuid import UUID

from django.utils.translation import gettext

from ctplatform.datasets.models import Scan
from ctplatform.errors import ConflictError
from readerstudy.models import CaseTruth, StudyState


def refuse_for_locked_patients(scan: Scan) -> None:
    """Edited scans show the patient of the scan at their beginning, so all that was made of it counts."""
    locked = CaseTruth.objects.filter(scan__in=_with_descendants(scan)).exclude(case__study__state=StudyState.DRAFT)
    if locked.exists():
        raise ConflictError(
            gettext(
                "A reader study that is locked or finished shows this scan, or one that was made of it, so its "
                "patient stands. Its name can still be changed."
            ),
            code="patient_stands",
        )


def _with_descendants(scan: Scan) -> set[UUID]:
    found, generation = {scan.pk}, [scan.pk]
    while generation:
        generation = list(Scan.objects.filter(source_scan__in=generation).values_list("pk", flat=True))
        found.update(generation)
    return found
