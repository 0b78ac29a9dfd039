"""Groups of raters: said in the draft, frozen at the lock, told after the unblinding, and never to raters."""

import csv
import io
import json

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse

from ctplatform.accounts.models import Role
from ctplatform.errors import ConflictError, DomainError
from readerstudy.analysis import LEAST_OF_GROUP, compare_reader_groups, rater_interaction
from readerstudy.design import services as design
from readerstudy.design.readiness import readiness
from readerstudy.models import StudyRater
from readerstudy.planning.plans import plan_of
from readerstudy.report.archive import text_files
from readerstudy.report.groups import groups_of
from readerstudy.report.groups_words import difference_words, groups_status
from readerstudy.report.loading import report_data
from readerstudy.results import analysis_of
from readerstudy.unblinding.opened import UnblindedStudy
from readerstudy.verification import verify
from tests.factories import make_user
from tests.readerstudy.worlds import Browser, make_draft, unblind

SENIOR, RESIDENT = "Senior <b>staff</b>", "Residents"
GROUPS = {1: SENIOR, 2: SENIOR, 3: SENIOR, 4: RESIDENT, 5: RESIDENT, 6: RESIDENT, 7: ""}


@pytest.fixture
def people():
    return [make_user(Role.RATER) for _ in GROUPS]


@pytest.fixture
def grouped(cast, world, people):
    study = make_draft(cast, world, raters=people)
    design.set_groups(study=study, actor=cast.owner, groups=GROUPS)
    return study


def read(study, people):
    """Seniors are right more often than residents."""
    truth = dict(study.cases.values_list("stimuli__presentations__token", "truth__synthetic"))
    for number, person in enumerate(people, start=1):
        reader = Browser(person, study)
        for position, token in enumerate(reader.tokens()):
            right = (position + number) % (7 if number <= 3 else 2) != 0
            answer = "synthetic" if truth[token] == right else "real"
            assert reader.rate(token, answer=answer, confidence=1 + (position * number) % 3).status_code == 201


def test_a_study_with_two_groups_from_the_draft_to_the_report(cast, grouped, people, stages):
    client = Client()
    client.force_login(cast.owner)
    page = client.get(reverse("studies:study", args=[grouped.pk])).content.decode()
    assert "Groups of raters" in page
    assert "Senior &lt;b&gt;staff" in page
    design.change_design(study=grouped, actor=cast.owner, plan_options={"secondary": ["raters", "groups"]})
    grouped.refresh_from_db()
    [check] = [check for check in readiness(grouped) if check.title == "Groups of the plan"]
    assert check.met
    study = stages.open(grouped)
    frozen = {rater["number"]: rater.get("group") for rater in study.protocol["raters"]}
    assert frozen == {number: group or None for number, group in GROUPS.items()}
    with pytest.raises(ConflictError):
        design.set_groups(study=study, actor=cast.owner, groups={1: RESIDENT})
    for person in (people[0], people[3]):
        reader = Browser(person, study)
        told = reader.client.get(reverse("reading:sessions")).content.decode() + json.dumps(reader.standing())
        assert RESIDENT not in told
        assert "Senior" not in told
    assert client.get(reverse("study-groups", args=[study.pk])).status_code == 409
    read(study, people)
    unblind(study)
    opened = UnblindedStudy(study)
    assert verify(study).intact
    found = groups_of(opened)
    assert [(one.group, one.raters) for one in found.readings] == [
        (RESIDENT, ("4", "5", "6")),
        (SENIOR, ("1", "2", "3")),
    ]
    assert found.ungrouped == ("7",)
    for one in found.readings:
        own = analysis_of(opened, raters=frozenset(one.raters))
        assert one.estimate == own.mrmc.auc
    areas = {row.rater: row.auc.value for row in analysis_of(opened).raters}
    means = [np.mean([areas[number] for number in one.raters]) for one in found.readings]
    assert found.contrast.difference.value == pytest.approx(means[0] - means[1])
    assert found.contrast.difference.low < found.contrast.difference.value < found.contrast.difference.high
    assert found.contrast.p < 0.05
    data = report_data(opened)
    assert groups_status(data) == "planned"
    answer = client.get(reverse("study-groups", args=[study.pk])).json()
    assert answer["contrast"]["p"] == pytest.approx(found.contrast.p)
    page = client.get(reverse("studies:results", args=[study.pk])).content.decode()
    assert 'id="groups"' in page
    assert "they differ. The unit is the rater" in page
    files = text_files(data)
    rows = list(csv.DictReader(io.StringIO(files["groups.csv"].decode())))
    assert [row["raters"] for row in rows] == ["3", "3", ""]
    assert (rows[2]["planned"], float(rows[2]["p"])) == ("1", pytest.approx(found.contrast.p))
    told = [row["group"] for row in csv.DictReader(io.StringIO(files["raters.csv"].decode()))]
    assert told == list(GROUPS.values())
    assert "Planned. Difference between the two groups of raters" in files["results.txt"].decode()
    # another word in the column is noticed, and reported is what was frozen
    StudyRater.objects.filter(study=study, number=1).update(group=RESIDENT)
    assert any("rater 1 is not who was locked" in problem for problem in verify(study).problems)
    assert [rater.group for rater in report_data(UnblindedStudy(study)).raters] == told


