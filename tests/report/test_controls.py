"""Positive controls from the draft to the report: marked, frozen, sealed with the truth, counted apart."""

import csv
import io
from itertools import product

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from ctplatform.errors import DomainError
from readerstudy.design import services as design
from readerstudy.design.cases import chosen_candidates
from readerstudy.design.readiness import blocking, readiness
from readerstudy.models import CaseTruth
from readerstudy.opening import services as opening
from readerstudy.report.loading import report_data
from readerstudy.report.results_text import results_text
from readerstudy.report.tables import imrmc_text
from readerstudy.report.text import methods_paragraph
from readerstudy.results import analysis_of
from readerstudy.unblinding import services as unblinding
from readerstudy.unblinding.opened import UnblindedStudy
from readerstudy.verification import verify
from tests.readerstudy.worlds import Browser


def owners_client(cast):
    client = Client()
    client.force_login(cast.owner)
    return client


def cases_of(study, *, synthetic):
    return list(CaseTruth.objects.filter(case__study=study, synthetic=synthetic).values_list("case", flat=True))


@pytest.fixture
def marked(cast, draft, stages):
    """Ten cases, five of a kind, and one positive control."""
    stages.draw(draft)
    design.change_design(study=draft, actor=cast.owner, cases_planned=10)
    pairs = product(cases_of(draft, synthetic=True), cases_of(draft, synthetic=False))
    assert any(left_ready(draft, *pair) for pair in pairs)
    return draft


def left_ready(draft, control, removed):
    """Whether the rest is alike: with one pair in about forty it is not, and which one that is hangs on the draw."""
    with transaction.atomic():
        design.mark_controls(study=draft, actor=draft.owner, case_ids=[control], control=True)
        design.remove_cases(study=draft, actor=draft.owner, case_ids=[removed])
        draft.refresh_from_db()
        ready = blocking(readiness(draft)) == []
        transaction.set_rollback(not ready)
    draft.refresh_from_db()
    return ready


def test_a_coordinator_marks_edits_on_the_page_of_the_cases(cast, draft, stages):
    stages.draw(draft)
    client, url = owners_client(cast), reverse("studies:mark-controls", args=[draft.pk])
    chosen = [str(case) for case in cases_of(draft, synthetic=True)[:2]]
    page = client.post(url, {"case": chosen, "control": "yes"}, follow=True).content.decode()
    assert "2 cases marked as positive controls." in page
    assert page.count("positive control</span>") == 2
    assert CaseTruth.objects.filter(case__study=draft, control=True).count() == 2
    assert len(chosen_candidates(draft)) == 10
    only = client.get(reverse("studies:cases", args=[draft.pk]), {"kind": "control"})
    assert only.context["page_obj"].paginator.count == 2
    client.post(url, {"case": chosen[:1], "control": "no"})
    assert CaseTruth.objects.filter(case__study=draft, control=True).count() == 1


def test_a_real_case_is_no_control(cast, draft, stages):
    stages.draw(draft)
    real = cases_of(draft, synthetic=False)
    with pytest.raises(DomainError, match="a real case can't be one"):
        design.mark_controls(study=draft, actor=cast.owner, case_ids=real[:1], control=True)
    with pytest.raises(IntegrityError), transaction.atomic():
        CaseTruth.objects.filter(case=real[0]).update(control=True)


@pytest.mark.parametrize("person", ["member", "rater", "other"])
def test_only_an_editor_marks_controls(cast, draft, stages, person):
    stages.draw(draft)
    client = Client()
    client.force_login(getattr(cast, person))
    chosen = [str(case) for case in cases_of(draft, synthetic=True)[:1]]
    client.post(reverse("studies:mark-controls", args=[draft.pk]), {"case": chosen})
    assert not CaseTruth.objects.filter(case__study=draft, control=True).exists()


def test_a_new_draw_leaves_the_controls(marked, stages):
    control = CaseTruth.objects.get(case__study=marked, control=True)
    stages.draw(marked)
    assert CaseTruth.objects.filter(case__study=marked, control=True).get() == control


def test_the_readiness_list_counts_controls_apart_and_advises_on_their_number(marked):
    checks = {check.title: check for check in readiness(marked)}
    assert checks["Cases"].met
    assert checks["Balance"].met
    assert not checks["Positive controls"].met
    assert not checks["Positive controls"].blocks
    assert "can't say “equivalent”" in checks["Positive controls"].message


def test_controls_are_frozen_with_the_truth_and_change_nothing_else(marked, stages):
    stages.lock(marked)
    assert marked.protocol["cases"]["count"] == 11
    assert (marked.protocol["cases"]["synthetic"], marked.protocol["cases"]["positive_controls"]) == (5, 1)
    assert verify(marked).intact
    CaseTruth.objects.filter(case__study=marked, control=True).update(control=False)
    assert "the sealed truth differs from what was locked" in verify(marked).problems


def test_controls_are_in_no_number_but_their_own(marked, stages, cast):
    stages.lock(marked)
    opening.open_for_reading(study=marked, actor=cast.owner)
    for number, person in enumerate((cast.rater, cast.second_rater)):
        reader = Browser(person, marked)
        reader.rate_all(answer=lambda position, number=number: "synthetic" if (position + number) % 2 else "real")
    unblinding.close(study=marked, actor=cast.owner)
    unblinding.unblind(study=marked, actor=cast.owner, typed_title=marked.title)
    marked.refresh_from_db()
    opened = UnblindedStudy(marked)
    analysis, data = analysis_of(opened), report_data(opened)
    assert (analysis.design.n_cases, analysis.design.n_controls, analysis.assay.controls.n) == (10, 1, 1)
    assert len(analysis.difficulty.cases) == 10
    assert len(data.judged_cases) == 10
    assert {row["case"] for row in data.counted} == {case.code for case in data.judged_cases}
    words = " ".join([methods_paragraph(data), *results_text(data)])
    assert "judged 10 cases (5 synthetic, 5 real) and 1 positive controls" in words
    assert "Positive controls: most raters called" in words
    control = next(case for case in data.cases if case.control)
    assert f"-1,{control.number},0," not in imrmc_text(data)
    client = owners_client(cast)
    exported = client.get(reverse("studies:export-csv", args=[marked.pk])).getvalue().decode()
    rows = list(csv.DictReader(io.StringIO(exported)))
    assert {row["case"] for row in rows if row["control"] == "1"} == {control.code}
    page = client.get(reverse("studies:results", args=[marked.pk])).content.decode()
    assert "Could these raters have found a difference?" in page
    assert "Called synthetic" in page
