"""Registers the synthesis app's kinds of work; imported by AppConfig.ready."""

from typing import Any

from ctplatform.errors import ConflictError
from ctplatform.jobs import registry
from ctplatform.jobs.registry import JobContext, WriteResult
from synthesis.atlas.services import ATLAS_KIND, run_atlas
from synthesis.edits.services import BATCH_KIND, EDIT_KIND
from synthesis.generators.services import REGISTER_KIND, check_usable, discard_staged, run_registration
from synthesis.generators.training import TRAIN_KIND, run_training
from synthesis.models import Generator, SignatureAtlas, SynthesisJob


def run_edit(payload: dict[str, Any], context: JobContext) -> WriteResult:
    from synthesis.edits.execution import run_edit as run

    return run(payload, context)


def run_batch(payload: dict[str, Any], context: JobContext) -> WriteResult:
    from synthesis.edits.batch import run_batch as run

    return run(payload, context)


# What is tried again is ordered anew: a generator that was retired meanwhile makes nothing more.
def check_edit(payload: dict[str, Any]) -> None:
    check_usable(SynthesisJob.objects.select_related("generator").get(pk=payload["synthesis"]).generator)


def check_batch(payload: dict[str, Any]) -> None:
    check_usable(Generator.objects.get(pk=payload["generator"]))


def check_atlas(payload: dict[str, Any]) -> None:
    atlas = SignatureAtlas.objects.select_related("generator").filter(pk=payload["atlas"]).first()
    if atlas is None:
        raise ConflictError("The dataset of this atlas was deleted, and the atlas with it. Order one of another.")
    check_usable(atlas.generator)


registry.register(REGISTER_KIND, run_registration, on_abandoned=discard_staged)
registry.register(EDIT_KIND, run_edit, check_retry=check_edit)
registry.register(BATCH_KIND, run_batch, check_retry=check_batch)
registry.register(TRAIN_KIND, run_training)
registry.register(ATLAS_KIND, run_atlas, check_retry=check_atlas)
