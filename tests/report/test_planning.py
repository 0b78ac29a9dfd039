"""The plan of a study and the planner: chosen in a form, said in words, frozen at the lock."""

import time

import pytest
from django.test import Client
from django.urls import reverse

from readerstudy.analysis import AnalysisPlan, PlanningAssumptions, design_power, plan_for
from readerstudy.design import services as design
from readerstudy.models import Template
from readerstudy.planning.plans import default_plan, draft_plan, plan_of, plan_power_in_words
from readerstudy.planning.words import plan_sentences
from readerstudy.web.planning_forms import PlanForm
from tests.report.test_text import claims


@pytest.fixture
def owner(cast):
    client = Client()
    client.force_login(cast.owner)
    return client


def fields(plan, **changes):
    form = PlanForm(plan=plan)
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


def test_a_primary_ensemble_stands_alone_in_the_family(draft):
    plan = draft_plan(draft)
    form = PlanForm(fields(plan, primary="ensemble"), plan=plan)
    assert form.is_valid(), form.errors
    assert form.chosen_plan().family == "raters"
    assert PlanForm(fields(plan), plan=plan).is_valid()


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


def test_a_plan_that_the_protocol_does_not_allow_is_pointed_out(draft, cast, owner):
    design.change_design(study=draft, actor=cast.owner, plan_options={"primary": "reader_averaged_auc"})
    design.change_design(study=draft, actor=cast.owner, confidence_levels=0)
    page = owner.get(reverse("studies:plan", args=[draft.pk])).content.decode()
    assert "needs levels of confidence, and this study asks for none" in page


def test_the_planner_answers_within_a_second(owner):
    owner.get(reverse("studies:planner"))
    for measure in ("auc", "panel_accuracy", "ensemble"):
        for goal, effect in (("equivalent", 0.5), ("detect", 0.64)):
            start = time.perf_counter()
            response = owner.get(reverse("studies:planner"), {"measure": measure, "goal": goal, "effect": effect})
            assert response.status_code == 200
            assert time.perf_counter() - start < 2.0


def test_the_planner_prints_the_power_that_was_computed(owner):
    response = owner.get(reverse("studies:planner"), {"margin_points": "10", "target": "0.9"})
    page = response.context["page"]
    for row in page.rows:
        for cell in row.cells:
            assumed = PlanningAssumptions(margin=0.1)
            assert cell.point.power == design_power(assumed, raters=cell.point.raters, cases=row.cases)
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
