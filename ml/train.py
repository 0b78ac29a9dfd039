"""Train an implicit autoencoder: ``python -m ml.train --data DIR --out DIR``.

One flat recipe with four objectives, in two or three dimensions, on a processor, a graphics card or several
(``torchrun --nproc-per-node N -m ml.train ...``). Killed runs go on from their last checkpoint when started
again with the same command. The output folder gets curve and sample pictures while it runs. With ``--init`` the
networks begin from a generator's weights, and the schedule is that of a fine-tuning unless options say otherwise.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from ml.errors import ArtefactError, command_line
from ml.generator.bank import lesions_to_learn
from ml.generator.card import WEIGHTS_NAME
from ml.generator.files import beginning_of, check_elsewhere, load_generator, save_generator
from ml.nets.config import NetConfig
from ml.scans.cases import load_cases
from ml.training.beginning import Beginning
from ml.training.config import FINE_TUNING, TrainConfig
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
    beginning = None if options.init is None else given_weights(options.init, options.out)
    recipe, sizes = (TrainConfig(), NetConfig()) if beginning is None else (FINE_TUNING, beginning.net)
    config = replace(recipe, **chosen(options, recipe))
    net = NetConfig.from_dict(sizes.to_dict() | chosen(options, sizes) | {"noise": config.adversarial})
    cases = load_cases(options.data)
    lesions_to_learn(cases)
    trainer = Trainer(cases, net, config, device=str(device), team=team, beginning=beginning)
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
    made.add_argument(
        "--init", type=Path, help="a generator's folder, whose weights to begin from; default random ones"
    )
    made.add_argument("--device", default="cpu")
    made.add_argument("--threads", type=int, default=1)
    made.add_argument("--name", default="demo")
    made.add_argument("--data-note", default="", help="what the data are, for the card")
    add_fields(made, TrainConfig(), FINE_TUNING)
    add_fields(made, NetConfig(), None)
    return made


def add_fields(made: argparse.ArgumentParser, defaults: Any, with_init: Any | None) -> None:
    """One option for every field of a configuration that a person sets; absent where nobody sets it.

    ``with_init`` are the values that a training from given weights has instead; None: those of the weights.
    """
    for key, value in asdict(defaults).items():
        option = f"--{key.replace('_', '-')}"
        if isinstance(value, bool):
            continue
        other = "that of the weights" if with_init is None else getattr(with_init, key)
        said = f"default {value}" if other == value else f"default {value}; with --init {other}"
        described: dict[str, Any] = {"default": argparse.SUPPRESS, "help": said}
        if isinstance(value, tuple):
            made.add_argument(option, type=type(value[0]), nargs=len(value), metavar=("Z", "Y", "X"), **described)
        else:
            made.add_argument(option, type=type(value), choices=CHOICES.get(key), **described)


def chosen(options: argparse.Namespace, defaults: Any) -> dict[str, Any]:
    """The given values of a configuration's fields."""
    return {key: getattr(options, key) for key in asdict(defaults) if hasattr(options, key)}


def given_weights(path: Path, out: Path) -> Beginning:
    """The networks of a generator's folder, or of the weights file in it.

    Raises ArtefactError where it is none, or is the folder to write to.
    """
    folder = path.parent if path.name == WEIGHTS_NAME else path
    check_elsewhere(out, folder)
    try:
        return beginning_of(load_generator(folder, device="cpu"))
    except ArtefactError as error:
        raise ArtefactError(f"A training can't begin from {path}: {error}") from error


if __name__ == "__main__":
    command_line(main)
