"""An atlas shows pieces of scans: it goes with them, and its pictures go with it. Imported by AppConfig.ready."""

from typing import Any

from django.core.files.storage import default_storage
from django.db.models.signals import post_delete, pre_delete
from django.dispatch import receiver

from ctplatform.committed import after_commit
from ctplatform.datasets.models import Scan
from ctplatform.datasets.withdrawal import Withdrawal
from synthesis.models import AtlasPatch, SignatureAtlas


def follow_withdrawal(withdrawal: Withdrawal) -> None:
    for scan in withdrawal.scans:
        drop_atlases(scan)


@receiver(pre_delete, sender=Scan)
def drop_atlases(instance: Scan, **_: Any) -> None:
    shown = AtlasPatch.objects.filter(scan=instance.pk).values("atlas")
    for atlas in SignatureAtlas.objects.filter(pk__in=shown).defer("content"):
        atlas.delete()


@receiver(post_delete, sender=SignatureAtlas)
def drop_pictures(instance: SignatureAtlas, **_: Any) -> None:
    if instance.sheet_key:
        after_commit(default_storage.delete, instance.sheet_key)
