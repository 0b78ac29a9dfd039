"""The paper's tables and figures with one command: ``python -m ml.reproduce --out DIR [--data DIR...]``.

Without ``--data`` phantoms are made, 57 to train on and 80 to measure on. With it, scans in any layout of
``ml.scans.cases`` are pooled from one or several folders: half of the patients train, the others are held out, unless
``--training`` names a folder of its own. Given generators (``--generator``) are measured instead of trained ones.
Phantoms and scans of patients are never judged together: the gate of phantoms and what line-ups say of scans stand
apart in one report. A stopped run goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ml.errors import NoExemplarError, TrainingError, command_line
from ml.evaluation.classify import (
    LabelledPatches,
    Score,
    baseline_tables,
    collect,
    difference,
    evaluate,
    evaluate_network,
)
from ml.evaluation.realism.figures import write_figures
from ml.evaluation.realism.galleries import write_galleries
from ml.evaluation.realism.report import evaluate_generator, write_report
from ml.evaluation.realism.scans import scans_report, scans_table
from ml.evaluation.usefulness.study import usefulness, usefulness_table
from ml.evaluation.variants import paper_variants, trained
from ml.generator.files import load_generator
from ml.generator.model import Generator
from ml.generator.signatures import SignatureSpace
from ml.nets.config import NetConfig
from ml.patches.case import LiverCase
from ml.phantom.__main__ import main as make_phantoms
from ml.scans.cases import CaseFiles, find_cases, load_case, load_cases
from ml.training.trainer import split_patients

# How many, and the first one's seed.
TRAINING_PHANTOMS, HELD_OUT_PHANTOMS = (57, 10000), (80, 20000)
# Of the patients, where no folder for training is named.
HELD_OUT_SHARE = 0.5
UNTRAINED = "untrained encoder"
HEADLINE = "LinearSVM"


@dataclass(frozen=True)
class ClassificationTable:
    """All rows of the classification table and the patches they were measured on, by view.

    ``own`` are the features that the others are compared with: the first generator's signature.
    """

    own: str
    scores: list[Score]
    data: dict[str, LabelledPatches]

    def rows(self, view: str) -> dict[str, Score]:
        """LinearSVM on all features of a view, by their names."""
        return {s.features: s for s in self.scores if s.view == view and s.classifier == HEADLINE}

    def differences(self, *, seed: int) -> list[dict[str, Any]]:
        """LinearSVM on the first generator's signature minus LinearSVM on all other features of the same view."""
        found = []
        for view, data in self.data.items():
            rows = self.rows(view)
            own = rows.pop(self.own)
            for name, other in rows.items():
                gain = asdict(difference(own, other, data, seed=seed))
                found.append({"features": self.own, "against": name, "view": view, **gain})
        return found


def untrained(generator: Generator, *, seed: int) -> Generator:
    """The same networks with random weights: what the architecture knows without any training."""
    torch.manual_seed(seed)
    return Generator(generator.net, card={"name": UNTRAINED}, device=generator.device)


def classification(cases: list[LiverCase], generators: dict[str, Generator], *, seed: int) -> ClassificationTable:
    """Scores of the baselines, of an untrained encoder and of every generator's signatures on the same folds."""
    reference = next(iter(generators.values()))
    # Baselines see the recipe's own patches; a generator of another size sees the same places in its own.
    data = collect(cases, NetConfig(), seed=seed)
    own = {(n.patch_zyx, n.spacing_zyx_mm): n for n in (g.net for g in generators.values())}
    seen = {key: collect(cases, net, seed=seed) for key, net in own.items()}
    scores: list[Score] = []
    for view, patches in data.items():
        tables = baseline_tables(patches)
        for name, generator in {UNTRAINED: untrained(reference, seed=seed), **generators}.items():
            mine = seen[generator.net.patch_zyx, generator.net.spacing_zyx_mm][view]
            tables[f"signature {name}"] = generator.signatures(mine.patches).astype(np.float64)
        for name, table in tables.items():
            scores += evaluate(name, table, patches, seed=seed)
        scores.append(evaluate_network(patches, seed=seed))
    return ClassificationTable(f"signature {next(iter(generators))}", scores, data)


