"""The card of the synthetic cases, by the seven criteria of FDA's scorecard for synthetic medical data.

It says what this study knows; what a criterion asks beyond that is "not stated".
Source: Zamzmi et al., Scorecard for synthetic medical data evaluation, Commun Eng 2025;4:130.
"""

from collections import Counter
from statistics import median

from readerstudy.report.checklists import COMPARISONS, DATA, NOT_STATED
from readerstudy.report.data import GeneratorFacts, ReportedCase, ReportedStudy
from readerstudy.report.text import patient_sentence


def card_rows(data: ReportedStudy) -> list[tuple[str, str]]:
    synthetic = [case for case in data.judged_cases if case.synthetic]
    return [
        ("Made by", " ".join(map(_generator, data.material.generators)) or NOT_STATED),
        ("Training of the generator", _training(data) or NOT_STATED),
        ("Congruence: are they like patients' images?", data.verdict_sentence),
        ("Coverage: which variety do they have?", _coverage(data, synthetic)),
        ("Constraint: are they plausible?", review_words(data) or NOT_STATED),
        ("Completeness: is everything recorded?", _completeness(data)),
        ("Comprehension: how do they come about?", _comprehension(data)),
        ("Compliance: privacy and licence", _compliance(data)),
        ("Consistency: are parts alike?", _consistency(data)),
    ]


def _generator(facts: GeneratorFacts) -> str:
    what = ", ".join(facts.operations).lower()
    return (
        f"{facts.name or 'A program without a name'}{f' ({what})' if what else ''}: {facts.cases} cases"
        f"{f', weights and card SHA-256 {facts.digest[:12]}…' if facts.digest else ', no digest of its weights'}."
    )


def _training(data: ReportedStudy) -> str:
    """Of each generator; where one told nothing, that stands beside what others told."""
    told = data.material.generators
    if not any(facts.training for facts in told):
        return ""
    return " ".join(f"{facts.name or 'A program without a name'}: {facts.training or NOT_STATED}." for facts in told)


def _coverage(data: ReportedStudy, synthetic: list[ReportedCase]) -> str:
    kinds = Counter(case.kind.replace("_", "-") for case in synthetic if case.kind)
    listed = ", ".join(f"{kind} ({count})" for kind, count in sorted(kinds.items()))
    return f"{diameter_words(data)}{f' Kinds: {listed}.' if listed else ''} {patient_sentence(data)}"


def diameter_words(data: ReportedStudy) -> str:
    parts = []
    for words, synthetic in (("synthetic", True), ("real", False)):
        sizes = sorted(case.diameter_mm for case in data.judged_cases if case.synthetic == synthetic)
        if sizes:
            parts.append(f"{words} {sizes[0]:.0f} to {sizes[-1]:.0f} mm, median {median(sizes):.1f}")
    return f"Diameters: {'; '.join(parts)}." if parts else ""


def review_words(data: ReportedStudy) -> str:
    """Who looked at the edits before they became cases, and what was refused."""
    flow, people = data.flow, data.material.reviewers
    if "edited" not in flow:
        return ""
    by = f" by {people} {'person' if people == 1 else 'people'}" if people else ""
    return (
        f"{flow['edited']} edits were made; {flow['accepted']} were looked at and accepted{by}, {flow['rejected']} "
        f"rejected, {flow['not_reviewed']} not reviewed. Only accepted ones could become cases."
    )


def _completeness(data: ReportedStudy) -> str:
    generators = data.material.generators
    cases, recorded = sum(g.cases for g in generators), sum(g.recorded for g in generators)
    return f"Host scan, place and diameter are known of {recorded} of {cases}." if cases else NOT_STATED


def _comprehension(data: ReportedStudy) -> str:
    digests = sum(facts.cases for facts in data.material.generators if facts.digest)
    if not digests:
        return NOT_STATED
    return (
        f"Of {digests} the weights are known by their digest; seed and parameters of every edit are kept with its scan."
    )


def _compliance(data: ReportedStudy) -> str:
    licences = sorted({licence for _, _, licence, _ in data.material.datasets if licence})
    said = f"Licence of the scans: {', '.join(licences)}." if licences else "Licence of the scans: not stated."
    return f"{said} Synthetic scans are marked as such in every file that leaves the platform. See “{DATA}”."


def _consistency(data: ReportedStudy) -> str:
    return f"See “{COMPARISONS}”." if data.comparisons else NOT_STATED
