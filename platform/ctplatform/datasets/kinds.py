"""What a mask may hold. Apart from the models, because the confined reader of uploads knows no database."""

from django.db.models import TextChoices


class MaskKind(TextChoices):
    LIVER = "liver", "Liver"
    LESION = "lesion", "Lesions"
    VESSEL = "vessel", "Vessels"
    CHANGED = "changed", "Changed voxels"
