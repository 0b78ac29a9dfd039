"""Invariant 4: nothing that anybody can obtain before the unblinding, alone or combined, tells the truth to a solver."""

import hashlib
import json
from contextlib import nullcontext
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse

from ctplatform.accounts.models import Role
from readerstudy.blinding import block_order, free_order
from readerstudy.blinding.schedule import CaseToOrder
from readerstudy.ledger.append import append
from readerstudy.locking import execution
from readerstudy.models import Presentation
from readerstudy.unblinding import services as unblinding
from readerstudy.unblinding.opened import StudyLedger
from readerstudy.web import lifecycle
from tests.doors.addresses import Things, addresses
from tests.factories import make_user
from tests.readerstudy.attack import Known, Rule, crawl, known_from, solve
from tests.readerstudy.old_design import old_draw
from tests.readerstudy.races import a_rating
from tests.readerstudy.worlds import Browser, Cast, Stages, make_draft, make_world, unblind

CASES = 48
PANELS = (3, 5, 10)
OLD_RULE = Rule(block_size=10, slack=0, longest_run=4, exact=True)
TEAM = ("owner", "administrator", "member")


def the_cases():
    return [
        CaseToOrder(case_id=f"c{n:02d}", synthetic=n % 2 == 0, scan=f"s{n // 3}", place=f"p{n}") for n in range(CASES)
    ]


TRUTH = {case.case_id: case.synthetic for case in the_cases()}
KINDS = list(TRUTH.values())


def old_orders(raters, seed):
    return {
        number: block_order.draw_order(
            the_cases(), constraints=block_order.Constraints(), seed=seed, rater_number=number
        )
        for number in range(1, raters + 1)
    }


def auc_of(order):
    """As a page prints it."""
    half = CASES // 2
    ranks = sum(slot for slot, case in enumerate(order, start=1) if TRUTH[case])
    shown = round((ranks - half * (half + 1) / 2) / half**2, 2)
    return shown - 0.005, shown + 0.005


@pytest.mark.parametrize(("raters", "certain"), [(5, CASES), (10, CASES)])
def test_exact_blocks_and_the_aucs_of_linked_orders_give_every_case_away(raters, certain):
    orders = old_orders(raters, seed=11)
    outcome = solve(Known(orders, {number: auc_of(order) for number, order in orders.items()}), OLD_RULE)
    assert len(outcome.certain) == certain
    assert outcome.certain == TRUTH


def test_exact_blocks_alone_give_ten_linked_orders_away():
    """Up to which of the kinds is the synthetic one."""
    assert solve(Known(old_orders(10, seed=11)), OLD_RULE).share_right(TRUTH) == 1.0


@pytest.mark.parametrize("raters", PANELS)
def test_raters_who_put_their_pictures_together_learn_nothing(raters):
    """The hardest case: all orders linked, rule and limits known. By chance, the complement allowed, 0.557 are right."""
    evenness = free_order.evenness_within_budget(KINDS, asked_run=4, block_size=10, raters=raters)
    rule = Rule(block_size=10, slack=evenness.block_slack, longest_run=evenness.longest_run, exact=False)
    shares = []
    for seed in range(10):
        kinds = np.random.default_rng(seed).permutation(KINDS)
        cases = [replace(case, synthetic=bool(kind)) for case, kind in zip(the_cases(), kinds, strict=True)]
        draw = partial(free_order.draw_order, cases, evenness=evenness, distances=free_order.Distances(), seed=seed)
        outcome = solve(Known({number: draw(rater_number=number) for number in range(1, raters + 1)}), rule)
        assert outcome.certain == {}
        shares.append(outcome.share_right({case.case_id: case.synthetic for case in cases}))
    chance = np.abs(np.random.default_rng(1).hypergeometric(24, 24, 24, 100_000) / 24 - 0.5) + 0.5
    assert np.mean(shares) < chance.mean() + 3 * chance.std() / np.sqrt(len(shares))


class Study48:
    """A closed and still sealed study, and all that its people have fetched of it."""

    def __init__(self, stages):
        self.cast = Cast.create()
        raters = [self.cast.rater, self.cast.second_rater, *(make_user(Role.RATER) for _ in range(max(PANELS) - 2))]
        world = make_world(self.cast.owner, sources=8, edits_per_source=3)
        self.study = stages.open(make_draft(self.cast, world, cases=CASES, raters=raters))
        self.pictures = {number: self.read(user) for number, user in enumerate(raters, start=1)}
        unblinding.close(study=self.study, actor=self.cast.owner)
        self.study.refresh_from_db()
        slots = Presentation.objects.filter(session__rater__study=self.study).order_by("position")
        self.truth = {
            (number, position): synthetic
            for number, position, synthetic in slots.values_list(
                "session__rater__number", "position", "stimulus__case__truth__synthetic"
            )
        }

    def read(self, user):
        """Guesses at every case; returns digests of the pictures in their order."""
        browser, digests = Browser(user, self.study), []
        for presentation in browser.session.presentations.order_by("position"):
            pixels = browser.client.get(reverse("reading-api:slice", args=[presentation.token, 0]))
            digests.append(hashlib.sha256(pixels.content).hexdigest())
            append(presentation=presentation, rating=a_rating())
        return digests

    def fetched_by(self, person):
        client = Client()
        if person != "anonymous":
            client.force_login(getattr(self.cast, person))
        dataset = self.study.datasets.get()
        things = Things(
            study=self.study.pk,
            dataset=dataset.pk,
            scan=dataset.scans.exclude(provenance=None).first().pk,
            rater=self.study.raters.first().pk,
            code=self.study.cases.first().code,
        )
        starts = [address.path for address in addresses(things)]
        return crawl(client, [*starts, reverse("study-detail", args=[self.study.pk]) + "ratings/?format=csv"])

    def truth_by_name(self, known):
        return {
            name: self.truth[number, slot] for number, names in known.slots.items() for slot, name in enumerate(names)
        }

    def rule(self):
        held = self.study.protocol["order"]["constraints"]
        return Rule(held["block_size"], held["block_slack"], held["longest_run"], exact=False)