def test_what_nobody_planned_is_exploratory_and_too_few_are_only_described(cast, world, people, stages):
    study = make_draft(cast, world, raters=people[:5])
    design.set_groups(study=study, actor=cast.owner, groups={1: "A", 2: "A", 3: "A", 4: "B", 5: "B"})
    study = stages.open(study)
    read(study, people[:5])
    unblind(study)
    data = report_data(UnblindedStudy(study))
    assert groups_status(data) == "exploratory"
    many, few = data.groups.readings
    assert many.estimate.low is not None
    assert (few.estimate.low, few.estimate.value is None) == (None, False)
    assert "descriptive" in few.estimate.reason
    assert data.groups.contrast.p is None
    assert "is not tested: descriptive" in difference_words(data)[0]


def test_a_rater_who_never_answered_makes_no_group_large_enough_for_an_interval(cast, world, people, stages):
    study = make_draft(cast, world, raters=people[:6])
    design.set_groups(study=study, actor=cast.owner, groups=dict(zip(range(1, 7), "AAABBB", strict=True)))
    study = stages.open(study)
    read(study, people[:5])
    unblind(study)
    whole, silent = groups_of(UnblindedStudy(study)).readings
    assert (whole.raters, silent.raters) == (("1", "2", "3"), ("4", "5", "6"))
    assert whole.estimate.low is not None
    assert (silent.estimate.low, silent.estimate.value is None) == (None, False)
    assert "descriptive" in silent.estimate.reason


def test_without_groups_nothing_is_said_of_them(cast, world, people, stages):
    study = stages.open(make_draft(cast, world, raters=people[:2]))
    assert "group" not in study.protocol["raters"][0]
    read(study, people[:2])
    unblind(study)
    data = report_data(UnblindedStudy(study))
    assert data.groups.readings == ()
    assert "groups of raters" not in text_files(data)["results.txt"].decode()


REFUSED = {
    "too long": {1: "x" * 41},
    "no such rater": {99: "A"},
}


@pytest.mark.parametrize("groups", REFUSED.values(), ids=REFUSED)
def test_groups_that_are_refused(cast, grouped, groups):
    with pytest.raises(DomainError):
        design.set_groups(study=grouped, actor=cast.owner, groups=groups)
    assert dict(grouped.raters.values_list("number", "group")) == GROUPS


