"""A generator with a dataset's lesions as its exemplars, as a job."""

import tempfile
import uuid
from pathlib import Path
from typing import Any

from django.db import transaction

from ctplatform.accounts.models import User
from ctplatform.datasets.kinds import MaskKind
from ctplatform.datasets.models import Dataset, Origin, Scan, ScanQuerySet
from ctplatform.datasets.permissions import refuse_unless_shared
from ctplatform.errors import DomainError
from ctplatform.jobs import services as jobs
from ctplatform.jobs.models import Job, Queue
from ctplatform.jobs.registry import JobContext, WriteResult
from ml.errors import MlError
from synthesis.generators import services as generators
from synthesis.generators.training import case_of
from synthesis.models import ExemplarBank, Generator
from synthesis.permissions import refuse_raters

BANK_KIND = "synthesis.bank"
# What places of normal liver are drawn with: the same lesions make the same generator.
SEED = 0


def order_bank(
    *,
    ordered_by: User,
    generator: Generator,
    dataset: Dataset,
    name: str,
    beside: bool = False,
    all_drawn: bool = True,
) -> ExemplarBank:
    """Make a generator that inserts the dataset's lesions, instead of the generator's own or beside them.

    `all_drawn` False: the masks lack lesions, so that no liver around them counts as normal.
    """
    refuse_raters(ordered_by)
    refuse_unless_shared(dataset, ordered_by)
    generators.check_usable(generator)
    scans = list(scans_with_lesions(dataset))
    if not scans:
        raise DomainError("No scan of this dataset has a liver mask and lesions. Import or draw them first.")
    bank_id = uuid.uuid4()
    with transaction.atomic():
        job = jobs.enqueue(
            kind=BANK_KIND,
            title=f"Exemplars of {dataset} for {generator.name}: {name}",
            owner=ordered_by,
            payload={"bank": str(bank_id)},
            queue=Queue.GPU,
            result_url=generator.get_absolute_url(),
        )
        bank = ExemplarBank.objects.create(
            id=bank_id, job=job, name=name, source=generator, dataset=dataset, beside=beside, all_drawn=all_drawn
        )
        bank.scans.set(scans)
    return bank


def scans_with_lesions(dataset: Dataset) -> ScanQuerySet:
    """Whose lesions may be exemplars: those of patients and phantoms, not those that were made here."""
    scans = Scan.objects.with_pixels().filter(dataset=dataset, masks__kind=MaskKind.LIVER, lesions__isnull=False)
    return scans.exclude(origin=Origin.SYNTHETIC).distinct().order_by("name", "pk")


def run_bank(payload: dict[str, Any], context: JobContext) -> WriteResult:
    bank = ExemplarBank.objects.select_related("source", "dataset", "job__owner").get(pk=payload["bank"])
    scans = list(bank.scans.order_by("name", "pk"))
    with tempfile.TemporaryDirectory(prefix="bank-") as scratch:
        try:
            make(bank, scans, Path(scratch), context)
        except MlError as error:
            raise DomainError(str(error)) from error
        stored = generators.store(folder=Path(scratch), name=bank.name, registered_by=bank.job.owner)

    def write_result() -> dict[str, Any]:
        if Scan.objects.with_pixels().filter(pk__in=[scan.pk for scan in scans]).count() < len(scans):
            raise DomainError("A scan of this bank was withdrawn or deleted meanwhile. Order it again.")
        generator = stored.save()
        ExemplarBank.objects.filter(pk=bank.pk).update(generator=generator)
        Job.objects.filter(pk=context.job_id).update(result_url=generator.get_absolute_url())
        return {"generator": str(generator.pk), "digest": generator.digest}

    return write_result


def make(bank: ExemplarBank, scans: list[Scan], folder: Path, context: JobContext) -> None:
    """Write the artefact's files; of the scans one at a time is held in memory."""
    from ml.generator.files import save_with_bank
    from ml.generator.own_lesions import assemble, check_can_edit, gather, normals_each

    loaded = generators.load(bank.source)
    context.report_device(str(loaded.device))
    check_can_edit(loaded)
    said, parts = "" if bank.all_drawn else "not all drawn", []
    for number, scan in enumerate(scans):
        context.progress(0.9 * number / len(scans), f"scan {number + 1} of {len(scans)}")
        parts.append(gather(case_of(scan, said), loaded, normals=normals_each(len(scans)), seed=SEED + number))
    context.progress(0.92, "decoding the exemplars")
    own = assemble(parts, loaded, beside=bank.beside, seed=SEED)
    dataset = "a dataset that was deleted" if bank.dataset is None else bank.dataset.name
    save_with_bank(loaded, own, folder, name=bank.name, command=command_of(bank), dataset=dataset)


def command_of(bank: ExemplarBank) -> str:
    beside = " --beside" if bank.beside else ""
    scans = "the scans, exported" if bank.all_drawn else "the scans, exported, each “not all drawn” in lesions.csv"
    return f"python -m ml.bank --data <{scans}> --generator <the files of {bank.source}>{beside}"
