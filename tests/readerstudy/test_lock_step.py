"""The step that asks before the lock: what is missing, what would follow, and that it does."""

import re
from html import unescape

import pytest
from django.test import Client
from django.urls import reverse

from readerstudy.design import services as design
from readerstudy.design.readiness import before_lock
from tests.pages import shown
from tests.readerstudy.worlds import make_draft

STEP = re.compile(r'<details class="ask"> <summary[^>]*>Lock the study</summary>(.*?)</details>')


def page_of(study, person):
    client = Client()
    client.force_login(person)
    return unescape(shown(client.get(study.get_absolute_url())))


def step_of(study, person):
    """What the person is asked; empty where there is nothing to press."""
    found = STEP.search(page_of(study, person))
    return found[1] if found else ""


def badge_of(page, message):
    return re.search(r"<span class=\"badge (\w+)\" ?>\w+</span> " + re.escape(message), page)[1]


def press(study, person):
    client = Client()
    client.force_login(person)
    answer = client.post(reverse("studies:lock", args=[study.pk]), follow=True)
    study.refresh_from_db()
    return unescape(shown(answer))


@pytest.fixture
def drawn(recorded, draft, stages):
    def make():
        stages.draw(draft)
        return draft

    return recorded("drawn", make)


def unread(study, cast):
    design.set_raters(study=study, actor=cast.owner, users=[])


def without_twins(study, cast):
    design.change_design(study=study, actor=cast.owner, twins_allowed=False)


def displayed_otherwise(study, cast):
    design.change_design(study=study, actor=cast.owner, field_of_view_mm=40.0)


def one_case_less(study, cast):
    design.remove_cases(study=study, actor=cast.owner, case_ids=[study.cases.first().pk])


# What keeps a study from its lock, and a few words of how the page names it.
OBSTACLES = {
    "no raters": (unread, "No person is chosen to rate"),
    "twins": (without_twins, "show a part of a scan that another case shows too"),
    "another display": (displayed_otherwise, "The display was changed since the draw"),
    "kinds of different number": (one_case_less, "11 of 12 planned cases"),
}


@pytest.mark.parametrize("obstacle", OBSTACLES)
def test_what_is_missing_stands_in_place_of_the_step(drawn, cast, obstacle):
    hinder, words = OBSTACLES[obstacle]
    hinder(drawn, cast)
    drawn.refresh_from_db()
    missing = [check.message for check in before_lock(drawn).checks if check.blocks]
    assert any(words in message for message in missing)
    page = page_of(drawn, cast.owner)
    assert "This study cannot be locked yet" in page
    assert step_of(drawn, cast.owner) == ""
    assert '<button class="button primary" disabled>Lock the study</button>' in page
    assert {badge_of(page, message) for message in missing} == {"bad"}


def test_who_presses_all_the_same_is_told_what_is_missing(drawn, cast):
    without_twins(drawn, cast)
    unread(drawn, cast)
    drawn.refresh_from_db()
    missing = [check.message for check in before_lock(drawn).checks if check.blocks]
    page = press(drawn, cast.owner)
    assert len(missing) >= 2
    assert f"This study cannot be locked yet: {' '.join(missing)}" in page
    assert (drawn.state, drawn.lock_job) == ("draft", None)


def test_the_step_says_what_is_frozen_what_follows_and_what_is_not_mended(drawn, cast):
    lock, step = before_lock(drawn), step_of(drawn, cast.owner)
    assert (
        f"the cases ({lock.cases}, patients: {lock.patients}), the raters ({lock.raters}) and what each may change"
        in step
    )
    assert "an order for every rater and checks both for leaks" in step
    assert "If it finds one, nothing is locked" in step
    assert "until the unblinding nobody sees which case is real. Locking can't be undone" in step
    assert "Raters see nothing before you open the study" in step
    assert lock.advice
    frozen = step.split("Not mended, and frozen with the rest:")[1]
    assert re.findall(r"<li>(.*?)</li>", frozen) == lock.advice
    assert "Lock now, with what is not mended</button>" in step


def test_with_nothing_left_to_mend_the_step_speaks_of_none(drawn, cast, monkeypatch):
    monkeypatch.setattr("readerstudy.design.readiness.BeforeLock.advice", [])
    step = step_of(drawn, cast.owner)
    assert "Not mended" not in step
    assert "Lock now</button>" in step


def test_only_who_may_lock_is_asked(drawn, cast):
    assert step_of(drawn, cast.administrator)
    assert step_of(drawn, cast.member) == ""
    assert "Ready to lock" in page_of(drawn, cast.member)


def test_what_the_step_said_comes_true(drawn, cast, django_capture_on_commit_callbacks):
    said = before_lock(drawn)
    with django_capture_on_commit_callbacks(execute=True):
        press(drawn, cast.owner)
    drawn.refresh_from_db()
    assert drawn.state == "locked"
    assert (drawn.protocol["cases"]["count"], len(drawn.protocol["raters"])) == (said.cases, said.raters)
    assert step_of(drawn, cast.owner) == ""
    client = Client()
    client.force_login(cast.rater)
    assert "Nothing to read" in shown(client.get(reverse("reading:sessions")))
    press(drawn, cast.owner)
    assert drawn.record.filter(action="lock ordered").count() == 1


def test_a_lock_that_found_a_leak_left_a_draft_that_asks_again(
    cast, world, stages, monkeypatch, django_capture_on_commit_callbacks
):
    from readerstudy.locking import stimuli

    draft = make_draft(cast, world)
    stages.draw(draft)
    original = stimuli.stimulus_row

    def wider(truth, key, **named):
        row = original(truth, key, **named)
        row.spacing_zyx_mm = [3.0, 1.25, 1.3 if truth.synthetic else 1.25]
        return row

    monkeypatch.setattr(stimuli, "stimulus_row", wider)
    with django_capture_on_commit_callbacks(execute=True):
        press(draft, cast.owner)
    draft.refresh_from_db()
    assert draft.state == "draft"
    page = page_of(draft, cast.owner)
    assert "Locking was refused: the check found a blinding leak" in page
    assert '<strong lang="en">shape and spacing</strong>' in page
    assert step_of(draft, cast.owner)
