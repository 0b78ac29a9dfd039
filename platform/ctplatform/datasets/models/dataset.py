"""Sets of scans, and whose they are. Tables that stand on this one are named by text: they import it."""

import uuid
from typing import Self

from django.apps import apps
from django.db import models
from django.db.models import Count, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce
from django.urls import reverse

from ctplatform.accounts.models import User


class DatasetQuerySet(models.QuerySet["Dataset"]):
    def visible_to(self, user: User) -> Self:
        if user.is_administrator:
            return self
        if user.is_rater:
            return self.none()
        return self.filter(Q(owner=user) | Q(members=user)).distinct()

    def with_facts(self) -> Self:
        scans = apps.get_model("datasets", "Scan").objects.filter(dataset=OuterRef("pk"))
        counted = scans.order_by().values("dataset").annotate(count=Count("pk")).values("count")
        return self.annotate(scan_count=Coalesce(Subquery(counted), 0))


class Dataset(models.Model):
    """A named set of scans with source, licence and who may use it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=120, unique=True)
    description = models.TextField(blank=True)
    source = models.CharField(max_length=300, blank=True, help_text="Where the scans come from")
    licence = models.CharField(max_length=200, blank=True)
    owner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="datasets_owned")
    members = models.ManyToManyField(User, blank=True, related_name="datasets_shared")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = DatasetQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("datasets:dataset", args=[self.pk])

    def editable_by(self, user: User) -> bool:
        """Members use a dataset; its owner and administrators change it and say who the members are."""
        return user.is_administrator or self.owner_id == user.pk