def markdown(comparison: ClassificationTable, *, seed: int) -> str:
    """The classification table; each cell is the estimate with its 95 per cent interval."""

    def cell(value: tuple[float, float, float]) -> str:
        return f"{value[0]:.3f} ({value[1]:.3f}-{value[2]:.3f})"

    def change(value: tuple[float, float, float]) -> str:
        return f"{value[0]:+.3f} ({value[1]:+.3f} to {value[2]:+.3f})"

    first = comparison.scores[0]
    lines = [
        f"{first.lesions} lesion and {first.normals} normal patches; held-out patients: {first.patients}.",
        next(iter(comparison.data.values())).note,
        "",
        "| view | features | classifier | accuracy | sensitivity | specificity | AUC |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {s.view} | {s.features} | {s.classifier} | {cell(s.accuracy)} | {cell(s.sensitivity)} | "
        f"{cell(s.specificity)} | {cell(s.auc)} |"
        for s in comparison.scores
    ]
    lines += ["", f"{HEADLINE} on the first signature minus {HEADLINE} on other features, same patches:", ""]
    lines += ["| view | signature | against | accuracy | AUC |", "|---|---|---|---|---|"]
    lines += [
        f"| {d['view']} | {d['features']} | {d['against']} | {change(d['accuracy'])} | {change(d['auc'])} |"
        for d in comparison.differences(seed=seed)
    ]
    return "\n".join(lines) + "\n"


def atlas_figure(generator: Generator, data: LabelledPatches, path: Path) -> dict[str, Any]:
    """Scatter of the first two principal components; returns explained variance and how far apart the classes are."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    codes = generator.signatures(data.patches)
    space = SignatureSpace.fit(codes, 10)
    coordinates, shares = space.coordinates(codes), space.explained_variance_ratio
    figure, axes = plt.subplots(figsize=(6, 5))
    for kind in np.unique(data.kinds):
        rows = data.kinds == kind
        axes.scatter(coordinates[rows, 0], coordinates[rows, 1], s=9, label=str(kind))
    axes.set_xlabel(f"component 1 ({100 * shares[0]:.0f} %)")
    axes.set_ylabel(f"component 2 ({100 * shares[1]:.0f} %)")
    axes.legend()
    figure.savefig(path)
    plt.close(figure)
    two = evaluate("two components", coordinates[:, :2].astype(np.float64), data)
    return {
        "explained_variance_ratio": [round(float(v), 4) for v in shares],
        "two_components_linear_svm_accuracy": next(s.accuracy for s in two if s.classifier == HEADLINE),
    }


def phantoms(folder: Path, count: int, seed: int, jobs: int) -> Path:
    """A folder of phantoms, made where it is not complete."""
    if len(list(folder.glob("phantom_*/phantom.json"))) < count:
        make_phantoms(
            ["--count", str(count), "--seed", str(seed), "--slice-mm", "0", "--jobs", str(jobs), "--out", str(folder)]
        )
    return folder


def held_out_cases(cases: list[LiverCase], generators: dict[str, Generator]) -> list[LiverCase]:
    """Cases that trained none of the generators."""
    seen = {name for generator in generators.values() for name in generator.case_names}
    return [case for case in cases if case.name not in seen]


def parser() -> argparse.ArgumentParser:
    """The command line's options."""
    options = argparse.ArgumentParser(prog="python -m ml.reproduce", description=__doc__)
    options.add_argument("--data", type=Path, nargs="+", help="folders of scans to measure on; default phantoms")
    options.add_argument("--training", type=Path, help="scans to train on; default a part of --data, or phantoms")
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--generator", type=Path, action="append", help="measure these instead of training")
    options.add_argument("--steps", type=int, default=1200, help="training steps of every variant")
    options.add_argument("--device", default="cpu")
    options.add_argument("--jobs", type=int, default=1, help="processes that make phantoms and edits")
    options.add_argument("--seed", type=int, default=0)
    return options


def train_variants(cases: list[LiverCase], options: argparse.Namespace) -> dict[str, Generator]:
    """The paper's generators, from the output folder or trained into it; one that decodes no lesion is left out."""
    folder = options.out / "generators"
    found = {}
    for variant in paper_variants(len(cases)):
        print(f"{variant.label}: {folder / variant.name}", flush=True)
        try:
            found[variant.name] = trained(
                variant, cases, folder, steps=options.steps, seed=options.seed, device=options.device
            )
        except NoExemplarError as error:
            print(f"{variant.label}: left out: {error}", flush=True)
    if not found:
        raise TrainingError("No generator decodes a lesion; train longer.")
    return found


