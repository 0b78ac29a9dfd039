"""A study that was put back from a backup says so in its record: what was answered or seen since is gone from here."""

from django.db.models import Max

from readerstudy.models import AuditEntry, RatingEvent, Study, record

RESTORED = "restored from a backup"


def note_restore() -> None:
    """In every study, with what it holds: a chain that lost its last entries is a chain still."""
    for study in Study.objects.for_lists().order_by("created_at"):
        answered = RatingEvent.objects.filter(study=study).aggregate(last=Max("received_at"))["last"]
        done = AuditEntry.objects.filter(study=study).aggregate(last=Max("at"))["last"]
        until = max(at for at in (answered, done, study.created_at) if at is not None)
        record(
            study=study,
            actor=None,
            action=RESTORED,
            entries=study.ledger_count,
            ledger_head=study.ledger_head,
            until=until.isoformat(timespec="seconds"),
        )
