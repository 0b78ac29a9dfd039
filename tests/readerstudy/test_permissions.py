"""Who may do what: every page, button and endpoint of studies for every person, and the seal for all of them."""

import inspect
import io
import json
import re
import zipfile
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import transaction
from django.test import Client
from django.urls import get_resolver, reverse
from django.utils import timezone
from pypdf import PdfReader

from ctplatform.errors import ForbiddenError
from readerstudy.design import same_cases, same_raters, shelving
from readerstudy.design import services as design
from readerstudy.locking import services as locking
from readerstudy.models import CaseTruth, Presentation, Study
from readerstudy.opening import services as opening
from readerstudy.report import services as report
from readerstudy.unblinding import services as unblinding
from tests.readerstudy.worlds import Browser

PEOPLE = ("owner", "administrator", "member", "other", "rater", "idle_rater", "anonymous")
# status for: owner, administrator, member, other coordinator, rater of the study, other rater, nobody
SEEN_BY_TEAM = (200, 200, 200, 404, 404, 404, 302)
FOR_EDITORS = (302, 302, 403, 404, 404, 404, 302)
STUDY_GETS = {
    "study": SEEN_BY_TEAM,
    "busy": SEEN_BY_TEAM,
    "cases": SEEN_BY_TEAM,
    "preview": SEEN_BY_TEAM,
    "leaks": SEEN_BY_TEAM,
    "export-csv": SEEN_BY_TEAM,
    "export-codebook": SEEN_BY_TEAM,
    "export-json": SEEN_BY_TEAM,
    "plan": SEEN_BY_TEAM,
    "registration": SEEN_BY_TEAM,
    "registration-pdf": SEEN_BY_TEAM,
    "registration-archive": SEEN_BY_TEAM,
    # sealed: a message and back to the study
    **dict.fromkeys(
        ("results", "report", "download-report", "audit-archive", "blinded-look"), (302, 302, 302, 404, 404, 404, 302)
    ),
    "design": (200, 200, 403, 404, 404, 404, 302),
    "further": (200, 200, 403, 404, 404, 404, 302),
    "candidates": (200, 200, 403, 404, 404, 404, 302),
}
STUDY_POSTS = {
    **dict.fromkeys(
        (
            *("draw", "add-cases", "remove-cases", "raters", "team", "lock", "open", "check-leaks", "close", "reopen"),
            *("mark-controls", "unblind", "same-cases", "same-raters", "groups"),
        ),
        FOR_EDITORS,
    ),
    # whoever sees a study and coordinates may copy it; a researcher gets a message
    "copy": (302, 302, 302, 404, 404, 404, 302),
    **dict.fromkeys(("archive", "take-back", "give-up"), FOR_EDITORS),
    # the second of two people who unblind may be anybody of the team; a message when there was no first
    "confirm-unblinding": (302, 302, 302, 404, 404, 404, 302),
    # the team may order a report; before the unblinding it gets a message
    "make-report": (302, 302, 302, 404, 404, 404, 302),
}
GENERAL = {
    "studies:studies": (200, 200, 200, 200, 404, 404, 302),
    "studies:planner": (200, 200, 200, 200, 404, 404, 302),
    "studies:new": (200, 200, 403, 200, 404, 404, 302),
    # only posted to
    "studies:new-published": (405, 405, 403, 405, 404, 404, 302),
}
API = {
    "": (200, 200, 200, 404, 404, 404, 401),
    "progress/": (200, 200, 200, 404, 404, 404, 401),
    "ratings/": (200, 200, 200, 404, 404, 404, 401),
    "arms/": (409, 409, 409, 404, 404, 404, 401),
    "choices/": (409, 409, 409, 404, 404, 404, 401),
    "free-response/": (409, 409, 409, 404, 404, 404, 401),
    "groups/": (409, 409, 409, 404, 404, 404, 401),
    "marks/": (409, 409, 409, 404, 404, 404, 401),
    "places/": (409, 409, 409, 404, 404, 404, 401),
    "phases/": (409, 409, 409, 404, 404, 404, 401),
    "repeats/": (409, 409, 409, 404, 404, 404, 401),
    "further/": (409, 409, 409, 404, 404, 404, 401),
    "results/": (409, 409, 409, 404, 404, 404, 401),
    "report/": (409, 409, 409, 404, 404, 404, 401),
    "readiness/": (200, 200, 200, 404, 404, 404, 401),
}
API_CHANGES = {
    **dict.fromkeys((("POST", "lock/"), ("POST", "open/"), ("POST", "close/")), (409, 409, 403, 404, 404, 404, 401)),
    # the team may order a report, whose time has not come
    ("POST", "report/"): (409, 409, 409, 404, 404, 404, 401),
    # members confirm what somebody who decides has asked for
    ("POST", "unblind/"): (409, 409, 403, 404, 404, 404, 401),
    ("PUT", "groups/"): (200, 200, 403, 404, 404, 404, 401),
    ("PUT", "raters/"): (200, 200, 403, 404, 404, 404, 401),
    ("PATCH", ""): (200, 200, 403, 404, 404, 404, 401),
    # the owner comes after the administrator, who has done it already
    ("POST", "archive/"): (409, 200, 403, 404, 404, 404, 401),
    ("POST", "give-up/"): (200, 200, 403, 404, 404, 404, 401),
    ("POST", "take-back/"): (409, 200, 403, 404, 404, 404, 401),
    # it continues no other study
    ("POST", "same-cases/"): (409, 409, 403, 404, 404, 404, 401),
    ("POST", "same-raters/"): (409, 409, 403, 404, 404, 404, 401),
    # the owner comes after the administrator, whose draw is at work
    ("POST", "draw/"): (409, 202, 403, 404, 404, 404, 401),
}
API_BODIES = {
    "unblind/": {"typed_title": "Trial"},
    "raters/": {"usernames": []},
    "groups/": {"groups": {}},
    "": {"question": "Which?"},
}


