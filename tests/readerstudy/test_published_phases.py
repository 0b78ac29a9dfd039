"""Published studies of several phases: the whole chain of drafts by one button, and who is told of it."""

import pytest
from django.test import Client
from django.urls import reverse

from ctplatform.accounts.models import Role
from ctplatform.errors import ConflictError
from readerstudy.design import following, services, shelving
from readerstudy.design.chain import chain_checks, place_in_chain
from readerstudy.design.phases_departed import phases_departed
from readerstudy.design.published import PUBLISHED
from readerstudy.design.published_phases import PHASED
from readerstudy.design.published_protocol import Cases
from readerstudy.design.readiness import readiness
from readerstudy.design.same_cases import take_same_cases
from readerstudy.models import Study
from tests.factories import make_user
from tests.readerstudy.worlds import FIELD_OF_VIEW_MM

pytestmark = pytest.mark.django_db


@pytest.fixture
def coordinator():
    return make_user(Role.COORDINATOR)


def page_of(study, person):
    client = Client()
    client.force_login(person)
    return " ".join(client.get(study.get_absolute_url()).content.decode().split())


@pytest.fixture
def chain(coordinator):
    return following.start(key="tordjman_2026", owner=coordinator)


@pytest.mark.parametrize("key", PHASED)
def test_one_button_makes_a_linked_draft_of_every_phase(key, client, coordinator):
    client.force_login(coordinator)
    made = client.post(reverse("studies:new-published"), {"published": key}, follow=True)
    phases = PHASED[key].phases
    drafts = [Study.objects.get(published=phase.key) for phase in phases]
    assert Study.objects.count() == len(phases)
    assert made.redirect_chain[-1][0] == drafts[0].get_absolute_url()
    assert [draft.continues for draft in drafts] == [None, *drafts[:-1]]
    assert [draft.other_patients for draft in drafts] == [
        phase.cases is Cases.OTHERS or phase.key == "higaki_2022_second" for phase in phases
    ]
    assert {draft.least_gap_days for draft in drafts} == {0}, "no publication tells the days"
    for phase, draft in zip(phases, drafts, strict=True):
        said = {**phase.ours, **phase.settings}
        assert {name: getattr(draft, name) for name in said} == said
        assert following.departures(draft) == []
        page = page_of(draft, coordinator).replace("&#x27;", "'")
        assert f"<h2>Phase {draft.phase_number} of {len(phases)}</h2>" in page
        assert all(other.get_absolute_url() in page for other in drafts if other != draft)
        assert all(untold in page for untold in phase.untold)


def test_the_cases_of_a_later_phase_are_as_published():
    told = {phase.key: phase.cases for phased in PHASED.values() for phase in phased.phases[1:]}
    assert told == {
        "chen_2016_pairs": Cases.SAME,
        "tordjman_2026_informed": Cases.SAME,
        "tordjman_2026_other": Cases.OTHERS,
        "higaki_2022_second": Cases.UNTOLD,
        "ct_gan_2019_open": Cases.OTHERS,
    }


def test_a_chain_is_made_whole_or_not_at_all(coordinator, monkeypatch):
    made = services.create_study
    count = iter(range(9))

    def third_fails(**settings):
        if next(count) == 2:
            raise ConflictError("No.")
        return made(**settings)

    monkeypatch.setattr(following, "create_study", third_fails)
    with pytest.raises(ConflictError):
        following.start(key="tordjman_2026", owner=coordinator)
    assert not Study.objects.exists()


def test_programs_start_a_chain_too(client, coordinator):
    client.force_login(coordinator)
    listed = {row["key"]: row["phases"] for row in client.get("/api/studies/published/").json()}
    assert listed["chen_2016"] == ["chen_2016_scores", "chen_2016_pairs"]
    assert listed["park_2021"] == []
    made = client.post("/api/studies/published/", {"published": "chen_2016"}, content_type="application/json").json()
    assert (made["published"], made["continues"]) == ("chen_2016_scores", None)
    [later] = made["later"]
    assert client.get(f"/api/studies/{later}/").json()["continues"] == made["id"]


def test_nobody_else_is_told_of_a_chain(chain, coordinator):
    first, second, third = chain
    other, member = make_user(Role.COORDINATOR), make_user(Role.RESEARCHER)
    client = Client()
    client.force_login(other)
    assert {client.get(one.get_absolute_url()).status_code for one in chain} == {404}
    services.share(study=second, actor=coordinator, members=[member])
    page = page_of(second, member)
    assert "<h2>Phases</h2>" in page
    assert "Phase 2" not in page
    assert "Phase 1" not in page
    assert first.get_absolute_url() not in page
    assert third.title not in page
    assert "Phase 3 of 3" in page_of(third, make_user(Role.ADMINISTRATOR))
    # Who decides about some of it only is told no number either.
    Study.objects.filter(pk=third.pk).update(owner=other)
    assert place_in_chain(Study.objects.get(pk=second.pk), coordinator) == ""
    assert chain_checks(Study.objects.get(pk=second.pk), coordinator) == []


def test_the_list_of_what_is_missing_speaks_of_the_other_phases(chain, coordinator):
    first, second, _ = chain
    said = "Phase 2, “After Tordjman et al. 2026, second phase”, has no cases and no raters."
    assert said in page_of(first, coordinator)
    services.set_raters(study=second, actor=coordinator, users=[make_user(Role.RATER)])
    assert said.replace(" and no raters", "") in page_of(first, coordinator)
    assert not any(check.blocks for check in chain_checks(first, coordinator)), "each is locked by itself"
    assert "Image quality and diagnosis”, which this study continues, is a draft: lock it first." in page_of(
        second, coordinator
    )


