"""A study in which one of two images is to be found: what is locked, told, taken and counted."""

import uuid

import pytest
from django.db import IntegrityError, transaction
from django.test import Client, TestCase
from django.urls import reverse

from readerstudy.auditing.rehearsal import sittings_of, trials_of
from readerstudy.design.cases import truths_of
from readerstudy.design.readiness import readiness
from readerstudy.ledger.chain import event_content
from readerstudy.locking.orders import redrawn_orders
from readerstudy.models import CaseTruth, Presentation, RatingEvent, Study
from readerstudy.planning.plans import draft_plan, sentences_of
from readerstudy.reading import practice, preview
from readerstudy.reading.progress import progress_of
from readerstudy.reading.waiting import waiting_for
from readerstudy.tasks.forced_choice import ForcedChoice
from readerstudy.unblinding.under_way import under_way
from readerstudy.verification import verify
from tests.readerstudy.worlds import Browser, Cast, Stages, make_draft, make_world

pytestmark = pytest.mark.django_db
CASES = 16
NAME = ForcedChoice.name


def pairs_draft(cast, *, find="real", confidence_levels=0, matched=True, **more):
    world = make_world(cast.owner, sources=4, edits_per_source=3)
    settings = {"images": 2, "find": find, "matched": matched}
    more = {"cases": CASES, "field_of_view_mm": 13.75, **more}
    return make_draft(cast, world, task_name=NAME, task_settings=settings, confidence_levels=confidence_levels, **more)


@pytest.fixture(scope="module")
def whole(django_db_setup, django_db_blocker):
    """One study that is being read, for all tests that change it a little; it is taken back at the end."""
    with django_db_blocker.unblock(), transaction.atomic():
        cast = Cast.create()
        yield cast, Stages(TestCase.captureOnCommitCallbacks).open(pairs_draft(cast))
        transaction.set_rollback(True)


@pytest.fixture
def cast(whole):
    return whole[0]


@pytest.fixture
def pairs(whole):
    return Study.objects.get(pk=whole[1].pk)


@pytest.fixture
def room(pairs, cast):
    return Room(cast.rater, pairs)


@pytest.fixture
def drawn(whole):
    """A draft of another owner with its cases."""
    study = pairs_draft(Cast.create())
    Stages(TestCase.captureOnCommitCallbacks).draw(study)
    return study


class Room(Browser):
    """A rater's browser that chooses images."""

    def images(self, position):
        slots = Presentation.objects.filter(session=self.session, position=position).order_by("side")
        return list(slots.values_list("token", flat=True))

    def about(self, token):
        return self.client.get(reverse("reading-api:presentation", args=[token]))

    def known(self, token):
        events = RatingEvent.objects.filter(presentation__session=self.session)
        position = Presentation.objects.get(token=token).position
        current = events.filter(presentation__position=position, superseded_by=None).first()
        return {"counter": events.count() + 1, "supersedes": str(current.client_event_id) if current else None}

    def choose(self, token, **changes):
        return self.rate(token, **{"answer": "chosen", "confidence": None, **changes})


def test_the_lock_freezes_pairs_that_stand_together_for_every_rater(pairs):
    order, truths = pairs.protocol["order"], {str(truth.case_id): truth for truth in truths_of(pairs)}
    assert pairs.protocol["task"] == {"name": NAME, "settings": {"images": 2, "find": "real", "matched": True}}
    assert order["algorithm"] == "pcg64-tuples/1"
    assert (order["constraints"]["images"], order["constraints"]["finds_synthetic"]) == (2, False)
    shown = [trials_of(sitting.slots) for sitting in sittings_of(pairs)]
    together = [{frozenset(slot.case_id for slot in trial) for trial in trials} for trials in shown]
    assert together[0] == together[1]
    for trial in shown[0]:
        real, synthetic = sorted((truths[slot.case_id] for slot in trial), key=lambda truth: truth.synthetic)
        assert (real.synthetic, synthetic.synthetic) == (False, True)
        assert real.pair == synthetic.pair
        assert [slot.side for slot in trial] == [0, 1]
    assert verify(pairs).intact
    client = Client()
    client.force_login(pairs.owner)
    assert "on every side at most" in client.get(pairs.get_absolute_url()).content.decode()
    registered = client.get(reverse("studies:registration", args=[pairs.pk])).content.decode()
    assert "of the trials and of the images in each" in registered


def test_orders_and_sides_follow_from_the_sealed_seed(pairs):
    stored = {sitting.rater_number: [slot.case_id for slot in sitting.slots] for sitting in sittings_of(pairs)}
    assert redrawn_orders(pairs, truths_of(pairs), rater_numbers=list(stored)) == stored


