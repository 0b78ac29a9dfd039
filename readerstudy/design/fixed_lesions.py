"""The lesions of a scan stand while a study shows one of them: cases know their lesion by its row."""

from django.utils.translation import gettext

from ctplatform.datasets.models import Scan
from ctplatform.errors import ConflictError
from readerstudy.models import CaseTruth


def refuse_for_cases(scan: Scan) -> None:
    if CaseTruth.objects.filter(lesion__scan=scan).exists():
        raise ConflictError(
            gettext(
                "A lesion of this scan is a case of a reader study, so its lesion mask stays. Take the case out "
                "of the draft first; after the lock it stays for good."
            ),
            code="lesions_stand",
        )
