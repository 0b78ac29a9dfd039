"""Give a generator one's own lesions to insert: ``python -m ml.bank --generator DIR --data DIR --out DIR``.

Its networks stay as they are. The lesions of the scans become exemplars instead of its own, or beside them
(``--beside``), and the result is a new generator. Lesions that are unfit are left out and counted by reason.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path

import torch

from ml.errors import command_line
from ml.generator.card import DEMO_FOLDER
from ml.generator.files import check_elsewhere, load_generator, save_with_bank
from ml.generator.own_lesions import Gathered, assemble, check_can_edit, gather, left_out_in_words, normals_each
from ml.scans.cases import find_cases, load_case


def main(arguments: Iterable[str] | None = None) -> None:
    """Command line."""
    given = list(arguments) if arguments is not None else sys.argv[1:]
    options = parser().parse_args(given)
    torch.set_num_threads(options.threads)
    generator = load_generator(options.generator, device=options.device)
    check_can_edit(generator)
    check_elsewhere(options.out, options.generator)
    scans = find_cases(options.data)
    parts = []
    for number, files in enumerate(scans):
        part = gather(load_case(files), generator, normals=normals_each(len(scans)), seed=options.seed + number)
        parts.append(part)
        print(f"{number + 1} of {len(scans)}: {files.name}: {_said(part)}", flush=True)
    own = assemble(parts, generator, beside=options.beside, seed=options.seed)
    command = shlex.join(["python", "-m", "ml.bank", *given])
    dataset = options.dataset or options.data.resolve().name
    save_with_bank(generator, own, options.out, name=options.name, command=command, dataset=dataset)
    patients = f"{own.patients} patient{'' if own.patients == 1 else 's'}"
    print(f"{own.lesions} exemplars of {patients}. {left_out_in_words(own.left_out)}".strip())


def _said(part: Gathered) -> str:
    count = 0 if part.lesions is None else len(part.lesions.kinds)
    return f"{count or 'no'} fit lesion{'' if count == 1 else 's'}"


def parser() -> argparse.ArgumentParser:
    """The command line's options."""
    made = argparse.ArgumentParser(prog="python -m ml.bank", description=__doc__)
    made.add_argument("--data", type=Path, required=True, help="scans in any layout of ml.scans.cases, with lesions")
    made.add_argument("--out", type=Path, required=True, help="folder for weights and card")
    made.add_argument(
        "--generator", type=Path, default=DEMO_FOLDER, help="folder of weights and card; default the demo's"
    )
    made.add_argument("--beside", action="store_true", help="keep the generator's own exemplars as well")
    made.add_argument("--name", default="own lesions")
    made.add_argument("--dataset", default="", help="whose lesions they are, for the card; default the folder's name")
    made.add_argument("--device", default="cpu")
    made.add_argument("--threads", type=int, default=1)
    made.add_argument("--seed", type=int, default=0)
    return made


if __name__ == "__main__":
    command_line(main)
