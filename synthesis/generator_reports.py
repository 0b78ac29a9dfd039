"""What comes beside a generator's weights: its card and what was measured of it, checked and ready to be shown.

`python -m ml.train` and `python -m ml.reproduce` write them. They come with an upload: nothing is taken on trust.
"""

import json
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from ctplatform.errors import DomainError
from ml.editing import EDITOR_VERSION
from ml.generator.card import CARD_NAME, NAMES_LEFT_OUT
from synthesis.report_fields import (
    LARGEST_INTEGER,
    LONGEST_TEXT,
    NOT_MEASURED,
    PASSED,
    Card,
    ClassifierRow,
    Fitting,
    GateLine,
    Interval,
    Network,
    Realism,
    Receipt,
    Training,
    TrainingData,
    read,
    said,
)

REALISM_NAME, CLASSIFICATION_NAME = "realism.json", "classification.json"
REPORT_FILES = (REALISM_NAME, CLASSIFICATION_NAME)
RECEIVED = "received"  # beside the reports: who brought each of them, and when
WRITERS = {CARD_NAME: "ml.train", REALISM_NAME: "ml.reproduce", CLASSIFICATION_NAME: "ml.reproduce"}
MAX_REPORT_BYTES = 4 * 1024**2
MAX_NESTING = 20
MAX_ROWS = 400
HEADLINE_CLASSIFIER = "LinearSVM"
AUC_TARGET = 0.60
AREAS = {
    "insertion": "Inserted lesions against real ones",
    "removal": "Removed lesions against lesion-free liver",
    "floor_real_against_real": "Floor: real against real",
    "power_planted_difference": "Power: a planted difference",
}
JUDGES = ("features", "bands", "network")
MEASURED_ON = {"phantoms": "on phantoms", "scans": "on real scans"}
NOT_ON_SCANS = "not measured on real scans"
EARLIER_EDITOR = "edits are made otherwise since, and were not measured again"
ON_UNKNOWN = "on scans or phantoms (the report does not say which)"
CLASSIFICATION: TypeAdapter[list[ClassifierRow | None] | None] = TypeAdapter(Fitting[list[Fitting[ClassifierRow]]])


@dataclass(frozen=True, kw_only=True)
class AreaRow:
    label: str
    judge: str
    auc: Interval
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
    measured = {REALISM_NAME: [reports.get(REALISM_NAME)], CLASSIFICATION_NAME: rows}
    for name, parts in measured.items():
        known = [value for part in parts if (value := _mapping(part).get("generator_sha256")) is not None]
        if known and digest not in known:
            raise DomainError(f"{name} was measured on other weights than those of this card.")


def received(reports: Any) -> dict[str, str]:
    """Who brought which report, for the page; by the names realism and classification."""
    known = _mapping(_mapping(reports).get(RECEIVED))
    receipts = {name.removesuffix(".json"): read(Receipt, known.get(name)) for name in REPORT_FILES}
    return {name: f"{receipt.by}, {receipt.at[:10]}" if receipt.by else "" for name, receipt in receipts.items()}


def card_lines(values: Any) -> list[tuple[str, str]]:
    """The card's lines that a person reads before using the generator."""
    card, hidden = read(Card, values), names_left_out(values)
    train, data, net = card.train or Training(), card.data or TrainingData(), card.net or Network()
    lines = [
        ("Intended use", card.intended_use),
        ("Limits", card.limits),
        ("Objective", train.objective_in_words),
        ("Patches", train.population_in_words),
        ("Training", said("{steps_done} steps of {batch} patches, seed {seed}", card, train)),
        ("Began from", card.began_from.in_words if card.began_from else ""),
        ("Data", data.in_words),
        *(("Exemplars", bank.in_words) for bank in (card.banks or [])[:MAX_ROWS] if bank is not None),
        ("Names of its scans", hidden and f"{hidden} left out; they are in the card for people who may see the scans"),
        ("Patch", net.patch_in_words),
        ("Signature", said("{code_size} numbers", net)),
        ("Variance of PC 1-3 of single codes", card.variance_in_words),
        ("Made with", card.command),
    ]
    return [(label, str(value)[:LONGEST_TEXT]) for label, value in lines if value]


def training_in_words(values: Any) -> str:
    """What the card tells of the training in numbers, without a name of a dataset or a scan; empty: nothing."""
    card = read(Card, values)
    train, data = card.train or Training(), card.data or TrainingData()
    banks = [bank for bank in card.banks or [] if bank is not None]
    parts = [
        train.objective_in_words,
        said("{steps_done} steps of {batch} patches, seed {seed}", card, train),
        said("on {cases} scans with {lesions} lesions", data),
        *(said("given {lesions} lesions of {patients} patients as exemplars afterwards", bank) for bank in banks),
    ]
    return "; ".join(str(part) for part in parts if part)[:LONGEST_TEXT]


def names_in(card: Any) -> list[str]:
    """The names of scans that a card tells."""
    names = read(TrainingData, _mapping(card).get("data")).case_names or []
    return [name for name in names if isinstance(name, str)]