def clients(cast):
    for name in PEOPLE:
        client = Client()
        if name != "anonymous":
            client.force_login(getattr(cast, name))
        yield name, client


@pytest.fixture
def drawn(draft, stages):
    stages.draw(draft)
    return draft


def test_pages_for_everyone(cast, drawn):
    for url_name, expected in STUDY_GETS.items():
        for (person, client), status in zip(clients(cast), expected, strict=True):
            response = client.get(reverse(f"studies:{url_name}", args=[drawn.pk]))
            assert response.status_code == status, (url_name, person)
    for url_name, expected in GENERAL.items():
        for (person, client), status in zip(clients(cast), expected, strict=True):
            assert client.get(reverse(url_name)).status_code == status, (url_name, person)


def state_of(study):
    study.refresh_from_db()
    return study.state, study.cases.count(), study.raters.count(), study.members.count(), study.record.count()


def test_buttons_for_everyone(cast, drawn):
    for url_name, expected in STUDY_POSTS.items():
        for (person, client), status in zip(clients(cast), expected, strict=True):
            if person not in {"owner", "administrator"}:
                before = state_of(drawn)
                response = client.post(reverse(f"studies:{url_name}", args=[drawn.pk]))
                assert response.status_code == status, (url_name, person)
                assert state_of(drawn) == before, (url_name, person)
    for person, client in clients(cast):
        if person in {"owner", "administrator"}:
            for url_name in STUDY_POSTS:
                assert client.post(reverse(f"studies:{url_name}", args=[drawn.pk])).status_code == 302, url_name


def test_api_for_everyone(cast, drawn):
    for path, expected in API.items():
        for (person, client), status in zip(clients(cast), expected, strict=True):
            url = reverse("study-detail", args=[drawn.pk]) + path
            assert client.get(url).status_code == status, (path, person)
    for (person, client), count in zip(clients(cast), (1, 1, 1, 0, None, None, None), strict=True):
        response = client.get(reverse("study-list"))
        if count is None:
            assert response.status_code in {401, 404}, person
        else:
            assert response.json()["count"] == count, person


def test_api_changes_for_everyone(cast, draft):
    """Whoever may not change anything goes first; then nothing has changed, and the others do it."""
    for (method, path), expected in API_CHANGES.items():
        everybody = list(zip(clients(cast), expected, strict=True))
        before = state_of(draft)
        for (person, client), status in reversed(everybody):
            if person == "administrator":
                assert state_of(draft) == before, (method, path)
            url = reverse("study-detail", args=[draft.pk]) + path
            body = json.dumps(API_BODIES.get(path, {}))
            answer = client.generic(method, url, body, content_type="application/json")
            assert answer.status_code == status, (method, path, person, answer.content)


def test_reading_for_everyone(cast, collecting):
    reader = Browser(cast.rater, collecting)
    token = reader.tokens()[0]
    urls = [
        reverse("reading-api:session", args=[reader.session.token]),
        reverse("reading-api:presentation", args=[token]),
        reverse("reading-api:slice", args=[token, 0]),
    ]
    for person, client in clients(cast):
        expected = {"rater": 200, "anonymous": 401}.get(person, 404)
        for url in urls:
            assert client.get(url).status_code == expected, (person, url)
        page = client.get(reverse("reading:practice", args=[reader.session.token]))
        assert page.status_code == {"rater": 200, "anonymous": 302}.get(person, 404), person
        left = client.post(reverse("reading-api:left", args=[reader.session.token]))
        assert left.status_code == {"rater": 400, "anonymous": 401}.get(person, 404), person
        checked = client.post(reverse("reading-api:display-check", args=[reader.session.token]))
        assert checked.status_code == {"rater": 400, "anonymous": 401}.get(person, 404), person


