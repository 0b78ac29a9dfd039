"""Figures of a realism report: areas under the curve, edge profiles, noise power, asked against measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ml.evaluation.realism.gate import AUC_TARGET, JUDGES

LABELS = {
    "insertion": "insertion",
    "removal": "removal",
    "floor_real_against_real": "real against real",
    "power_planted_difference": "planted difference",
}


def write_figures(report: dict[str, Any], folder: Path) -> list[Path]:
    """Write the figures as SVG and return their files; what was not measured is left out of them."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, (draw, shape) in {
        "areas": (draw_aucs, (1, 1)),
        "profiles": (profiles, (1, 2)),
        "noise_power": (noise_power, (2, 3)),
        "asked": (asked, (1, 2)),
    }.items():
        figure, axes = plt.subplots(*shape, figsize=(4 + 2.6 * shape[1], 3.4 * shape[0]), layout="constrained")
        draw(np.atleast_1d(axes), report)
        path = folder / f"realism_{name}.svg"
        figure.savefig(path)
        plt.close(figure)
        paths.append(path)
    return paths


def draw_aucs(axes: Any, report: dict[str, Any]) -> None:
    """Every area under the curve as a dot with its interval, with lines at chance and at the target."""
    axis = axes[0]
    rows = [
        (f"{LABELS[pair]}, {kind}", tests[kind])
        for pair, tests in report["two_sample"].items()
        for kind in JUDGES
        if kind in tests
    ]
    for height, (_, found) in enumerate(rows):
        axis.plot([found["low"], found["high"]], [height, height], color="black")
        axis.plot(found["auc"], height, "o", color="black")
    axis.set_yticks(range(len(rows)), [name for name, _ in rows])
    axis.invert_yaxis()
    axis.axvline(0.5, color="grey", label="chance")
    axis.axvline(AUC_TARGET, color="tab:red", linestyle="--", label=f"target {AUC_TARGET:.2f}")
    axis.set_xlabel("area under the curve (95 % interval over patients)")
    axis.legend(fontsize=8)


def profiles(axes: Any, report: dict[str, Any]) -> None:
    """HU over signed depth, inserted and real; and what a removal leaves, in units of the noise."""
    found = report["distributions"]["insertion"]["profile"]
    for key, name in (("first", "real"), ("second", "inserted")):
        values = [np.nan if v is None else v for v in found[key]]
        axes[0].plot(found["depth_mm"], values, "o-", markersize=3, label=name)
    axes[0].set_xlabel("depth into the lesion (mm)")
    axes[0].set_ylabel("HU above the liver")
    axes[0].legend()
    left = report["removal_profile"]
    axes[1].set_xlabel("depth into the former lesion (mm)")
    axes[1].set_ylabel("(removed - twin) / noise")
    if "note" in left:
        axes[1].set_title(left["note"], fontsize=9)
        return
    low, middle, high = (
        [np.nan if entry[k] is None else entry[k] for entry in left["residual_sigma"]] for k in ("low", "value", "high")
    )
    axes[1].fill_between(left["depth_mm"], low, high, alpha=0.3)
    axes[1].plot(left["depth_mm"], middle)
    axes[1].axhline(0, color="grey")


def noise_power(axes: Any, report: dict[str, Any]) -> None:
    """Log difference of the noise power per band with intervals; the band about 0 is real against real."""
    for row, pair in enumerate(("insertion", "removal")):
        found = report["noise_power"][pair]
        edges = np.array(found["band_edges_cycles_per_pixel"])
        middle = (edges[1:] + edges[:-1]) / 2
        for axis, (zone, entry) in zip(axes[row], found["zones"].items(), strict=True):
            axis.set_title(f"{pair}, {zone}", fontsize=9)
            axis.axhline(0, color="grey")
            bands = [b for b in entry["bands"] if b["value"] is not None]
            if not bands:
                continue
            value, low, high = (np.array([b[k] for b in bands]) for k in ("value", "low", "high"))
            axis.errorbar(middle, value, [value - np.minimum(low, value), np.maximum(high, value) - value], fmt="o")
            floor = np.array(entry["floor"]["bands"])
            if len(floor):
                axis.fill_between(middle, -floor, floor, color="grey", alpha=0.3)
            axis.set_xlabel("cycles per pixel")
            axis.set_ylabel("log difference")


def asked(axes: Any, report: dict[str, Any]) -> None:
    """Diameter and contrast, asked for and measured afterwards."""
    rows = report["asked"]
    diameter = np.array([row["asked_diameter_mm"] for row in rows])
    contrast = np.array([row["asked_contrast_hu"] for row in rows])
    pairs = (
        (diameter, diameter * (1 + np.array([row["diameter_error"] for row in rows])), "diameter (mm)"),
        (contrast, contrast + np.array([row["contrast_error_hu"] for row in rows]), "contrast (HU)"),
    )
    for axis, (wanted, measured, name) in zip(axes, pairs, strict=True):
        axis.scatter(wanted, measured, s=10)
        if len(wanted):
            ends = [min(wanted.min(), measured.min()), max(wanted.max(), measured.max())]
            axis.plot(ends, ends, color="grey")
        axis.set_xlabel(f"asked {name}")
        axis.set_ylabel(f"measured {name}")
