"""Training a generator as a job: live curves and pictures, cancelled or killed runs go on from their checkpoint."""

import io
import logging
import math
import pickle
import shlex
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from django.core.files.storage import default_storage
from django.db import transaction

from ctplatform.accounts.models import User
from ctplatform.committed import after_commit
from ctplatform.datasets.kinds import MaskKind
from ctplatform.datasets.models import Origin, Scan
from ctplatform.datasets.permissions import hold_pixels, refuse_unless_usable
from ctplatform.datasets.scans import voxels
from ctplatform.errors import DomainError
from ctplatform.jobs import services as jobs
from ctplatform.jobs.models import Job, Queue
from ctplatform.jobs.registry import JobContext, WriteResult
from ml.errors import MlError
from ml.training.config import FINE_TUNING, TrainConfig
from synthesis.generators import services as generators
from synthesis.models import Generator, TrainingRun

if TYPE_CHECKING:
    from ml.patches.case import LiverCase
    from ml.training.config import Objective
    from ml.training.run import Line
    from ml.training.trainer import Trainer

logger = logging.getLogger(__name__)

TRAIN_KIND = "synthesis.train"
MIN_STEPS, MAX_STEPS = 10, 1_000_000
REPORT_EVERY_STEPS = 10
REPORT_EVERY_SECONDS = 2.0
# A fifth of the patients decides when to stop: when they have gained nothing for ten checks (2000 steps). Of fewer than
# five patients none can be spared.
FEWEST_PATIENTS, HELD_OUT_SHARE, PATIENCE_CHECKS = 5, 0.2, 10


def order_training(
    *,
    ordered_by: User,
    name: str,
    scans: Sequence[Scan],
    objective: str,
    steps: int,
    seed: int,
    population: str = "all",
    initial: Generator | None = None,
    lesion_free: Collection[Scan] = (),
    partly_drawn: Collection[Scan] = (),
) -> TrainingRun:
    """Train on scans that have a liver mask; lesions may be among them but are not needed for each.

    `initial` is the generator whose weights to begin from. `lesion_free` are scans without a lesion mask of which it is
    known that there is nothing to draw, `partly_drawn` those whose masks lack lesions.
    """
    refuse_unless_usable(scans, ordered_by)
    if not scans:
        raise DomainError("Choose at least one scan with a liver mask.")
    edited = [scan.name for scan in scans if scan.origin == Origin.SYNTHETIC]
    if edited:
        raise DomainError(f"“{edited[0]}” is synthetic; generators learn from scans as they were taken.")
    if not any(scan.lesions.exists() for scan in scans):
        raise DomainError("None of these scans has a known lesion, so no direction towards lesions could be learned.")
    said = lesions_said(scans, lesion_free=lesion_free, partly_drawn=partly_drawn)
    if not any(all_drawn(scan, said.get(str(scan.pk), "")) for scan in scans):
        raise DomainError(
            "Of none of these scans is it known that all lesions are drawn, so none shows normal liver. "
            "Add a scan with a lesion mask, or name those that are free of lesions."
        )
    # On normal patches the others neither teach nor watch.
    teaching = scans if population == "all" else [s for s in scans if all_drawn(s, said.get(str(s.pk), ""))]
    config = {"objective": objective, "population": population, "steps": steps, "seed": seed} | held_out(teaching)
    if initial is not None:
        generators.check_usable(initial)
        refuse_other_decoder(initial, objective)
        config |= fine_tuning()
    run_id = uuid.uuid4()
    with transaction.atomic():
        job = jobs.enqueue(
            kind=TRAIN_KIND,
            title=f"Train the generator {name} on {len(scans)} scans",
            owner=ordered_by,
            payload={"run": str(run_id)},
            queue=Queue.TRAINING,
            result_url=f"/synthesis/training/{run_id}/",
        )
        run = TrainingRun.objects.create(
            id=run_id, job=job, name=name, config=config, initial=initial, lesions_said=said
        )
        run.scans.set(scans)
    return run


def lesions_said(
    scans: Sequence[Scan], *, lesion_free: Collection[Scan], partly_drawn: Collection[Scan]
) -> dict[str, str]:
    """What a person says of the lesions of some of the scans, by their ids, as `ml.scans.said` calls it."""
    strangers = [scan.name for scan in (*lesion_free, *partly_drawn) if scan not in scans]
    if strangers:
        raise DomainError(f"“{strangers[0]}” is none of the chosen scans. Choose it as well, or don't name it.")
    both = [scan.name for scan in lesion_free if scan in partly_drawn]
    if both:
        raise DomainError(f"“{both[0]}” can't be free of lesions and have some that are not drawn. Name it once.")
    drawn = [scan.name for scan in lesion_free if scan.lesions.exists()]
    if drawn:
        raise DomainError(f"“{drawn[0]}” has lesions that are drawn, so it is not free of them.")
    return {str(s.pk): "none" for s in lesion_free} | {str(s.pk): "not all drawn" for s in partly_drawn}


