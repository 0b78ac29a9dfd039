"""Registers the synthesis app's kinds of work; imported by AppConfig.ready."""

from typing import Any

from ctplatform.jobs import registry
from ctplatform.jobs.registry import JobContext, WriteResult
from synthesis.atlas import ATLAS_KIND, run_atlas
from synthesis.generators import REGISTER_KIND, discard_staged, run_registration
from synthesis.services import BATCH_KIND, EDIT_KIND
from synthesis.training import TRAIN_KIND, run_training


def run_edit(payload: dict[str, Any], context: JobContext) -> WriteResult:
    from synthesis.execution import run_edit as run

    return run(payload, context)


def run_batch(payload: dict[str, Any], context: JobContext) -> WriteResult:
    from synthesis.batch import run_batch as run

    return run(payload, context)


registry.register(REGISTER_KIND, run_registration, on_abandoned=discard_staged)
registry.register(EDIT_KIND, run_edit)
registry.register(BATCH_KIND, run_batch)
registry.register(TRAIN_KIND, run_training)
registry.register(ATLAS_KIND, run_atlas)
