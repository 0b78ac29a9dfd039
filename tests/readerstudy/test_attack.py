"""Invariant 4: nothing that anybody can obtain before the unblinding, alone or combined, tells the truth to a solver."""

import hashlib
import json
from collections import defaultdict
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
from readerstudy.design.candidates import root_of
from readerstudy.design.cases import as_candidate
from readerstudy.design.likeness import LIMITS, MEASURES
from readerstudy.ledger.append import append
from readerstudy.locking import execution
from readerstudy.models import Presentation
from readerstudy.unblinding import services as unblinding
from readerstudy.unblinding.labels import case_label
from readerstudy.unblinding.opened import StudyLedger
from readerstudy.web import lifecycle
from tests.doors.addresses import Things, addresses
from tests.factories import make_user
from tests.readerstudy.attack import Known, Rule, crawl, known_from, luck_of, solve
from tests.readerstudy.old_design import old_draw
from tests.readerstudy.races import a_rating
from tests.readerstudy.told import chances, columns_told, features_of
from tests.readerstudy.worlds import Browser, Cast, Stages, make_draft, make_world, unblind

CASES = 48
PANELS = (3, 5, 10)
OLD_RULE = Rule(block_size=10, slack=0, longest_run=4, exact=True)
TEAM = ("owner", "administrator", "member")
# Of what chance does so rarely nobody says that it was chance; some ten are asked for in a run.
ALARM = 1e-5


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
        self.raters = [self.cast.rater, self.cast.second_rater]
        self.raters += [make_user(Role.RATER) for _ in range(max(PANELS) - len(self.raters))]
        world = make_world(self.cast.owner, sources=8, edits_per_source=3)
        self.study = stages.open(make_draft(self.cast, world, cases=CASES, raters=self.raters))
        # What raters fetched while they read, by address.
        self.read_by = {}
        self.pictures = {number: self.read(user) for number, user in enumerate(self.raters, start=1)}
        unblinding.close(study=self.study, actor=self.cast.owner)
        self.study.refresh_from_db()
        slots = Presentation.objects.filter(session__rater__study=self.study).order_by("position")
        slots = slots.select_related("session__rater", "stimulus__case__truth__scan__dataset")
        self.slots = {(slot.session.rater.number, slot.position): slot for slot in slots}
        self.truth = {at: slot.stimulus.case.truth.synthetic for at, slot in self.slots.items()}
        self.cases = {slot.stimulus.case_id: slot.stimulus.case.truth for slot in slots}
        self.kinds = [truth.synthetic for truth in self.cases.values()]

    def read(self, user):
        """Guesses at every case; returns digests of the pictures in their order."""
        browser, digests = Browser(user, self.study), []
        for presentation in browser.session.presentations.order_by("position"):
            for address in (
                reverse("reading-api:session", args=[browser.session.token]) + f"?at={presentation.position}",
                reverse("reading-api:presentation", args=[presentation.token]),
            ):
                told = browser.client.get(address)
                self.read_by[address] = told["Content-Type"], told.content.decode()
            pixels = browser.client.get(reverse("reading-api:slice", args=[presentation.token, 0]))
            digests.append(hashlib.sha256(pixels.content).hexdigest())
            append(presentation=presentation, rating=a_rating())
        return digests

    def fetched_by(self, person):
        client = Client()
        if person is not None:
            client.force_login(person)
        dataset, first = self.study.datasets.get(), self.slots[1, 0]
        things = {
            "study": self.study.pk,
            "dataset": dataset.pk,
            "rater": self.study.raters.first().pk,
            "code": self.study.cases.first().code,
            "job": self.study.lock_job_id,
            "person": self.cast.rater.pk,
            "session": first.session.token,
            "presentation": first.token,
        }
        # A page of an edit is another one than that of a host.
        scans = [dataset.scans.filter(provenance=None).first(), dataset.scans.exclude(provenance=None).first()]
        starts = {address.path for scan in scans for address in addresses(Things(scan=scan.pk, **things))}
        return crawl(client, [*sorted(starts), reverse("study-detail", args=[self.study.pk]) + "ratings/?format=csv"])

    def truth_by_name(self, known):
        return {name: self.truth[at] for name, at in slots_by_name(known).items()}

    def case_by_name(self, known):
        """The place of its case among `kinds`."""
        places = {case: place for place, case in enumerate(self.cases)}
        return {name: places[self.slots[at].stimulus.case_id] for name, at in slots_by_name(known).items()}

    def words_for_cases(self):
        """Whatever a case could be called by anywhere: see `told.columns_told`."""
        salt, words = self.study.seal.salt, {}
        for (number, _), slot in self.slots.items():
            case = slot.stimulus.case_id
            words[slot.token] = words[case_label(salt, rater_number=number, token=slot.token)] = (number, case)
            words |= dict.fromkeys((slot.stimulus.case.code, str(case), str(slot.stimulus.pk)), (None, case))
        return words

    def rule(self):
        held = self.study.protocol["order"]["constraints"]
        return Rule(held["block_size"], held["block_slack"], held["longest_run"], exact=False)

    def seen_together(self):
        """What raters know who put their pictures together, recognise scans and measure all that a draw makes alike.

        Of every scan as many cases are of each kind, and whoever saw the draft knows which measures were alike.
        """
        name_of = {
            self.slots[number, slot].stimulus.case_id: name
            for number, names in self.pictures.items()
            for slot, name in enumerate(names)
        }
        groups = defaultdict(list)
        for case, truth in self.cases.items():
            groups[root_of(truth.scan).pk].append(name_of[case])
        verdicts = {told["name"]: told["verdict"] for told in self.study.protocol["cases"]["match"]["measures"]}
        alike = [measure for measure in MEASURES if verdicts.get(measure.name) == "alike"]
        return Known(
            self.pictures,
            halved=list(groups.values()),
            alike=[(self.above(measure, name_of), LIMITS[1] - 0.5) for measure in alike],
        )

    def above(self, measure, name_of):
        values = {name_of[case]: measure.value(as_candidate(truth)) for case, truth in self.cases.items()}
        held = np.array(list(values.values()))
        apart = held[:, None] - held[None]
        score = (np.sign(apart) * (np.abs(apart) > measure.unseen)).sum(axis=1) / 2
        return dict(zip(values, score.tolist(), strict=True))


