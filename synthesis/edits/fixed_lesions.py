"""The lesions of a scan stand once the removal of one of them was ordered: the order names its row."""

from ctplatform.datasets.models import Scan
from ctplatform.errors import ConflictError
from synthesis.models import EditOrder


def refuse_for_removals(scan: Scan) -> None:
    if EditOrder.objects.filter(lesion__scan=scan).exists():
        raise ConflictError(
            "The removal of a lesion of this scan was ordered, and the order names it, so the lesion mask stays. "
            "Import the scan into another dataset with the new mask.",
            code="lesions_stand",
        )
