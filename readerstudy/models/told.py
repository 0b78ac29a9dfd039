from django.db import models
from django.utils import timezone

from readerstudy.models.reading import RatingEvent


class TruthTold(models.Model):
    """The rater was told what the case of this answer was; nobody else was. From then on the answer stands."""

    event = models.OneToOneField(RatingEvent, on_delete=models.PROTECT, primary_key=True, related_name="told")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "truths told"

    def __str__(self) -> str:
        return f"Told of {self.event}"