def test_who_comes_second_is_told(cast, grouped):
    client = Client()
    client.force_login(cast.owner)
    seen = grouped.record.order_by("-id").first().pk
    address = reverse("studies:groups", args=[grouped.pk])
    fields = {f"group_{number}": "" for number in GROUPS}
    assert client.post(address, {**fields, "group_1": " One  group ", "seen": seen}).status_code == 302
    assert dict(grouped.raters.exclude(group="").values_list("number", "group")) == {1: "One group"}
    late = client.post(address, {**fields, "group_2": "Another", "seen": seen}, follow=True)
    assert "Nothing was saved" in late.content.decode()
    assert not grouped.raters.filter(group="Another").exists()
    # whoever is chosen anew keeps the group, whoever leaves takes it along
    design.set_raters(study=grouped, actor=cast.owner, users=[grouped.raters.get(number=1).user])
    assert dict(grouped.raters.values_list("number", "group")) == {1: "One group"}


def test_a_program_says_groups_by_login(cast, grouped):
    client = Client()
    client.force_login(cast.owner)
    address = reverse("study-groups", args=[grouped.pk])
    name = grouped.raters.get(number=7).user.username
    body = {"groups": {name: "Guests"}}
    answer = client.put(address, json.dumps(body), content_type="application/json")
    assert answer.json()["groups"][name] == "Guests"
    assert grouped.raters.get(number=1).group == SENIOR
    body = {"groups": {"nobody": "Guests"}}
    assert client.put(address, json.dumps(body), content_type="application/json").status_code == 400


def test_a_plan_that_compares_groups_needs_two_of_them(cast, grouped):
    design.change_design(study=grouped, actor=cast.owner, plan_options={"secondary": ["groups"]})
    grouped.refresh_from_db()
    assert "groups" in plan_of(grouped).secondary
    design.set_groups(study=grouped, actor=cast.owner, groups={6: ""})
    [check] = [check for check in readiness(grouped) if check.title == "Groups of the plan"]
    assert not check.met
    assert check.blocks


# The statistics alone.


def scores_of(random, truth, skills, spread=1.0):
    return random.normal(size=(len(truth), len(skills))) * spread + truth[:, None] * np.asarray(skills)


TRUTH = np.repeat([0.0, 1.0], 40)


def test_only_two_groups_are_compared_and_others_are_left_out():
    random = np.random.default_rng(2)
    scores = scores_of(random, TRUTH, [2, 2, 2, 0, 0, 0, 1])
    groups = ["b"] * 3 + ["a"] * 3 + [""]
    found = compare_reader_groups(truth=TRUTH, scores=scores, groups=groups, measure="AUC")
    assert (found.first, found.second) == ("a", "b")
    assert found.difference.high < 0
    assert found.p < 0.01
    same = compare_reader_groups(truth=TRUTH, scores=scores[:, :6], groups=groups[:6], measure="AUC")
    assert same.difference == found.difference
    silent = np.column_stack([scores, np.full(len(TRUTH), np.nan)])
    assert compare_reader_groups(truth=TRUTH, scores=silent, groups=[*groups, "b"], measure="AUC") == found
    assert compare_reader_groups(truth=TRUTH, scores=scores, groups=["a"] * 7, measure="AUC") is None
    three = ["a", "a", "a", "b", "b", "b", "c"]
    assert compare_reader_groups(truth=TRUTH, scores=scores, groups=three, measure="AUC") is None
    few = ["a"] * 4 + ["b"] * (LEAST_OF_GROUP - 1) + [""]
    assert compare_reader_groups(truth=TRUTH, scores=scores, groups=few, measure="AUC").p is None


def test_a_group_that_differs_more_within_has_its_own_spread():
    """Three who differ and seven who do not: with one spread for all the three would count as alike as the seven."""
    random = np.random.default_rng(4)
    truth, inside = np.repeat([0.0, 1.0], 200), np.arange(10) < 3
    wide = scores_of(random, truth, [0.2, 1.0, 1.8, *[0.5] * 7])
    found = rater_interaction(truth=truth, scores=wide, inside=inside)
    areas = [np.mean(wide[truth == 1, j][:, None] > wide[truth == 0, j][None, :]) for j in range(10)]
    assert found.difference.high - found.difference.low > 2 * 1.96 * np.std(areas[:3], ddof=1) / np.sqrt(3)
    assert found.df < 4