def all_drawn(scan: Scan, said: str = "") -> bool:
    """Whether every lesion of a scan is known to be drawn; a phantom's lesions are known without a mask."""
    if said:
        return said != "not all drawn"
    return scan.origin == Origin.PHANTOM or scan.masks.filter(kind=MaskKind.LESION).exists()


def refuse_other_decoder(initial: Generator, objective: str) -> None:
    """Other differences can't be: networks that are trained here have the sizes of the weights they begin from."""
    if initial.card["net"]["noise"] != TrainConfig(objective=cast("Objective", objective)).adversarial:
        raise DomainError(
            f"{initial} was trained with another kind of objective: weights of IAE and weights of AAE or AE don't "
            "fit each other. Choose the objective that it was trained with."
        )


def fine_tuning() -> dict[str, Any]:
    """How fast a training from given weights learns."""
    return {"learning_rate": FINE_TUNING.learning_rate, "critic_rate": FINE_TUNING.critic_rate}


def held_out(scans: Sequence[Scan]) -> dict[str, Any]:
    """How many patients only watch, and for how many checks the training waits for them."""
    if len({scan.subject for scan in scans}) < FEWEST_PATIENTS:
        return {}
    return {"validation_share": HELD_OUT_SHARE, "patience": PATIENCE_CHECKS}


def run_training(payload: dict[str, Any], context: JobContext) -> WriteResult:
    from ml.generator.bank import lesions_to_learn
    from ml.generator.files import beginning_of, resolve_device
    from ml.nets.config import NetConfig
    from ml.training.run import run as train
    from ml.training.trainer import Trainer

    run = TrainingRun.objects.select_related("initial").get(pk=payload["run"])
    device = resolve_device("auto")
    context.report_device(str(device))
    context.progress(0.0, "reading the scans")
    try:
        cases = [case_of(scan, run.lesions_said.get(str(scan.pk), "")) for scan in run.scans.order_by("pk")]
        lesions_to_learn(cases)
        config = TrainConfig(**run.config)
        beginning = None if run.initial is None else beginning_of(generators.load(run.initial))
        net = NetConfig(noise=config.adversarial) if beginning is None else beginning.net
        trainer = Trainer(cases, net, config, device=str(device), beginning=beginning)
        train(trainer, JobSink(run, context))
        context.progress(1.0, f"{ending(trainer)}; building the signature bank")
        files = export(run, trainer, cases)
    except MlError as error:
        raise DomainError(str(error)) from error
    owner = Job.objects.select_related("owner").get(pk=context.job_id).owner

    with tempfile.TemporaryDirectory(prefix="training-") as scratch:
        for name, content in files.items():
            (Path(scratch) / name).write_bytes(content)
        generators.note_digest(TrainingRun.objects.filter(pk=run.pk), Path(scratch))
        stored = generators.store(folder=Path(scratch), name=run.name, registered_by=owner)

    def write_result() -> dict[str, Any]:
        hold_pixels(run.scans.all())
        generator, result = stored.save_for(context.job_id)
        TrainingRun.objects.filter(pk=run.pk).update(generator=generator)
        transaction.on_commit(lambda: discard_checkpoints(run))
        return result

    return write_result


def abandon_training(payload: dict[str, Any], _reason: str) -> None:
    """Its checkpoint stays: whoever tries again goes on from there, unless a scan was withdrawn."""
    runs = TrainingRun.objects.filter(pk=payload["run"])
    generators.discard_unregistered(runs)
    for run in runs.filter(scans__withdrawn_at__isnull=False).distinct():
        discard_progress(run)


def ending(trainer: "Trainer") -> str:
    if trainer.done == trainer.config.steps:
        return f"all {trainer.done} steps are done"
    return f"stopped at step {trainer.done}, because the held-out patients gained nothing more"


def export(run: TrainingRun, trainer: "Trainer", cases: list["LiverCase"]) -> dict[str, bytes]:
    """The artefact's files by name."""
    from ml.generator.files import save_generator

    note = f"{len(cases)} scans of this platform"
    with tempfile.TemporaryDirectory(prefix="training-") as scratch:
        folder = Path(scratch)
        save_generator(trainer.learned(), cases, folder, name=run.name, command=command_of(run), data_note=note)
        return {name: (folder / name).read_bytes() for name in generators.ARTEFACT_FILES}


def command_of(run: TrainingRun) -> str:
    given = ((name.replace("_", "-"), shlex.quote(str(value))) for name, value in run.config.items())
    options = " ".join(f"--{name} {value}" for name, value in given)
    if run.initial is not None:
        options = f"--init <the files of {run.initial}> {options}"
    said = Counter(run.lesions_said.values())
    told = "".join(f", {said[word]} “{word}” in lesions.csv" for word in sorted(said))
    return f"python -m ml.train --data <the scans, exported{told}> {options}"