def given_generators(folders: list[Path], device: str) -> dict[str, Generator]:
    """Generators by a name that serves for files; those of one name are told apart by their numbers."""
    found: dict[str, Generator] = {}
    for number, folder in enumerate(folders, start=1):
        generator = load_generator(folder, device=device)
        name = re.sub(r"[^\w.-]+", "_", generator.name)
        found[f"{name}_{number}" if name in found else name] = generator
    return found


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    options = parser().parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    made = options.out / "phantoms"
    data = options.data or [phantoms(made / "held_out", *HELD_OUT_PHANTOMS, options.jobs)]
    training: Path | None = options.training
    if not (options.generator or options.training or options.data):
        training = phantoms(made / "training", *TRAINING_PHANTOMS, options.jobs)
    scans = find_cases(*data)
    cases = [load_case(files) for files in scans]
    if options.generator:
        generators = given_generators(options.generator, options.device)
    elif training is not None:
        generators = train_variants(load_cases(training), options)
    else:
        generators = train_variants(split_patients(cases, HELD_OUT_SHARE, seed=options.seed)[0], options)
    write_tables_and_figures(scans, training, held_out_cases(cases, generators), generators, options)
    print(f"written to {options.out}")


def write_classification(cases: list[LiverCase], generators: dict[str, Generator], options: argparse.Namespace) -> None:
    """The classification table and the embedding; raises TrainingError where there are too few lesions."""
    comparison = classification(cases, generators, seed=options.seed)
    (options.out / "classification.md").write_text(markdown(comparison, seed=options.seed))
    weights = {f"signature {name}": {"generator_sha256": g.digest} for name, g in generators.items()}
    table = [score.to_dict() | weights.get(score.features, {}) for score in comparison.scores]
    (options.out / "classification.json").write_text(json.dumps(table, indent=2) + "\n")
    differences = comparison.differences(seed=options.seed)
    (options.out / "classification_differences.json").write_text(json.dumps(differences, indent=2) + "\n")
    embedding = {
        name: atlas_figure(
            generator, collect(cases, generator.net, seed=options.seed)["close"], options.out / f"atlas_{name}.svg"
        )
        for name, generator in generators.items()
    }
    (options.out / "embedding.json").write_text(json.dumps(embedding, indent=2) + "\n")


def write_tables_and_figures(
    scans: list[CaseFiles],
    training: Path | None,
    cases: list[LiverCase],
    generators: dict[str, Generator],
    options: argparse.Namespace,
) -> None:
    """All tables and figures; realism and galleries for the first generator that can edit."""
    try:
        write_classification(cases, generators, options)
    except TrainingError as error:
        (options.out / "classification.md").write_text(f"Not measured: {error}\n")
        print(f"classification: not measured: {error}", flush=True)
    editors = [(n, g) for n, g in generators.items() if g.net.volumetric]
    if not editors:
        print("No generator is deep enough to edit with; realism is not measured.", flush=True)
        return
    name, generator = editors[0]
    report = realism(scans, training, generator, options)
    write_report(report, options.out / f"realism_{name}.json")
    if "scans" in report:
        (options.out / f"scans_{name}.md").write_text(scans_table(report["scans"]))
    write_figures(report, options.out / f"figures_{name}")
    shown = [files for files in scans if files.name not in generator.case_names]
    write_galleries(shown, generator, options.out / f"gallery_{name}", seed=options.seed)
    write_usefulness(cases, name, generator, options)


def write_usefulness(cases: list[LiverCase], name: str, generator: Generator, options: argparse.Namespace) -> None:
    """Whether a segmentation network learns more from few scans with edits than without."""
    table = options.out / f"usefulness_{name}.md"
    try:
        report = usefulness(cases, generator, seed=options.seed, jobs=options.jobs)
    except TrainingError as error:
        table.write_text(f"Not measured: {error}\n")
        print(f"usefulness: not measured: {error}", flush=True)
        return
    table.write_text(usefulness_table(report))
    (options.out / f"usefulness_{name}.json").write_text(json.dumps(report, indent=2) + "\n")


def realism(
    scans: list[CaseFiles], training: Path | None, generator: Generator, options: argparse.Namespace
) -> dict[str, Any]:
    """The gate, of phantoms alone where there are any, and beside it what line-ups say of scans of patients."""
    of_phantoms = [files for files in scans if files.twin]
    settings = {"seed": options.seed, "jobs": options.jobs}
    report = evaluate_generator(of_phantoms or scans, generator, training=training, **settings)
    of_patients = [files for files in scans if not files.twin and files.name not in generator.case_names]
    return report | ({"scans": scans_report(of_patients, generator, **settings)} if of_patients else {})


if __name__ == "__main__":
    command_line(main)
