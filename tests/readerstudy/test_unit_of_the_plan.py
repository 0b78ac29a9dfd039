"""The plan's unit holds for whatever is compared beside the default analysis: arms, programs and phases."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from readerstudy import results
from readerstudy.analysis import AnalysisPlan
from readerstudy.report import phase_answers

PATIENTS = ["one", "one", "two"]


class Table(SimpleNamespace):
    def without_controls(self):
        return self

    def of_part(self, cases, raters):
        return self

    def of_raters(self, numbers):
        return self


TABLE = Table(
    case_codes=["a", "b", "c"],
    raters=[SimpleNamespace(number=1, user_id=7)],
    truth=[0, 1, 1],
    calls=[[0], [1], [1]],
    scores=None,
    patients=PATIENTS,
)


def handed_over(monkeypatch, name, unit):
    """What the comparison of this name is given."""
    given = {}
    monkeypatch.setattr(results, name, lambda **asked: given.update(asked))
    monkeypatch.setattr(results, "responses_of", lambda opened: TABLE)
    monkeypatch.setattr(results, "_responses", lambda *asked: TABLE)
    monkeypatch.setattr(results, "_program_name", lambda study, rater: "P")
    monkeypatch.setattr(results, "executed_plan", lambda study, balanced: replace(AnalysisPlan(), unit=unit))
    return given


@pytest.mark.parametrize(("unit", "patients"), [("patient", PATIENTS), ("case", None)])
def test_programs_and_arms_are_compared_over_the_units_of_the_plan(monkeypatch, unit, patients):
    arms = {"a": (True, "real"), "b": (False, "A"), "c": (False, "B")}
    monkeypatch.setattr(results, "arm_of", lambda truth: Arm(*truth))
    monkeypatch.setattr(results, "arm_order", lambda arm: arm.name == "real")
    opened = SimpleNamespace(truths=arms, study=None, programs=[1], first_answers=[])
    given = handed_over(monkeypatch, "compare_programs", unit)
    results.programs_of(opened)
    assert given["patients"] == patients
    given = handed_over(monkeypatch, "compare_arms", unit)
    results.arms_of(opened)
    assert sorted(given["patients"] or []) == sorted(patients or [])


class Arm(str):
    """A name of an arm."""

    __slots__ = ("control", "is_real", "name")

    def __new__(cls, is_real, name):
        made = super().__new__(cls, name)
        made.is_real, made.name, made.control = is_real, name, False
        return made


@pytest.mark.parametrize(("unit", "different"), [("patient", 2), ("case", 3)])
def test_phases_take_the_units_of_the_plan(monkeypatch, unit, different):
    shown = {
        code: SimpleNamespace(scan_id=code, place_lps_mm=(0.0, 0.0, at), synthetic=bool(truth), control=False)
        for at, (code, truth) in enumerate(zip(TABLE.case_codes, TABLE.truth, strict=True))
    }
    hosts = {
        code: SimpleNamespace(dataset_id=1, subject=who) for code, who in zip(TABLE.case_codes, PATIENTS, strict=True)
    }
    monkeypatch.setattr(phase_answers, "responses_of", lambda opened: TABLE)
    asked = SimpleNamespace(task=SimpleNamespace(images=1))
    opened = SimpleNamespace(truths=shown, hosts=hosts, study=SimpleNamespace(asked=asked))
    found = phase_answers.answers_of(opened, [7], replace(AnalysisPlan(), unit=unit), of_scores=True)
    assert len(set(found.units)) == different
