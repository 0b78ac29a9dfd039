"""Cases that come twice: orders, pictures, what raters and team can see, which answer counts, what the leak audit finds."""

import csv
import io
import itertools
import json
import subprocess
import sys
import uuid
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from django.core.exceptions import ValidationError
from django.db import transaction
from django.test import Client
from django.urls import reverse
from hypothesis import given, settings
from hypothesis import strategies as st

from readerstudy.auditing import audit
from readerstudy.auditing.received import Walk
from readerstudy.auditing.rehearsal import Sitting, Slot, rehearsed, sittings_of
from readerstudy.auditing.stored import order_observables
from readerstudy.blinding import leaks
from readerstudy.blinding.free_order import TOLD_BITS, Distances, Evenness
from readerstudy.blinding.grain import bare, grained
from readerstudy.blinding.repeated_order import (
    ALGORITHM,
    RepeatedEvenness,
    Repeats,
    draw_order,
    evenness_within_budget,
    feasible_distances,
    shown_again,
    told_bits,
)
from readerstudy.blinding.schedule import schedule_digest
from readerstudy.design.readiness import blocking, readiness
from readerstudy.locking.orders import redrawn_orders
from readerstudy.locking.sealed_tables import slots
from readerstudy.models import CaseTruth, Presentation, Stimulus, Study
from readerstudy.models.study import most_repeats
from readerstudy.report.archive import text_files
from readerstudy.report.audit_archive import audit_files
from readerstudy.report.loading import report_data
from readerstudy.results import repeats_of, responses_of
from readerstudy.unblinding import services as unblinding
from readerstudy.unblinding.opened import UnblindedStudy
from readerstudy.verification import verify
from tests.pages import shown
from tests.readerstudy.cases_to_order import case_lists, forty_cases
from tests.readerstudy.planting import make_planted, on_locking
from tests.readerstudy.worlds import Browser, make_draft

ROOT = Path(__file__).resolve().parents[2]
NO_DISTANCE = Distances(scan_distance=0, place_distance=0)
TWICE, APART = 4, 4


# --- orders ----------------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=60)
@given(
    cases=case_lists(),
    asked=st.builds(Distances, scan_distance=st.integers(0, 4), place_distance=st.integers(0, 6)),
    distance=st.integers(1, 12),
    seed=st.integers(0, 2**128 - 1),
    rater=st.integers(1, 40),
    share=st.floats(0, 1),
)
def test_every_order_with_repeats_keeps_all_its_constraints(cases, asked, distance, seed, rater, share):
    """As many repeats as a draft may ask for, so that no lock fails for them."""
    most = most_repeats(cases=len(cases), distance=distance)
    repeats = Repeats(count=round(share * most), distance=distance)
    kinds = [case.synthetic for case in cases]
    evenness = evenness_within_budget(kinds, repeats=repeats, asked_run=4, block_size=10, raters=3)
    held = feasible_distances(cases, repeats=repeats, evenness=evenness, asked=asked, seed=seed, rater_numbers=[rater])
    order = draw_order(cases, repeats=repeats, evenness=evenness, distances=held, seed=seed, rater_number=rater)
    by_id = {case.case_id: case for case in cases}
    assert set(order) == set(by_id)
    assert Counter(Counter(order).values()).get(2, 0) == repeats.count == len(order) - len(cases)
    assert all(slot - order.index(order[slot]) >= distance for slot in shown_again(order))
    for attribute, least in (("scan", held.scan_distance), ("place", held.place_distance)):
        last = {}
        for slot, case_id in enumerate(order):
            label = getattr(by_id[case_id], attribute)
            assert slot - last.get(label, -(10**6)) >= least
            last[label] = slot
    assert evenness.holds([by_id[case_id] for case_id in order])


def even(cases, repeats, raters=5):
    kinds = [case.synthetic for case in cases]
    return evenness_within_budget(kinds, repeats=repeats, asked_run=4, block_size=10, raters=raters)


