from django.db.models import QuerySet
from rest_framework import serializers

from ctplatform.accounts.permissions import current_user
from ctplatform.datasets.models import Dataset, Lesion, Scan


class VisibleScanField(serializers.PrimaryKeyRelatedField[Scan]):
    """A scan that the asking person may see; to all others it does not exist."""

    def get_queryset(self) -> QuerySet[Scan]:
        return Scan.objects.visible_to(current_user(self.context["request"]))


class VisibleLesionField(serializers.PrimaryKeyRelatedField[Lesion]):
    def get_queryset(self) -> QuerySet[Lesion]:
        return Lesion.objects.visible_to(current_user(self.context["request"]))


class VisibleDatasetField(serializers.PrimaryKeyRelatedField[Dataset]):
    def get_queryset(self) -> QuerySet[Dataset]:
        return Dataset.objects.visible_to(current_user(self.context["request"]))
