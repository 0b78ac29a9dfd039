"""Are the two kinds alike in all that is not the lesion itself? Effects with intervals, not large p-values.

Each measure answers: how well would it tell the kinds apart alone? As an AUC (Mann-Whitney; above 0.5: larger in
synthetic cases) with an interval after DeLong et al. 1988 (doi 10.2307/2531595), in which the two cases of a drawn
pair count once: pairs that are alike make the interval narrow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.utils.translation import gettext_noop
from numpy.typing import NDArray
from scipy import stats

from readerstudy.design.candidate import Candidate

# Within these an AUC is called alike: guessing by the measure alone is right in at most three of five cases or so.
LIMITS = (0.35, 0.65)
# Two one-sided tests at five per cent.
CONFIDENCE = 0.90
# Fewer cases of a kind can fall apart by chance.
FEWEST_OF_A_KIND = 4
# Where no other lesion is in sight, it stands this far away for the comparison.
NONE_IN_SIGHT_MM = 200.0

Values = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One thing that can be seen of a place. Pairing counts in units; a difference up to `unseen` counts as none."""

    name: str
    words: str
    unit: float
    unseen: float
    value: Callable[[Candidate], float]


def _field(name: str) -> Callable[[Candidate], float]:
    def value(candidate: Candidate) -> float:
        held = getattr(candidate, name)
        return np.nan if held is None else float(held)

    return value


def _log_diameter(candidate: Candidate) -> float:
    return float(np.log(max(candidate.diameter_mm, 0.1)))


def _other_distance(candidate: Candidate) -> float:
    if candidate.others is None:
        return np.nan
    return NONE_IN_SIGHT_MM if candidate.other_distance_mm is None else candidate.other_distance_mm


MEASURES = (
    Measure(
        name="diameter_mm",
        words=gettext_noop("diameter"),
        unit=float(np.log(1.25)),
        unseen=float(np.log(1.05)),
        value=_log_diameter,
    ),
    Measure(
        name="depth_mm",
        words=gettext_noop("depth below the liver's surface"),
        unit=8.0,
        unseen=2.0,
        value=_field("depth_mm"),
    ),
    Measure(name="row_mm", words=gettext_noop("row in the picture"), unit=20.0, unseen=1.0, value=_field("row_mm")),
    Measure(
        name="column_mm", words=gettext_noop("column in the picture"), unit=25.0, unseen=1.0, value=_field("column_mm")
    ),
    Measure(name="slice_share", words=gettext_noop("slice"), unit=0.2, unseen=0.02, value=_field("slice_share")),
    Measure(
        name="liver_left",
        words=gettext_noop("place in the liver, right to left"),
        unit=0.25,
        unseen=0.02,
        value=_field("liver_left"),
    ),
    Measure(
        name="liver_back",
        words=gettext_noop("place in the liver, front to back"),
        unit=0.25,
        unseen=0.02,
        value=_field("liver_back"),
    ),
    Measure(
        name="liver_head",
        words=gettext_noop("place in the liver, foot to head"),
        unit=0.25,
        unseen=0.02,
        value=_field("liver_head"),
    ),
    Measure(
        name="others",
        words=gettext_noop("number of other lesions in the picture"),
        unit=1.0,
        unseen=0.0,
        value=_field("others"),
    ),
    Measure(
        name="other_distance_mm",
        words=gettext_noop("distance to the nearest other lesion"),
        unit=40.0,
        unseen=2.0,
        value=_other_distance,
    ),
    Measure(
        name="around_hu",
        words=gettext_noop("brightness around the place"),
        unit=15.0,
        unseen=3.0,
        value=_field("around_hu"),
    ),
    Measure(
        name="noise_hu", words=gettext_noop("noise around the place"), unit=3.0, unseen=0.5, value=_field("noise_hu")
    ),
)
CASES_PER_SCAN = "cases_per_scan"
CASES_PER_SCAN_WORDS = gettext_noop("number of cases of the same scan")
SEGMENT = "segment"
SEGMENT_WORDS = gettext_noop("liver segment by position")


