"""A generator with a dataset's lesions as its exemplars, as a job."""

import hashlib
import json
import tempfile
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.db import transaction
from django.urls import reverse

from ctplatform.accounts.models import User
from ctplatform.datasets.kinds import MaskKind
from ctplatform.datasets.models import Dataset, Lesion, Mask, Origin, Scan, ScanQuerySet
from ctplatform.datasets.permissions import hold_pixels, refuse_unless_shared
from ctplatform.errors import ConflictError, DomainError
from ctplatform.jobs import services as jobs
from ctplatform.jobs.models import Queue
from ctplatform.jobs.registry import JobContext, WriteResult
from ml.errors import MlError
from synthesis.generators import services as generators
from synthesis.generators.training import case_of
from synthesis.models import GENERATOR_BULK, ExemplarBank, Generator
from synthesis.permissions import refuse_raters

BANK_KIND = "synthesis.bank"
# What places of normal liver are drawn with: the same lesions make the same generator.
SEED = 0


class BankThereError(ConflictError):
    """The same lesions for the same generator, in the same way: there already, or being made."""

    def __init__(self, there: ExemplarBank) -> None:
        self.there = there
        if there.generator is None:
            message = f"{there.job.owner} has ordered the same already, and it is being made. Nothing was ordered."
        else:
            made = f"the generator {there.generator}"
            message = f"These lesions would give what is there already, {made}. Nothing was ordered."
        super().__init__(message, code="bank_there", details=[address_of(there)])


def address_of(bank: ExemplarBank) -> str:
    """Of what came out, and before that of the job."""
    return bank.generator.get_absolute_url() if bank.generator else reverse("jobs:job", args=[bank.job_id])


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
    made_of = digest_of(generator, scans, beside=beside, all_drawn=all_drawn)
    with transaction.atomic():
        # Scans before generators, as a withdrawal holds them.
        hold_pixels(scans)
        # Two people who order the same at once: the second one waits here, and finds the first one's.
        Generator.objects.select_for_update().defer(*GENERATOR_BULK).get(pk=generator.pk)
        if there := same_bank(made_of):
            raise BankThereError(there)
        job = jobs.enqueue(
            kind=BANK_KIND,
            title=f"Exemplars of {dataset} for {generator.name}: {name}",
            owner=ordered_by,
            payload={"bank": str(bank_id)},
            queue=Queue.GPU,
            result_url=generator.get_absolute_url(),
        )
        bank = ExemplarBank.objects.create(
            id=bank_id,
            job=job,
            name=name,
            source=generator,
            dataset=dataset,
            beside=beside,
            all_drawn=all_drawn,
            made_of=made_of,
        )
        bank.scans.set(scans)
    return bank


def digest_of(generator: Generator, scans: Sequence[Scan], *, beside: bool, all_drawn: bool) -> str:
    """Of all that decides what comes out. Voxels of a scan stay, and a mask that changes is another row."""
    wanted = [scan.pk for scan in scans]
    kinds = [MaskKind.LIVER, MaskKind.LESION]
    masks = Mask.objects.filter(scan__in=wanted, kind__in=kinds).order_by("pk").values_list("pk", flat=True)
    lesions = Lesion.objects.filter(scan__in=wanted).order_by("scan_id", "number")
    told = [
        generator.digest,
        [beside, all_drawn],
        [str(mask) for mask in masks],
        [[str(scan), number, kind] for scan, number, kind in lesions.values_list("scan_id", "number", "kind")],
    ]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def same_bank(made_of: str) -> ExemplarBank | None:
    """Made before one that is being made; what failed or was cancelled is none."""
    banks = ExemplarBank.objects.filter(made_of=made_of).select_related("generator", "job__owner")
    banks = banks.defer(*(f"generator__{name}" for name in GENERATOR_BULK))
    return banks.made().first() or banks.unfinished().first()


def scans_with_lesions(dataset: Dataset) -> ScanQuerySet:
    """Whose lesions may be exemplars: those of patients and phantoms, not those that were made here."""
    scans = Scan.objects.with_pixels().filter(dataset=dataset, masks__kind=MaskKind.LIVER, lesions__isnull=False)
    return scans.exclude(origin=Origin.SYNTHETIC).distinct().order_by("name", "pk")


def run_bank(payload: dict[str, Any], context: JobContext) -> WriteResult:
    bank = ExemplarBank.objects.select_related("source", "dataset", "job__owner").get(pk=payload["bank"])
    scans = list(bank.scans.order_by("name", "pk"))
    # A mask may have changed since the order.
    made_of = digest_of(bank.source, scans, beside=bank.beside, all_drawn=bank.all_drawn)
    with tempfile.TemporaryDirectory(prefix="bank-") as scratch:
        try:
            make(bank, scans, Path(scratch), context)
        except MlError as error:
            raise DomainError(str(error)) from error
        generators.note_digest(ExemplarBank.objects.filter(pk=bank.pk), Path(scratch))
        stored = generators.store(folder=Path(scratch), name=bank.name, registered_by=bank.job.owner)

    def write_result() -> dict[str, Any]:
        hold_pixels(scans)
        # A withdrawal that is being written is waited for; one that comes now finds what is written here.
        held = Generator.objects.select_for_update(no_key=True).defer(*GENERATOR_BULK).get(pk=bank.source_id)
        if held.emptied_at != bank.source.emptied_at:
            raise DomainError(f"{bank.source} has lost its exemplars meanwhile. Order it again.")
        generator, result = stored.save_for(context.job_id)
        ExemplarBank.objects.filter(pk=bank.pk).update(generator=generator, made_of=made_of)
        return result

    return write_result


def abandon_bank(payload: dict[str, Any], _reason: str) -> None:
    generators.discard_unregistered(ExemplarBank.objects.filter(pk=payload["bank"]))


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