@pytest.mark.parametrize("swapped", ["sides", "positions", "pair"])
def test_whoever_moves_an_image_is_found_out(pairs, swapped):
    session = pairs.raters.first().sessions.get()
    first, second = session.presentations.filter(position=0).order_by("side")
    if swapped == "sides":
        Presentation.objects.filter(pk=first.pk).update(side=5)
        Presentation.objects.filter(pk=second.pk).update(side=0)
        Presentation.objects.filter(pk=first.pk).update(side=1)
    elif swapped == "positions":
        Presentation.objects.filter(session=session, position=0).update(position=99)
    else:
        truth = CaseTruth.objects.get(case=first.stimulus.case)
        other = CaseTruth.objects.filter(case__study=pairs, synthetic=truth.synthetic).exclude(pair=truth.pair).first()
        CaseTruth.objects.filter(pk=truth.pk).update(pair=other.pair)
        CaseTruth.objects.filter(pk=other.pk).update(pair=truth.pair)
    assert not verify(pairs).intact


def test_a_browser_is_told_both_images_by_their_own_tokens(room, monkeypatch):
    standing = room.standing()
    assert standing["progress"] == {"done": 0, "total": CASES // 2}
    assert standing["display"]["images"] == 2
    assert [one["side"] for one in standing["study"]["answers"]] == [0, 1]
    left, right = room.images(0)
    assert standing["next"][0] == left
    for token in (left, right):
        about = room.about(token)
        assert about.json()["images"] == [left, right]
        address = reverse("reading-api:slice", args=[token, 0])
        assert room.client.get(address).status_code == 200
    monkeypatch.setattr("readerstudy.reading.sight.IN_SIGHT", 7)
    assert room.about(room.images(6)[1]).status_code == 200
    assert room.about(room.images(7)[1]).status_code == 409


def test_an_answer_names_the_image_and_where_it_stood(room):
    left, right = room.images(0)
    for wrong, code in (
        ({"answer": "real"}, "no_such_answer"),
        ({"confidence": 2}, "confidence_not_asked"),
        ({"level": 1}, "no_such_answer"),
        ({"side": 0}, "another_side"),
    ):
        refused = room.choose(right, **wrong)
        assert (refused.status_code, refused.json()["refusal"]["code"]) == (400, code)
    taken = room.choose(right, side=1).json()
    assert taken["previous"] == left
    assert (taken["previous_answer"]["answer"], taken["previous_answer"]["side"]) == ("chosen", 1)
    assert taken["progress"]["done"] == 1
    assert room.standing()["next"][0] == room.images(1)[0]
    event = RatingEvent.objects.get()
    assert event.presentation.token == right
    assert event_content(event)["presentation"] == right


def test_the_other_image_takes_the_place_of_the_one_that_was_chosen(room, pairs):
    left, right = room.images(0)
    first = room.choose(right).json()["receipt"]["client_event_id"]
    unaware = room.choose(left, supersedes=None)
    assert unaware.json()["refusal"]["code"] == "answer_conflict"
    assert unaware.json()["refusal"]["current"]["side"] == 1
    changed = room.choose(left, supersedes=first).json()
    assert (changed["previous_answer"]["side"], changed["progress"]["done"]) == (0, 1)
    assert room.choose(room.images(1)[0]).status_code == 201
    # and now the first pair stands
    assert room.choose(right).json()["refusal"]["code"] == "answer_stands"
    pairs.refresh_from_db()
    assert verify(pairs).intact


def test_no_pair_is_answered_before_the_one_before_it(room):
    assert room.choose(room.images(1)[0]).json()["refusal"]["code"] == "not_its_turn"


def test_the_same_answer_sent_twice_is_one_and_about_another_image_none(room):
    left, right = room.images(0)
    answer = {"client_event_id": str(uuid.uuid4()), "supersedes": None, "counter": 1}
    assert room.choose(left, **answer).status_code == 201
    assert RatingEvent.objects.count() == 1
    other = room.choose(right, **answer)
    assert other.json()["refusal"]["code"] == "event_id_taken"


def test_the_database_refuses_a_choice_with_a_level(room):
    room.choose(room.images(0)[0])
    event = RatingEvent.objects.get()
    event.pk, event.sequence, event.previous_digest, event.level = None, 2, event.digest, 3
    event.client_event_id = uuid.uuid4()
    with pytest.raises(IntegrityError), transaction.atomic():
        event.save(force_insert=True)


def test_a_pair_is_counted_once_wherever_somebody_waits(room, pairs, cast):
    room.choose(room.images(0)[1])
    [own, *_] = progress_of(pairs)
    assert (own.done, own.total) == (1, CASES // 2)
    assert [row.left for row in under_way(pairs)] == [CASES // 2 - 1, CASES // 2]
    for position in range(1, CASES // 2):
        assert room.choose(room.images(position)[position % 2]).status_code == 201
    second = Room(cast.second_rater, pairs)
    for position in range(CASES // 2):
        assert second.choose(second.images(position)[0]).status_code == 201
    assert room.standing()["state"] == "finished"
    assert any("Every case of every rater has its answer" in one.why for one in waiting_for(cast.owner))


def test_somebody_else_knows_none_of_the_tokens(room, cast, pairs):
    stranger = Client()
    stranger.force_login(cast.second_rater)
    for token in room.images(0):
        assert stranger.get(reverse("reading-api:presentation", args=[token])).status_code == 404


@pytest.mark.parametrize("synthetic", [False, True])
def test_cases_without_a_partner_are_not_locked(drawn, synthetic):
    study = drawn
    assert not [check for check in readiness(study) if check.title == "Trials" and not check.met]
    alone = CaseTruth.objects.filter(case__study=study, synthetic=synthetic).first()
    CaseTruth.objects.filter(pk=alone.pk).update(pair=None)
    [check] = [check for check in readiness(study) if check.title == "Trials"]
    assert (check.blocks, check.message.split(";")[0]) == (True, "2 cases have no partner in the draw")
    study.task_settings = {**study.task_settings, "matched": False}
    [check] = [check for check in readiness(study) if check.title == "Trials"]
    assert (check.met, check.message) == (True, f"{CASES // 2} trials of 2 images.")


def test_the_preview_shows_pairs(drawn):
    client = Client()
    client.force_login(drawn.owner)
    standing = client.get(reverse("reading-api:session", args=[preview.session_token(drawn)])).json()
    assert standing["progress"]["total"] == CASES // 2
    images = client.get(reverse("reading-api:presentation", args=[standing["next"][0]])).json()["images"]
    assert len(set(images)) == 2
    assert images[0] == standing["next"][0]
    for token in images:
        assert client.get(reverse("reading-api:slice", args=[token, 0])).status_code == 200


@pytest.mark.usefixtures("small_phantom")
def test_the_practice_shows_pairs(room):
    standing = room.client.get(reverse("reading-api:session", args=[practice.practice_token(room.session)])).json()
    images = room.about(standing["next"][0]).json()["images"]
    assert len(set(images)) == 2
    slices = [room.client.get(reverse("reading-api:slice", args=[token, 0])).content for token in images]
    assert slices[0] != slices[1]
    assert room.about(f"{images[0]}.7").status_code == 404


def test_it_is_offered_and_what_does_not_fit_is_refused_in_words(drawn):
    """Plan and power are its own; a plan that was made for single images does not follow it."""
    client = Client()
    client.force_login(drawn.owner)
    address = reverse("study-detail", args=[drawn.pk])

    def change(**settings):
        return client.patch(address, settings, content_type="application/json")

    assert change(task_name="scale", task_settings={}).status_code == 200
    drawn.refresh_from_db()
    drawn.plan_options = {"primary": "ensemble", "family": "raters", "margin": 0.1, "sample_size": "Of the planner."}
    drawn.save()
    form = client.get(reverse("studies:design", args=[drawn.pk])).content.decode()
    assert NAME in form
    assert form.index("If asked: One of several images") < form.index(f"{NAME}-images") < form.index("Display mode")
    assert change(task_name=NAME, task_settings={"images": 4, "find": "synthetic"}).status_code == 200
    for wrong, said in (
        ({"cases_planned": 18}, "a multiple of 4"),
        ({"repeats": 2, "repeat_distance": 2}, "second time"),
        (
            {"further_questions": [{"kind": "text", "name": f"why_{n}", "question": "Why?"} for n in range(5)]},
            "20 answers",
        ),
    ):
        refused = change(**wrong)
        assert refused.status_code == 400
        assert said in refused.content.decode()
    drawn.refresh_from_db()
    plan = draft_plan(drawn)
    assert (plan.primary, plan.family, plan.margin, plan.sample_size) == ("joint_choices", "raters", 0.1, "")
    words = " ".join(sentences_of(drawn, plan))
    # Fact sheet: among 4 images areas of .4 and .6 are shares of .1672 and .3502.
    assert "a chance of 0.250" in words
    assert "0.167 to 0.350" in words
    assert "Chance is one in 4" in client.get(drawn.get_absolute_url()).content.decode()
    page = client.get(reverse("studies:plan", args=[drawn.pk])).content.decode()
    assert "4 trials of 4 images you will find an area" in page
    assert "joint_choices" in page
    assert ("control_rule" in page, "tie_rule" in page) == (True, False)
    assert "choose the image to find in enough of them" in page
    assert drawn.question == "Which of these images shows a lesion that a program inserted?"
    assert "4 images at a time, in an order of your own: 3 show a real lesion, 1 a lesion that" in drawn.instructions
    [balance] = [check for check in readiness(drawn) if check.title == "Balance"]
    assert (balance.met, "Every trial takes 3 and 1" in balance.message) == (False, True)
    assert change(task_settings={"images": 2, "find": "better"}).status_code == 200
    drawn.refresh_from_db()
    assert (draft_plan(drawn).primary, draft_plan(drawn).secondary) == ("preference", ())
    assert drawn.question == "Which of these images is the better one?"
    assert "whether any arm is preferred" in " ".join(sentences_of(drawn, draft_plan(drawn)))
