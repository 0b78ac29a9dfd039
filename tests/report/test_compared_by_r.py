"""R finds the numbers of arms against arms, and of two groups of raters, from the files of the report alone."""

import json
import os
import subprocess
from dataclasses import asdict, replace
from itertools import chain

import numpy as np
import pytest

from readerstudy.analysis import (
    AnalysisPlan,
    GroupsComparison,
    PlannedArms,
    compare_arms,
    compare_reader_groups,
    signed_rating,
)
from readerstudy.report.archive import text_files
from tests.report.sample import LEVELS, sample_report
from tests.report.test_archive import NO_R, close, has_r

ARMS = ("A 1, inserted", "B 2, inserted", "C, inserted")
pytestmark = pytest.mark.skipif(not has_r() and not os.environ.get("CT_REQUIRE_SERVICES"), reason=NO_R)


def study(*, arms=3, of=ARMS, grouped=(4, 3), named=(), primary="reader_averaged_auc", alike=False, **more):
    """A report whose synthetic cases are of some arms in turn, and whose raters are in two groups."""
    plan = AnalysisPlan(primary=primary, compared_arms=named, compared_margin=0.2)
    data = sample_report(**{"plan": plan, "raters": sum(grouped) + 1, "real": 24, "synthetic": 36, "seed": 5, **more})
    made = iter(np.tile(of[:arms], 36))
    cases = [replace(case, arm=next(made) if case.synthetic else "real") for case in data.cases]
    groups = ["Radiologist"] * grouped[0] + ["beginner"] * grouped[1] + [""]
    raters = [replace(rater, group=group) for rater, group in zip(data.raters, groups, strict=True)]
    calls, scores = answers(data)
    if alike:
        calls, scores = (np.repeat(table[:, 1:2], calls.shape[1], axis=1) for table in (calls, scores))
        data = replace(data, ratings=list(same_answers(data, calls, scores)))
    known = {"truth": [float(case.synthetic) for case in cases], "patients": [case.patient for case in cases]}
    rows = sorted(
        range(len(cases)),
        key=lambda row: (cases[row].synthetic, of.index(cases[row].arm) if cases[row].synthetic else 0),
    )
    found = compare_arms(
        arms=[cases[row].arm for row in rows],
        truth=[known["truth"][row] for row in rows],
        patients=[known["patients"][row] for row in rows],
        calls=calls[rows],
        ratings=scores[rows],
        planned=PlannedArms(names=named, margin=0.2) if named else None,
    )
    by_area = primary == "reader_averaged_auc"
    contrast = compare_reader_groups(**known, scores=scores if by_area else calls, groups=groups, measure="")
    plan_of = {"plan": asdict(plan), "cases": cases, "raters": raters, "arms": found if arms > 1 else None}
    return replace(data, **plan_of, groups=GroupsComparison(contrast=contrast))


def answers(data):
    """Calls and scores (cases, raters) as they stand in the rows."""
    calls = np.full((len(data.cases), len(data.raters)), np.nan)
    sure = calls.copy()
    row = {case.code: number for number, case in enumerate(data.cases)}
    for rating in data.ratings:
        where = row[rating["case"]], rating["rater"] - 1
        calls[where], sure[where] = rating["answer"] == "synthetic", rating["confidence"]
    return calls, signed_rating(calls=calls, confidence=sure, levels=LEVELS)


def same_answers(data, calls, scores):
    row = {case.code: number for number, case in enumerate(data.cases)}
    second = {rating["case"]: rating for rating in data.ratings if rating["rater"] == 2}
    for rating in data.ratings:
        if rating["case"] in second and not np.isnan(scores[row[rating["case"]], 0]):
            source = second[rating["case"]]
            yield rating | {name: source[name] for name in ("answer", "confidence")}


VARIANTS = {
    "three arms, none planned, missing answers": {},
    "two arms": {"arms": 2},
    "two planned arms of three": {"named": ARMS[:2]},
    "three planned arms, three cases of each patient": {"named": ARMS, "cases_of_a_patient": 3},
    "patients of one kind": {"cases_of_a_patient": 4, "one_kind": True, "named": ARMS[1:]},
    "few raters, small groups": {"grouped": (1, 2), "seed": 12, "cases_of_a_patient": 3},
    "groups by right answers": {"primary": "case_label_permutation", "grouped": (3, 5)},
    "one arm": {"arms": 1},
    "raters who are all alike": {"alike": True, "named": ARMS[:2]},
    "names that languages sort in other ways": {"of": ("alpha, inserted", 'GAN "v\\2", inserted', "Alpha 1, inserted")},
}


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_r_finds_the_same_arms_and_groups(variant, tmp_path):
    data = study(**variant)
    for name, content in text_files(data).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    done = subprocess.run(["Rscript", "recompute.R"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    same_arms(found["arms"], data.arms)
    same_groups(found["groups"], data.groups.contrast)


def same_arms(theirs, ours):
    if ours is None:
        assert theirs is None
        return
    readings = [reading for reading in ours.readings if reading.arm != "real"]
    for row, own in zip(theirs["arms"], readings, strict=True):
        assert row["arm"] == own.arm
        same(row, {"estimate": own.auc.value, "low": own.auc.low, "high": own.auc.high, "p": own.p})
        same(row, {"p_adjusted": own.p_adjusted})
    for row, own in zip(theirs["pairs"], ours.contrasts, strict=True):
        assert (row["first"], row["second"]) == (own.first, own.second)
        gap, band = own.difference, own.equivalence
        same(row, {"difference": gap.value, "low": gap.low, "high": gap.high, "se": own.se, "df": own.df, "p": own.p})
        same(row, {"p_adjusted": own.p_adjusted})
        for name in ("low", "high", "p", "p_adjusted") if band else ():
            same(row, {f"equivalence_{name}": getattr(band, name)})
    overall = ours.overall
    same(theirs["overall"] or {}, {"statistic": overall and overall.statistic, "p": overall and overall.p})


def same_groups(theirs, ours):
    gap = ours.difference
    assert (theirs["first"], theirs["second"]) == (ours.first, ours.second)
    known = {"difference": gap.value, "low": gap.low, "high": gap.high, "df": ours.df, "p": ours.p}
    same(theirs, known)


def same(theirs, ours):
    """Both or neither; R has no number for infinite degrees of freedom."""
    for name, value in ours.items():
        if value is None or np.isinf(value):
            assert theirs.get(name) in (None, value), name
        else:
            close(theirs.get(name), value, name, tolerance=1e-9)


def test_the_variants_hold_what_they_are_named_for():
    """Pairs that are planned, equal groups that are compared and small ones that are not, raters who tell no spread."""
    planned = [study(**variant).arms for variant in VARIANTS.values() if variant.get("named")]
    assert any(pair.equivalence for arms in planned for pair in arms.contrasts)
    assert any(not pair.planned for pair in chain.from_iterable(arms.contrasts for arms in planned))
    assert study(**VARIANTS["few raters, small groups"]).groups.contrast.p is None
    assert study().groups.contrast.p is not None
