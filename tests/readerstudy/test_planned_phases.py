"""The plan of a later phase names the comparison with the earlier one: chosen, frozen, judged, in every file."""

import csv
import io

import pytest
from django.test import Client
from django.urls import reverse

from ctplatform.errors import ConflictError
from readerstudy.design import services as design
from readerstudy.design.planned_phase import refuse_known_comparison
from readerstudy.design.readiness import readiness
from readerstudy.design.same_cases import take_same_cases
from readerstudy.models import Presentation, Study
from readerstudy.planning.plans import plan_of
from readerstudy.report.archive import text_files
from readerstudy.report.choices.archive import choice_text_files
from readerstudy.report.choices.report import choice_report
from readerstudy.report.loading import report_data
from readerstudy.unblinding import services as unblinding
from readerstudy.unblinding.opened import UnblindedStudy
from readerstudy.verification import verify
from tests.readerstudy.chains import opened, phase_after
from tests.readerstudy.test_forced_choice_study import Room, pairs_draft
from tests.readerstudy.worlds import Browser, make_draft

NAMED = {"phase_measure": "auc", "phase_side": "higher", "phase_margin": 0.3}


@pytest.fixture
def owner(cast):
    client = Client()
    client.force_login(cast.owner)
    return client


@pytest.fixture
def later(cast, world, collecting):
    """A draft that continues the study that is being read, on the same cases."""
    draft = phase_after(cast, world, collecting, least_gap_days=0)
    take_same_cases(study=draft, actor=cast.owner)
    return draft


def of_phases(study):
    [check] = [one for one in readiness(study) if one.title == "Phases of the plan"]
    return check


def test_the_plan_of_a_later_phase_is_chosen_on_its_page_and_that_of_others_is_not(owner, cast, draft, later):
    assert "phase_measure" not in owner.get(reverse("studies:plan", args=[draft.pk])).content.decode()
    url = reverse("studies:plan", args=[later.pk])
    form = owner.get(url).context["form"]
    values = {name: form.get_initial_for_field(field, name) for name, field in form.fields.items()}
    values = {name: "" if value is None else value for name, value in values.items()}
    asked = {**values, "phase_measure": "auc", "phase_side": "lower", "phase_margin_points": "12.5"}
    assert owner.post(url, asked).status_code == 302
    later.refresh_from_db()
    plan = plan_of(later)
    assert (plan.phase_measure, plan.phase_side, plan.phase_margin) == ("auc", "lower", 0.125)
    page = " ".join(owner.get(url).content.decode().split())
    assert "tested for a lower value in this study, one-sided at 0.05" in page
    assert of_phases(later).met
    owner.post(url, {**asked, "phase_margin_points": ""})
    later.refresh_from_db()
    assert plan_of(later).phase_margin is None
    # A study that continues nothing has nothing to compare with, whatever was chosen before.
    design.change_design(study=later, actor=cast.owner, continues=None)
    later.refresh_from_db()
    assert plan_of(later).phase_measure == "none"


@pytest.mark.parametrize("asked", [{"confidence_levels": 0}, {"task_name": "scale", "task_settings": {}}])
def test_a_comparison_of_different_questions_can_not_be_planned(cast, world, collecting, asked):
    draft = phase_after(cast, world, collecting, **asked)
    design.change_design(study=draft, actor=cast.owner, plan_options=NAMED)
    draft.refresh_from_db()
    check = of_phases(draft)
    assert check.blocks
    assert "asked different things" in check.message


def test_a_comparison_that_the_lock_would_not_freeze_keeps_no_study_from_it(cast, collecting, later):
    """Choices for trials of several images do not follow to single ones; nor does readiness ask for what they named."""
    of_trials = {**NAMED, "primary": "joint_choices", "secondary": ["groups"], "compared_arms": ["a", "b"]}
    later.plan_options = {**of_trials, "sample_size": "For 3 trials."}
    plan = plan_of(later)
    assert (plan.phase_measure, plan.compared_arms, plan.sample_size) == ("none", (), "")
    named = {"Phases of the plan", "Groups of the plan", "Arms of the plan", "Words on the size"}
    assert not named & {check.title for check in readiness(later)}


def test_the_page_that_links_studies_says_whose_answers_the_later_results_hold(owner, draft):
    page = " ".join(owner.get(reverse("studies:design", args=[draft.pk])).content.decode().split())
    assert "raters&#x27; answers there with the truth, in phase_answers.csv" in page


def test_whoever_knows_the_earlier_results_plans_nothing(cast, collecting, later):
    design.change_design(study=later, actor=cast.owner, plan_options=NAMED)
    refuse_known_comparison(later)
    unblinding.close(study=collecting, actor=cast.owner)
    unblinding.unblind(study=collecting, actor=cast.owner, typed_title="Trial")
    later = Study.objects.get(pk=later.pk)
    assert of_phases(later).blocks
    assert "half of the comparison is known" in of_phases(later).message
    with pytest.raises(ConflictError, match="half of the comparison is known"):
        refuse_known_comparison(later)
    later.plan_options = {}
    refuse_known_comparison(later)