def slots_by_name(known):
    return {name: (number, slot) for number, names in known.slots.items() for slot, name in enumerate(names)}


def stages_now():
    return Stages(lambda **_: nullcontext())


@pytest.mark.django_db(transaction=True)
def test_the_solver_finds_the_truth_of_the_old_design_over_http(monkeypatch):
    """One name of a case for all raters, exact blocks, AUCs on the page of the check: three harmless things."""
    monkeypatch.setattr(execution, "draw_orders", old_draw)
    monkeypatch.setattr(StudyLedger, "case_label", lambda self, presentation: presentation.stimulus.case.code)
    monkeypatch.setattr(lifecycle, "shown_audit", lambda study: study.leak_audit)
    attacked = Study48(stages_now())
    known = known_from(attacked.fetched_by(attacked.cast.member))
    assert len(known.slots) == len(known.aucs) == max(PANELS)
    outcome = solve(known, OLD_RULE)
    assert outcome.certain == attacked.truth_by_name(known)
    assert len(outcome.certain) == CASES


@pytest.mark.django_db(transaction=True)
def test_nobody_finds_a_case_of_a_sealed_study_nor_beats_chance_by_vote():
    attacked = Study48(stages_now())
    people = {name: getattr(attacked.cast, name) for name in (*TEAM, "other", "rater", "idle_rater")}
    people |= {"researcher": make_user(Role.RESEARCHER), "anonymous": None}
    everything = dict(attacked.read_by)
    for name, person in people.items():
        fetched = attacked.fetched_by(person)
        known = known_from(fetched)
        assert bool(known.slots) == (name in TEAM), name
        assert known.aucs == {}, name
        everything |= {f"{name} {address}": answer for address, answer in fetched.items()}
    together = attacked.seen_together()
    assert together.alike
    for raters in PANELS:
        for known in (known_from(everything), Known(attacked.pictures), together):
            part = known.of_raters(range(1, raters + 1))
            assert len(part.slots) == raters
            outcome = solve(part, attacked.rule())
            assert outcome.certain == {}
            cases = attacked.case_by_name(part)
            halved = [[cases[name] for name in group] for group in part.halved]
            assert luck_of(outcome.vote, cases, attacked.kinds, halved) > ALARM
    no_column_of_anything_tells_the_kinds(attacked, everything)
    labels_join_every_rating_to_its_case_after_the_unblinding(attacked)


def no_column_of_anything_tells_the_kinds(attacked, everything):
    """Whatever stands beside a name of a case on any page, in any file: times, numbers, words, its place in the list."""
    told = columns_told(everything, attacked.words_for_cases())
    for source in ("ratings.csv", "ratings.json", "/api/reading/presentations/"):
        assert any(source in where for where, _, _ in told), source
    names, table = features_of(told, list(attacked.cases))
    lucky = chances(table, attacked.kinds)
    assert min(lucky.values()) > ALARM, (lucky, telling(names, table, attacked.kinds))


def telling(names, table, kinds):
    """The features that tell best, for whoever has to mend them."""
    order = np.argsort(-np.abs(table @ np.where(kinds, 1.0, -1.0)))
    return [names[place] for place in order[:5]]


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
