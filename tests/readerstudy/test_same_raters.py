"""A draft takes over the people of the study that it continues: whom it takes, whom it leaves out, who may order it."""

import pytest
from django.test import Client
from django.urls import reverse

from ctplatform.accounts.models import Role
from ctplatform.errors import ConflictError, ForbiddenError
from readerstudy.design import services as design
from readerstudy.design.same_raters import take_same_raters
from readerstudy.models import StudyRater
from readerstudy.unblinding import services as unblinding
from tests.factories import make_user
from tests.readerstudy.chains import phase_after
from tests.readerstudy.test_programs import registered
from tests.readerstudy.worlds import make_draft


def chosen(study):
    return [(rater.user.username, rater.number, rater.group) for rater in study.raters.select_related("user")]


def grouped(study, **groups):
    """Of raters by their logins."""
    numbers = {rater.number: groups.get(rater.user.username, "") for rater in study.raters.select_related("user")}
    design.set_groups(study=study, actor=study.owner, groups=numbers)


@pytest.fixture
def earlier(cast, world):
    """A draft whose raters stand in an order of their own, one of them in a group."""
    study = make_draft(cast, world, raters=[cast.second_rater])
    design.set_raters(study=study, actor=cast.owner, users=[cast.second_rater, cast.rater])
    grouped(study, **{cast.rater.username: "Told"})
    return study


def test_raters_and_groups_are_taken_over_in_their_order(cast, world, earlier):
    draft = phase_after(cast, world, earlier, raters=[])
    taken = take_same_raters(study=draft, actor=cast.owner)
    assert chosen(draft) == chosen(earlier) == [(cast.second_rater.username, 1, ""), (cast.rater.username, 2, "Told")]
    assert taken.words == "2 raters taken over. 1 of them with a group."
    first, second = draft.record.order_by("-id")[:2][::-1]
    assert (first.action, first.actor) == ("raters chosen", cast.owner)
    assert first.details["raters"] == sorted([cast.rater.username, cast.second_rater.username])
    assert (first.details["taken_from"], first.details["left_out"]) == (str(earlier.pk), {})
    assert (second.action, second.details) == ("groups of raters changed", {"groups": {"2": "Told"}})
    assert take_same_raters(study=draft, actor=cast.owner).words == taken.words, "a second time changes nothing"
    assert chosen(draft) == chosen(earlier)


def test_whoever_is_in_the_draft_already_stays(cast, world, earlier):
    draft = phase_after(cast, world, earlier, raters=[cast.idle_rater, cast.rater])
    grouped(draft, **{cast.rater.username: "Other", cast.idle_rater.username: "Idle"})
    take_same_raters(study=draft, actor=cast.owner)
    assert {name: group for name, _, group in chosen(draft)} == {
        cast.idle_rater.username: "Idle",
        cast.rater.username: "Told",
        cast.second_rater.username: "",
    }


def test_who_can_not_rate_is_left_out_and_named_with_the_reason(cast, world, collecting):
    excluded, closed = cast.rater, cast.second_rater
    moved = make_user(Role.RATER, username="moved")
    program = registered(cast.owner)[0].user
    for number, user in enumerate((moved, program), start=3):
        StudyRater.objects.create(study=collecting, user=user, number=number)
    unblinding.exclude_rater(rater=collecting.raters.get(user=excluded), actor=cast.owner, reason="Ill")
    closed.is_active = False
    closed.save()
    moved.role = Role.RESEARCHER
    moved.save()
    draft = phase_after(cast, world, collecting, raters=[])
    client = Client()
    client.force_login(cast.owner)
    answer = client.post(f"{reverse('study-detail', args=[draft.pk])}same-raters/")
    assert answer.status_code == 200
    assert not draft.raters.exists()
    why = {one["username"]: one["reason"] for one in answer.json()["left_out"]}
    assert why == {
        excluded.username: "excluded there",
        closed.username: "the account is closed",
        "moved": "the account is no rater's any more",
        program.username: "a program: it may read any study, choose it in the list",
    }
    assert draft.record.last().details["left_out"] == why
    closed.is_active = True
    closed.save()
    page = client.post(reverse("studies:same-raters", args=[draft.pk]), follow=True).content.decode()
    assert "1 rater taken over. Left out: " in page
    assert f"{excluded} (excluded there); moved (" in page
    assert [name for name, *_ in chosen(draft)] == [closed.username]


def test_only_a_draft_takes_raters_over_and_only_from_a_study_that_has_some(cast, world, second):
    with pytest.raises(ConflictError) as refusal:
        take_same_raters(study=second, actor=cast.owner)
    assert refusal.value.code == "study_locked"
    alone = make_draft(cast, world, raters=[])
    with pytest.raises(ConflictError, match="continues no other one"):
        take_same_raters(study=alone, actor=cast.owner)
    with pytest.raises(ConflictError, match="“Trial” has no raters yet"):
        take_same_raters(study=phase_after(cast, world, alone), actor=cast.owner)


def test_who_decides_about_one_of_both_only_learns_nothing_of_the_others_raters(cast, collecting):
    own = design.create_study(owner=cast.other, template="inserted_lesions", title="Own", cases_planned=12)
    design.change_design(study=own, actor=cast.administrator, continues=collecting)
    with pytest.raises(ForbiddenError):
        take_same_raters(study=own, actor=cast.other)
    client = Client()
    client.force_login(cast.other)
    answer = client.post(f"{reverse('study-detail', args=[own.pk])}same-raters/")
    assert answer.status_code == 403
    assert cast.rater.username not in answer.content.decode()
    assert not own.raters.exists()


def test_a_list_of_raters_that_was_open_meanwhile_is_not_saved_over_it(cast, world, earlier):
    draft = phase_after(cast, world, earlier, raters=[])
    seen = draft.record.last().pk
    take_same_raters(study=draft, actor=cast.administrator)
    with pytest.raises(ConflictError, match="changed this list"):
        design.set_raters(study=draft, actor=cast.owner, users=[], seen=seen)


def test_the_page_offers_it_where_a_study_is_continued(cast, world, earlier):
    draft = phase_after(cast, world, earlier, raters=[])
    client = Client()
    client.force_login(cast.owner)
    button = reverse("studies:same-raters", args=[draft.pk])
    assert button in client.get(draft.get_absolute_url()).content.decode()
    assert "same-raters" not in client.get(earlier.get_absolute_url()).content.decode()
    client.force_login(cast.member)
    assert button not in client.get(draft.get_absolute_url()).content.decode()
