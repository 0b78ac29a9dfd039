"""The gate: every measured number of a realism report beside its target."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.evaluation.bootstrap import NO_TWIN, NOTHING, BootstrapEstimate, Comparison, estimate, line, mean
from ml.evaluation.realism.edits import Harvest
from ml.evaluation.realism.local_measures import ZONES

# Targets: an area under the curve up to this, a p from this on. Set by hand.
AUC_TARGET, P_TARGET = 0.60, 0.05
NOT_MEASURED = "not measured"
# Judges of patches: hand-made features, wavelets and frequencies, small networks.
JUDGES = ("features", "bands", "network")


def gate(result: dict[str, Any], out: Harvest, *, seed: int = 0) -> list[dict[str, Any]]:
    """All lines; a page may show them as they are. ``passed`` is None for what was not measured."""
    return [*_tests(result), *_textures(result), *_noise(result), *_edits(out, seed), *_rest(result)]


def _estimate(value: dict[str, Any] | None) -> BootstrapEstimate:
    if not value or value.get("value") is None:
        return NOTHING
    return BootstrapEstimate(value["value"], value["low"], value["high"], value["n"])


def _tests(result: dict[str, Any]) -> list[dict[str, Any]]:
    lines = []
    for pair in ("insertion", "removal"):
        tests = result["two_sample"][pair]
        note = tests.get("note", "")
        for kind in JUDGES:
            found = tests.get(kind)
            value = BootstrapEstimate(found["auc"], found["low"], found["high"], sum(found["n"])) if found else NOTHING
            said = "; ".join(filter(None, [found["classifier"] if found else "", note]))
            lines.append(line(f"{pair}: AUC, {kind}", value, AUC_TARGET, "<=", note=said))
        for key, name in (("p", "MMD"), ("kid_p", "KID")):
            n = sum(tests["features"]["n"]) if "features" in tests else 0
            value = BootstrapEstimate(tests["kernel"][key], None, None, n) if n else NOTHING
            lines.append(line(f"{pair}: p of {name}", value, P_TARGET, ">=", note=note))
    return lines


def _noise(result: dict[str, Any]) -> list[dict[str, Any]]:
    lines = []
    for pair in ("insertion", "removal"):
        for zone in ZONES:
            entry = result["noise_power"][pair]["zones"][zone]
            target = entry.get("equal_laws_p95", 0.0)
            note = "target: 95th percentile when patients are dealt at random" if "p" in entry else NOT_MEASURED
            name = f"{pair}: noise power, mean log difference, {zone}"
            lines.append(line(name, _estimate(entry["mean_absolute"]), target, "<=", note=note))
    return lines


def _textures(result: dict[str, Any]) -> list[dict[str, Any]]:
    table: list[tuple[str, str, float, str]] = [
        ("contrast_hu", "contrast, inserted minus real", 10.0, "HU"),
        ("mean_hu", "mean HU, inserted minus real", 10.0, "HU"),
        ("edge_width_mm", "edge width 10-90 %, inserted minus real", 1.0, "mm"),
        ("slice_correlation", "correlation of neighbouring slices, inserted minus real", 0.05, ""),
    ]
    found = result["distributions"]["insertion"]
    return [
        line(f"insertion: {name}", _estimate(found.get(key, {}).get("difference")), target, "absolute <=", unit=unit)
        for key, name, target, unit in table
    ]


def _largest_95(values: NDArray[np.float64]) -> float:
    return float(np.percentile(np.abs(values), 95))


def _edits(out: Harvest, seed: int) -> list[dict[str, Any]]:
    Row = tuple[str, str, str, Callable[[NDArray[np.float64]], float], float, Comparison, str]
    table: list[Row] = [
        ("asked", "diameter_error", "asked diameter, error (95 % of edits)", _largest_95, 0.15, "<=", ""),
        ("asked", "contrast_error_hu", "asked contrast, error (95 % of edits)", _largest_95, 10.0, "<=", "HU"),
        ("asked", "centre_error_voxels", "asked place, error (95 % of edits)", _largest_95, 1.0, "<=", "voxels"),
        ("cycle", "changed_rmse_sigma", "cycle remove(insert(x)) - x, RMSE / noise", _median, 0.2, "<=", ""),
        (
            "cycle_back",
            "contrast_error_hu",
            "cycle insert(remove(y)), contrast error",
            _median,
            10.0,
            "absolute <=",
            "HU",
        ),
        ("removal", "after_hu", "removal: error inside against the twin", mean, 11.0, "<=", "HU"),
        ("outside", "differing_voxels", "differing voxels outside the box", _sum, 0.0, "==", "voxels"),
    ]
    lines = []
    for rows, key, name, statistic, target, comparison, unit in table:
        values, people = out.column(rows, key) if out.rows[rows] else ([], [])
        found = estimate(values, people, statistic=statistic, seed=seed)
        note = "" if found.value is not None else NO_TWIN if rows == "removal" and not out.twins else NOT_MEASURED
        lines.append(line(name, found, target, comparison, unit=unit, note=note))
    return lines


def _median(values: NDArray[np.float64]) -> float:
    return float(np.median(values))


def _sum(values: NDArray[np.float64]) -> float:
    return float(values.sum())


def _rest(result: dict[str, Any]) -> list[dict[str, Any]]:
    rim, ghost, memory = result["rim"], result["removal_profile"], result["memorisation"]
    return [
        line(
            "insertion: noise at the rim, relative to a real rim",
            _estimate(rim.get("relative")),
            -0.05,
            ">=",
            note=rim.get("note", ""),
        ),
        line(
            "removal: systematic residual at the edge / noise",
            _estimate(ghost.get("edge_systematic_sigma")),
            0.2,
            "<=",
            note=ghost.get("note", ""),
        ),
        line(
            "memorisation: distance to training lesions, inserted / real",
            _estimate(memory.get("ratio")),
            0.9,
            ">=",
            note=memory.get("note", ""),
        ),
    ]