def test_a_planned_change_is_planned_everywhere(cast, owner, collecting, later, stages):
    design.change_design(study=later, actor=cast.owner, plan_options=NAMED)
    opened(later, stages)
    assert later.protocol["analysis_plan"]["plan"]["phase_side"] == "higher"
    for study, wrong in ((collecting, 2), (later, 4)):
        for shift, person in enumerate((cast.rater, cast.second_rater)):
            browser = Browser(person, study)
            browser.standing()
            for place, token in enumerate(browser.tokens()):
                called = truth_of(token).synthetic != ((place + shift) % wrong == 0)
                assert browser.rate(token, answer="synthetic" if called else "real").status_code == 201
    told = [one.content.decode() for one in sealed(owner, later)]
    for study in (collecting, later):
        unblinding.close(study=study, actor=cast.owner)
    unblinding.unblind(study=later, actor=cast.owner, typed_title=later.asked.title)
    first = results_page(owner, later)
    assert "The plan names this comparison. Nothing is compared with “Trial”: the earlier study is not" in first
    assert "could not be made" not in first
    unblinding.unblind(study=collecting, actor=cast.owner, typed_title="Trial")
    page = results_page(owner, later)
    assert 'Against the earlier phase <span class="tag-planned">planned</span>' in page
    assert "exploratory" not in page[page.index('id="phases"') : page.index('id="assay"')]
    change = owner.get(f"{reverse('study-detail', args=[later.pk])}phases/").json()
    assert change["judged"]["side"] == "higher"
    assert change["judged"]["p"] == change["p"]
    # Without positive controls nothing says that these raters look.
    assert change["judged"]["equivalence"]["equivalent"] is not True
    files = text_files(report_data(UnblindedStudy(Study.objects.get(pk=later.pk))))
    [row] = [one for one in rows(files["results.csv"]) if one["reader"].startswith("Change")]
    assert float(row["p"]) == change["judged"]["p"]
    assert len(rows(files["phase_answers.csv"])) == 2 * 2 * 12
    assert "The plan named the change of the AUC against “Trial”" in files["methods.txt"].decode()
    assert verify(Study.objects.get(pk=later.pk)).intact
    assert not any("phase_answers" in one or '"judged"' in one for one in told)


def truth_of(token):
    return Presentation.objects.get(token=token).stimulus.case.truth


def sealed(client, study):
    """What its team may ask for while it is read."""
    api = reverse("study-detail", args=[study.pk])
    return [client.get(f"{api}{name}") for name in ("phases/", "results/", "plan/")]


def results_page(client, study):
    return " ".join(client.get(reverse("studies:results", args=[study.pk])).content.decode().split())


def rows(content):
    return list(csv.DictReader(io.StringIO(content.decode())))


def test_choices_are_compared_as_single_images_are(cast, owner, stages):
    earlier = stages.open(pairs_draft(cast, cases=8))
    world = type("Drawn", (), {"dataset": earlier.datasets.get()})
    draft = make_draft(
        cast,
        world,
        cases=8,
        continues=earlier,
        task_name=earlier.task_name,
        task_settings=earlier.task_settings,
        confidence_levels=0,
        field_of_view_mm=13.75,
        plan_options={"phase_measure": "right", "phase_side": "higher"},
    )
    Study.objects.filter(pk=draft.pk).update(title="Second")
    draft.refresh_from_db()
    take_same_cases(study=draft, actor=cast.owner)
    assert of_phases(draft).met
    design.change_design(study=draft, actor=cast.owner, plan_options={"phase_measure": "auc"})
    assert "no AUC to compare" in of_phases(Study.objects.get(pk=draft.pk)).message
    design.change_design(study=draft, actor=cast.owner, plan_options={"phase_measure": "right", "phase_side": "higher"})
    later = opened(Study.objects.get(pk=draft.pk), stages)
    for study, hits in ((earlier, 2), (later, 3)):
        for shift, person in enumerate((cast.rater, cast.second_rater)):
            room = Room(person, study)
            room.standing()
            for position in range(4):
                real, synthetic = sorted(room.images(position), key=lambda token: truth_of(token).synthetic)
                right = (truth_of(real).pair + shift) % 4 < hits
                side = Presentation.objects.get(token=real if right else synthetic).side
                assert room.choose(real if right else synthetic, side=side).status_code == 201
    for study in (earlier, later):
        unblinding.close(study=study, actor=cast.owner)
    for study in (earlier, later):
        unblinding.unblind(study=study, actor=cast.owner, typed_title=study.asked.title)
    change = owner.get(f"{reverse('study-detail', args=[later.pk])}phases/").json()
    assert (change["measure"], change["same_images"], change["cases_second"]) == ("share of right answers", True, 4)
    assert (change["first"], change["second"]) == (pytest.approx(0.5), pytest.approx(0.75))
    report = choice_report(UnblindedStudy(Study.objects.get(pk=later.pk)))
    files = choice_text_files(report)
    *_, together = rows(files["phases.csv"])
    assert (together["planned"], float(together["difference"])) == ("1", pytest.approx(0.25))
    assert len(rows(files["phase_answers.csv"])) == 2 * 2 * 4
    assert {"phases.R", "primary.R"} <= set(files)
    assert "both phases show the same 4 trials" in files["results.txt"].decode()
    assert "The plan named the change of the share of right answers" in files["methods.txt"].decode()
    assert "tag-planned" in results_page(owner, later)
