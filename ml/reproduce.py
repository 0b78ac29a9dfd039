"""Make the tables and figures: ``python -m ml.reproduce --data DIR --out DIR`` (held-out cases)."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from ml.artefact import load_generator
from ml.card import DEMO_FOLDER
from ml.classify import LabelledPatches, Score, baseline_tables, collect, evaluate
from ml.generator import Generator
from ml.patches import load_cases
from ml.realism import evaluate_generator, write_report
from ml.signatures import SignatureSpace


def classification(
    cases_folder: Path, generators: dict[str, Generator], *, seed: int
) -> tuple[list[Score], LabelledPatches]:
    """Scores of the baselines and of every generator's signatures on the same folds."""
    net = next(iter(generators.values())).net
    data = collect(load_cases(cases_folder), net, seed=seed)
    tables = baseline_tables(data)
    for name, generator in generators.items():
        tables[f"code {name}"] = generator.encode(data.patches).astype(np.float64)
        tables[f"signature {name}"] = generator.signatures(data.patches).astype(np.float64)
    return [score for name, table in tables.items() for score in evaluate(name, table, data, seed=seed)], data


def markdown(scores: list[Score]) -> str:
    """The classification table; each cell is the estimate with its 95 per cent interval."""

    def cell(value: tuple[float, float, float]) -> str:
        return f"{value[0]:.3f} ({value[1]:.3f}-{value[2]:.3f})"

    first = scores[0]
    lines = [
        f"{first.lesions} lesion and {first.normals} normal patches of {first.patients} held-out patients.",
        "",
        "| features | classifier | accuracy | sensitivity | specificity |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {s.features} | {s.classifier} | {cell(s.accuracy)} | {cell(s.sensitivity)} | {cell(s.specificity)} |"
        for s in scores
    ]
    return "\n".join(lines) + "\n"


def atlas_figure(generator: Generator, data: LabelledPatches, path: Path) -> None:
    """The first two principal components of the signatures, coloured by kind."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    codes = generator.signatures(data.patches)
    space = SignatureSpace.fit(codes)
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


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m ml.reproduce", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="held-out phantoms (python -m ml.phantom)")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--generator", type=Path, action="append", help="generator folders; default the demo")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    loaded = [load_generator(folder) for folder in options.generator or [DEMO_FOLDER]]
    generators = {generator.name: generator for generator in loaded}
    scores, data = classification(options.data, generators, seed=options.seed)
    (options.out / "classification.md").write_text(markdown(scores))
    table: list[dict[str, Any]] = [s.to_dict() for s in scores]
    (options.out / "classification.json").write_text(json.dumps(table, indent=2) + "\n")
    for name, generator in generators.items():
        atlas_figure(generator, data, options.out / f"atlas_{name}.svg")
        realism = evaluate_generator(options.data, generator, seed=options.seed)
        write_report(realism, options.out / f"realism_{name}.json")
    print(f"written to {options.out}")


if __name__ == "__main__":
    main()
