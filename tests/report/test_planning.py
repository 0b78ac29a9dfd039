"""The plan of a study and the planner: chosen in a form, said in words, frozen at the lock."""

import math
from dataclasses import asdict, replace

import pytest
from django.test import Client
from django.urls import reverse

from ctplatform.accounts.models import Role
from readerstudy.analysis import (
    AnalysisPlan,
    PlanningAssumptions,
    correlation_of_kappa,
    design_power,
    plan_for,
    plan_grid,
)
from readerstudy.analysis.planning.planner import DEFAULT_CASES
from readerstudy.design import services as design
from readerstudy.design.candidates import patient_of
from readerstudy.design.cases import truths_of
from readerstudy.design.readiness import readiness
from readerstudy.models import Study, Template
from readerstudy.planning.plans import default_plan, draft_plan, plan_of, plan_power_in_words
from readerstudy.planning.words import plan_sentences
from readerstudy.report.text import methods_paragraph
from readerstudy.tasks.registry import FIRST, task_of
from readerstudy.web import planning, planning_grid
from readerstudy.web.planning_forms import PlanForm
from readerstudy.web.planning_grid import beliefs
from tests.factories import make_user
from tests.report.sample import sample_report
from tests.report.test_text import claims

TASK = task_of(FIRST, {}, confidence_levels=3)
FEW_PATIENTS = {"measure": "ensemble", "goal": "detect", "effect": "0.64", "cases_per_patient": "5"}


@pytest.fixture
def owner(cast):
    client = Client()
    client.force_login(cast.owner)
    return client


def fields(plan, **changes):
    form = PlanForm(plan=plan, task=TASK)
    return {**{name: form.get_initial_for_field(field, name) for name, field in form.fields.items()}, **changes}


def test_a_new_study_has_the_plan_of_its_template(cast, draft):
    assert plan_of(draft) == plan_for("lesion_inserted")
    removed = design.create_study(owner=cast.owner, template=Template.REMOVED_LESIONS)
    assert plan_of(removed) == plan_for("lesion_removed")


def test_without_confidence_the_primary_analysis_needs_none(cast):
    study = design.create_study(owner=cast.owner, template=Template.INSERTED_LESIONS, confidence_levels=0)
    assert default_plan(study).primary == "case_label_permutation"
    assert default_plan(study).status("permutation") == "planned"


def test_what_the_form_saves_is_the_plan(draft, owner):
    url = reverse("studies:plan", args=[draft.pk])
    wanted = fields(
        draft_plan(draft),
        question="Can they?",
        margin_points=12.5,
        tie_rule="synthetic",
        missing_rule="complete_cases",
        secondary=["ensemble", "roc"],
        exclusions="rated less than half\n\nread on a phone ",
    )
    assert owner.post(url, wanted).status_code == 302
    draft.refresh_from_db()
    plan = plan_of(draft)
    assert (plan.question, plan.margin, plan.tie_rule, plan.missing_rule) == (
        "Can they?",
        0.125,
        "synthetic",
        "complete_cases",
    )
    assert plan.exclusions == ("rated less than half", "read on a phone")
    assert plan.status("roc") == "planned"
    assert plan.status("raters") == "exploratory"
    # what is saved once is saved the same again
    owner.post(url, fields(plan))
    draft.refresh_from_db()
    assert plan_of(draft) == plan
    words = owner.get(url).content.decode()
    assert "12.5 points" in words
    assert plan.digest() in words


def test_arms_are_chosen_among_those_that_were_drawn(draft, owner):
    plan = draft_plan(draft)
    assert "arms" not in PlanForm(plan=plan, task=TASK, arms=["G 1, inserted"]).fields
    form = PlanForm(
        {**fields(plan), "arms": ["G 1, inserted", "H, inserted"], "arms_margin_points": "12"},
        plan=plan,
        task=TASK,
        arms=["G 1, inserted", "G 2, inserted", "H, inserted"],
    )
    assert form.is_valid(), form.errors
    chosen = form.chosen_plan()
    assert (chosen.compared_arms, chosen.compared_margin) == (("G 1, inserted", "H, inserted"), 0.12)
    assert form.plan_options()["compared_arms"] == ["G 1, inserted", "H, inserted"]
    one = PlanForm(
        {**fields(plan), "arms": ["H, inserted"], "arms_margin_points": "12"}, plan=plan, task=TASK, arms=["H", "I"]
    )
    assert not one.is_valid()


