"""Two people at one draft: the second save is told, nothing vanishes, and the record says what changed."""

from html import unescape

import pytest
from django.test import Client
from django.urls import reverse

from ctplatform.errors import ConflictError
from readerstudy.design import services as design
from readerstudy.design import shelving
from readerstudy.design.together import last_entry
from readerstudy.models import CaseTruth, Study
from tests.pages import shown
from tests.readerstudy.worlds import make_draft


def form_of(client, study):
    """What a browser would send of the page as it was opened."""
    page = client.get(reverse("studies:design", args=[study.pk]))
    form = page.context["form"]
    data = {name: form[name].value() for name in form.fields}
    data["datasets"] = [str(pk) for pk in data["datasets"]]
    sent = {name: value for name, value in data.items() if value is not None and value is not False}
    return {**sent, "seen": page.context["seen"]}


def client_of(person):
    client = Client()
    client.force_login(person)
    return client


@pytest.fixture
def two(cast, draft):
    clients = client_of(cast.owner), client_of(cast.administrator)
    return [(client, form_of(client, draft)) for client in clients]


def save(client, study, data):
    return client.post(reverse("studies:design", args=[study.pk]), data, follow=True)


def test_two_changes_of_different_fields_both_stay(two, draft):
    (first, one), (second, other) = two
    save(first, draft, {**one, "title": "The first title"})
    save(second, draft, {**other, "cases_planned": 40})
    draft.refresh_from_db()
    assert (draft.title, draft.cases_planned) == ("The first title", 40)


def test_the_second_change_of_one_field_is_told_and_may_be_saved_again(two, draft, cast):
    (first, one), (second, other) = two
    save(first, draft, {**one, "title": "The first title", "cases_planned": 30})
    page = save(second, draft, {**other, "title": "The second title"})
    assert f"Title, which {cast.owner} set to “The first title”" in shown(page)
    assert 'value="The second title"' in shown(page)
    draft.refresh_from_db()
    assert draft.title == "The first title"
    again = {name: page.context["form"][name].value() for name in ("title", "cases_planned")}
    save(second, draft, {**other, **again, "seen": page.context["seen"]})
    draft.refresh_from_db()
    assert (draft.title, draft.cases_planned) == ("The second title", 30)


def test_a_form_that_was_invalid_still_knows_what_was_seen(two, draft):
    (first, one), (second, other) = two
    save(first, draft, {**one, "title": "The first title"})
    page = save(second, draft, {**other, "title": "The second title", "cases_planned": 3})
    page = save(second, draft, {**other, "title": "The second title", "seen": page.context["seen"]})
    assert "Nothing was saved yet" in shown(page)


def test_the_record_says_what_changed_and_nothing_where_nothing_did(two, draft, cast):
    client, data = two[0]
    title, before = draft.title, draft.record.count()
    save(client, draft, data)
    assert draft.record.count() == before
    save(client, draft, {**data, "title": "Another title"})
    entry = draft.record.order_by("-id").first()
    assert (entry.action, entry.details["changed"]) == ("design changed", {"title": [title, "Another title"]})
    assert f"{title} → Another title" in shown(client.get(draft.get_absolute_url()))


def test_a_list_that_somebody_else_saved_is_looked_at_again(cast, draft):
    seen = last_entry(draft)
    design.set_raters(study=draft, actor=cast.owner, users=[cast.rater], seen=seen)
    with pytest.raises(ConflictError, match="changed this list"):
        design.set_raters(study=draft, actor=cast.administrator, users=[cast.second_rater], seen=seen)
    assert [rater.user for rater in draft.raters.all()] == [cast.rater]
    design.share(study=draft, actor=cast.owner, members=[cast.member], seen=seen)
    with pytest.raises(ConflictError, match="changed this list"):
        design.share(study=draft, actor=cast.administrator, members=[], seen=seen)


def test_an_archived_study_is_listed_when_asked_for(cast, draft):
    client = client_of(cast.owner)
    shelving.archive(study=draft, actor=cast.owner)
    assert draft.title not in shown(client.get("/studies/"))
    assert draft.title in shown(client.get("/studies/?archived=true"))
    with pytest.raises(ConflictError, match="archived already"):
        shelving.archive(study=draft, actor=cast.owner)
    shelving.take_back(study=draft, actor=cast.owner)
    assert draft.title in shown(client.get("/studies/"))
    assert [entry.action for entry in draft.record.order_by("-id")[:2]] == ["taken back from the archive", "archived"]


def test_a_study_that_takes_ratings_is_not_archived(cast, draft):
    Study.objects.filter(pk=draft.pk).update(state="collecting", locked_at=draft.created_at)
    with pytest.raises(ConflictError, match="Close it"):
        shelving.archive(study=draft, actor=cast.owner)


def test_a_draft_that_is_given_up_keeps_its_record(cast, world, stages):
    study = make_draft(cast, world, cases=4, raters=[cast.rater])
    stages.draw(study)
    before = study.record.count()
    shelving.give_up(study=study, actor=cast.owner)
    study.refresh_from_db()
    assert (study.cases.count(), study.raters.count(), bool(study.archived_at)) == (0, 0, True)
    entry = study.record.order_by("-id").first()
    assert (entry.action, entry.details) == ("given up", {"cases": 4, "raters": 1})
    assert study.record.count() == before + 1


def test_nobody_locks_what_another_has_changed_unseen(cast, draft, stages):
    client = client_of(cast.owner)
    stages.draw(draft)
    page = client.get(draft.get_absolute_url())
    lock = {"seen": page.context["seen"]}
    design.set_raters(study=draft, actor=cast.administrator, users=[cast.rater])
    refused = client.post(reverse("studies:lock", args=[draft.pk]), lock, follow=True)
    assert f"Nothing was locked: {cast.administrator} worked at this study" in shown(refused)
    draft.refresh_from_db()
    assert draft.lock_job is None
    again = {"seen": refused.context["seen"]}
    client.post(reverse("studies:lock", args=[draft.pk]), again)
    draft.refresh_from_db()
    assert draft.lock_job is not None


def test_before_the_lock_the_page_says_what_follows(cast, draft, stages):
    client = client_of(cast.owner)
    assert "These are frozen" not in shown(client.get(draft.get_absolute_url()))
    stages.draw(draft)
    page = client.get(draft.get_absolute_url())
    lock, words = page.context["lock"], " ".join(shown(page).split())
    count = draft.cases.count()
    patients = len(
        {(truth.scan.dataset_id, truth.scan.subject) for truth in CaseTruth.objects.filter(case__study=draft)}
    )
    assert (lock.cases, lock.patients, lock.raters) == (count, patients, 2)
    assert f"the cases ({count}, patients: {patients}), the raters (2)" in words
    assert lock.advice
    assert unescape(words).count(lock.advice[0]) == 2
    assert "Lock now, with what is not mended" in words