def test_cases_of_the_first_are_taken_over_and_others_are_a_departure(cast, world, stages):
    first, second = following.start(key="chen_2016", owner=cast.owner)
    small = {"cases_planned": 8, "field_of_view_mm": FIELD_OF_VIEW_MM, "seed": 7, "twins_allowed": True}
    for draft in (first, second):
        draft.datasets.set([world.dataset])
        services.change_design(study=draft, actor=cast.owner, **small)
    stages.draw(first)
    second = Study.objects.get(pk=second.pk)
    assert take_same_cases(study=second, actor=cast.owner) == 8
    assert phases_departed(second) == []
    assert [check.met for check in chain_checks(first, cast.owner)] == [False]
    services.remove_cases(study=second, actor=cast.owner, case_ids=[second.cases.first().pk])
    assert phases_departed(second) == ["There the cases were those of the phase before; here they are others."]
    assert "7 of 8 cases" in chain_checks(first, cast.owner)[0].message


def test_a_phase_alone_says_what_came_before_and_after(client, coordinator):
    client.force_login(coordinator)
    page = client.get(reverse("studies:new")).content.decode()
    assert 'value="tordjman_2026_informed"' in page
    [alone] = following.start(key="tordjman_2026_informed", owner=coordinator)
    assert alone.continues is None
    before = "Quality and diagnosis, by readers who do not know what it is about"
    assert following.departures(alone) == [
        f"There it came after “{before}”, by the same readers; here it is read alone.",
        "There “The same question of another generator's pictures” came after it; here no study continues this one.",
    ]


def test_another_link_is_a_departure(chain, coordinator):
    first, _, third = chain
    services.change_design(study=third, actor=coordinator, continues=first, other_patients=False)
    third.refresh_from_db()
    assert following.departures(third) == [
        "There it came after “Readers who know that some pictures are synthetic”; here it comes after another study.",
        "There the cases were others than before; here patients may come again.",
    ]


# Giving one of them up


def test_the_draft_in_the_middle_leaves_a_chain_of_two(chain, coordinator, client):
    first, second, third = chain
    services.change_design(study=third, actor=coordinator, least_gap_days=9)
    said = f"“{third.title}” then continues “{first.title}”, after as many days as now"
    assert said in page_of(second, coordinator)
    client.force_login(coordinator)
    client.post(reverse("studies:give-up", args=[second.pk]))
    third.refresh_from_db()
    assert (third.continues, third.least_gap_days, third.other_patients) == (first, 9, True)
    second.refresh_from_db()
    assert (second.continues, second.archived_at is None) == (None, False)
    assert place_in_chain(third, coordinator) == "Phase 2 of 2"
    assert third.record.filter(action="design changed", actor=coordinator).count() == 2


def test_the_first_draft_leaves_one_that_continues_nothing(chain, coordinator):
    first, second, third = chain
    services.change_design(study=second, actor=coordinator, least_gap_days=9)
    assert f"“{second.title}” then continues nothing, without days to wait" in page_of(first, coordinator)
    shelving.give_up(study=first, actor=coordinator)
    second.refresh_from_db()
    third.refresh_from_db()
    assert (second.continues, second.least_gap_days) == (None, 0)
    assert third.continues == second
    assert "then continue" not in page_of(third, coordinator)


def test_a_draft_of_somebody_else_is_not_touched(chain, coordinator):
    _, second, third = chain
    Study.objects.filter(pk=third.pk).update(owner=make_user(Role.COORDINATOR))
    assert "then continue" not in page_of(second, coordinator)
    shelving.give_up(study=second, actor=coordinator)
    third.refresh_from_db()
    assert third.continues == second


# A naive phase


@pytest.mark.parametrize("key", [key for key, protocol in PUBLISHED.items() if protocol.naive])
def test_words_that_tell_a_naive_reader_are_named_before_the_lock(key, coordinator):
    [draft] = following.start(key=key, owner=coordinator)
    assert not [check for check in readiness(draft) if check.title in {"Words", "Title"}]
    services.change_design(study=draft, actor=coordinator, question="Is this one fake, or genuine?")
    draft.refresh_from_db()
    [check] = [check for check in readiness(draft) if check.title == "Words"]
    assert "“fake”, “genuine”" in check.message
    labels = {**draft.task_settings, "labels": ["Inserted", "Very good"]}
    services.change_design(study=draft, actor=coordinator, question="How good?", task_settings=labels)
    draft.refresh_from_db()
    assert "“inserted”" in next(check.message for check in readiness(draft) if check.title == "Words")


def test_a_clue_that_nobody_has_written_is_asked_for_before_the_lock(coordinator):
    first, second = following.start(key="higaki_2022", owner=coordinator)
    said = "write yours into the instructions"
    assert not [check for check in readiness(first) if said in check.message]
    [check] = [check for check in readiness(second) if said in check.message]
    assert check.advice
    told = f"Look at the rim of the lesion. {second.instructions}"
    services.change_design(study=second, actor=coordinator, instructions=told)
    second.refresh_from_db()
    assert not [check for check in readiness(second) if said in check.message]
