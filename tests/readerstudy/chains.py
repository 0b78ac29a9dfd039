"""Studies that continue one another, and every door of them that a rater may try."""

import json

from django.urls import reverse

from readerstudy.design.same_cases import take_same_cases
from readerstudy.models import RatingEvent, Study
from readerstudy.opening import services as opening
from readerstudy.reading.practice import PREFIX
from tests.readerstudy.test_room import SCREEN, found
from tests.readerstudy.worlds import make_draft, rating

GAP_DAYS = 3
QUESTION = "Which of these were made by a program?"


def opened_phase(cast, world, stages, earlier, **settings):
    """A second study on the same images, open for reading."""
    draft = phase_after(cast, world, earlier, **settings)
    take_same_cases(study=draft, actor=cast.owner)
    return opened(draft, stages)


def phase_after(cast, world, earlier, **settings):
    settings = {"least_gap_days": GAP_DAYS, "question": QUESTION, **settings}
    draft = make_draft(cast, world, continues=earlier, **settings)
    Study.objects.filter(pk=draft.pk).update(title="Second")
    draft.refresh_from_db()
    return draft


def opened(draft, stages):
    for _ in range(4):  # a false alarm of the leak audit is one in a hundred
        stages.lock(draft)
        if draft.state == "locked":
            break
    assert draft.state == "locked", draft.leak_audit.get("leaks")
    opening.open_for_reading(study=draft, actor=draft.owner)
    return draft


def every_door(browser):
    """All that a rater's browser may ask for of a sitting, by name: a request, and what it answers when the rater is in."""
    client, token = browser.client, browser.session.token
    first = browser.tokens()[0]
    practice = f"{PREFIX}{token}"

    def post(url, body):
        return client.post(url, json.dumps(body), content_type="application/json")

    def api(name, *arguments):
        return reverse(f"reading-api:{name}", args=arguments)

    return {
        "session": lambda: client.get(api("session", token)),
        "presentation": lambda: client.get(api("presentation", first)),
        "slice": lambda: client.get(api("slice", first, 0)),
        "answer": lambda: post(api("events", first), rating()),
        "display check": lambda: post(api("display-check", token), {"steps": found(), "screen": SCREEN}),
        "left": lambda: post(api("left", token), {"unsent": 0}),
        "room": lambda: client.get(reverse("reading:room", args=[token])),
        "practice": lambda: client.get(reverse("reading:practice", args=[token])),
        "practice session": lambda: client.get(api("session", practice)),
        "practice case": lambda: client.get(api("presentation", f"{practice}.0")),
        "practice slice": lambda: client.get(api("slice", f"{practice}.0", 0)),
        "practice answer": lambda: post(api("events", f"{practice}.0"), rating()),
    }


def refused_everywhere(browser):
    for name, ask in every_door(browser).items():
        response = ask()
        assert response.status_code == (302 if name in {"room", "practice"} else 409), (name, response.content)
        assert QUESTION not in response.content.decode(), name
    browser.session.refresh_from_db()
    assert browser.session.begun_at is None
    assert not RatingEvent.objects.filter(presentation__session=browser.session).exists()