def match_report(cases: Sequence[Candidate]) -> dict[str, Any]:
    """How alike the two kinds are; JSON-ready."""
    real, synthetic = ([c for c in cases if c.synthetic is kind] for kind in (False, True))
    return {
        "kinds": {"real": _summary(real), "synthetic": _summary(synthetic)},
        "scans_of_both_kinds": len({c.root for c in real} & {c.root for c in synthetic}),
        "scans": len({c.root for c in cases}),
        "subjects": len({c.subject for c in cases}),
        "subjects_of_both_kinds": len({c.subject for c in real} & {c.subject for c in synthetic}),
        "limits": list(LIMITS),
        "confidence": CONFIDENCE,
        "measures": [judged for judged in _judgements(real, synthetic) if judged is not None],
    }


def sealed_match(report: Mapping[str, Any]) -> dict[str, Any]:
    """What may be known before the unblinding: what was judged and how, no figure that follows from the truth."""
    return {
        **{name: report[name] for name in ("limits", "confidence", "scans", "subjects") if name in report},
        "measures": [{"name": m["name"], "verdict": m["verdict"]} for m in report.get("measures", [])],
    }


def _judgements(real: Sequence[Candidate], synthetic: Sequence[Candidate]) -> list[dict[str, Any] | None]:
    pairs = _pair_labels(real, "real"), _pair_labels(synthetic, "synthetic")
    judged = [
        _judge(
            measure.name,
            measure.words,
            _values(measure, real),
            _values(measure, synthetic),
            pairs=pairs,
            unseen=measure.unseen,
        )
        for measure in MEASURES
    ]
    per_scan = Counter(c.root for c in (*real, *synthetic))
    counts = [np.array([per_scan[c.root] for c in kind], dtype=np.float64) for kind in (real, synthetic)]
    return [
        *judged,
        # Learned from the other cases: below 0.5 nothing was learned.
        _judge(SEGMENT, SEGMENT_WORDS, *segment_scores(real, synthetic), pairs=pairs, least=0.5),
        _judge(CASES_PER_SCAN, CASES_PER_SCAN_WORDS, *counts, pairs=pairs),
    ]


def _values(measure: Measure, kind: Sequence[Candidate]) -> Values:
    return np.array([measure.value(c) for c in kind], dtype=np.float64)


def _pair_labels(kind: Sequence[Candidate], name: str) -> NDArray[np.str_]:
    labels = [f"{name} {number}" if c.pair is None else f"pair {c.pair}" for number, c in enumerate(kind)]
    return np.array(labels, dtype=str)


def _judge(
    name: str,
    words: str,
    real: Values,
    synthetic: Values,
    *,
    pairs: tuple[NDArray[np.str_], NDArray[np.str_]],
    unseen: float = 0.0,
    least: float = 0.0,
) -> dict[str, Any] | None:
    """None where the measure is not known of both kinds."""
    known = ~np.isnan(real), ~np.isnan(synthetic)
    if not known[0].any() or not known[1].any():
        return None
    labels = pairs[0][known[0]], pairs[1][known[1]]
    wins = _wins(real[known[0]], synthetic[known[1]], unseen=unseen)
    auc, low, high = (max(least, v) for v in auc_interval(wins, pairs=labels))
    return {
        "name": name,
        "words": words,
        "auc": round(auc, 4),
        "interval": [round(low, 4), round(high, 4)],
        "verdict": verdict(auc, low, high),
    }


def verdict(auc: float, low: float, high: float) -> str:
    """*alike*: the whole interval lies within the limits; *apart*: the AUC does not, and the interval leaves 0.5 out;
    otherwise *open*: more cases, or a better draw, would tell."""
    if low >= LIMITS[0] and high <= LIMITS[1]:
        return "alike"
    outside = not LIMITS[0] <= auc <= LIMITS[1]
    return "apart" if outside and not low <= 0.5 <= high else "open"