def test_arms_of_the_plan_must_be_among_the_cases(draft, cast):
    design.change_design(
        study=draft, actor=cast.owner, plan_options={"compared_arms": ["G 1, inserted", "H, inserted"]}
    )
    draft.refresh_from_db()
    [check] = [one for one in readiness(draft) if one.title == "Arms of the plan"]
    assert check.blocks
    assert "No case is of “G 1, inserted” and “H, inserted”" in check.message
    design.change_design(study=draft, actor=cast.owner, plan_options={})
    draft.refresh_from_db()
    assert not [one for one in readiness(draft) if one.title == "Arms of the plan"]


def test_a_primary_ensemble_stands_alone_in_the_family(draft):
    plan = draft_plan(draft)
    form = PlanForm(fields(plan, primary="ensemble"), plan=plan, task=TASK)
    assert form.is_valid(), form.errors
    assert form.chosen_plan().family == "raters"
    assert PlanForm(fields(plan), plan=plan, task=TASK).is_valid()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("margin_points", 60),
        ("margin_points", 0),
        ("alpha", 0),
        ("primary", "whatever"),
        ("question", ""),
        ("tie_rule", ""),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused_with_a_reason(draft, owner, name, value):
    before = draft.plan_options
    response = owner.post(reverse("studies:plan", args=[draft.pk]), fields(draft_plan(draft), **{name: value}))
    assert response.status_code == 200
    assert 'class="error"' in response.content.decode()
    draft.refresh_from_db()
    assert draft.plan_options == before


def test_the_lock_freezes_the_whole_plan(draft, owner, stages, cast):
    owner.post(reverse("studies:plan", args=[draft.pk]), fields(draft_plan(draft), margin_points=20))
    draft.refresh_from_db()
    chosen = plan_of(draft)
    stages.draw(draft)
    stages.lock(draft)
    assert draft.plan_digest == chosen.digest()
    assert (
        AnalysisPlan(
            **{
                name: tuple(v) if isinstance(v, list) else v
                for name, v in draft.protocol["analysis_plan"]["plan"].items()
            }
        )
        == chosen
    )
    response = owner.post(reverse("studies:plan", args=[draft.pk]), fields(chosen, margin_points=5), follow=True)
    assert "can&#x27;t change any more" in response.content.decode()
    draft.refresh_from_db()
    # even the column behind a locked study changes nothing: the frozen plan is in the protocol
    draft.plan_options = {"margin": 0.4}
    draft.save()
    assert plan_of(draft) == chosen
    assert '<form class="card"' not in owner.get(reverse("studies:plan", args=[draft.pk])).content.decode()


def test_a_copy_takes_the_plan_along(draft, cast):
    design.change_design(study=draft, actor=cast.owner, plan_options={"margin": 0.1})
    draft.refresh_from_db()
    assert plan_of(design.copy_study(study=draft, actor=cast.owner)).margin == 0.1


def test_only_the_owner_changes_the_plan(draft, cast):
    for person, status in (("member", 403), ("other", 404), ("rater", 404)):
        client = Client()
        client.force_login(getattr(cast, person))
        response = client.post(reverse("studies:plan", args=[draft.pk]), fields(draft_plan(draft), margin_points=40))
        assert response.status_code == status, person
    member = Client()
    member.force_login(cast.member)
    assert "Save the plan" not in member.get(reverse("studies:plan", args=[draft.pk])).content.decode()
    draft.refresh_from_db()
    assert plan_of(draft).margin == 0.15


def test_the_words_of_every_plan_claim_nothing(draft):
    for template in ("lesion_inserted", "lesion_removed", "small_panel", "ensemble"):
        assert claims(" ".join(plan_sentences(plan_for(template)))) == []
    assert claims(" ".join(plan_power_in_words(draft))) == []
    draft.raters.all().delete()
    assert plan_power_in_words(draft) == ["Choose raters to see what this study can show."]


def test_what_a_study_can_show_counts_its_patients(draft, owner, stages):
    """Cases lie in fewer patients than there are cases; who gives which kind is sealed with the truth."""
    url = reverse("studies:plan", args=[draft.pk])
    assert "one case of each was assumed" in owner.get(url).content.decode()
    stages.draw(draft)
    truths = truths_of(draft)
    patients = {patient_of(truth.scan) for truth in truths}
    both = len(
        {patient_of(t.scan) for t in truths if t.synthetic} & {patient_of(t.scan) for t in truths if not t.synthetic}
    )
    assert (
        f"12 cases of {len(patients)} patients, {both} with both kinds, you can show" in owner.get(url).content.decode()
    )
    stages.lock(draft)
    page = owner.get(url).content.decode()
    assert f"12 cases of {len(patients)} patients, {12 / len(patients):.1f} of each and taken as of one kind" in page
    assert "with both kinds, you can show" not in page


