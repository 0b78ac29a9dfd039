"""Readers who are not to know what a study is about learn it from nothing that they are shown before it is over."""

import json
import re
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse

from readerstudy.design import following, services
from readerstudy.design.same_cases import take_same_cases
from readerstudy.models import DisplayPolicy, GoingBack, Study
from readerstudy.reading.practice import PREFIX
from readerstudy.unblinding import services as unblinding
from tests.readerstudy.test_room import SCREEN, found
from tests.readerstudy.worlds import FIELD_OF_VIEW_MM, Browser, rating

pytestmark = pytest.mark.django_db

TELLING = re.compile(
    r"synth|\breal\b|real-or|\bfake|insert|\bgenerat|artific|\bedit(?:ed|s)?\b|manipul|tamper|\bGAN\b|computer-made|authentic"
    r"|\bprogram\b|Tordjman|Mirsky|published",
    re.IGNORECASE,
)
# What the people of the platform know it by, on every page for every account and of no study.
ITS_NAME = "Turing Ward"
ROOM = Path(__file__).parents[2] / "frontend" / "src" / "pages"


def chain_of(key, cast, world, stages):
    """Two linked phases, open for reading."""
    small = {"cases_planned": 8, "field_of_view_mm": FIELD_OF_VIEW_MM, "seed": 7, "twins_allowed": True}
    small |= {"display_check": DisplayPolicy.ADVISE, "going_back": GoingBack.LAST}
    opened = []
    for made in following.start(key=key, owner=cast.owner)[:2]:
        draft = Study.objects.get(pk=made.pk)
        draft.datasets.set([world.dataset])
        services.change_design(study=draft, actor=cast.owner, **small, other_patients=False)
        services.set_raters(study=draft, actor=cast.owner, users=[cast.rater, cast.second_rater])
        draft.refresh_from_db()
        if opened:
            take_same_cases(study=draft, actor=cast.owner)
            opened.append(stages.open_drawn(draft))
        else:
            opened.append(stages.open(draft))
    return opened


@pytest.fixture(params=["tordjman_2026", "ct_gan_2019"])
def naive(request, recorded, cast, world, stages, small_phantom):
    key = request.param
    first, _ = recorded(f"naive chain {key}", lambda: chain_of(key, cast, world, stages))
    return Browser(cast.rater, first)


def everything_shown(browser, study):
    """Every page and every answer of the API that this rater's browser gets, by name, until the study is closed."""
    client, token = browser.client, browser.session.token
    first, second, *rest = browser.tokens()
    practice, later = f"{PREFIX}{token}", study.continued_by.get()
    further = {item.name: item.example() for item in study.asked.items}
    answer = {"answer": "level", "level": 3, "confidence": None, "further": further}

    def api(name, *arguments):
        return reverse(f"reading-api:{name}", args=arguments)

    def post(url, body):
        return client.post(url, json.dumps(body), content_type="application/json")

    yield "home", client.get("/", follow=True)
    for name, address in {"list": "reading:sessions", "list as JSON": "reading-api:sessions"}.items():
        yield name, client.get(reverse(address))
    yield "login", Client().get(reverse("account_login"))
    yield "account", client.get(reverse("people:account"))
    yield "room", client.get(reverse("reading:room", args=[token]))
    yield "session", client.get(api("session", token))
    yield "display check", post(api("display-check", token), {"steps": found(), "screen": SCREEN})
    yield "practice", client.get(reverse("reading:practice", args=[token]))
    yield "practice session", client.get(api("session", practice))
    yield "practice case", client.get(api("presentation", f"{practice}.0"))
    yield "practice answer", post(api("events", f"{practice}.0"), rating(**answer))
    yield "case", client.get(api("presentation", first))
    yield "slice", client.get(api("slice", first, 0))
    refused = {
        "another answer": {"answer": "real", "level": None},
        "no such level": {"level": 9},
        "a level too low": {"level": 0},
        "confidence": {"confidence": 2},
        "a question that is not asked": {"further": {"other": 1}},
        "no kind of answer": {"answer": "x"},
    }
    for name, wrong in refused.items():
        response = post(api("events", first), rating(**{**answer, **wrong}))
        assert response.status_code >= 400, name
        yield name, response
    yield "answer", browser.rate(first, **answer)
    yield "changed answer", browser.rate(first, **{**answer, "level": 2})
    yield "too early", client.get(api("session", browser_of(later, browser).session.token))
    yield (
        "room too early",
        client.get(reverse("reading:room", args=[browser_of(later, browser).session.token]), follow=True),
    )
    for one in (second, *rest):
        assert browser.rate(one, **answer).status_code == 201
    yield "session when finished", client.get(api("session", token))
    yield "list when finished", client.get(reverse("reading:sessions"))
    unblinding.close(study=study, actor=study.owner)
    yield "late answer", browser.rate(second, **answer)
    for name in ("study", "results", "registration"):
        yield name, client.get(reverse(f"studies:{name}", args=[study.pk]))
    yield "study as JSON", client.get(reverse("study-detail", args=[study.pk]))


def browser_of(study, browser):
    return Browser(browser.session.rater.user, study)


def told_by(response):
    headers = " ".join(f"{name}: {value}" for name, value in response.headers.items())
    body = b"" if response.headers["Content-Type"].startswith("application/vnd") else response.content
    return TELLING.findall(headers) + TELLING.findall(body.decode(errors="replace").replace(ITS_NAME, ""))


def test_no_page_and_no_answer_of_the_api_tells_a_reader_of_a_naive_phase_what_it_is_about(naive, cast):
    study = naive.session.rater.study
    shown = {name: (response.status_code, told_by(response)) for name, response in everything_shown(naive, study)}
    assert {name: told for name, (_, told) in shown.items() if told} == {}
    assert {name for name, (status, _) in shown.items() if status < 300} >= {
        "room",
        "session",
        "case",
        "slice",
        "answer",
    }
    assert all(shown[name][0] in {403, 404} for name in ("study", "results", "registration", "study as JSON"))


def test_the_room_itself_has_no_word_of_it():
    """Whatever is asked: texts that stand in the page's own program."""
    sources = [*(ROOM / "reading").glob("*.ts"), ROOM / "rate.ts"]
    assert len(sources) > 20
    for source in sources:
        texts = re.findall(r'"[^"\n]*"|`[^`]*`', source.read_text())
        telling = [text for text in texts if TELLING.search(text) and not re.search(r"^\"[./@]|\.js\"", text)]
        assert telling == [], source.name
