"""Comparisons of the local measurements: noise power, distributions, the rim, what a removal leaves."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ml.evaluation.bootstrap import NO_TWIN, BootstrapEstimate, difference, estimate, groups_of, permuted
from ml.evaluation.realism.edits import Harvest
from ml.evaluation.realism.local_measures import BAND_EDGES, PROFILE_MM, ZONES, Local

Array = NDArray[np.float64]
# Random halves of one group: how far apart equals are.
FLOOR_SPLITS = 50
# Depths within this of a lesion's edge (mm) are where a removal may leave a ghost of it.
EDGE_MM = 2.0


def mean_difference(first: Array, second: Array) -> float:
    """Mean of the second group minus that of the first."""
    return float(second.mean() - first.mean())


def band_difference(first: Array, second: Array) -> float:
    """Mean over the bands of the absolute difference of the mean log noise power."""
    return float(np.abs(second.mean(0) - first.mean(0)).mean())


def zone_power(items: list[Local], zone: str) -> tuple[Array, list[str]]:
    """Log noise power (lesions, bands) of one zone and the patients; lesions with too small a zone are left out."""
    kept = [item for item in items if np.isfinite(item.power[zone]).all()]
    table = np.stack([item.power[zone] for item in kept]) if kept else np.zeros((0, len(BAND_EDGES) - 1))
    return table, [item.patient for item in kept]


def noise_power(first: list[Local], second: list[Local], *, seed: int = 0) -> dict[str, Any]:
    """Per zone: difference per band with intervals, its mean size, what equal laws give, and the floor."""
    zones: dict[str, Any] = {}
    for zone in ZONES:
        (a, people_a), (b, people_b) = zone_power(first, zone), zone_power(second, zone)
        bands = [
            difference(a[:, k], people_a, b[:, k], people_b, statistic=mean_difference, seed=seed).to_dict()
            for k in range(a.shape[1])
        ]
        size = difference(a, people_a, b, people_b, statistic=band_difference, seed=seed)
        entry: dict[str, Any] = {"bands": bands, "mean_absolute": size.to_dict()}
        if size.value is not None:
            null = permuted(a, people_a, b, people_b, statistic=band_difference, seed=seed)
            entry["equal_laws_p95"] = float(np.percentile(null, 95))
            entry["p"] = float((1 + (null >= size.value).sum()) / (1 + len(null)))
            entry["floor"] = _floor(a, people_a, seed)
        zones[zone] = entry
    return {"band_edges_cycles_per_pixel": [float(v) for v in BAND_EDGES], "zones": zones}


def _floor(table: Array, patients: list[str], seed: int) -> dict[str, Any]:
    """The same on random halves (by patients) of one group: per band mean size, and the mean over the bands."""
    groups = groups_of(patients)
    names = np.unique(groups)
    rng = np.random.default_rng([seed, 81])
    sizes = []
    for _ in range(FLOOR_SPLITS):
        half = np.isin(groups, rng.permutation(names)[: len(names) // 2])
        if half.any() and not half.all():
            sizes.append(np.abs(table[half].mean(0) - table[~half].mean(0)))
    if not sizes:
        return {"bands": [], "mean_absolute": None}
    return {"bands": [float(v) for v in np.mean(sizes, 0)], "mean_absolute": float(np.mean(sizes))}


def distributions(first: list[Local], second: list[Local], *, seed: int = 0) -> dict[str, Any]:
    """Mean difference (second minus first) and two-sample Kolmogorov-Smirnov test of every single value."""
    found: dict[str, Any] = {}
    for key in first[0].values if first else ():
        (a, people_a), (b, people_b) = _known(first, key), _known(second, key)
        if min(len(a), len(b)) < 2:
            found[key] = {"difference": BootstrapEstimate(None, None, None, 0).to_dict()}
            continue
        with warnings.catch_warnings():
            # Where the exact p cannot be computed scipy takes the asymptotic one, and says so.
            warnings.filterwarnings("ignore", "ks_2samp", RuntimeWarning)
            ks = stats.ks_2samp(a, b)
        found[key] = {
            "difference": difference(a, people_a, b, people_b, statistic=mean_difference, seed=seed).to_dict(),
            "first_mean": float(a.mean()),
            "second_mean": float(b.mean()),
            "ks": float(ks.statistic),
            "ks_p": float(ks.pvalue),
            "n": [len(a), len(b)],
        }
    profiles = {name: _mean_profile(items) for name, items in (("first", first), ("second", second))}
    return found | {"profile": {"depth_mm": [float(v) for v in PROFILE_MM], **profiles}}


def _known(items: list[Local], key: str) -> tuple[Array, list[str]]:
    kept = [(item.values[key], item.patient) for item in items if np.isfinite(item.values[key])]
    return np.array([value for value, _ in kept]), [patient for _, patient in kept]


def _mean_profile(items: list[Local]) -> list[float | None]:
    table = np.stack([item.profile for item in items]) if items else np.zeros((0, len(PROFILE_MM)))
    columns = [column[np.isfinite(column)] for column in table.T]
    return [float(column.mean()) if len(column) else None for column in columns]


def rim_dip(out: Harvest, *, seed: int = 0) -> dict[str, Any]:
    """Noise beside an inserted lesion (after / before) relative to a real lesion's (scan / its own twin), minus 1."""
    if not out.rows["real_rim"]:
        return {"note": NO_TWIN}
    (a, people_a), (b, people_b) = out.column("real_rim", "sigma_ratio"), out.column("rim", "sigma_ratio")

    def relative(first: Array, second: Array) -> float:
        return float(np.nanmedian(second) / np.nanmedian(first) - 1)

    found = difference(np.array(a), people_a, np.array(b), people_b, statistic=relative, seed=seed)
    return {
        "relative": found.to_dict(),
        "real": estimate(a, people_a, seed=seed).to_dict(),
        "inserted": estimate(b, people_b, seed=seed).to_dict(),
    }


def removal_profile(out: Harvest, *, seed: int = 0) -> dict[str, Any]:
    """Mean of (removed - twin) / noise over signed depth; its largest size within 2 mm of the edge is the ghost."""
    rows = out.rows["removal_profile"]
    if not rows:
        return {"note": NO_TWIN}
    people = out.row_patients["removal_profile"]
    table = np.array([list(row.values()) for row in rows])
    depths = [estimate(list(column), people, seed=seed).to_dict() for column in table.T]
    near = np.abs(PROFILE_MM) <= EDGE_MM

    def ghost(values: Array) -> float:
        known = np.isfinite(values)
        means = np.where(known, values, 0).sum(0) / np.maximum(known.sum(0), 1)
        return float(np.abs(means).max())

    edge = table[:, near]
    kept = np.isfinite(edge).any(1)
    people_kept = [p for p, k in zip(people, kept, strict=True) if k]
    found = difference(edge[kept], people_kept, edge[kept], people_kept, statistic=lambda _, b: ghost(b), seed=seed)
    single = np.nanmax(np.abs(edge[kept]), axis=1)
    return {
        "depth_mm": [float(v) for v in PROFILE_MM],
        "residual_sigma": depths,
        "edge_systematic_sigma": found.to_dict() | {"n": int(kept.sum())},
        "edge_single_lesion_median_sigma": float(np.median(single)) if len(single) else None,
    }