def drawn(cases, repeats, evenness, *, seed, rater=1, distances=NO_DISTANCE):
    return draw_order(cases, repeats=repeats, evenness=evenness, distances=distances, seed=seed, rater_number=rater)


@pytest.mark.parametrize("raters", [1, 5, 20])
@pytest.mark.parametrize("count", [4, 10])
def test_the_orders_of_all_raters_tell_hardly_anything_however_many_come_twice(raters, count):
    cases, repeats = forty_cases(), Repeats(count=count, distance=10)
    kinds = [case.synthetic for case in cases]
    evenness = even(cases, repeats, raters)
    assert 0 <= told_bits(kinds, repeats=repeats, evenness=evenness, raters=raters) <= TOLD_BITS
    # A repeated choice of one kind alone is turned away where that tells next to nothing.
    assert evenness.repeats_slack < count / 2 or raters > 1


def test_which_cases_come_twice_goes_neither_with_their_kind_nor_with_their_name():
    """Over many orders real and synthetic ones alike, and no count among them that anybody knows."""
    cases, repeats = forty_cases(), Repeats(count=8, distance=10)
    synthetic = {case.case_id for case in cases if case.synthetic}
    evenness = even(cases, repeats)
    orders = [drawn(cases, repeats, evenness, seed=seed) for seed in range(800)]
    twice = [[order[slot] for slot in shown_again(order)] for order in orders]
    counts = Counter(sum(case in synthetic for case in chosen) for chosen in twice)
    assert set(counts) >= {1, 2, 3, 4, 5, 6, 7}
    assert max(counts.values()) < 0.4 * 800
    of_case = Counter(itertools.chain.from_iterable(twice))
    assert len(of_case) == 40
    assert abs(sum(of_case[case] for case in synthetic) / (8 * 800) - 0.5) < 0.03
    assert max(abs(count / 800 - 0.2) for count in of_case.values()) < 0.07  # 5 standard errors
    slots = Counter(slot for order in orders for slot in shown_again(order))
    assert set(slots) == set(range(10, 48))
    assert max(abs(count / 800 - 8 / 38) for count in slots.values()) < 0.08


def test_raters_see_other_cases_twice():
    cases, repeats = forty_cases(), Repeats(count=8, distance=10)
    evenness = even(cases, repeats)
    orders = [drawn(cases, repeats, evenness, seed=5, rater=number) for number in range(10)]
    assert len({frozenset(order[slot] for slot in shown_again(order)) for order in orders}) == 10


def test_an_order_with_repeats_is_the_same_on_another_machine_byte_for_byte():
    code = "from tests.readerstudy.test_repeats import published; import sys; sys.stdout.write(published())"
    environment = {
        "PYTHONHASHSEED": "321",
        "PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}",
        "PATH": "/usr/bin:/bin",
        "DJANGO_SETTINGS_MODULE": "ctplatform.settings.testing",
    }
    begin = "import django; django.setup(); "
    elsewhere = subprocess.run(
        [sys.executable, "-c", begin + code], capture_output=True, text=True, env=environment, cwd=ROOT, check=True
    ).stdout
    assert elsewhere == published()
    assert published() == "42ea1421f2335137238822584ad4785c8fdc01319e8d2c6310e186829aad5ef2"


def published():
    cases, repeats, seed = list(reversed(forty_cases())), Repeats(count=8, distance=10), 2**100 + 7
    evenness = RepeatedEvenness(slots=Evenness(), repeats_slack=3.0)
    orders = {
        number: drawn(cases, repeats, evenness, seed=seed, rater=number, distances=Distances()) for number in (1, 2)
    }
    held = {**asdict(evenness.slots), **asdict(Distances()), "repeats": 8, "repeat_distance": 10}
    return schedule_digest(orders, algorithm=ALGORITHM, constraints=held, seed=seed)


def test_more_repeats_than_fit_are_refused_in_the_draft(cast, world):
    with pytest.raises(ValidationError, match="Of 12 cases at most 4 can be shown twice with a distance of 4"):
        make_draft(cast, world, repeats=5, repeat_distance=4)


