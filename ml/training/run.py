"""The one loop of every training: step, check, log, save. Where it writes and who hears of it is a sink."""

from __future__ import annotations

import math
from typing import Protocol, TypeAlias

from ml.errors import TrainingError
from ml.training.trainer import Trainer

# The quantities of one logged step by name, and "step".
Line: TypeAlias = dict[str, float]

# Steps. A killed run loses at most a hundred: half a minute to two on a processor core.
LOG_EVERY, CHECKPOINT_EVERY = 10, 100
# More points than a page or a picture can draw are not kept.
LONGEST_CURVE = 1000


class Sink(Protocol):
    """Where a run keeps what it has, and who hears of it."""

    def resume(self, trainer: Trainer) -> list[Line]:
        """Put the last checkpoint, if there is one, into the trainer; returns the curve up to it."""

    def before_step(self, trainer: Trainer) -> None:
        """Called before every step; raises to stop the run."""

    def log(self, curve: list[Line]) -> None:
        """The curve has a new last line."""

    def save(self, trainer: Trainer, curve: list[Line]) -> None:
        """Keep a checkpoint and what there is to see."""


def run(trainer: Trainer, sink: Sink) -> None:
    """Train to the end, going on from the sink's last checkpoint.

    Logs every 10 steps (fewer where the curve would grow beyond 1000 lines) and saves every 100. Raises TrainingError
    when the checkpoint is of another run or a loss is no number any more, and what the sink raises.
    """
    curve = sink.resume(trainer)
    log_every = LOG_EVERY * math.ceil(trainer.config.steps / (LOG_EVERY * LONGEST_CURVE))
    while not trainer.finished:
        sink.before_step(trainer)
        found = trainer.step()
        if trainer.validation_due:
            found |= trainer.validate()
        check_finite(found, trainer.done)
        if trainer.done % log_every == 0 or trainer.finished:
            curve.append({"step": trainer.done, **{name: round(value, 4) for name, value in found.items()}})
            sink.log(curve)
        if trainer.done % CHECKPOINT_EVERY == 0 or trainer.finished:
            sink.save(trainer, curve)


def check_finite(found: dict[str, float], step: int) -> None:
    """Raise TrainingError where a loss is no number any more, before it gets into a checkpoint."""
    endless = [name for name, value in found.items() if not math.isfinite(value)]
    if endless:
        raise TrainingError(
            f"The training came apart: {', '.join(endless)} is no number any more at step {step}. "
            "Try a lower learning rate, another seed or another objective."
        )
