from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class ReaderstudyConfig(AppConfig):
    name = "readerstudy"

    def ready(self) -> None:
        from readerstudy import jobs  # noqa: F401 - registers the kinds of work

        post_migrate.connect(keep_ledger_append_only, sender=self)


def keep_ledger_append_only(*, using: str, **_: Any) -> None:
    from readerstudy.ledger.triggers import LEDGER

    LEDGER.keep(using)
