"""A withdrawn consent reaches what generators keep of a scan: exemplars, checkpoints, samples, and work under way."""

import logging
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path
from uuid import UUID

from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from ctplatform.committed import after_commit
from ctplatform.datasets.scans.voxels import save_bytes
from ctplatform.datasets.withdrawal import Withdrawal
from ctplatform.jobs import services as jobs
from ctplatform.jobs.models import Job, JobQuerySet
from ml.generator.card import CARD_NAME, read_card
from ml.generator.emptied import write_without_exemplars
from synthesis.generator_reports import storable
from synthesis.generators.services import ARTEFACT_FILES, discard_files, fetched, folder_of
from synthesis.generators.training import discard_progress
from synthesis.models import EditOrder, ExemplarBank, Generator, TrainingRun

logger = logging.getLogger(__name__)

STOPPED = "A scan that this work needs was withdrawn."


def follow_withdrawal(withdrawal: Withdrawal) -> None:
    for pk in let_go(withdrawal.ids):
        after_commit(empty, pk)


def finish_withdrawals(scans: Sequence[UUID]) -> None:
    """Follow withdrawals of versions that did not, and empty again what still lies in the storage with exemplars."""
    with transaction.atomic():
        let_go(scans)
    for pk, digest in Generator.objects.exclude(emptied_at=None).values_list("pk", "digest"):
        if any(default_storage.exists(f"{folder_of(digest)}/{name}") for name in ARTEFACT_FILES):
            try:
                empty(pk)
            except Exception:
                # One that can't be read keeps no other one.
                logger.exception("The generator %s was not emptied.", pk)


def let_go(scans: Sequence[UUID]) -> set[UUID]:
    """Stop what works with these scans and give no more exemplars of theirs; the files of what is returned must go."""
    hold_full()
    emptied = holders(scans)
    jobs.stop(work_with(scans, emptied), reason=STOPPED)
    for run in TrainingRun.objects.filter(scans__in=scans).distinct():
        discard_progress(run)
    Generator.objects.filter(pk__in=emptied).update(emptied_at=timezone.now())
    return emptied


def hold_full() -> None:
    """Whatever takes exemplars over from one of these is written before now, or sees that they went."""
    full = Generator.objects.select_for_update(no_key=True).filter(emptied_at=None).order_by("pk")
    list(full.values_list("pk", flat=True))


def work_with(scans: Sequence[UUID], generators: Collection[UUID]) -> JobQuerySet:
    """Under way with pixels of these scans or with exemplars of these generators."""
    needing = [
        TrainingRun.objects.filter(scans__in=scans),
        ExemplarBank.objects.filter(Q(scans__in=scans) | Q(source__in=generators)),
        EditOrder.objects.filter(Q(source_scan__in=scans) | Q(generator__in=generators)),
    ]
    return Job.objects.filter(pk__in=[pk for rows in needing for pk in rows.values_list("job", flat=True)])


def holders(scans: Sequence[UUID]) -> set[UUID]:
    """Generators with exemplars or normal liver of these scans, of their own or of the generator they were made of."""
    full = Generator.objects.filter(emptied_at=None)
    own = full.filter(Q(training_runs__scans__in=scans) | Q(exemplar_banks__scans__in=scans))
    found = set(own.values_list("pk", flat=True))
    asked = found
    while asked:
        made = ExemplarBank.objects.filter(source__in=asked, generator__emptied_at=None, generator__isnull=False)
        keeping = {bank.generator_id for bank in made.select_related("generator") if keeps_of_before(bank)}
        asked = {pk for pk in keeping if pk is not None} - found
        found |= asked
    return found


def keeps_of_before(bank: ExemplarBank) -> bool:
    """Whether exemplars or normal liver of its source are in it; a card that does not tell may."""
    told = bank.generator.card.get("banks") if bank.generator else None
    last = told[-1] if isinstance(told, list) and told else {}
    return bool(bank.beside or last.get("normal_liver_of_before", not bank.all_drawn))


def empty(pk: UUID) -> None:
    """Exchange the stored files for some without exemplars; those with them go even where that does not work."""
    digest = Generator.objects.values_list("digest", flat=True).get(pk=pk)
    try:
        with transaction.atomic():
            generator = Generator.objects.select_for_update(no_key=True).get(pk=pk)
            if generator.awaits_emptying:
                exchange_files(generator)
    finally:
        discard_files(digest)


def exchange_files(generator: Generator) -> None:
    with fetched(generator.storage_prefix) as folder, tempfile.TemporaryDirectory(prefix="emptied-") as scratch:
        generator.emptied_digest = write_without_exemplars(folder, Path(scratch))
        # Of the row as well: two generators may differ in their exemplars alone.
        generator.storage_prefix = f"generators/{generator.emptied_digest}-{generator.pk}"
        for name in ARTEFACT_FILES:
            key = f"{generator.storage_prefix}/{name}"
            # Left by an attempt that was broken off.
            default_storage.delete(key)
            save_bytes(key, (Path(scratch) / name).read_bytes())
        generator.card = storable(CARD_NAME, read_card(scratch).values)
    generator.save(update_fields=["emptied_digest", "storage_prefix", "card"])