def _wins(real: Values, synthetic: Values, *, unseen: float) -> Values:
    """Is the synthetic case (rows) larger than the real one (columns)? One half where nobody could see a difference."""
    larger = synthetic[:, None] - real[None]
    return np.where(np.isnan(larger), np.nan, (larger > unseen) + 0.5 * (np.abs(larger) <= unseen))


def auc_interval(wins: Values, *, pairs: tuple[NDArray[np.str_], NDArray[np.str_]]) -> tuple[float, float, float]:
    """AUC and its interval. Cases with one label (of real, of synthetic) vary together; DeLong's components are summed
    per label, and t has as many degrees of freedom as there are labels less two. Of very few cases nothing is known."""
    auc = float(wins.mean())
    parts: dict[str, float] = dict.fromkeys([*pairs[0], *pairs[1]], 0.0)
    for kind, components in ((0, wins.mean(axis=0)), (1, wins.mean(axis=1))):
        for label, component in zip(pairs[kind], components, strict=True):
            parts[label] += (float(component) - auc) / len(components)
    groups = len(parts)
    if min(wins.shape) < FEWEST_OF_A_KIND:
        return auc, 0.0, 1.0
    variance = groups / (groups - 1) * sum(part**2 for part in parts.values())
    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, groups - 2)) * variance**0.5
    return auc, max(0.0, auc - reach), min(1.0, auc + reach)


def segment_scores(real: Sequence[Candidate], synthetic: Sequence[Candidate]) -> tuple[Values, Values]:
    """How much more often a case's segment holds synthetic than real cases, learned from the cases outside its pair."""
    cases = [*real, *synthetic]
    kinds = np.array([c.synthetic for c in cases], dtype=bool)
    segments = np.array([c.segment or "" for c in cases])
    pairs = np.array([-number if c.pair is None else c.pair for number, c in enumerate(cases, start=1)])
    scores = np.full(len(cases), np.nan)
    for index in np.flatnonzero(segments != ""):
        here, outside = segments == segments[index], pairs != pairs[index]
        shares = [(here & outside & kind).sum() / max(1, (outside & kind).sum()) for kind in (kinds, ~kinds)]
        scores[index] = shares[0] - shares[1]
    return scores[: len(real)], scores[len(real) :]


def distance_from_alike(real: Sequence[Candidate], synthetic: Sequence[Candidate]) -> float:
    """Of matched pairs, in their order: the largest distance of an AUC from 0.5, and how far intervals reach beyond
    the limits on the average. What is not known counts as alike. Where several of one kind were drawn for one of the
    other, they stand in a row and count once together."""
    groups = min(len(real), len(synthetic))
    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, max(1, groups - 2)))
    away, beyond = [0.0], [0.0]
    for measure in MEASURES:
        wins = _wins(_values(measure, real), _values(measure, synthetic), unseen=measure.unseen)
        auc = float(wins.mean())
        if np.isnan(auc):
            continue
        of_groups = [wins.mean(axis=axis).reshape(groups, -1).mean(axis=1) for axis in (0, 1)]
        parts = (of_groups[0] + of_groups[1] - 2 * auc) / groups
        away.append(abs(auc - 0.5))
        beyond.append(max(0.0, away[-1] + reach * float(np.sqrt((parts**2).sum())) - (LIMITS[1] - 0.5)))
    return max(away) + float(np.mean(beyond))


def _summary(kind: Sequence[Candidate]) -> dict[str, Any]:
    per_subject = sorted(Counter(c.subject for c in kind).values())
    return {
        "cases": len(kind),
        "scans": len({c.root for c in kind}),
        "subjects": len(per_subject),
        "cases_per_subject": [per_subject[0], per_subject[-1]] if per_subject else None,
        "diameter_mm": _quartiles([c.diameter_mm for c in kind]),
        "depth_mm": _quartiles([c.depth_mm for c in kind if c.depth_mm is not None]),
        "others": _quartiles([c.others for c in kind if c.others is not None]),
    }


def _quartiles(values: Sequence[float]) -> list[float] | None:
    return [round(float(v), 2) for v in np.percentile(values, [25, 50, 75])] if values else None
