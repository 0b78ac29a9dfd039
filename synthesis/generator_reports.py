"""What comes beside a generator's weights: its card and what was measured of it, checked and ready to be shown.

`python -m ml.train` and `python -m ml.reproduce` write them. They come with an upload: nothing is taken on trust.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ctplatform.errors import DomainError
from ml.generator.card import CARD_NAME, NAMES_LEFT_OUT, OBJECTIVE_WORDS, POPULATION_WORDS

REALISM_NAME, CLASSIFICATION_NAME = "realism.json", "classification.json"
REPORT_FILES = (REALISM_NAME, CLASSIFICATION_NAME)
RECEIVED = "received"  # beside the reports: who brought each of them, and when
WRITERS = {CARD_NAME: "ml.train", REALISM_NAME: "ml.reproduce", CLASSIFICATION_NAME: "ml.reproduce"}
MAX_REPORT_BYTES = 4 * 1024**2
MAX_NESTING = 20
LARGEST_INTEGER = 2**53
MAX_ROWS = 400
HEADLINE_CLASSIFIER = "LinearSVM"
AUC_TARGET = 0.60
NOT_MEASURED, PASSED, MISSED = "not measured", "reached", "not reached"
AREAS = {
    "insertion": "Inserted lesions against real ones",
    "removal": "Removed lesions against lesion-free liver",
    "floor_real_against_real": "Floor: real against real",
    "power_planted_difference": "Power: a planted difference",
}


@dataclass(frozen=True, kw_only=True)
class Interval:
    """An estimate with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class GateLine:
    name: str
    value: Interval | None
    target: str
    verdict: str
    count: int | None
    note: str


@dataclass(frozen=True, kw_only=True)
class AreaRow:
    label: str
    judge: str
    auc: Interval
    counts: str


@dataclass(frozen=True, kw_only=True)
class ClassifierRow:
    features: str
    classifier: str
    view: str
    accuracy: Interval
    sensitivity: Interval
    specificity: Interval
    counts: str


def read_reports(folder: Path) -> dict[str, Any]:
    """The reports of an artefact's folder by name; refuses damaged ones, leaves out those that are not there."""
    return {name: parse(name, (folder / name).read_bytes()) for name in REPORT_FILES if (folder / name).is_file()}


def parse(name: str, content: bytes) -> Any:
    """One file's JSON, refused when it is too large or is not what its writer writes."""
    if len(content) > MAX_REPORT_BYTES:
        raise DomainError(f"{name} has {len(content)} bytes; at most {MAX_REPORT_BYTES} are taken.")
    try:
        values = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DomainError(
            f"{name} is not readable JSON. Upload the file that python -m {WRITERS[name]} wrote."
        ) from error
    wanted = list if name == CLASSIFICATION_NAME else dict
    if not isinstance(values, wanted):
        raise DomainError(f"{name} does not hold what python -m {WRITERS[name]} writes.")
    return storable(name, values)


def storable(name: str, value: Any, nesting: int = MAX_NESTING) -> Any:
    """The same values as every database and every reader of JSON takes them; what is not a number becomes null."""
    if nesting < 0:
        raise DomainError(f"{name} is nested deeper than python -m {WRITERS[name]} writes.")
    if isinstance(value, str):
        return value.replace("\0", "").encode(errors="replace").decode()
    if isinstance(value, dict):
        return {storable(name, key): storable(name, part, nesting - 1) for key, part in value.items()}
    if isinstance(value, list):
        return [storable(name, part, nesting - 1) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, int) and abs(value) > LARGEST_INTEGER:
        return None
    return value


def check_measured(reports: dict[str, Any], digest: object) -> None:
    """Reports name the weights they were measured on; those of other weights say nothing of these."""
    rows = reports.get(CLASSIFICATION_NAME) or []
    measured = {
        REALISM_NAME: [_mapping(reports.get(REALISM_NAME)).get("generator_sha256")],
        CLASSIFICATION_NAME: [_mapping(row).get("generator_sha256") for row in rows],
    }
    for name, digests in measured.items():
        known = [value for value in digests if value is not None]
        if known and digest not in known:
            raise DomainError(f"{name} was measured on other weights than those of this card.")


def received(reports: Any) -> dict[str, str]:
    """Who brought which report, for the page; by the names realism and classification."""
    known = _mapping(_mapping(reports).get(RECEIVED))
    entries = {name.removesuffix(".json"): _mapping(known.get(name)) for name in REPORT_FILES}
    return {
        name: _said("{by}, {at}", {**entry, "at": str(entry.get("at", ""))[:10]}) for name, entry in entries.items()
    }


def facts(card: Any) -> list[tuple[str, str]]:
    """The card's lines that a person reads before using the generator."""
    values = _mapping(card)
    data, train, net = (_mapping(values.get(key)) for key in ("data", "train", "net"))
    hidden = names_left_out(card)
    sizes = {"patch": _product(net.get("patch_zyx")), "spacing": _product(net.get("spacing_zyx_mm"))}
    shares = [100 * share for share in map(_number, _sequence(values.get("explained_variance_ratio"))[:3]) if share]
    lines = [
        ("Intended use", values.get("intended_use")),
        ("Limits", values.get("limits")),
        ("Objective", _in_words(train.get("objective"), OBJECTIVE_WORDS)),
        ("Patches", _in_words(train.get("population"), POPULATION_WORDS)),
        ("Training", _said("{steps_done} steps of {batch} patches, seed {seed}", values | train)),
        ("Data", _said("{cases} scans with {lesions} lesions. {note}", data | {"note": data.get("note") or ""})),
        ("Names of its scans", hidden and f"{hidden} left out; they are in the card for people who may see the scans"),
        ("Patch", _said("{patch} samples (z, y, x) of {spacing} mm", sizes)),
        ("Signature", _said("{code_size} numbers", net)),
        ("Variance of PC 1-3 of single codes", ", ".join(f"{share:.0f} %" for share in shares)),
        ("Made with", values.get("command")),
    ]
    return [(label, str(value)[:400]) for label, value in lines if value]


