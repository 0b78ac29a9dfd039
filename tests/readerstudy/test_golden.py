"""Run every golden case of a folder through the public functions of the analysis package.

The folder is STATS_GOLDEN_DIR or `shared/stats_golden` beside the repository; its data never enter the repository.
What is compared follows from a case's module and keys; a key or module that nothing computes fails the case.
"""

import json
import os
from pathlib import Path

import pytest

from tests.analysis.golden import models, panels, proportions, signals
from tests.analysis.golden.compare import Report, UnknownKeyError

FOLDER = Path(
    os.environ.get("STATS_GOLDEN_DIR", Path(__file__).resolve().parents[2].parent / "shared" / "stats_golden")
)
SCHEMA = "stats-golden/1"
ADAPTERS = {
    "agreement": panels.agreement,
    "auc": panels.auc,
    "bayes": proportions.bayes,
    "binomial_test": proportions.binomial_test,
    "chance": proportions.chance,
    "drift": models.drift,
    "ensemble": panels.ensemble,
    "equivalence": proportions.equivalence,
    "full_study": models.full_study,
    "glmm": models.glmm,
    "irt": models.irt,
    "mrmc": panels.mrmc,
    "multiplicity": proportions.multiplicity,
    "paired": models.paired,
    "power": proportions.power,
    "proportion_ci": proportions.proportion_ci,
    "published_study": proportions.published_study,
    "rater_level": models.rater_level,
    "response_time": models.response_time,
    "sequential": signals.sequential,
    "signal_detection": signals.signal_detection,
}


def case_files():
    return sorted(FOLDER.glob("*.json")) if FOLDER.is_dir() else []


def prepared(case):
    """Yield the case, or its parts, when names of data sets stand directly under input and expected."""
    given, wanted = case["input"], case["expected"]
    shared = {key for key in given if key in wanted and isinstance(given[key], dict) and isinstance(wanted[key], dict)}
    if shared and shared == {key for key, value in given.items() if isinstance(value, dict)}:
        for name in sorted(shared):
            yield {**case, "input": {**_plain(given), **given[name]}, "expected": wanted[name]}
        rest = {key: value for key, value in wanted.items() if key not in shared}
        if rest:
            yield {**case, "input": given, "expected": rest}
        return
    wrappers = [value for value in given.values() if isinstance(value, dict)]
    if len(wrappers) == 1 and not _plain(given, of=list):
        yield {**case, "input": {**wrappers[0], **given}}
        return
    yield case


def _plain(given, of=None):
    """What stands beside the data sets: lists only, or everything that is not a dictionary."""
    kinds = (lambda value: isinstance(value, of)) if of else (lambda value: not isinstance(value, dict))
    return {key: value for key, value in given.items() if kinds(value)}


def run_case(case):
    assert case["schema"] == SCHEMA
    compared, wrong, notes = 0, [], []
    for part in prepared(case):
        report = _run(part)
        compared, wrong = compared + report.compared, wrong + report.wrong
        notes += [note for note in report.notes if note not in notes]
    return Report(case["tolerance"], compared=compared, wrong=wrong, notes=notes)


def _run(case):
    """Run the adapter of the case's module; an unknown key under `expected` may name a data set: look beneath it."""
    report = Report(case["tolerance"])
    try:
        ADAPTERS[case["module"]](case, report)
    except UnknownKeyError as unknown:
        expected = case["expected"]
        if not isinstance(expected.get(unknown.key), dict) or "looked_beneath" in case:
            raise
        rest = {key: value for key, value in expected.items() if key != unknown.key}
        return _run({**case, "expected": {**rest, **expected[unknown.key]}, "looked_beneath": unknown.key})
    return report


@pytest.mark.skipif(not case_files(), reason=f"NO GOLDEN CASES: {FOLDER} holds none (set STATS_GOLDEN_DIR)")
@pytest.mark.parametrize("path", case_files(), ids=lambda path: path.stem)
def test_golden_case(path, record_property, capsys):
    case = json.loads(path.read_text(encoding="utf-8"))
    report = run_case(case)
    record_property("compared", report.compared)
    with capsys.disabled():
        notes = "".join(f"\n    note: {note}" for note in report.notes)
        print(f"\n{path.stem}: {case['module']}, {report.compared} values compared, {len(report.wrong)} wrong{notes}")
    assert report.compared > 0, "nothing was compared"
    assert not report.wrong, "\n" + "\n".join(report.wrong[:20])
