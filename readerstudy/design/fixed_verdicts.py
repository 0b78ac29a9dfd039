"""The review of a synthetic scan that is a case of a locked study stands: the study was locked on it."""

from django.utils.translation import gettext, ngettext

from ctplatform.datasets.models import Scan
from ctplatform.errors import ConflictError
from readerstudy.models import CaseTruth, StudyState


def refuse_for_locked_cases(scan: Scan) -> None:
    locked = CaseTruth.objects.filter(scan=scan, synthetic=True).exclude(case__study__state=StudyState.DRAFT)
    if locked.exists():
        raise ConflictError(
            gettext(
                "This scan is a case of a reader study that is locked or finished, so its review stands. What "
                "speaks against it now belongs into the report of that study."
            ),
            code="verdict_stands",
        )


def warning_of_drafts(scan: Scan) -> str:
    """A rejected case holds up the lock of a draft. Whose drafts they are is not everybody's business."""
    drafts = CaseTruth.objects.filter(scan=scan, synthetic=True, case__study__state=StudyState.DRAFT)
    count = drafts.values("case__study").distinct().count()
    if not count:
        return ""
    return ngettext(
        "This is a case of a draft of a study. Rejected, it must be taken out there before the lock.",
        "This is a case of %(count)s drafts of studies. Rejected, it must be taken out there before the lock.",
        count,
    ) % {"count": count}