def test_a_plan_that_the_protocol_does_not_allow_is_pointed_out(draft, cast, owner):
    design.change_design(study=draft, actor=cast.owner, plan_options={"primary": "reader_averaged_auc"})
    design.change_design(study=draft, actor=cast.owner, confidence_levels=0)
    page = owner.get(reverse("studies:plan", args=[draft.pk])).content.decode()
    assert "needs levels of confidence, and this study asks for none" in page


@pytest.mark.parametrize("measure", ["auc", "panel_accuracy", "ensemble"])
@pytest.mark.parametrize(("goal", "effect"), [("equivalent", 0.5), ("detect", 0.64)])
def test_designs_of_many_patients_wait_for_no_simulation(owner, monkeypatch, measure, goal, effect):
    """Every design of the page stands there without any time for simulations; their seconds are in the benchmark."""
    monkeypatch.setattr(planning, "SIMULATED_SECONDS", 0.0)
    asked = {"measure": measure, "goal": goal, "effect": effect}
    page = owner.get(reverse("studies:planner"), asked).context["page"]
    assert [row.cases for row in page.rows] == list(DEFAULT_CASES)
    assert not page.out_of_time


def test_few_patients_are_simulated(owner, monkeypatch):
    """Their power has no close formula: every design of the page with few patients is simulated, from the same seed."""
    monkeypatch.setattr(planning, "SIMULATED_SECONDS", math.inf)
    response = owner.get(reverse("studies:planner"), FEW_PATIENTS)
    few = [cell.point for row in response.context["page"].rows if row.cases == 60 for cell in row.cells]
    assumed, *_ = beliefs(response.context["form"].cleaned_data)
    for point in few[:3]:
        assert point.power == pytest.approx(design_power(assumed, raters=point.raters, cases=60), abs=0.055)


def test_the_planner_prints_the_power_that_was_computed(owner):
    response = owner.get(reverse("studies:planner"), {"margin_points": "10", "target": "0.9"})
    page = response.context["page"]
    for row in page.rows:
        for cell in row.cells:
            correlation = correlation_of_kappa(0.25, share_correct=0.5, rater_sd=0.2)
            assumed = PlanningAssumptions(margin=0.1, case_correlation=correlation)
            power = design_power(assumed, raters=cell.point.raters, cases=row.cases)
            assert cell.point.power == pytest.approx(power, abs=1e-6)
            assert cell.reached == (cell.point.power >= 0.9)
    best = page.grid.recommended
    assert f"{best.raters} raters and {best.cases} cases" in response.content.decode()
    reached = [cell.point for row in page.rows for cell in row.cells if cell.reached]
    assert best.raters * best.cases == min(point.raters * point.cases for point in reached)


def test_a_planner_without_an_answer_says_so(owner):
    text = owner.get(reverse("studies:planner"), {"margin_points": "1"}).content.decode()
    assert "None of these designs is large enough" in text


def test_the_planner_starts_from_a_studys_plan(draft, cast, owner):
    design.change_design(
        study=draft, actor=cast.owner, plan_options={"margin": 0.2, "primary": "case_label_permutation"}
    )
    form = owner.get(reverse("studies:planner"), {"study": str(draft.pk)}).context["form"]
    assert form.cleaned_data["margin_points"] == 20
    assert form.cleaned_data["measure"] == "panel_accuracy"


@pytest.mark.parametrize("parameters", [{"effect": "x"}, {"alpha": "0"}, {"study": "nonsense"}, {"measure": "?"}])
def test_nonsense_in_the_address_is_answered_with_a_page(owner, parameters):
    assert owner.get(reverse("studies:planner"), parameters).status_code == 200


def test_other_peoples_studies_are_unknown_to_the_planner(draft, cast):
    other = Client()
    other.force_login(cast.other)
    assert other.get(reverse("studies:planner"), {"study": str(draft.pk)}).status_code == 404


PILOT = "\n".join(f"{k % 2} {1 + k % 5} {1 + (k * 3) % 5} {1 + (k * 7) % 6}" for k in range(20))


def planned(owner, **asked):
    return owner.get(reverse("studies:planner"), asked).context["page"]


