"""An atlas shows pieces of scans: it goes with them, and its pictures go with it. Imported by AppConfig.ready."""

from typing import Any

from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models.signals import post_delete, pre_delete
from django.dispatch import receiver

from ctplatform.datasets.models import Scan
from synthesis.models import SignatureAtlas


@receiver(pre_delete, sender=Scan)
def drop_atlases(instance: Scan, **_: Any) -> None:
    for atlas in SignatureAtlas.objects.filter(dataset=instance.dataset_id):
        if any(point["scan"] == str(instance.pk) for point in atlas.content.get("points", [])):
            atlas.delete()


@receiver(post_delete, sender=SignatureAtlas)
def drop_pictures(instance: SignatureAtlas, **_: Any) -> None:
    if instance.sheet_key:
        transaction.on_commit(lambda: default_storage.delete(instance.sheet_key))
