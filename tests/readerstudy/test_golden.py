"""Run every golden case of a folder through the public functions of the analysis package.

The folder is STATS_GOLDEN_DIR or `shared/stats_golden` beside the repository; its data never enter the repository.
What is compared follows from a case's module and keys; a key or module that nothing computes fails the case. A case is
one problem, or many: rows and named data sets may stand under any key of `expected`.
"""

import json
import os
from pathlib import Path

import pytest

from tests.analysis.golden import models, panels, proportions, signals
from tests.analysis.golden.cases import problems
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


def run_case(case):
    assert case["schema"] == SCHEMA
    whole = Report(case["tolerance"])
    for problem in problems(case["input"], case["expected"]):
        for report in _reports(case, problem):
            whole.compared, whole.wrong = whole.compared + report.compared, whole.wrong + report.wrong
            whole.notes += [note for note in report.notes if note not in whole.notes]
    return whole


def _reports(case, problem):
    """Run the adapter of the case's module; an unknown key under `expected` may name a data set: look beneath it."""
    report = Report(case["tolerance"], prefix=problem.path)
    try:
        ADAPTERS[case["module"]](problem, report)
    except UnknownKeyError as unknown:
        name = unknown.path[0]
        if not isinstance(problem.wanted.get(name), dict):
            raise
        found = problem.beneath(name)
        yield from (
            one
            for part in problems(found.given, found.wanted, found.path, found.around)
            for one in _reports(case, part)
        )
        rest = problem.without(name)
        if rest.wanted:
            yield from _reports(case, rest)
        return
    yield report


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