def case_of(scan: Scan, said: str = "") -> "LiverCase":
    """A scan as the library reads it; `said` is what a person says of its lesions."""
    from ml.patches.case import build_case

    grid = scan.geometry
    masks = {mask.kind: voxels.read_labels(mask.pk, grid) for mask in scan.masks.all()}
    if MaskKind.LIVER not in masks:
        raise DomainError(f"{scan.name} has no liver mask any more. Estimate or import one and retry.")
    labels = masks.get(MaskKind.LESION, np.zeros(grid.size_zyx, dtype=np.uint8))
    return build_case(
        scan.subject,
        voxels.read_volume(scan.pk, grid),
        grid,
        liver=masks[MaskKind.LIVER] > 0,
        labels=labels,
        kinds={lesion.number: lesion.kind for lesion in scan.lesions.exclude(kind="")},
        all_drawn=all_drawn(scan, said),
    )


class JobSink:
    """A training that belongs to a job: its curve stands in a row, checkpoint and picture in the storage."""

    def __init__(self, run: TrainingRun, context: JobContext) -> None:
        self.run, self.context, self.reported = run, context, -math.inf

    def resume(self, trainer: "Trainer") -> "list[Line]":
        restore(self.run, trainer)
        return [point for point in self.run.curve if point["step"] <= trainer.done]

    def before_step(self, trainer: "Trainer") -> None:
        """A report every few steps or seconds: it renews the lease and is where a cancellation is noticed."""
        if time.monotonic() - self.reported >= REPORT_EVERY_SECONDS or trainer.done % REPORT_EVERY_STEPS == 0:
            self.reported = time.monotonic()
            total = trainer.config.steps
            self.context.progress(trainer.done / total, f"step {trainer.done} of {total}")

    def log(self, curve: "list[Line]") -> None:
        TrainingRun.objects.filter(pk=self.run.pk).update(curve=curve)

    def save(self, trainer: "Trainer", curve: "list[Line]") -> None:
        save_checkpoint(self.run, trainer)
        save_samples(self.run, trainer)


def save_checkpoint(run: TrainingRun, trainer: "Trainer") -> None:
    import torch

    buffer = io.BytesIO()
    torch.save(trainer.state(), buffer)
    # Written under its own name first: a kill while writing leaves the older one, which restore falls back to.
    voxels.save_bytes(f"{run.folder}/checkpoint-{trainer.done}-{uuid.uuid4().hex[:8]}.pt", buffer.getvalue())
    for name in sorted(checkpoints(run), key=checkpoint_step)[:-1]:
        default_storage.delete(f"{run.folder}/{name}")


def discard_progress(run: TrainingRun) -> None:
    """What the storage has of a training that can't go on, its pictures of patches among it."""
    TrainingRun.objects.filter(pk=run.pk).update(samples_key="")
    after_commit(_discard_all, run)


def discard_checkpoints(run: TrainingRun) -> None:
    _discard(run, checkpoints(run))


def checkpoints(run: TrainingRun) -> list[str]:
    return [name for name in _stored_names(run) if name.startswith("checkpoint-")]


def _stored_names(run: TrainingRun) -> list[str]:
    try:
        return default_storage.listdir(run.folder)[1]
    except FileNotFoundError:
        # Nothing was stored yet: the folder comes with the first file.
        return []


def _discard_all(run: TrainingRun) -> None:
    _discard(run, _stored_names(run))


def _discard(run: TrainingRun, names: Sequence[str]) -> None:
    for name in names:
        default_storage.delete(f"{run.folder}/{name}")


def checkpoint_step(name: str) -> int:
    return int(name.split("-")[1])


def restore(run: TrainingRun, trainer: "Trainer") -> None:
    """Go on from the newest checkpoint that is whole; a worker killed while writing leaves half of one."""
    import torch

    for name in sorted(checkpoints(run), key=checkpoint_step, reverse=True):
        key = f"{run.folder}/{name}"
        try:
            state = torch.load(io.BytesIO(voxels.load_bytes(key)), map_location=trainer.device, weights_only=True)
        except (RuntimeError, EOFError, pickle.UnpicklingError):
            logger.warning("damaged checkpoint removed", extra={"key": key})
            default_storage.delete(key)
            continue
        trainer.restore(state)
        return


def save_samples(run: TrainingRun, trainer: "Trainer") -> None:
    from ml.training.progress import sample_picture

    key = f"{run.folder}/samples-{trainer.done}-{uuid.uuid4().hex[:8]}.png"
    voxels.save_bytes(key, sample_picture(*trainer.samples()))
    older = TrainingRun.objects.values_list("samples_key", flat=True).get(pk=run.pk)
    TrainingRun.objects.filter(pk=run.pk).update(samples_key=key)
    if older:
        default_storage.delete(older)
