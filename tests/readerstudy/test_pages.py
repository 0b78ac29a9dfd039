"""Pages as a coordinator walks through them, without any script."""

from django.test import Client
from django.urls import reverse

from ctplatform.accounts.models import Role
from readerstudy.models import Study
from tests.factories import make_user
from tests.pages import shown
from tests.readerstudy.worlds import Browser


def logged_in(user):
    client = Client()
    client.force_login(user)
    return client


def test_empty_lists_say_what_to_do(db):
    coordinator, researcher, rater = (make_user(role) for role in (Role.COORDINATOR, Role.RESEARCHER, Role.RATER))
    assert "Start one: choose a template" in shown(logged_in(coordinator).get(reverse("studies:studies")))
    assert "Ask a coordinator" in shown(logged_in(researcher).get(reverse("studies:studies")))
    assert "Nothing to read" in shown(logged_in(rater).get(reverse("reading:sessions")))


def test_a_study_from_its_first_form_to_the_results(cast, world, django_capture_on_commit_callbacks):
    client = logged_in(cast.owner)

    def page(name):
        return client.get(reverse(f"studies:{name}", args=[study.pk])).content.decode()

    def press(name, **fields):
        with django_capture_on_commit_callbacks(execute=True):
            response = client.post(reverse(f"studies:{name}", args=[study.pk]), fields, follow=True)
        assert response.status_code == 200
        return response.content.decode()

    form = {"template": "inserted_lesions", "title": "From the browser", "cases_planned": 11}
    assert "Choose an even number" in client.post(reverse("studies:new"), form).content.decode()
    client.post(reverse("studies:new"), {**form, "cases_planned": 12})
    study = Study.objects.get()
    assert "This study cannot be locked yet" in page("study")
    assert "No cases yet" in page("study")

    protocol = client.get(reverse("studies:design", args=[study.pk])).context["form"].initial
    shown = {name: value for name, value in protocol.items() if value is not None and name != "datasets"}
    wrong = press("design", **{**shown, "field_of_view_mm": 25, "diameter_max_mm": 1, "datasets": [world.dataset.pk]})
    assert "must be above the smallest" in wrong
    design = {**shown, "field_of_view_mm": 25, "datasets": [world.dataset.pk], "title": "Browser"}
    press("design", **design)
    study.refresh_from_db()
    assert (study.title, study.field_of_view_mm, study.twins_allowed) == ("Browser", 25.0, False)

    press("draw")
    assert "6 of 12 planned cases are chosen. A draw that stops early" in page("study")  # two edits show one place
    press("design", **{**design, "twins_allowed": "on"})
    press("draw")
    assert "12 of 12 planned cases are chosen" in page("study")
    press("raters", users=[cast.rater.pk])
    assert "Ready to lock" in page("study")
    press("lock")
    assert "Locked, not yet open" in page("study")
    assert (
        "sealed since the lock" in client.get(reverse("studies:cases", args=[study.pk]), follow=True).content.decode()
    )
    assert "Passed as far as it can be judged" in page("leaks")
    assert "The lock was ordered" not in page("leaks")
    press("check-leaks")
    assert '<span lang="en">check</span>: passed' in " ".join(page("leaks").split())
    press("open")
    Browser(cast.rater, study).rate_all()
    assert "12 of 12" in page("study")
    press("close")
    assert "Type the study" in press("unblind", typed_title="browser")
    assert "Unblinded" in press("unblind", typed_title="Browser")
    results = page("results")
    assert str(cast.rater) in results
    assert "<svg" in results
    assert "indistinguishable" not in results


def test_the_list_is_searched_filtered_sorted_and_paged(cast):
    for number in range(30):
        title = f"{'Liver' if number % 2 else 'Bowel'} {number:02d}"
        Study.objects.create(owner=cast.owner, title=title, template="inserted_lesions", question="?")
    client = logged_in(cast.owner)
    whole = client.get(reverse("studies:studies"), {"ordering": "title"}).content.decode()
    assert whole.count("Bowel") == 15
    assert "Page 1 of 2" in whole
    found = client.get(reverse("studies:studies"), {"q": "liver", "ordering": "created_at"}).content.decode()
    assert found.index("Liver 01") < found.index("Liver 29")
    assert "Bowel" not in found
    nothing = client.get(reverse("studies:studies"), {"state": "closed"}).content.decode()
    assert "No study fits this search" in nothing
    api = client.get("/api/studies/", {"q": "liver", "ordering": "title", "page_size": 4}).json()
    assert (api["count"], len(api["results"]), api["results"][0]["title"]) == (15, 4, "Liver 01")
    assert client.get("/api/studies/", {"state": "draft"}).json()["count"] == 30


def test_the_reading_room_is_dark_and_knows_its_session(collecting, cast):
    reader = Browser(cast.rater, collecting)
    page = shown(reader.client.get(reverse("reading:room", args=[reader.session.token])))
    assert '<body class="reading"' in page
    assert f'data-session-url="/api/reading/sessions/{reader.session.token}/"' in page
    assert 'data-login-url="/account/login/"' in page


def test_pages_ask_the_database_a_bounded_number_of_times(collecting, cast, django_assert_max_num_queries):
    Browser(cast.rater, collecting).rate_all()
    client = logged_in(cast.owner)
    with django_assert_max_num_queries(25):
        client.get(reverse("studies:study", args=[collecting.pk]))
    reader = Browser(cast.second_rater, collecting)
    with django_assert_max_num_queries(8):
        reader.standing()
    with django_assert_max_num_queries(20):
        reader.rate(reader.tokens()[0])
