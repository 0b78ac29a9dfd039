"""Two groups of raters who chose among several images, by their shares of right choices."""

import csv
import io

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse

from ctplatform.accounts.models import Role
from readerstudy.analysis import compare_groups_of_choices, share_interaction
from readerstudy.design import services as design
from readerstudy.design.readiness import readiness
from readerstudy.models import Presentation
from readerstudy.report.choices.archive import choice_text_files
from readerstudy.report.choices.report import choice_report
from readerstudy.unblinding.opened import UnblindedStudy
from tests.factories import make_user
from tests.readerstudy.test_forced_choice_study import Room, pairs_draft
from tests.readerstudy.worlds import unblind

MEASURE = "share of right choices"


def drawn(seed, *, raters=8, trials=40, lift=0.0):
    random = np.random.default_rng(seed)
    skill = 0.3 + lift * (np.arange(raters) < raters // 2)
    seen = 0.6 * random.normal(size=(trials, 1)) + 0.8 * random.normal(size=(trials, raters)) + skill
    return (seen > 0).astype(float), np.arange(raters) < raters // 2


def test_the_gap_is_that_of_the_means_and_changes_its_sign_with_the_groups():
    right, inside = drawn(1, lift=0.8)
    found, back = share_interaction(right=right, inside=inside), share_interaction(right=right, inside=~inside)
    assert found.difference.value == pytest.approx(right[:, inside].mean() - right[:, ~inside].mean())
    assert (found.p, found.df) == (pytest.approx(back.p), pytest.approx(back.df))
    assert found.difference.low == pytest.approx(-back.difference.high)


def test_raters_who_share_nothing_are_compared_as_by_welch():
    """Trials that add nothing of their own leave the raters' spread alone."""
    random = np.random.default_rng(3)
    right, inside = (random.random((400, 8)) < 0.6).astype(float), np.arange(8) < 4
    shares = right.mean(axis=0)
    welch = np.sqrt(shares[inside].var(ddof=1) / 4 + shares[~inside].var(ddof=1) / 4)
    found = share_interaction(right=right, inside=inside)
    half = (found.difference.high - found.difference.low) / 2
    assert half > welch
    assert found.df <= 7


def test_trials_of_one_patient_tell_no_more_than_the_patient():
    """Each group finds other trials easy, so that the gap hangs on which trials there are."""
    random = np.random.default_rng(4)
    inside = np.arange(8) < 4
    easy = np.where(inside, random.normal(size=(20, 1)), random.normal(size=(20, 1)))
    right = (easy + 0.4 * random.normal(size=(20, 8)) > 0).astype(float)
    three, patients = np.repeat(right, 3, axis=0), np.repeat(np.arange(20), 3).tolist()
    once = share_interaction(right=right, inside=inside)
    thrice = share_interaction(right=three, inside=inside, patients=patients)
    apart = share_interaction(right=three, inside=inside)
    assert thrice.difference.value == pytest.approx(once.difference.value)
    widths = [found.difference.high - found.difference.low for found in (once, thrice, apart)]
    assert widths[1] == pytest.approx(widths[0], rel=0.1)
    assert widths[2] < 0.8 * widths[0]


def test_small_groups_and_few_trials_are_not_tested():
    right, _ = drawn(2, raters=5)
    groups = ["a", "a", "b", "b", "b"]
    assert "fewer than 3" in compare_groups_of_choices(right=right, groups=groups, measure=MEASURE).difference.reason
    assert compare_groups_of_choices(right=right, groups=["a"] * 5, measure=MEASURE) is None
    one = share_interaction(right=right[:1], inside=np.array([True, True, False, False, False]))
    assert (one.p, "fewer than two trials" in one.reason) == (None, True)


def test_from_the_draft_to_the_archive(cast, stages):
    people = [make_user(Role.RATER) for _ in range(6)]
    draft = pairs_draft(cast, cases=8, raters=people)
    plan = {"secondary": ["choice_raters", "groups"]}
    design.change_design(study=draft, actor=cast.owner, plan_options=plan)
    draft.refresh_from_db()
    [check] = [one for one in readiness(draft) if one.title == "Groups of the plan"]
    assert check.blocks
    design.set_groups(
        study=draft, actor=cast.owner, groups={n: "Seniors" if n < 4 else "Residents" for n in range(1, 7)}
    )
    draft.refresh_from_db()
    study = stages.open(draft)
    for number, person in enumerate(people):
        room = Room(person, study)
        room.standing()
        for position in range(4):
            images = room.images(position)
            right = next(one for one in images if not synthetic(one))
            wanted = (
                right
                if (position + number) % 4 < (3 if number < 3 else 2)
                else next(one for one in images if one != right)
            )
            assert room.choose(wanted, side=images.index(wanted)).status_code == 201
    unblind(study)
    report = choice_report(UnblindedStudy(study))
    assert [(one.group, len(one.raters)) for one in report.groups.readings] == [("Residents", 3), ("Seniors", 3)]
    contrast = report.groups.contrast
    assert (contrast.measure, contrast.difference.value) == (MEASURE, pytest.approx(-0.25))
    files = choice_text_files(report)
    rows = list(csv.DictReader(io.StringIO(files["groups.csv"].decode())))
    assert [(row["group"], row["planned"]) for row in rows] == [
        ("Residents", ""),
        ("Seniors", ""),
        ("Residents – Seniors", "1"),
    ]
    assert "Planned. Groups of raters: Residents (3): share of right choices" in files["results.txt"].decode()
    client = Client()
    client.force_login(cast.owner)
    page = " ".join(client.get(reverse("studies:results", args=[study.pk])).content.decode().split())
    assert 'Groups of raters <span class="tag-planned">planned</span>' in page
    assert client.get(reverse("study-groups", args=[study.pk])).json()["contrast"]["measure"] == MEASURE


def synthetic(token):
    return Presentation.objects.get(token=token).stimulus.case.truth.synthetic