CASE_GETS = ("case-result", "case-picture")
FIGURE_GETS = ("figure-svg", "figure-png")


def test_a_case_is_named_by_its_code_only_after_the_unblinding(cast, collecting):
    code = collecting.cases.first().code
    for url_name, what in [*((name, code) for name in CASE_GETS), *((name, "flow") for name in FIGURE_GETS)]:
        for person, client in clients(cast):
            response = client.get(reverse(f"studies:{url_name}", args=[collecting.pk, what]))
            in_team = person in {"owner", "administrator", "member"}
            assert response.status_code in ({302, 409} if in_team else {302} if person == "anonymous" else {404})


EDITORS_SERVICES = {
    design.change_design: {"title": "Taken over"},
    design.share: {"members": []},
    design.set_raters: {"users": []},
    design.set_groups: {"groups": {}},
    design.request_draw: {},
    design.add_cases: {"candidates": []},
    design.remove_cases: {"case_ids": []},
    design.mark_controls: {"case_ids": [], "control": True},
    same_cases.take_same_cases: {},
    same_raters.take_same_raters: {},
    shelving.archive: {},
    shelving.take_back: {},
    shelving.give_up: {},
    locking.request_lock: {},
    opening.open_for_reading: {},
    opening.request_opening: {},
    opening.request_audit: {},
    unblinding.close: {},
    unblinding.reopen: {"reason": "a rater was ill"},
    unblinding.unblind: {"typed_title": "Trial"},
}
TEAMS_SERVICES = {design.copy_study: {}, report.request_report: {}}


@pytest.mark.parametrize("stage", ["draft", "locked", "collecting", "closed", "unblinded"])
def test_services_refuse_whoever_may_not_whatever_the_state(cast, drawn, stage):
    """Pages hide a button; that nobody else presses it is decided here."""
    Study.objects.filter(pk=drawn.pk).update(
        state=stage,
        locked_at=None if stage == "draft" else timezone.now(),
        unblinded_at=timezone.now() if stage == "unblinded" else None,
    )
    before = state_of(drawn)
    for services, refused in (
        (EDITORS_SERVICES, (cast.member, cast.other, cast.rater, cast.idle_rater)),
        (TEAMS_SERVICES, (cast.other, cast.rater, cast.idle_rater)),
    ):
        for service, arguments in services.items():
            for person in refused:
                with pytest.raises(ForbiddenError):
                    service(study=drawn, actor=person, **arguments)
    for person in (cast.member, cast.other, cast.rater, cast.idle_rater):
        with pytest.raises(ForbiddenError):
            unblinding.exclude_rater(rater=drawn.raters.first(), actor=person, reason="No reason")
    assert state_of(drawn) == before
    assert not drawn.raters.exclude(excluded_at=None).exists()
    assert Study.objects.count() == 1


def test_no_service_with_an_actor_is_forgotten():
    found = {
        service
        for module in (design, same_cases, same_raters, shelving, locking, opening, unblinding, report)
        for _, service in inspect.getmembers(module, inspect.isfunction)
        if service.__module__ == module.__name__ and "actor" in inspect.signature(service).parameters
    }
    # the drafts' services all begin with draft_for_change
    assert found == {*EDITORS_SERVICES, *TEAMS_SERVICES, unblinding.exclude_rater, design.draft_for_change}


def test_a_member_excludes_nobody(cast, collecting):
    rater = collecting.raters.first()
    for (person, client), status in zip(clients(cast), FOR_EDITORS, strict=True):
        if person not in {"owner", "administrator"}:
            url = reverse("studies:exclude-rater", args=[collecting.pk, rater.pk])
            assert client.post(url, {"reason": "x"}).status_code == status, person
            rater.refresh_from_db()
            assert rater.excluded_at is None


def test_no_address_of_this_app_is_forgotten():
    """Every named address stands in one of the matrices above."""
    listed = set(STUDY_GETS) | set(STUDY_POSTS) | {name.removeprefix("studies:") for name in GENERAL}
    listed |= {"exclude-rater", *CASE_GETS, *FIGURE_GETS}
    resolver = get_resolver().namespace_dict["studies"][1]
    named = {name for name in resolver.reverse_dict if isinstance(name, str)}
    assert named == listed


# Invariant 4: between lock and unblinding nothing that comes from the truth is shown, to anyone.


def revealing_words(study):
    """What a page must not hold: scan names, places, kinds of cases, numbers correct."""
    words = set()
    for case in study.cases.select_related("truth__scan"):
        words |= {case.truth.scan.name, str(case.truth.scan_id), str(case.pk)}
    return words


