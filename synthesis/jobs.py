"""Registers the synthesis app's kinds of work; imported by AppConfig.ready."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.db.models import QuerySet

from ctplatform.jobs import registry
from ctplatform.jobs.registry import GONE, JobContext, WriteResult
from synthesis.atlas.services import ATLAS_KIND, run_atlas
from synthesis.edits.rows import EDIT_KIND
from synthesis.edits.services import BATCH_KIND
from synthesis.generators.banks import BANK_KIND, abandon_bank, run_bank
from synthesis.generators.services import (
    REGISTER_KIND,
    abandon_registration,
    run_registration,
    why_no_edits,
    why_unusable,
)
from synthesis.generators.training import TRAIN_KIND, abandon_training, run_training
from synthesis.models import GENERATOR_BULK, EditOrder, ExemplarBank, Generator, SignatureAtlas, TrainingRun

ORDERED_AGAIN = "The same has been ordered again meanwhile."
SCAN_WITHDRAWN = (
    "A scan of this order was withdrawn, so it can't be made as it was ordered. Order it anew of the others."
)
GENERATOR_NAMED = [f"generator__{name}" for name in ("name", "digest", "retired_at", "emptied_at")]


def run_edit(payload: dict[str, Any], context: JobContext) -> WriteResult:
    from synthesis.edits.execution import run_edit as run

    return run(payload, context)


def run_batch(payload: dict[str, Any], context: JobContext) -> WriteResult:
    from synthesis.edits.batch import run_batch as run

    return run(payload, context)


# What is tried again is ordered anew: a generator that was retired meanwhile makes nothing more.
def refuse_edits(payloads: Sequence[dict[str, Any]]) -> list[str]:
    wanted = [payload["synthesis"] for payload in payloads]
    orders = EditOrder.objects.filter(pk__in=wanted).select_related("generator").only(*GENERATOR_NAMED)
    return _refusals(wanted, {str(order.pk): order.generator for order in orders}, gone=GONE, why=why_no_edits)


def refuse_batches(payloads: Sequence[dict[str, Any]]) -> list[str]:
    wanted = [payload["generator"] for payload in payloads]
    generators = Generator.objects.filter(pk__in=wanted).defer(*GENERATOR_BULK)
    return _refusals(wanted, {str(generator.pk): generator for generator in generators}, gone=GONE, why=why_no_edits)


def refuse_atlases(payloads: Sequence[dict[str, Any]]) -> list[str]:
    wanted = [payload["atlas"] for payload in payloads]
    atlases = SignatureAtlas.objects.filter(pk__in=wanted).select_related("generator").only(*GENERATOR_NAMED)
    gone = "The dataset of this atlas was deleted, and the atlas with it. Order one of another."
    return _refusals(wanted, {str(atlas.pk): atlas.generator for atlas in atlases}, gone=gone)


def refuse_trainings(payloads: Sequence[dict[str, Any]]) -> list[str]:
    wanted = [payload["run"] for payload in payloads]
    runs = TrainingRun.objects.filter(pk__in=wanted).select_related("initial").defer(*_bulk("initial"))
    begun = {str(run.pk): run.initial for run in runs}
    lacking = _lacking_scans(TrainingRun.objects.filter(pk__in=wanted))
    refusals = ["" if (initial := begun.get(pk)) is None else why_unusable(initial) for pk in wanted]
    return [SCAN_WITHDRAWN if pk in lacking else refusal for pk, refusal in zip(wanted, refusals, strict=True)]


def refuse_banks(payloads: Sequence[dict[str, Any]]) -> list[str]:
    wanted = [payload["bank"] for payload in payloads]
    banks = {
        str(bank.pk): bank
        for bank in ExemplarBank.objects.filter(pk__in=wanted).select_related("source").defer(*_bulk("source"))
    }
    same = ExemplarBank.objects.filter(made_of__in=[bank.made_of for bank in banks.values() if bank.made_of])
    again = {bank.made_of for bank in (same.made() | same.unfinished()).only("made_of")}
    refusals = _refusals(wanted, {pk: bank.source for pk, bank in banks.items()}, gone=GONE)
    lacking = _lacking_scans(ExemplarBank.objects.filter(pk__in=wanted))
    return [
        refusal
        or (SCAN_WITHDRAWN if pk in lacking else "")
        or (ORDERED_AGAIN if pk in banks and banks[pk].made_of in again else "")
        for pk, refusal in zip(wanted, refusals, strict=True)
    ]


def _lacking_scans(rows: QuerySet[TrainingRun] | QuerySet[ExemplarBank]) -> set[str]:
    """Identifiers of those of which a scan was withdrawn."""
    return {str(pk) for pk in rows.filter(scans__withdrawn_at__isnull=False).values_list("pk", flat=True)}


def _bulk(way: str) -> list[str]:
    return [f"{way}__{name}" for name in GENERATOR_BULK]


def _refusals(
    wanted: Sequence[str],
    generators: Mapping[str, Generator],
    *,
    gone: str,
    why: Callable[[Generator], str] = why_unusable,
) -> list[str]:
    return [why(generators[pk]) if pk in generators else gone for pk in wanted]


registry.register(
    REGISTER_KIND, run_registration, on_abandoned=abandon_registration, refuse_retries=registry.refuse_without_upload
)
registry.register(EDIT_KIND, run_edit, refuse_retries=refuse_edits)
registry.register(BATCH_KIND, run_batch, refuse_retries=refuse_batches)
registry.register(TRAIN_KIND, run_training, on_abandoned=abandon_training, refuse_retries=refuse_trainings)
registry.register(BANK_KIND, run_bank, on_abandoned=abandon_bank, refuse_retries=refuse_banks)
registry.register(ATLAS_KIND, run_atlas, refuse_retries=refuse_atlases)