def test_an_unknown_kappa_is_planned_for_at_its_worst(owner):
    worst = planned(owner, agreement="unknown", kappa_low="0.1", kappa_high="0.5")
    high = planned(owner, agreement="kappa", kappa="0.5")
    low = planned(owner, agreement="kappa", kappa="0.1")
    for row, other, better in zip(worst.rows, high.rows, low.rows, strict=True):
        for cell, one, two in zip(row.cells, other.cells, better.cells, strict=True):
            assert cell.point.power == min(one.point.power, two.point.power)
    assert "anywhere from 0.1 to 0.5" in worst.paragraph


def test_a_pilot_takes_the_place_of_a_kappa(owner):
    page = planned(owner, agreement="pilot", pilot=PILOT, margin_points="20")
    assert "a pilot of 3 raters and 20 cases" in page.paragraph
    refused = owner.get(reverse("studies:planner"), {"agreement": "pilot", "pilot": "1 2\n0 x"})
    assert refused.context["page"] is None
    assert "a rating is a number" in refused.content.decode()
    for text in ("", "1 2 3\n0 1", "1 2 3\n0 1 2"):
        assert owner.get(reverse("studies:planner"), {"agreement": "pilot", "pilot": text}).context["page"] is None


def test_several_cases_of_a_patient_cost_power(owner):
    alone, together = planned(owner), planned(owner, cases_per_patient="5")
    assert together.rows[5].cells[3].point.power < alone.rows[5].cells[3].point.power
    assert "5 cases per patient" in together.paragraph


def test_the_planners_answer_starts_a_study_with_its_plan_and_paragraph(owner, cast):
    page = owner.get(reverse("studies:planner"), {"margin_points": "20", "measure": "panel_accuracy", "kappa": "0.3"})
    answer = page.context["page"]
    link = f"{reverse('studies:new')}?{page.context['start_query']}"
    assert link.replace("&", "&amp;") in page.content.decode()
    initial = owner.get(link).context["form"].initial
    assert initial["cases_planned"] == answer.grid.recommended.cases
    given = {**initial, "template": Template.INSERTED_LESIONS, "title": "Planned"}
    owner.post(reverse("studies:new"), given)
    study = _newest()
    plan = plan_of(study)
    assert (plan.margin, plan.primary, plan.sample_size) == (0.2, "case_label_permutation", answer.paragraph)
    assert study.cases_planned == answer.grid.recommended.cases
    assert any("a kappa of 0.3" in sentence for sentence in plan_sentences(plan))
    owner.post(reverse("studies:new"), {**given, "cases_planned": 8, "title": "Smaller"})
    assert plan_of(_newest()).sample_size == ""


def _newest():
    return Study.objects.order_by("-created_at").first()


def test_the_paragraph_of_the_size_is_frozen_and_printed_in_the_methods(draft, owner):
    owner.post(
        reverse("studies:plan", args=[draft.pk]), fields(draft_plan(draft), sample_size="We planned for 5 raters.")
    )
    draft.refresh_from_db()
    assert plan_of(draft).sample_size == "We planned for 5 raters."
    data = sample_report()
    printed = replace(data, plan={"sample_size": "We planned for 5 raters."})
    assert "We planned for 5 raters." in methods_paragraph(printed)


def test_the_reason_of_the_margin_is_frozen_and_printed_in_plan_and_methods(draft, owner):
    reason = "An AUC below .65 would let nobody sort the edits out."
    owner.post(reverse("studies:plan", args=[draft.pk]), fields(draft_plan(draft), margin_reason=reason))
    draft.refresh_from_db()
    assert plan_of(draft).margin_reason == reason
    assert f"Why this margin: {reason}" in plan_sentences(plan_of(draft))
    assert f"Why this margin: {reason}" in methods_paragraph(replace(sample_report(), plan={"margin_reason": reason}))
    assert "Why this margin" not in methods_paragraph(sample_report())


def test_plans_from_before_keep_counting_cases_and_drafts_take_patients(draft):
    """Units were free words once: a frozen plan was carried out by case, and a draft is not bound to that."""
    draft.plan_options = {"unit": "lesion"}
    assert plan_of(draft).unit == "patient"
    frozen = {"plan": {**asdict(AnalysisPlan()), "unit": "lesion"}}
    draft.protocol = {"analysis_plan": frozen}
    assert plan_of(draft).unit == "case"
    assert any("counted as independent" in line for line in plan_sentences(plan_of(draft)))


