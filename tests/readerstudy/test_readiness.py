"""What the draft says before the lock: twins, patients, and whether anything but the lesion tells the kinds apart."""

import pytest
from django.test import Client
from django.urls import reverse

from readerstudy.design import services as design
from readerstudy.design.readiness import readiness
from readerstudy.locking.protocol import sealed_match
from readerstudy.models import CaseTruth, DisplayMode, GoingBack
from tests.factories import make_dataset
from tests.pages import shown
from tests.readerstudy.worlds import make_draft


def check(study, title):
    return next(check for check in readiness(study) if check.title == title)


@pytest.fixture
def drawn(recorded, draft, stages):
    def make():
        stages.draw(draft)
        return draft

    return recorded("drawn", make)


def test_a_part_of_a_scan_seen_twice_blocks_the_lock_unless_the_protocol_allows_it(drawn, cast):
    design.change_design(study=drawn, actor=cast.owner, display_mode=DisplayMode.SLICE)
    drawn.refresh_from_db()
    twins = check(drawn, "Twins")
    assert twins.advice
    assert "12 cases show a part of a scan that another case shows too, as the protocol allows" in twins.message
    design.change_design(study=drawn, actor=cast.owner, twins_allowed=False)
    drawn.refresh_from_db()
    assert check(drawn, "Twins").blocks
    assert "comparing the two solves both" in check(drawn, "Twins").message


@pytest.mark.parametrize("mode", [DisplayMode.SLICE, DisplayMode.STACK])
def test_a_draw_without_twins_takes_no_scan_twice_in_one_slice(cast, world, stages, mode):
    """All lesions of the world stand in one slice, so each scan gives one case and the draw says that it stops early."""
    study = make_draft(cast, world, display_mode=mode, twins_allowed=False)
    stages.draw(study)
    truths = CaseTruth.objects.filter(case__study=study)
    assert len({truth.scan.subject for truth in truths}) == truths.count() == 2
    assert check(study, "Twins").met
    assert "found no more places that show no part of a scan twice" in check(study, "Cases").message


def test_another_display_needs_another_draw(drawn, cast):
    assert not check(drawn, "Match").blocks
    design.change_design(study=drawn, actor=cast.owner, field_of_view_mm=30.0)
    drawn.refresh_from_db()
    assert check(drawn, "Match").blocks
    assert "The display was changed since the draw" in check(drawn, "Match").message


def test_a_measure_that_tells_the_kinds_apart_blocks_the_lock_and_is_named(drawn):
    for measure in drawn.match_report["measures"]:
        if measure["name"] == "row_mm":
            measure |= {"auc": 0.92, "interval": [0.83, 1.0], "verdict": "apart"}
    drawn.save()
    assert check(drawn, "Match").blocks
    assert "without looking at the lesion, by row in the picture (AUC 0.92)" in check(drawn, "Match").message


def test_drafts_from_before_are_asked_to_be_drawn_again(drawn):
    drawn.match_report = {"kinds": {"real": {"cases": 6}, "synthetic": {"cases": 6}}, "scans": 3}
    drawn.save()
    assert check(drawn, "Match").advice
    assert "draw them again" in check(drawn, "Match").message


def test_patients_of_one_kind_are_named_before_the_lock(draft, cast, world):
    """Three real lesions of one patient, and one edit of each of the others."""
    from ctplatform.datasets.models import Lesion
    from readerstudy.design.candidates import from_lesions

    real = list(Lesion.objects.filter(scan=world.sources[0]))
    made = list(Lesion.objects.filter(scan__in=world.edits[2:], inserted=True))[:3]
    design.add_cases(study=draft, actor=cast.owner, candidates=from_lesions([*real, *made]))
    draft.refresh_from_db()
    patients = check(draft, "Patients")
    assert patients.blocks
    assert f"“{world.sources[0].subject}” gives 3 of 3 real and 0 of 3 synthetic cases" in patients.message


