"""Train an implicit autoencoder: ``python -m ml.train --data DIR --out DIR``.

One flat recipe with four objectives, in two or three dimensions, on a processor, a graphics card or several
(``torchrun --nproc-per-node N -m ml.train ...``). Killed runs go on from their last checkpoint when started
again with the same command. The output folder gets curve and sample pictures while it runs.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from ml.errors import command_line
from ml.generator.files import save_generator
from ml.nets.config import NetConfig
from ml.scans.cases import load_cases
from ml.training.config import TrainConfig
from ml.training.distributed import join
from ml.training.folder import FolderSink
from ml.training.run import run
from ml.training.trainer import Trainer

CHOICES = {"objective": ("iae", "iae_content", "aae", "ae"), "population": ("all", "normal")}


def main(arguments: Iterable[str] | None = None) -> None:
    """Command line."""
    given = list(arguments) if arguments is not None else sys.argv[1:]
    options = parser().parse_args(given)
    torch.set_num_threads(options.threads)
    team, device = join(options.device)
    cases = load_cases(options.data)
    config = TrainConfig(**chosen(options, TrainConfig()))
    net = NetConfig.from_dict(chosen(options, NetConfig()) | {"noise": config.adversarial})
    trainer = Trainer(cases, net, config, device=str(device), team=team)
    run(trainer, FolderSink(options.out))
    if team.leads:
        command = shlex.join(["python", "-m", "ml.train", *given])
        save_generator(
            trainer.learned(), cases, options.out, name=options.name, command=command, data_note=options.data_note
        )
    team.leave()


def parser() -> argparse.ArgumentParser:
    """Where data and generator lie, and one option for every field of the two configurations."""
    made = argparse.ArgumentParser(prog="python -m ml.train", description=__doc__)
    made.add_argument("--data", type=Path, required=True, help="scans in any layout of ml.scans.cases")
    made.add_argument("--out", type=Path, required=True, help="folder for checkpoint, weights and card")
    made.add_argument("--device", default="cpu")
    made.add_argument("--threads", type=int, default=1)
    made.add_argument("--name", default="demo")
    made.add_argument("--data-note", default="", help="what the data are, for the card")
    add_fields(made, TrainConfig())
    add_fields(made, NetConfig())
    return made


def add_fields(made: argparse.ArgumentParser, defaults: Any) -> None:
    """One option for every field of a configuration that a person sets."""
    for key, value in asdict(defaults).items():
        option = f"--{key.replace('_', '-')}"
        if isinstance(value, bool):
            continue
        if isinstance(value, tuple):
            made.add_argument(option, type=type(value[0]), nargs=len(value), default=value, metavar=("Z", "Y", "X"))
        else:
            made.add_argument(option, type=type(value), default=value, choices=CHOICES.get(key))


def chosen(options: argparse.Namespace, defaults: Any) -> dict[str, Any]:
    """The given values of a configuration's fields."""
    return {key: getattr(options, key) for key in asdict(defaults) if hasattr(options, key)}


if __name__ == "__main__":
    command_line(main)
