from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class ReaderstudyConfig(AppConfig):
    name = "readerstudy"

    def ready(self) -> None:
        from ctplatform import waiting
        from ctplatform.backups.followers import follow_restores
        from ctplatform.datasets.scans.added_masks import guard_lesions
        from ctplatform.datasets.services import guard_datasets, guard_patients, guard_verdicts, warn_of_verdicts
        from ctplatform.datasets.withdrawal import follow_withdrawals, guard_withdrawals
        from readerstudy import jobs  # noqa: F401 - registers the kinds of work
        from readerstudy.design.fixed_datasets import refuse_for_chosen
        from readerstudy.design.fixed_lesions import refuse_for_cases
        from readerstudy.design.fixed_patients import refuse_for_locked_patients
        from readerstudy.design.fixed_verdicts import refuse_for_locked_cases, warning_of_drafts
        from readerstudy.reading.waiting import waiting_for
        from readerstudy.unblinding.restored import note_restore
        from readerstudy.unblinding.withdrawn import forget_pixels, refuse_while_shown

        guard_datasets(refuse_for_chosen)
        guard_patients(refuse_for_locked_patients)
        follow_withdrawals(forget_pixels)
        guard_withdrawals(refuse_while_shown)
        guard_lesions(refuse_for_cases)
        guard_verdicts(refuse_for_locked_cases)
        follow_restores(note_restore)
        warn_of_verdicts(warning_of_drafts)
        waiting.register(waiting_for)
        post_migrate.connect(keep_ledger_append_only, sender=self)


def keep_ledger_append_only(*, using: str, **_: Any) -> None:
    from readerstudy.ledger.triggers import LEDGER, TRUTHS_TOLD

    LEDGER.keep(using)
    TRUTHS_TOLD.keep(using)
