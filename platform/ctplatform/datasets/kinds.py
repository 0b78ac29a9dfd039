"""What voxels, masks and packages hold. Apart from the models: the confined reader of uploads knows no database."""

import numpy as np
import numpy.typing as npt
from django.db.models import TextChoices

# HU as they are read, stored and sent; `ml` computes on float32.
StoredVolume = npt.NDArray[np.int16]
Labels = npt.NDArray[np.uint8]


def gettext_noop(text: str) -> str:
    """Marks a text for the catalogues. Django's own asks the settings, which the confined reader must not have."""
    return text


class MaskKind(TextChoices):
    LIVER = "liver", "Liver"
    LESION = "lesion", "Lesions"
    VESSEL = "vessel", "Vessels"
    CHANGED = "changed", "Changed voxels"


class ExportFormat(TextChoices):
    DICOM = "dicom", gettext_noop("DICOM (masks as DICOM-SEG)")
    NIFTI = "nifti", gettext_noop("NIfTI (masks as labels)")
