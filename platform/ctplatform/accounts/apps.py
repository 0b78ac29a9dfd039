from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AccountsConfig(AppConfig):
    name = "ctplatform.accounts"
    label = "accounts"

    def ready(self) -> None:
        from ctplatform.accounts import checks, signals  # noqa: F401 - the record; what is looked at at the start

        post_migrate.connect(keep_record_append_only, sender=self)


def keep_record_append_only(*, using: str, **_: Any) -> None:
    from ctplatform.accounts.record import RECORD

    RECORD.keep(using)