# --- pictures --------------------------------------------------------------------------------------------------------


@given(seed=st.integers(0, 2**32), key=st.text(max_size=8))
@settings(max_examples=30, deadline=None)
def test_the_grain_is_one_unit_and_comes_off_again(seed, key):
    pixels = np.random.default_rng(seed).integers(-1024, 1501, (2, 9, 11)).astype(np.int16)
    seen = grained(pixels, key=key)
    assert seen.dtype == pixels.dtype
    assert np.abs(seen.astype(int) - pixels).max() <= 1
    assert (bare(seen, key=key) == pixels).all()


def test_two_grains_leave_no_bytes_in_common_and_no_trace_of_each_other():
    pixels = np.random.default_rng(3).normal(60, 12, (1, 200, 200)).astype(np.int16)
    first, second = (grained(pixels, key=f"seed:case:{reading}").astype(int) - pixels for reading in (1, 2))
    assert np.unique(first, return_counts=True)[1] == pytest.approx([200 * 200 / 3] * 3, rel=0.03)
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.02


# --- a study ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def repeating_and_cuts(recorded, cast, world, stages):
    """A study of cases that come twice, and the cases that were cut, each time that one was."""
    from readerstudy.locking import stimuli

    def make():
        original, cases = stimuli.pixels_of, []

        def cut(study, truth, frame, **named):
            cases.append(truth.case_id)
            return original(study, truth, frame, **named)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(stimuli, "pixels_of", cut)
            return stages.open(make_draft(cast, world, repeats=TWICE, repeat_distance=APART)), cases

    return recorded("repeating", make)


@pytest.fixture
def repeating(repeating_and_cuts):
    return repeating_and_cuts[0]


@pytest.fixture
def cuts(repeating_and_cuts):
    return repeating_and_cuts[1]


def of_rater(study, user):
    return list(
        Presentation.objects.filter(session__rater__study=study, session__rater__user=user)
        .order_by("position")
        .select_related("stimulus__case")
    )


def test_every_rater_gets_other_cases_twice_in_pictures_of_their_own(repeating, cast, cuts):
    study, again = repeating, {}
    assert len(cuts) == len(set(cuts)) == 12
    for user in (cast.rater, cast.second_rater):
        shown_to = of_rater(study, user)
        assert len(shown_to) == 12 + TWICE
        cases = [slot.stimulus.case_id for slot in shown_to]
        again[user] = {case for case, count in Counter(cases).items() if count == 2}
        for slot in shown_to:
            assert slot.stimulus.again == (cases.index(slot.stimulus.case_id) < slot.position)
        assert len(again[user]) == TWICE
    copies = Stimulus.objects.filter(case__study=study, reading=2)
    assert {copy.case_id for copy in copies} == set().union(*again.values())
    assert Stimulus.objects.filter(case__study=study, reading=1).count() == 12
    asked = study.protocol["order"]
    assert (asked["algorithm"], asked["asked"]["repeats"], asked["constraints"]["repeat_distance"]) == (
        ALGORITHM,
        TWICE,
        APART,
    )
    assert study.protocol["display"]["grain"] == "pcg64-grain/1"
    assert any("The first answer to a case is the one that is analysed" in one for one in in_words(study))
    assert verify(study).problems == []
    truths = list(CaseTruth.objects.filter(case__study=study).select_related("scan"))
    numbers = list(study.raters.values_list("number", flat=True))
    drawn_again = redrawn_orders(study, truths, rater_numbers=numbers)
    assert {number: [str(slot[1]) for slot in slots(study)[str(number)]] for number in numbers} == drawn_again


def in_words(study):
    return study.protocol["analysis_plan"]["in_words"]


def test_a_study_without_repeats_is_frozen_as_ever(collecting):
    protocol = collecting.protocol
    assert "grain" not in protocol["display"]
    assert set(protocol["order"]["asked"]) == {"block_size", "longest_run", "scan_distance", "place_distance"}
    assert "repeats" not in protocol["analysis_plan"]["plan"]["secondary"]
    assert {len(slot) for of_one in slots(collecting).values() for slot in of_one} == {2}
    assert not any("twice" in one for one in in_words(collecting))