def everything_shown(client, study):
    for name in STUDY_GETS:
        response = client.get(reverse(f"studies:{name}", args=[study.pk]), follow=True)
        yield name, readable(response)
    for path in API:
        yield f"api {path}", client.get(reverse("study-detail", args=[study.pk]) + path).getvalue().decode()
    yield "jobs", client.get(reverse("jobs:jobs")).content.decode()
    for job in client.get("/api/jobs/").json()["results"]:
        yield "job", json.dumps(job)
    yield "list", client.get(reverse("studies:studies")).content.decode()


def readable(response):
    """The words of a page, of a PDF, or of the files of an archive."""
    kind = response["Content-Type"]
    if kind == "application/pdf":
        return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(response.content)).pages)
    if kind == "application/zip":
        with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
            return "\n".join(archive.read(name).decode("utf-8", "replace") for name in archive.namelist())
    return response.getvalue().decode()


@pytest.mark.parametrize("stage", ["locked", "collecting", "closed"])
def test_nobody_sees_anything_of_the_truth_before_the_unblinding(request, cast, stage, caplog, capsys):
    caplog.set_level("DEBUG")
    if stage == "locked":
        draft, stages = request.getfixturevalue("draft"), request.getfixturevalue("stages")
        stages.draw(draft)
        stages.lock(draft)
    else:
        draft = request.getfixturevalue("collecting")
        rate_with_perfect_skill(cast.rater, draft)
    if stage == "closed":
        unblinding.close(study=draft, actor=cast.owner)
    words = revealing_words(draft)
    for person in ("owner", "administrator", "member"):
        client = Client()
        client.force_login(getattr(cast, person))
        for name, text in everything_shown(client, draft):
            found = {word for word in words if word in text}
            assert not found, (person, name, found)
            for word in ('"correct"', '"truth"', '"sensitivity"', "Correct</th>", "Sensitivity ("):
                assert word not in text, (person, name, word)
    call_command("verify_ledger", str(draft.pk))
    logged = caplog.text + capsys.readouterr().out
    assert not {word for word in words if word in logged}


def rate_with_perfect_skill(user, study):
    reader = Browser(user, study)
    for token in reader.tokens():
        truth = Presentation.objects.get(token=token).stimulus.case.truth
        assert reader.rate(token, answer="synthetic" if truth.synthetic else "real").status_code == 201


def test_what_is_shown_does_not_depend_on_the_answers_being_right(cast, collecting):
    """The strongest form: two studies alike but for who is right look the same on every page and in every export."""
    reader = Browser(cast.rater, collecting)
    client = Client()
    client.force_login(cast.owner)
    tokens = reader.tokens()
    half = set(tokens[::2])

    def shown():
        undo = transaction.savepoint()  # looking leaves entries in the record
        texts = [text for _, text in everything_shown(client, collecting)]
        transaction.savepoint_rollback(undo)
        # Numbers of entries are of the moment: PostgreSQL doesn't take them back.
        moment = r"[0-9a-f]{16,}|\w{64}|(?<=name=\"seen\" value=\")\d+"
        return [re.sub(moment, "", text) for text in texts]

    for token in tokens:
        reader.rate(token, answer="real" if token in half else "synthetic")
    first = shown()
    kinds = dict(collecting.cases.values_list("pk", "truth__synthetic"))
    # the truth turned round in the database: every right answer becomes wrong
    for case, synthetic in kinds.items():
        CaseTruth.objects.filter(case=case).update(synthetic=not synthetic)
    second = shown()
    differing = [
        (a_line, b_line)
        for a, b in zip(first, second, strict=True)
        for a_line, b_line in zip(a.splitlines(), b.splitlines(), strict=True)
        if a_line != b_line
    ]
    assert differing == []


def test_the_truth_is_read_in_few_places_only():
    """Design and lock before the study runs, the gate of the unblinding after it, and the simulation of raters."""
    root = Path(__file__).resolve().parents[2] / "readerstudy"
    readers = {
        str(path.relative_to(root))
        for path in root.rglob("*.py")
        if "CaseTruth" in path.read_text() and "migrations" not in path.parts
    }
    assert readers == {
        "models/__init__.py",
        "models/case.py",
        "design/cases.py",
        "design/drawing.py",
        "design/phases.py",
        "design/readiness.py",
        "design/same_cases.py",
        "design/services.py",
        "web/cases.py",
        "reading/preview.py",
        "locking/execution.py",
        "locking/orders.py",
        "locking/protocol.py",
        "locking/repeated.py",
        "locking/stimuli.py",
        "locking/sealed_tables.py",
        "locking/targets.py",
        "design/fixed_lesions.py",
        "design/fixed_patients.py",
        "unblinding/edits.py",
        "unblinding/feedback.py",
        "design/feedback.py",
        "unblinding/marked.py",
        "unblinding/withdrawn.py",
        "design/fixed_verdicts.py",
        "unblinding/opened.py",
        "report/loading.py",
        "report/material.py",
        "simulation.py",
    }
