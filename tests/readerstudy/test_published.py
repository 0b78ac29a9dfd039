"""Studies that follow a published one: what the publication tells is set, what it does not tell is said."""

import pytest
from django.urls import reverse

from ctplatform.accounts.models import Role
from readerstudy.design import following, services
from readerstudy.design.phases_departed import phases_departed
from readerstudy.design.published import PUBLISHED, STARTED
from readerstudy.models import Study
from readerstudy.report.loading import report_data
from readerstudy.report.text import methods_paragraph
from readerstudy.unblinding import services as unblinding
from readerstudy.unblinding.opened import UnblindedStudy
from readerstudy.verification import verify
from tests.factories import make_user
from tests.readerstudy.worlds import Browser, make_draft

pytestmark = pytest.mark.django_db


@pytest.fixture
def coordinator():
    return make_user(Role.COORDINATOR)


@pytest.fixture
def researcher():
    return make_user(Role.RESEARCHER)


@pytest.mark.parametrize("key", PUBLISHED)
def test_one_button_starts_a_draft_as_it_was_published(key, client, coordinator):
    client.force_login(coordinator)
    made = client.post(reverse("studies:new-published"), {"published": key})
    study = Study.objects.get()
    assert made.url == study.get_absolute_url()
    protocol = PUBLISHED[key]
    assert {name: getattr(study, name) for name in protocol.settings} == dict(protocol.settings)
    assert following.departures(study) == phases_departed(study), "alone, a phase departs in that and in nothing else"
    page = client.get(made.url).content.decode()
    assert all(untold in page.replace("&#x27;", "'") for untold in protocol.untold)
    assert protocol.address.startswith("https://")
    assert protocol.address in page
    assert "real" not in study.title.lower()
    assert "synth" not in study.title.lower()


def test_departures_are_named_on_the_page_and_in_the_registration(client, coordinator):
    client.force_login(coordinator)
    [study] = following.start(key="park_2021", owner=coordinator)
    services.change_design(study=study, actor=coordinator, cases_planned=60, confidence_levels=3)
    said = following.departures(Study.objects.get())
    assert said[0] == "Number of cases: 60 (published: 300)"
    assert said[1].startswith("Answers: ")
    assert len(said) == 2
    for name in ("study", "registration"):
        assert said[0] in client.get(reverse(f"studies:{name}", args=[study.pk])).content.decode()


def test_what_the_publication_does_not_tell_is_no_departure(coordinator):
    [study] = following.start(key="kleesiek_2021", owner=coordinator)
    services.change_design(study=study, actor=coordinator, cases_planned=60, confidence_levels=5, field_of_view_mm=40)
    assert following.departures(Study.objects.get()) == []
    scale = {"levels": "5", "towards": "synthetic", "labels": ["Real", "Synthetic"], "cannot_tell": False}
    services.change_design(study=study, actor=coordinator, task_name="scale", task_settings=scale)
    [said] = following.departures(Study.objects.get())
    assert said.endswith("(published: “real” or “synthetic”)")


def test_settings_that_mean_the_same_are_no_departure(coordinator):
    [study] = following.start(key="hu_2023", owner=coordinator)
    whole = {**study.asked.task.chosen()}
    services.change_design(study=study, actor=coordinator, task_settings=whole)
    assert following.departures(Study.objects.get()) == []


def test_a_copy_follows_too_and_a_study_of_its_own_follows_nobody(coordinator):
    [study] = following.start(key="chen_2016_scores", owner=coordinator)
    assert services.copy_study(study=study, actor=coordinator).published == "chen_2016_scores"
    own = services.create_study(owner=coordinator, template="inserted_lesions")
    assert following.frozen_following(own) == {}
    assert following.departures_told(own) == []


def test_what_was_frozen_is_what_results_methods_and_verification_hold_it_to(cast, world, stages, client):
    client.force_login(cast.owner)
    study = make_draft(cast, world, published="park_2021")
    stages.open(study)
    frozen = study.protocol["published"]
    assert frozen["doi"] == PUBLISHED["park_2021"].doi
    assert "Number of cases: 12 (published: 300)" in frozen["departures"]
    assert verify(study).intact

    page = client.get(study.get_absolute_url()).content.decode()
    assert "Number of cases: 12 (published: 300)" in page
    assert "59.4 %" not in page, "what others found is no help to whom the study is still sealed"
    for rater in (cast.rater, cast.second_rater):
        Browser(rater, study).rate_all(answer=lambda position: ("real", "synthetic")[position % 2])
    unblinding.close(study=study, actor=cast.owner)
    unblinding.unblind(study=study, actor=cast.owner, typed_title=study.title)
    assert "1,781 of 3,000 (59.4 %)" in client.get(reverse("studies:results", args=[study.pk])).content.decode()
    said = methods_paragraph(report_data(UnblindedStudy(study)))
    assert "The design follows Park et al." in said
    assert "Number of cases: 12 (published: 300)." in said

    Study.objects.filter(pk=study.pk).update(published="hu_2023")
    assert "published of the study differ" in verify(Study.objects.get()).sentence()


def test_an_unknown_publication_is_refused(client, coordinator):
    client.force_login(coordinator)
    page = client.post(reverse("studies:new-published"), {"published": "nobody_1999"}, follow=True)
    assert "There is no such published study" in page.content.decode()
    assert not Study.objects.exists()


def test_programs_start_them_too(client, coordinator):
    client.force_login(coordinator)
    address = "/api/studies/published/"
    assert [row["key"] for row in client.get(address).json()] == list(STARTED)
    made = client.post(address, {"published": "hu_2023"}, content_type="application/json")
    assert made.status_code == 201
    assert made.json()["published"] == "hu_2023"
    assert client.post(address, {"published": "x"}, content_type="application/json").status_code == 400


def test_who_may_not_start_studies_may_not_follow_either(client, researcher):
    client.force_login(researcher)
    assert client.post(reverse("studies:new-published"), {"published": "hu_2023"}).status_code == 403
    assert client.post("/api/studies/published/", {"published": "hu_2023"}).status_code == 403
    assert not Study.objects.exists()