def fetched(browser, token):
    about = browser.client.get(reverse("reading-api:presentation", args=[token])).json()
    pictures = [
        browser.client.get(reverse("reading-api:slice", args=[token, index])).content
        for index in range(about["slices"])
    ]
    return about, pictures


def test_a_rater_receives_nothing_that_tells_a_repeat(repeating, cast):
    """The same description, other bytes of the same length, and an answer taken as every other."""
    browser, received, answers = Browser(cast.rater, repeating), {}, []
    for slot in of_rater(repeating, cast.rater):
        about, pictures = fetched(browser, slot.token)
        assert about.pop("images") == [slot.token]
        before = received.get(slot.stimulus.case_id)
        if before is not None:
            assert about == before[0]
            assert not set(pictures) & set(before[1])
        received[slot.stimulus.case_id] = about, pictures
        answers.append(browser.rate(slot.token).json())
    assert {len(one) for _, pictures in received.values() for one in pictures} == {
        repeating.protocol["display"]["slice_bytes"]
    }
    assert len({json.dumps(sorted(answer)) for answer in answers}) == 1
    assert browser.standing()["progress"] == {"done": 16, "total": 16}


def test_the_team_can_not_tell_a_repeat_before_the_unblinding(repeating, cast):
    Browser(cast.rater, repeating).rate_all()
    client = Client()
    client.force_login(cast.member)
    exported = client.get(reverse("studies:export-csv", args=[repeating.pk])).getvalue().decode()
    rows = list(csv.DictReader(io.StringIO(exported)))
    assert len(rows) == 16 == len({row["case_label"] for row in rows})
    assert "again" not in rows[0]
    look = shown(client.get(reverse("studies:blinded-look", args=[repeating.pk])))
    assert "16 of 16" in look


SWAPPED = {
    "the pictures of both times exchanged": "which slot shows which case",
    "the number that is asked for": "repeats of the study differ",
    "a copy moved to another case": "what is stored of the stimuli",
}


@pytest.mark.parametrize("what", SWAPPED)
def test_a_repeat_that_was_tampered_with_is_noticed(repeating, cast, what):
    second = next(slot for slot in of_rater(repeating, cast.rater) if slot.stimulus.again)
    if what == "the number that is asked for":
        Study.objects.filter(pk=repeating.pk).update(repeats=TWICE - 1)
    elif what == "a copy moved to another case":
        without = repeating.cases.exclude(stimuli__reading=2).first()
        Stimulus.objects.filter(pk=second.stimulus_id).update(case=without)
    else:
        [first] = [
            slot
            for slot in of_rater(repeating, cast.rater)
            if slot.stimulus.case_id == second.stimulus.case_id and not slot.stimulus.again
        ]
        with transaction.atomic():
            spare = Stimulus.objects.filter(case__study=repeating).exclude(presentations__session=first.session).first()
            assert spare is not None
            Presentation.objects.filter(pk=first.pk).update(stimulus=spare)
            Presentation.objects.filter(pk=second.pk).update(stimulus=first.stimulus)
            Presentation.objects.filter(pk=first.pk).update(stimulus=second.stimulus)
    assert any(SWAPPED[what] in problem for problem in verify(repeating, with_stimuli=False).problems)


# --- results ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def unblinded(recorded, repeating, cast):
    return recorded("unblinded repeats", lambda: read_and_unblinded(repeating, cast))


def read_and_unblinded(repeating, cast):
    """One rater turns every second answer round, the other keeps all but one."""
    for user, most in ((cast.rater, TWICE), (cast.second_rater, 1)):
        browser, said, turned = Browser(user, repeating), {}, 0
        for number, slot in enumerate(of_rater(repeating, user)):
            case, again = slot.stimulus.case_id, slot.stimulus.again
            answer = said.get(case) or ("real", "synthetic")[number % 2]
            if again and turned < most:
                answer, turned = {"real": "synthetic", "synthetic": "real"}[answer], turned + 1
            said.setdefault(case, answer)
            assert browser.rate(slot.token, answer=answer, confidence=1 + number % 3).status_code == 201
    unblinding.close(study=repeating, actor=cast.owner)
    unblinding.unblind(study=repeating, actor=cast.owner, typed_title=repeating.title)
    return Study.objects.get(pk=repeating.pk)


