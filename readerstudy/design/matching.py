"""Choosing equally many real and synthetic places so that nothing but the lesion tells them apart. Pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from ml.geometry import Float3

# One unit of cost each: a quarter in diameter, 8 mm in depth, another scan.
DIAMETER_RATIO_UNIT = float(np.log(1.25))
DEPTH_UNIT_MM = 8.0
OTHER_SCAN_COST = 1.0
OTHER_SUBJECT_COST = 1.5
# Taking a scan once more costs this much, so that the cases spread over scans.
REPEATED_SCAN_COST = 0.5
LARGEST_POOL = 1500


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A place that may become a case. `root` names the acquired scan from which its scan descends."""

    synthetic: bool
    scan: str
    root: str
    subject: str
    place_lps_mm: Float3
    diameter_mm: float
    depth_mm: float | None = None
    lesion: int | None = None
    details: dict[str, Any] = field(default_factory=dict)


def matched_draw(
    real: Sequence[Candidate], synthetic: Sequence[Candidate], *, pairs: int, seed: int
) -> list[tuple[Candidate, Candidate]]:
    """Up to `pairs` pairs (real, synthetic), alike in size, depth and scan, spread over the scans."""
    random = np.random.default_rng(seed)
    real, synthetic = _pool(real, random), _pool(synthetic, random)
    if not real or not synthetic or pairs < 1:
        return []
    cost = pair_costs(real, synthetic)
    rows, columns = optimize.linear_sum_assignment(cost)
    waiting = {(int(row), int(column)): float(cost[row, column]) for row, column in zip(rows, columns, strict=True)}
    used: Counter[str] = Counter()
    chosen: list[tuple[Candidate, Candidate]] = []
    while waiting and len(chosen) < pairs:
        best = min(waiting, key=lambda pair: (waiting[pair] + REPEATED_SCAN_COST * used[synthetic[pair[1]].root], pair))
        del waiting[best]
        chosen.append((real[best[0]], synthetic[best[1]]))
        used.update({synthetic[best[1]].root, real[best[0]].root})
    return chosen


def _pool(candidates: Sequence[Candidate], random: np.random.Generator) -> list[Candidate]:
    """All candidates in random order, so that ties do not follow names; a random part of very many."""
    ordered = sorted(candidates, key=lambda c: (c.scan, c.place_lps_mm))
    return [ordered[index] for index in random.permutation(len(ordered))[:LARGEST_POOL]]


def pair_costs(real: Sequence[Candidate], synthetic: Sequence[Candidate]) -> NDArray[np.float64]:
    """Dissimilarity of every real (rows) with every synthetic candidate (columns)."""
    diameters = [np.log([max(c.diameter_mm, 0.1) for c in group]) for group in (real, synthetic)]
    cost = np.abs(diameters[0][:, None] - diameters[1][None]) / DIAMETER_RATIO_UNIT
    depths = [np.array([np.nan if c.depth_mm is None else c.depth_mm for c in group]) for group in (real, synthetic)]
    cost += np.nan_to_num(np.abs(depths[0][:, None] - depths[1][None]) / DEPTH_UNIT_MM, nan=0.0)
    roots = [np.array([c.root for c in group]) for group in (real, synthetic)]
    subjects = [np.array([c.subject for c in group]) for group in (real, synthetic)]
    other_subject = subjects[0][:, None] != subjects[1][None]
    other_scan = roots[0][:, None] != roots[1][None]
    cost += np.where(other_subject, OTHER_SUBJECT_COST, np.where(other_scan, OTHER_SCAN_COST, 0.0))
    return np.asarray(cost, dtype=np.float64)


def match_report(cases: Sequence[Candidate]) -> dict[str, Any]:
    """How alike the two kinds are in all that is not the lesion itself; JSON-ready."""
    groups = {name: [c for c in cases if c.synthetic == kind] for name, kind in (("real", False), ("synthetic", True))}
    report: dict[str, Any] = {
        "kinds": {name: _summary(group) for name, group in groups.items()},
        "scans_of_both_kinds": len({c.root for c in groups["real"]} & {c.root for c in groups["synthetic"]}),
        "scans": len({c.root for c in cases}),
        "subjects": len({c.subject for c in cases}),
    }
    for measure in ("diameter_mm", "depth_mm"):
        values = [[getattr(c, measure) for c in groups[name]] for name in ("real", "synthetic")]
        known = [[float(v) for v in group if v is not None] for group in values]
        report[measure] = _difference(*known)
    return report


def _summary(group: Sequence[Candidate]) -> dict[str, Any]:
    depths = [c.depth_mm for c in group if c.depth_mm is not None]
    return {
        "cases": len(group),
        "scans": len({c.root for c in group}),
        "diameter_mm": _quartiles([c.diameter_mm for c in group]),
        "depth_mm": _quartiles(depths),
    }


def _quartiles(values: Sequence[float]) -> list[float] | None:
    return [round(float(v), 2) for v in np.percentile(values, [25, 50, 75])] if values else None


def _difference(real: Sequence[float], synthetic: Sequence[float]) -> dict[str, float] | None:
    """AUC 0.5 means that the measure does not tell the kinds apart; p by Mann-Whitney."""
    if not real or not synthetic:
        return None
    test = stats.mannwhitneyu(synthetic, real, alternative="two-sided")
    return {"auc": float(test.statistic) / (len(real) * len(synthetic)), "p": float(test.pvalue)}