def test_one_name_in_two_datasets_is_pointed_out_and_counts_as_the_plan_says(drawn, cast, world):
    elsewhere = make_dataset(owner=cast.owner)
    for number, host in enumerate(world.sources):
        host.subject = "P01"
        host.dataset = elsewhere if number else host.dataset
        host.save()
    names = check(drawn, "Names of patients")
    assert not names.blocks
    assert "“P01” stand in several datasets" in names.message
    assert "different people" in names.message
    counted = check(drawn, "Patients").message
    design.change_design(study=drawn, actor=cast.owner, plan_options={"same_names": "together"})
    drawn.refresh_from_db()
    assert "one person each" in check(drawn, "Names of patients").message
    assert (counted[:10], check(drawn, "Patients").message[:10]) == ("2 patients", "1 patients")


def test_the_draft_shows_patients_by_kind_and_every_measure(drawn, cast):
    client = Client()
    client.force_login(cast.owner)
    page = shown(client.get(reverse("studies:study", args=[drawn.pk])))
    assert (
        "3 patients: 3 give real cases, 3 synthetic, 3 both. No patient gives 2 more of one kind than of the other."
        in page
    )
    assert "Cases per patient" in page
    assert "2 to 2" in page
    for measure in drawn.match_report["measures"]:
        assert measure["words"].capitalize()[:20] in page
    assert "3 of 3 scans give cases of both kinds. 3 of 3 patients give cases of both kinds." in page


def test_the_protocol_says_whether_twins_may_meet_and_keeps_the_figures_of_the_match(collecting):
    assert collecting.protocol["cases"]["twins_allowed"] is True
    assert collecting.protocol["cases"]["match"] == sealed_match(collecting.match_report)
    assert "auc" not in str(collecting.protocol["cases"]["match"])
    client = Client()
    client.force_login(collecting.owner)
    page = reverse("studies:study", args=[collecting.pk])
    assert "One rater may see a scan and its edited twin" in shown(client.get(page))
    del collecting.protocol["cases"]["twins_allowed"]  # locked before there was a rule
    collecting.save()
    assert "twin" not in shown(client.get(page))


def test_cases_remember_their_pair_and_their_position(drawn):
    truths = list(CaseTruth.objects.filter(case__study=drawn))
    pairs = {truth.pair for truth in truths}
    assert pairs == set(range(1, 7))
    for number in pairs:
        assert {truth.synthetic for truth in truths if truth.pair == number} == {True, False}
    assert all(truth.position["others"] == 0 and 0 <= truth.position["liver_left"] <= 1 for truth in truths)


def test_words_that_no_longer_fit_the_protocol_are_named(draft, cast):
    assert not {"Words on the size", "Instructions"} & {check.title for check in readiness(draft)}
    planned, raters = draft.cases_planned, draft.raters.count()
    design.change_design(
        study=draft,
        actor=cast.owner,
        plan_options={"sample_size": f"Planned for {raters} raters and {planned} cases."},
        going_back=GoingBack.NEVER,
    )
    draft.refresh_from_db()
    assert "can go back" in check(draft, "Instructions").message
    assert "Words on the size" not in {check.title for check in readiness(draft)}
    design.change_design(study=draft, actor=cast.owner, cases_planned=planned + 2)
    draft.refresh_from_db()
    assert f"do not speak of “{planned + 2} cases”; " in check(draft, "Words on the size").message
    assert not check(draft, "Words on the size").blocks
    draft.plan_options = {"sample_size": f"Planned for 1{raters} raters and {planned + 2} cases."}
    assert f"do not speak of “{raters} raters”; " in check(draft, "Words on the size").message


@pytest.mark.parametrize(
    ("title", "tells"),
    [
        ("Real or inserted lesions", False),
        ("Liver lesions, first reading", False),
        ("Fake lesions", True),
        ("Inserted lesions, patches", True),
        ("Untouched livers", True),
        ("Lesions, 40 % of them new", True),
        ("Realism of lesions", False),
    ],
)
def test_a_title_that_tells_raters_what_to_answer_is_warned_of(draft, title, tells):
    draft.title = title
    found = [check for check in readiness(draft) if check.title == "Title"]
    assert bool(found) == tells
    assert not any(check.blocks for check in found)