def test_a_page_that_would_simulate_too_long_stops_and_says_so(owner, monkeypatch):
    """Only closed forms are left when there is no time at all; what is missing is named, and nothing is recommended
    that was not settled."""
    monkeypatch.setattr(planning, "SIMULATED_SECONDS", 0.0)
    response = owner.get(reverse("studies:planner"), FEW_PATIENTS)
    page = response.context["page"]
    assert page.grid.left_out == (20, 30, 40, 50, 60, 80, 100, 120, 150)
    assert [row.cases for row in page.rows] == [200, 250, 300, 400, 500]
    text = response.content.decode()
    assert "Designs of 20, 30, 40, 50, 60, 80, 100, 120, 150 cases are" in text
    assert "press Compute again" in text


def test_a_page_that_has_the_time_says_nothing_of_it(owner):
    text = owner.get(reverse("studies:planner")).content.decode()
    assert "press Compute again" not in text


def test_a_smallest_design_is_not_told_before_it_is_settled(owner):
    values = owner.get(reverse("studies:planner"), FEW_PATIENTS).context["form"].cleaned_data
    assumed, *or_else = beliefs(values)
    asked = iter([True])
    grid = plan_grid(assumed, or_else=or_else, cases=[100], target=0.05, may_go_on=lambda: next(asked, False))
    assert grid.points
    assert grid.recommended is None
    assert grid.reason == "the time for simulations was up before the smallest design was settled"


def test_the_planner_plans_two_groups_and_starts_a_study_that_compares_them(owner, cast):
    asked = {"goal": "groups", "effect": "0.6", "second": "0.8"}
    response = owner.get(reverse("studies:planner"), asked)
    best, text = response.context["page"].grid.recommended, " ".join(response.content.decode().split())
    assert f"{best.raters} raters in each group and {best.cases} cases" in text
    assert "Numbers of raters are those of each group" in text
    size = f"{2 * best.raters} raters ({best.raters} in each of two groups) and {best.cases} cases, one per patient"
    assert size in text
    assert claims(response.context["page"].paragraph) == []
    link = f"{reverse('studies:new')}?{response.context['start_query']}"
    initial = owner.get(link).context["form"].initial
    owner.post(reverse("studies:new"), {**initial, "template": Template.INSERTED_LESIONS, "title": "Groups"})
    study = _newest()
    plan = plan_of(study)
    assert "groups" in plan.secondary
    assert size in plan.sample_size
    people = [make_user(Role.RATER) for _ in range(2 * best.raters)]
    design.set_raters(study=study, actor=cast.owner, users=people)
    assert "Words on the size" not in {check.title for check in readiness(study)}


def test_the_planner_plans_two_phases_of_the_same_cases(owner):
    asked = {"goal": "phases", "effect": "0.6", "second": "0.7"}
    response = owner.get(reverse("studies:planner"), asked)
    page = response.context["page"]
    assert "a change of the AUC between two phases" in page.paragraph
    assert "in each group" not in response.content.decode()
    detect = owner.get(reverse("studies:planner"), {"goal": "detect", "effect": "0.7"}).context["page"]
    minutes = {row.cases: row.minutes for row in detect.rows}
    assert all(row.minutes == 2 * minutes[row.cases] for row in page.rows), "every rater reads both phases"
    assert planning_grid.plan_options_of(response.context["form"].cleaned_data, page.grid.points[0])[
        "phase_measure"
    ] == ("auc")


def test_words_on_a_change_between_phases_are_pointed_out_where_a_study_continues_none(owner, cast, draft):
    asked = {"goal": "phases", "effect": "0.6", "second": "0.7"}
    context = owner.get(reverse("studies:planner"), asked).context
    best = context["page"].grid.recommended
    draft.plan_options = planning_grid.plan_options_of(context["form"].cleaned_data, best)
    [advice] = [check for check in readiness(draft) if check.title == "Words on the size"]
    assert "promise a change between two phases, and this study continues none" in advice.message
    assert not advice.blocks
    draft.continues = design.create_study(owner=cast.owner, template=Template.INSERTED_LESIONS)
    assert not any("promise a change" in check.message for check in readiness(draft))


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"goal": "groups", "measure": "ensemble"}, "measure"),
        ({"goal": "phases", "cases_per_patient": "3"}, "cases_per_patient"),
        ({"goal": "phases", "effect": "0.7", "second": "0.7"}, "second"),
    ],
)
def test_the_planner_says_what_it_can_not_compare(owner, asked, field):
    response = owner.get(reverse("studies:planner"), asked)
    assert response.context["page"] is None
    assert field in response.context["form"].errors
