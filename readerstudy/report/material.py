"""What an unblinded study says of its scans, edits and generators: counts and ranges, no single scan."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from ctplatform.datasets.models import Made, Operation, Origin, Scan, Verdict
from readerstudy.choices import counted_apart
from readerstudy.models import CaseTruth
from readerstudy.report.data import GeneratorFacts, Material
from readerstudy.unblinding.opened import UnblindedStudy

ORIGIN_WORDS = {
    Origin.ACQUIRED: "acquired of patients",
    Origin.PHANTOM: "computed phantoms, no patients",
    Origin.SYNTHETIC: "made whole by a program",
}
# Attributes that import keeps, as the report calls them; numbers become a range, names a list.
ACQUISITION = {
    "manufacturer": "Makers of the scanners",
    "model": "Scanners",
    "kernel": "Kernels",
    "kvp": "Tube voltage, kVp",
    "phase": "Contrast phase",
    "slice_thickness_mm": "Slice thickness, mm",
    "age_years": "Age, years",
    "sex": "Sex",
}


def material_of(opened: UnblindedStudy) -> Material:
    """Of the judged cases; datasets of what was shown apart are named too, for their licence holds."""
    apart = counted_apart(opened)
    hosts = {host.pk: host for code, host in opened.hosts.items() if code not in apart}
    synthetic = [truth for code, truth in opened.truths.items() if truth.synthetic and code not in apart]
    scans = sorted(hosts.values(), key=_by_name)
    return Material(
        datasets=_datasets(scans, shown=sorted(opened.hosts.values(), key=_by_name)),
        origins={ORIGIN_WORDS[Origin(origin)]: count for origin, count in Counter(s.origin for s in scans).items()},
        facts=_facts(scans),
        generators=_generators(synthetic),
        reviewers=len(_reviewers([truth for truth in opened.truths.values() if truth.synthetic])),
    )


def _by_name(scan: Scan) -> tuple[str, str]:
    return scan.dataset.name, scan.name


def _datasets(scans: Sequence[Scan], *, shown: Sequence[Scan]) -> list[tuple[str, str, str, int]]:
    counted = dict.fromkeys((scan.dataset for scan in shown), 0) | Counter(scan.dataset for scan in scans)
    return [(dataset.name, dataset.source, dataset.licence, count) for dataset, count in counted.items()]


def _facts(scans: Sequence[Scan]) -> list[tuple[str, str]]:
    known = [(words, _spread(name, scans)) for name, words in ACQUISITION.items()]
    grid = [
        ("Distance of slices, mm", _range([scan.slice_spacing_mm for scan in scans])),
        ("Pixels, mm", _range([scan.pixel_spacing_mm for scan in scans])),
    ]
    return [(words, value) for words, value in [*known, *grid] if value]


def _spread(name: str, scans: Sequence[Scan]) -> str:
    values = [scan.acquisition[name] for scan in scans if scan.acquisition.get(name) not in (None, "", [])]
    if not values:
        return ""
    numbers = [value for value in values if isinstance(value, int | float)]
    words = _range(numbers) if len(numbers) == len(values) else _counted(values)
    return words if len(values) == len(scans) else f"{words}; known of {len(values)} of {len(scans)} scans"


def _range(numbers: Iterable[float]) -> str:
    values = sorted(numbers)
    if not values:
        return ""
    low, high = values[0], values[-1]
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def _counted(values: Iterable[Any]) -> str:
    return ", ".join(f"{name} ({count})" for name, count in sorted(Counter(map(str, values)).items()))


def _generators(truths: Sequence[CaseTruth]) -> list[GeneratorFacts]:
    by_generator: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for truth in truths:
        told = truth.details
        name = f"{told.get('generator_name', '')} {told.get('generator_version', '')}".strip()
        key = (name, str(told.get("generator_digest") or ""), str(told.get("made", "")))
        by_generator.setdefault(key, []).append(told)
    return [
        GeneratorFacts(
            name=name,
            digest=digest,
            made=Made(made).label if made in Made.values else "",
            operations=sorted({_operation(told) for told in cases} - {""}),
            cases=len(cases),
            recorded=sum(_is_whole(told) for told in cases),
            training="; ".join(sorted({_training(told) for told in cases} - {""})),
        )
        for (name, digest, made), cases in sorted(by_generator.items())
    ]


def _operation(told: dict[str, Any]) -> str:
    operation = told.get("operation")
    return Operation(operation).label if operation in Operation.values else ""


def _training(told: dict[str, Any]) -> str:
    words = (told.get("details") or {}).get("training")
    return words if isinstance(words, str) else ""


def _is_whole(told: dict[str, Any]) -> bool:
    return all(told.get(name) is not None for name in ("source_scan", "diameter_mm", "centre_lps_mm"))


def _reviewers(truths: Sequence[CaseTruth]) -> set[Any]:
    provenances = [getattr(truth.scan, "provenance", None) for truth in truths]
    return {row.reviewed_by_id for row in provenances if row is not None and row.verdict == Verdict.ACCEPTED}