def stages_now():
    return Stages(lambda **_: nullcontext())


@pytest.mark.django_db(transaction=True)
def test_the_solver_finds_the_truth_of_the_old_design_over_http(monkeypatch):
    """One name of a case for all raters, exact blocks, AUCs on the page of the check: three harmless things."""
    monkeypatch.setattr(execution, "draw_orders", old_draw)
    monkeypatch.setattr(StudyLedger, "case_label", lambda self, presentation: presentation.stimulus.case.code)
    monkeypatch.setattr(lifecycle, "shown_audit", lambda study: study.leak_audit)
    attacked = Study48(stages_now())
    known = known_from(attacked.fetched_by("member"))
    assert len(known.slots) == len(known.aucs) == max(PANELS)
    outcome = solve(known, OLD_RULE)
    assert outcome.certain == attacked.truth_by_name(known)
    assert len(outcome.certain) == CASES


@pytest.mark.django_db(transaction=True)
def test_nobody_finds_a_case_of_a_sealed_study_nor_beats_chance_by_vote():
    attacked = Study48(stages_now())
    everything = {}
    for person in (*TEAM, "other", "rater", "anonymous"):
        fetched = attacked.fetched_by(person)
        known = known_from(fetched)
        assert bool(known.slots) == (person in TEAM), person
        assert known.aucs == {}, person
        everything |= {(person, address): answer for address, answer in fetched.items()}
    for raters in PANELS:
        for known in (known_from(everything), Known(attacked.pictures)):
            part = known.of_raters(range(1, raters + 1))
            truth = attacked.truth_by_name(part)
            assert len(part.slots) == raters
            outcome = solve(part, attacked.rule())
            assert outcome.certain == {}
            right = np.mean([outcome.vote[name] == truth[name] for name in truth])
            # Five standard deviations of CASES guesses; unlinked, there are more of them and less is needed.
            assert abs(right - 0.5) < 5 * 0.5 / np.sqrt(CASES)

    labels_join_every_rating_to_its_case_after_the_unblinding(attacked)


MARKING = {"display_mode": "stack", "stack_slices": 3, "confidence_levels": 3}
ONE_PLACE = {**MARKING, "task_name": "one_place", "task_settings": {"mark_with": "every"}}
ANY_PLACES = {**MARKING, "task_name": "any_places"}
IN_NUMBERS = {"further_questions": [{"kind": "number", "name": "size", "question": "How large is it, in mm?"}]}
IN_WORDS = {"further_questions": [{"kind": "text", "name": "seen", "question": "What do you see?"}]}
# How a study asks what is seen in the picture, and what two raters say who see the same in its nth case.
SEEN_ALIKE = {
    "one place, a number": (
        {**ONE_PLACE, **IN_NUMBERS},
        lambda n: {"mark": {"slice": 1, "row": 5, "column": n}, "further": {"size": n}},
    ),
    "any places, words": (
        {**ANY_PLACES, **IN_WORDS},
        lambda n: {
            "answer": "synthetic",
            "marks": [{"slice": 1, "row": 5, "column": n, "confidence": 2, "reason": 1}],
            "further": {"seen": f"a cyst, {n} mm large"},
        },
    ),
}


@pytest.mark.parametrize(("asked", "said"), SEEN_ALIKE.values(), ids=SEEN_ALIKE)
def test_what_raters_say_alike_of_a_picture_joins_their_rows_after_the_unblinding_only(
    cast, world, stages, asked, said
):
    """It is what they see of the case itself, which whoever drew the cases recognises."""
    study = stages.open(make_draft(cast, world, **asked))
    number = {case: n for n, case in enumerate(study.cases.values_list("pk", flat=True))}
    for person in (cast.rater, cast.second_rater):
        browser = Browser(person, study)
        for slot in browser.session.presentations.select_related("stimulus"):
            answer = browser.rate(slot.token, **said(number[slot.stimulus.case_id]))
            assert answer.status_code == 201, answer.content
    names = names_of_slots(study, cast)
    assert len(names) == len(set(names)) == 2 * len(number)
    unblind(study)
    assert len(set(names_of_slots(study, cast))) == len(number)


def names_of_slots(study, cast):
    """By which the rows of the team's files can be told apart; two rows of one case that can be joined have one."""
    client = Client()
    client.force_login(cast.member)
    files = [reverse(f"studies:export-{form}", args=[study.pk]) for form in ("csv", "json")]
    known = known_from(crawl(client, [*files, reverse("study-detail", args=[study.pk]) + "ratings/"]))
    return [name for slots in known.slots.values() for name in slots]


def labels_join_every_rating_to_its_case_after_the_unblinding(attacked):
    client = Client()
    client.force_login(attacked.cast.owner)
    url = reverse("study-detail", args=[attacked.study.pk]) + "ratings/"
    labels = {row["case_label"] for row in json.loads(client.get(url).getvalue())["ratings"]}
    assert len(labels) == CASES * max(PANELS)
    unblinding.unblind(study=attacked.study, actor=attacked.cast.owner, typed_title="Trial")
    rows = json.loads(client.get(url).getvalue())["ratings"]
    assert {row["case_label"] for row in rows} == labels
    assert len({row["case"] for row in rows}) == CASES
    for row in rows:
        assert (row["truth"] == "synthetic") == attacked.truth[row["rater"], row["position"] - 1]