def with_names_of(card: Any, seen: set[str]) -> dict[str, Any]:
    """The card for somebody who may know only these names of its scans; the others are counted."""
    values = _mapping(card)
    data = _mapping(values.get("data"))
    if "case_names" not in data:
        return values
    names = _sequence(data["case_names"])
    kept = [name for name in names if isinstance(name, str) and name in seen]
    left_out = names_left_out(card) + len(names) - len(kept)
    counted = {NAMES_LEFT_OUT: left_out} if left_out else {}
    return {**values, "data": {**data, "case_names": kept, **counted}}


def names_left_out(card: Any) -> int:
    """How many names of scans a card was given away without."""
    count = _mapping(_mapping(card).get("data")).get(NAMES_LEFT_OUT)
    return count if isinstance(count, int) else 0


def areas(realism: Any) -> list[AreaRow]:
    """The two-sample tests' areas under the curve that are complete, in a fixed order."""
    tests = _mapping(_mapping(realism).get("two_sample"))
    rows = []
    for key, label in AREAS.items():
        for judge in ("features", "network"):
            found = _mapping(_mapping(tests.get(key)).get(judge))
            auc = _interval([found.get(part) for part in ("auc", "low", "high")])
            if auc is not None:
                counts = " + ".join(str(n) for n in _sequence(found.get("n"))[:2] if isinstance(n, int))
                rows.append(AreaRow(label=label, judge=judge, auc=auc, counts=counts))
    return rows


def gate_lines(realism: Any) -> list[GateLine]:
    """The report's own gate; a report without one is judged by its areas alone."""
    lines = [_gate_line(_mapping(entry)) for entry in _sequence(_mapping(realism).get("gate"))[:MAX_ROWS]]
    if lines:
        return lines
    return [
        GateLine(
            name=f"{row.label}: AUC, {row.judge}",
            value=row.auc,
            target=f"at most {AUC_TARGET:.2f}",
            verdict=PASSED if row.auc.value <= AUC_TARGET else MISSED,
            count=None,
            note=row.counts,
        )
        for row in areas(realism)
        if row.label in (AREAS["insertion"], AREAS["removal"])
    ]


def gate_summary(realism: Any) -> str:
    """The gate in a few words, for lists; what was not measured does not count as reached."""
    verdicts = [line.verdict for line in gate_lines(realism)]
    return f"{verdicts.count(PASSED)} of {len(verdicts)} targets reached" if verdicts else NOT_MEASURED


def _gate_line(entry: dict[str, Any]) -> GateLine:
    words = {"<=": "at most", ">=": "at least", "absolute <=": "within ±", "==": "exactly"}
    target, passed, n = _number(entry.get("target")), entry.get("passed"), entry.get("n")
    value = _number(entry.get("value"))
    low, high = _number(entry.get("low")), _number(entry.get("high"))
    shown = None
    if value is not None:
        shown = Interval(
            value=value, low=low if low is not None else math.nan, high=high if high is not None else math.nan
        )
    unit = str(entry.get("unit", ""))[:12]
    asked = "" if target is None else f"{words.get(str(entry.get('comparison')), '')} {target:.3g} {unit}".strip()
    verdict = (PASSED if passed else MISSED) if isinstance(passed, bool) else NOT_MEASURED
    return GateLine(
        name=str(entry.get("name", ""))[:160],
        value=shown,
        target=asked,
        verdict=verdict,
        count=n if isinstance(n, int) else None,
        note=str(entry.get("note") or "")[:200],
    )


def classifier_rows(classification: Any) -> list[ClassifierRow]:
    """Complete rows of the classification table, best accuracy first."""
    rows = []
    for entry in _sequence(classification)[:MAX_ROWS]:
        found = _mapping(entry)
        rates = [_interval(found.get(name)) for name in ("accuracy", "sensitivity", "specificity")]
        accuracy, sensitivity, specificity = rates
        if accuracy is None or sensitivity is None or specificity is None:
            continue
        rows.append(
            ClassifierRow(
                features=str(found.get("features", ""))[:80],
                classifier=str(found.get("classifier", ""))[:60],
                view=str(found.get("view", ""))[:20],
                accuracy=accuracy,
                sensitivity=sensitivity,
                specificity=specificity,
                counts=_said("{lesions} + {normals} patches of {patients} patients", found),
            )
        )
    return sorted(rows, key=lambda row: -row.accuracy.value)


def _in_words(name: Any, words: dict[str, str]) -> Any:
    """What people call it; a card of another version may know names that this one does not."""
    return words.get(name, name) if isinstance(name, str) else None


def _product(sizes: Any) -> str | None:
    return " × ".join(str(size)[:12] for size in _sequence(sizes)[:3]) or None


def _said(sentence: str, values: dict[str, Any]) -> str:
    """The sentence with its values in place; nothing at all when one is missing."""
    try:
        return sentence.format_map({name: str(value)[:200] for name, value in values.items() if value is not None})
    except KeyError:
        return ""


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _sequence(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else []


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > LARGEST_INTEGER:
        return None
    return float(value) if math.isfinite(value) else None


def _interval(value: Any) -> Interval | None:
    """A share (an accuracy, an area) with its interval; nothing else lies between 0 and 1."""
    parts = _sequence(value)
    numbers = [number for number in map(_number, parts) if number is not None and 0 <= number <= 1]
    if len(parts) != 3 or len(numbers) != 3:
        return None
    point, low, high = numbers
    return Interval(value=point, low=low, high=high)