def test_the_first_answer_counts_and_the_second_is_compared_with_it(unblinded, cast):
    opened = UnblindedStudy(unblinded)
    responses = responses_of(opened)
    for column, user in enumerate((cast.rater, cast.second_rater)):
        first = {}
        for slot in of_rater(unblinded, user):
            event = slot.events.get()
            first.setdefault(slot.stimulus.case.code, float(event.answer == "synthetic"))
        assert [row[column] for row in responses.calls] == [first[code] for code in responses.case_codes]
    found = repeats_of(opened)
    assert [(one.n, one.same.value) for one in found.raters] == [(TWICE, 0.0), (TWICE, 1 - 1 / TWICE)]
    assert (found.panel.n, found.panel.same.value) == (2 * TWICE, 3 / 8)
    assert found.raters[0].kappa.value < 0 < found.raters[1].same.low
    only = repeats_of(opened, raters=frozenset({"2"}))
    assert only.panel.kappa == only.raters[0].kappa


def test_page_api_report_and_auditors_archive_tell_of_repeats(unblinded, cast, tmp_path):
    client = Client()
    client.force_login(cast.owner)
    page = shown(client.get(reverse("studies:results", args=[unblinded.pk])))
    assert "Cases shown twice" in page
    assert "On 8 occasions a rater saw a case again, at least 4 cases later" in page
    told = client.get(reverse("study-repeats", args=[unblinded.pk])).json()
    assert [one["n"] for one in told["raters"]] == [TWICE, TWICE]
    assert told["panel"]["rater"] is None
    data = report_data(UnblindedStudy(unblinded))
    files = text_files(data)
    rows = list(csv.DictReader(io.StringIO(files["repeats.csv"].decode())))
    assert [row["rater"] for row in rows] == ["1", "2", ""]
    assert float(rows[2]["same"]) == 3 / 8
    assert "4 cases, drawn for each rater without regard to their kind" in files["methods.txt"].decode()
    assert "Planned. Agreement of raters with themselves" in files["results.txt"].decode()
    assert sum(row["again"] for row in data.ratings) == 2 * TWICE
    assert len(data.counted) == 24
    case = next(slot for slot in of_rater(unblinded, cast.rater) if slot.stimulus.again).stimulus.case
    assert "second time" in shown(client.get(reverse("studies:case-result", args=[unblinded.pk, case.code])))
    assert client.get(reverse("studies:case-picture", args=[unblinded.pk, case.code])).status_code == 200
    for name, content in audit_files(UnblindedStudy(unblinded)).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    checked = subprocess.run([sys.executable, "audit.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_a_study_without_repeats_has_no_agreement_of_raters_with_themselves(collecting, cast, reader):
    reader.rate_all()
    client = Client()
    client.force_login(cast.owner)
    url = reverse("study-repeats", args=[collecting.pk])
    assert client.get(url).status_code == 409
    unblinding.close(study=collecting, actor=cast.owner)
    unblinding.unblind(study=collecting, actor=cast.owner, typed_title=collecting.title)
    assert client.get(url).status_code == 404
    assert "Cases shown twice" not in shown(client.get(reverse("studies:results", args=[collecting.pk])))


def test_readiness_says_how_often_every_rater_answers(cast, world, stages):
    draft = make_draft(cast, world, repeats=TWICE, repeat_distance=APART)
    stages.draw(draft)
    [check] = [one for one in readiness(draft) if one.title == "Cases shown twice"]
    assert check.met
    assert check.message == "4 of 12 cases come twice, 4 apart: every rater answers 16 times."
    draft.repeat_distance = 9
    assert any("at most 1 can be shown twice" in one for one in blocking(readiness(draft)))


# --- the leak audit --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def planted(django_db_setup, django_db_blocker):
    """All plants share one world, just large enough to be judged; it is taken back at the end."""
    with django_db_blocker.unblock(), transaction.atomic():
        yield make_planted(cases=16, repeats=4, repeat_distance=6)
        transaction.set_rollback(True)


@pytest.fixture
def unread(monkeypatch):
    """What lies in storage and tables is judged without anybody reading: the same for every plant."""

    def only_sittings(study_id, *, put_rows, on_progress):
        with rehearsed(study_id, put_rows=put_rows) as study:
            return Walk(sittings=sittings_of(study))

    monkeypatch.setattr(audit, "walk", only_sittings)


@pytest.mark.django_db
def test_planned_repeats_are_no_leak(planted):
    """One study in a hundred is stopped by chance, so of three one passes."""
    assert any(planted.lock() == [] for _ in range(3))


def of_copies(monkeypatch, change):
    """`change(row, pixels)` on what is stored of cases that come again."""
    from readerstudy.locking import stimuli

    original = stimuli.grained

    def made(pixels, *, key):
        return change(pixels, key) if key.endswith(":2") else original(pixels, key=key)

    monkeypatch.setattr(stimuli, "grained", made)


@pytest.mark.django_db
def test_a_repeat_in_the_bytes_of_the_first_time_is_found(planted, unread, monkeypatch):
    of_copies(monkeypatch, lambda pixels, key: grained(pixels, key=key.removesuffix("2") + "1"))
    assert "a case that comes again" in planted.lock()


@pytest.mark.django_db
def test_a_repeat_that_shows_another_picture_is_found(planted, unread, monkeypatch):
    of_copies(monkeypatch, lambda pixels, key: grained(np.roll(pixels, 1, axis=2), key=key))
    assert "a case that comes again" in planted.lock()


@pytest.mark.django_db
def test_twins_that_nobody_planned_are_found_under_the_grain(planted, unread, monkeypatch):
    """Of one kind every second one shares a part with the one before."""
    from readerstudy.locking import stimuli

    original, first = stimuli.pixels_of, {}

    def cut(study, truth, frame, **named):
        pixels, place = original(study, truth, frame, **named)
        if truth.synthetic:
            return pixels, place
        first.setdefault(truth.case_id, pixels)
        names = list(first)
        again = first[names[names.index(truth.case_id) // 2 * 2]]
        return np.where(np.indices(pixels.shape)[2] < 15, again, pixels).astype(pixels.dtype), place

    monkeypatch.setattr(stimuli, "pixels_of", cut)
    assert "other stimuli with the same pixels or picture" in planted.lock()


def test_repeats_of_one_kind_are_found():
    """Of 40 cases ten synthetic ones come again: which slots they have tells nothing, that they come twice does."""
    cases = [f"case-{number:02d}" for number in range(40)]
    synthetic = [number % 2 == 0 for number in range(40)]
    shuffled = [cases[number] for number in np.random.default_rng(5).permutation(40)]
    order = [*shuffled, *cases[:20:2]]
    slots = [
        Slot(
            case_id=case,
            token=f"{at:024d}",
            stimulus_id=uuid.uuid4(),
            position=at,
            side=0,
            again=at in shown_again(order),
        )
        for at, case in enumerate(order)
    ]
    sitting = Sitting(rater_number=1, user=None, session_id=1, token="", slots=slots)
    outcome = leaks.audit(order_observables(cases, [sitting]), synthetic=synthetic)
    assert "shown twice, rater 1" in outcome["leaks"]


@pytest.mark.django_db
def test_a_ring_that_lies_elsewhere_the_second_time_is_found(planted, monkeypatch):
    def moved(locking, _kinds):
        for made in locking.made:
            made.row.marker_zyx = [0, 5 + made.row.again, 5]

    on_locking(monkeypatch, moved)
    found = planted.lock()
    assert "a case that comes again" in found
    assert any(name.endswith("when it comes again") for name in found)
