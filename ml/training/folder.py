"""A training that writes into a folder: checkpoint, curve and pictures."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import torch

from ml.training import progress
from ml.training.run import Line
from ml.training.trainer import Trainer

CHECKPOINT_NAME, CURVE_NAME, CURVES_PICTURE, SAMPLES_PICTURE = (
    "checkpoint.pt",
    "curve.jsonl",
    "curves.png",
    "samples.png",
)


class FolderSink:
    """Prints one JSON line for every logged step and writes ``checkpoint.pt``, ``curve.jsonl`` and two pictures.

    With several processes the first one writes and speaks.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.speaks, self.started = folder, True, time.monotonic()

    def resume(self, trainer: Trainer) -> list[Line]:
        """Go on from the folder's checkpoint, if there is one."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.speaks = trainer.team.leads
        curve: list[Line] = []
        checkpoint = self.folder / CHECKPOINT_NAME
        if checkpoint.is_file():
            trainer.restore(torch.load(checkpoint, map_location=trainer.device, weights_only=True))
            curve = self._curve(until=trainer.done)
            self._say(f"going on at step {trainer.done}")
        self.started = time.monotonic() - (curve[-1]["seconds"] if curve else 0)
        return curve

    def before_step(self, trainer: Trainer) -> None:
        """Nobody waits for a folder."""

    def log(self, curve: list[Line]) -> None:
        """Print the last line, with the seconds since the start."""
        curve[-1]["seconds"] = round(time.monotonic() - self.started, 1)
        self._say(json.dumps(curve[-1]))

    def save(self, trainer: Trainer, curve: list[Line]) -> None:
        """The lines first: what a kill lets them have beyond the checkpoint is cut off when the run goes on."""
        # The processes of a team ask for the state together; with a file each, a kill between two writes would
        # leave them at different steps.
        state = trainer.state()
        if trainer.team.leads:
            self._show(trainer, curve)
            partial = self.folder / f"{CHECKPOINT_NAME}.partial"
            torch.save(state, partial)
            partial.replace(self.folder / CHECKPOINT_NAME)

    def _say(self, words: str) -> None:
        if self.speaks:
            print(words, flush=True)

    def _curve(self, *, until: int) -> list[Line]:
        """The lines written so far, up to a step (a killed run may have written beyond its checkpoint)."""
        path = self.folder / CURVE_NAME
        lines = [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []
        return [line for line in lines if line["step"] <= until]

    def _show(self, trainer: Trainer, curve: list[Line]) -> None:
        """Lines and pictures; what cannot be written is said on stderr and does not stop a training."""
        try:
            self._replace(CURVE_NAME, "".join(json.dumps(line) + "\n" for line in curve).encode())
            self._replace(SAMPLES_PICTURE, progress.sample_picture(*trainer.samples()))
            if curve:
                self._replace(CURVES_PICTURE, progress.curves_picture(curve))
        except Exception as error:  # noqa: BLE001 - hours of training are worth more than a picture
            print(f"curve and pictures are not up to date: {error!r}", file=sys.stderr, flush=True)

    def _replace(self, name: str, content: bytes) -> None:
        """Write beside and move: a kill must not leave half of a line that the resumed run cannot read."""
        partial = self.folder / f"{name}.partial"
        partial.write_bytes(content)
        partial.replace(self.folder / name)