def with_names_of(card: Any, seen: set[str], datasets: Collection[str] = ()) -> dict[str, Any]:
    """The card for somebody who may know only these names of its scans and datasets; other scans are counted."""
    values = _mapping(card)
    shown = {**values, **_banks_of(values, datasets), **_data_of(values, seen)}
    if shown != values:
        # The command names folders and datasets.
        shown.pop("command", None)
    return shown


def _banks_of(card: Mapping[str, Any], datasets: Collection[str]) -> dict[str, Any]:
    banks = card.get("banks")
    return {"banks": [_without_unseen_dataset(part, datasets) for part in banks]} if isinstance(banks, list) else {}


def _data_of(card: Mapping[str, Any], seen: set[str]) -> dict[str, Any]:
    data = _mapping(card.get("data"))
    if "case_names" not in data:
        return {}
    names = read(TrainingData, data).case_names or []
    kept = [name for name in names if isinstance(name, str) and name in seen]
    left_out = names_left_out(card) + len(names) - len(kept)
    counted = {NAMES_LEFT_OUT: left_out} if left_out else {}
    return {"data": {**data, "case_names": kept, **counted}}


def _without_unseen_dataset(bank: Any, datasets: Collection[str]) -> Any:
    values = _mapping(bank)
    seen = isinstance(values.get("dataset"), str) and values["dataset"] in datasets
    return {name: value for name, value in values.items() if name != "dataset" or seen}


def names_left_out(card: Any) -> int:
    """How many names of scans a card was given away without."""
    return read(TrainingData, _mapping(card).get("data")).case_names_left_out or 0


def auc_rows(realism: Any) -> list[AreaRow]:
    """The two-sample tests' areas under the curve that are complete, in a fixed order."""
    tests = read(Realism, realism).two_sample or {}
    found = [(label, judge, getattr(tests.get(key), judge, None)) for key, label in AREAS.items() for judge in JUDGES]
    return [
        AreaRow(label=label, judge=judge, auc=area.interval, counts=area.counts)
        for label, judge, area in found
        if area is not None
    ]


def gate_lines(realism: Any) -> list[GateLine]:
    """The report's own gate; a report without one is judged by its areas alone."""
    lines = [line for line in (read(Realism, realism).gate or [])[:MAX_ROWS] if line is not None]
    return lines or [
        GateLine(
            name=f"{row.label}: AUC, {row.judge}",
            **row.auc.model_dump(),
            comparison="<=",
            target=AUC_TARGET,
            passed=row.auc.value <= AUC_TARGET,
            note=row.counts,
        )
        for row in auc_rows(realism)
        if row.label in (AREAS["insertion"], AREAS["removal"])
    ]


def scan_lines(realism: Any) -> list[GateLine]:
    """What was measured beside patients' own lesions; nothing where no scans were."""
    scans = read(Realism, realism).scans
    return [line for line in ((scans and scans.gate) or [])[:MAX_ROWS] if line is not None]


def scan_notes(realism: Any) -> list[str]:
    """What limits it."""
    scans = read(Realism, realism).scans
    return [str(note)[:LONGEST_TEXT] for note in ((scans and scans.notes) or [])[:MAX_ROWS] if note]


def gate_summary(realism: Any) -> str:
    """The gate in a few words, for lists; what was not measured does not count as reached."""
    lines = gate_lines(realism)
    if not lines:
        return NOT_MEASURED
    said = f"{_reached(lines)} {measured_on(realism)}"
    on_scans = scans_summary(realism)
    return f"{said}; {on_scans}" if on_scans else said


def scans_summary(realism: Any) -> str:
    """The same of patients' scans beside a gate of phantoms; empty where there is none."""
    scans, lines = read(Realism, realism).scans, scan_lines(realism)
    if scans is None or not lines:
        return ""
    said = f"{_reached(lines)} on real scans ({scans.counted})"
    return said if scans.editor_version == EDITOR_VERSION else f"{said}; {EARLIER_EDITOR}"


def _reached(lines: list[GateLine]) -> str:
    verdicts = [line.verdict for line in lines]
    return f"{verdicts.count(PASSED)} of {len(verdicts)} targets reached"


def measured_on(realism: Any) -> str:
    """What a realism gate stands for: neither for patients where it is of phantoms, nor for edits made otherwise."""
    report = read(Realism, realism)
    said = [MEASURED_ON.get(str(report.measured_on), ON_UNKNOWN)]
    if report.measured_on == "phantoms" and not scan_lines(realism):
        said.append(NOT_ON_SCANS)
    if report.editor_version != EDITOR_VERSION:
        said.append(EARLIER_EDITOR)
    return "; ".join(said)


def classifier_rows(classification: Any) -> list[ClassifierRow]:
    """Complete rows of the classification table, best accuracy first."""
    rows = (CLASSIFICATION.validate_python(classification) or [])[:MAX_ROWS]
    return sorted((row for row in rows if row is not None), key=lambda row: -row.accuracy.value)


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
