"""The generators that the paper's tables compare: objectives, populations and numbers of training scans."""

from __future__ import annotations

import shlex
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from ml.errors import TrainingError
from ml.generator.card import CARD_NAME, OBJECTIVE_WORDS, POPULATION_WORDS
from ml.generator.files import Generator, load_generator, save_generator
from ml.nets.config import NetConfig
from ml.patches.case import LiverCase
from ml.patches.sampling import Population
from ml.training.config import Objective, TrainConfig
from ml.training.folder import FolderSink
from ml.training.run import run
from ml.training.trainer import Trainer

# Patches drawn once and reused, 51 kB each; as for the demo generator.
POOL = 6000
BEST_OBJECTIVE: Objective = "iae_content"
# Rows that say what more training scans bring.
SCAN_COUNTS = (5, 10, 25)


@dataclass(frozen=True)
class Variant:
    """One row: how a generator is trained; ``scans`` None takes all training scans."""

    objective: Objective
    population: Population = "all"
    scans: int | None = None

    @property
    def name(self) -> str:
        """A short name for folders and tables."""
        scans = "" if self.scans is None else f"_{self.scans}scans"
        return f"{self.objective}_{self.population}{scans}"

    @property
    def label(self) -> str:
        """What the row is called where people read it."""
        scans = "" if self.scans is None else f", {self.scans} scans"
        return f"{OBJECTIVE_WORDS[self.objective]}, {POPULATION_WORDS[self.population]}{scans}"


def paper_variants(training_scans: int) -> list[Variant]:
    """The comparison's rows; numbers of scans that are not there are left out."""
    rows = [Variant(BEST_OBJECTIVE), Variant(BEST_OBJECTIVE, "normal"), Variant("iae"), Variant("iae", "normal")]
    rows += [Variant("aae"), Variant("ae")]
    return rows + [Variant(BEST_OBJECTIVE, scans=count) for count in SCAN_COUNTS if count < training_scans]


def trained(variant: Variant, cases: list[LiverCase], folder: Path, *, steps: int, seed: int, device: str) -> Generator:
    """The variant's generator from ``folder``, trained first (or on) where it is not finished there.

    Raises TrainingError when the folder holds a generator of other settings or cases, NoExemplarError when the
    trained one cannot edit.
    """
    own, used = folder / variant.name, cases[: variant.scans]
    config = TrainConfig(objective=variant.objective, population=variant.population, steps=steps, pool=POOL, seed=seed)
    if not (own / CARD_NAME).is_file():
        trainer = Trainer(used, NetConfig(noise=config.adversarial), config, device=device)
        run(trainer, FolderSink(own))
        command = shlex.join(["python", "-m", "ml.reproduce", *sys.argv[1:]])
        save_generator(trainer.learned(), used, own, name=variant.name, command=command, data_note=f"{len(used)} scans")
    generator = load_generator(own, device=device)
    if generator.card["train"] != asdict(config) or generator.case_names != {case.name for case in used}:
        raise TrainingError(f"{own} holds a generator of other settings or scans; choose another output folder.")
    return generator
