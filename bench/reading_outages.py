"""Outages of half a minute at random moments of a reading; run `python -m bench.reading_outages --runs 100`.

A real browser reads from the real server. At a random moment the network goes, in half of the runs with an answer on
its way that the server takes and whose receipt is lost; the reader goes on as far as the cases that were fetched reach;
after 30 seconds of the browser's clock the network is back. The browser's clock is advanced where nobody does anything,
so that the very timers of the page run out and a run takes some seconds. Survived is a reading with every answer of the
reader in the ledger once, as given, in one chain, and with the room saying so. On SQLite, or DJANGO_DATABASE_URL.
"""

import argparse
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.test import Client
from django.test.testcases import LiveServerThread
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser, Page, Route, sync_playwright

from bench.database import empty_database
from ctplatform.accounts.models import Role, User
from readerstudy.blinding.wire import GRADIENT, compressed, shortest_length, travelling
from readerstudy.digests import digest_of
from readerstudy.models import (
    Case,
    Presentation,
    RatingEvent,
    Session,
    Stimulus,
    Study,
    StudyRater,
    StudyState,
)
from readerstudy.verification.chain import verify_events
from readerstudy.verification.outcome import Verification
from tests.e2e.conftest import CHROMIUM, FLAGS
from tests.e2e.harness import body_phantom

CASES = 8
OUTAGE_S = 30
READY = '.room[data-state="reading"]'
EVENTS = "**/events/"
STATE = "document.querySelector('.room')?.dataset.state"
BOUNCE_MS = 230


def make_study(raters: int) -> Study:
    """Rows as a lock would leave them, without any science."""
    owner = User.objects.create_user("owner", role=Role.COORDINATOR)
    hu = body_phantom((CASES, 96, 112)).hu
    display = {
        "mode": "slice",
        "field_of_view_mm": 50.0,
        "window_hu": {"center": 60, "width": 400},
        "samples": GRADIENT,
    }
    asked = {"title": "Outages", "template": "inserted_lesions", "question": "Real or synthetic?", "instructions": ""}
    protocol = {**asked, "confidence_levels": 3, "display": display, "going_back": "last"}
    study = Study.objects.create(
        owner=owner,
        state=StudyState.COLLECTING,
        locked_at=timezone.now(),
        opened_at=timezone.now(),
        protocol=protocol,
        protocol_digest=digest_of(protocol),
        **asked,
    )
    squeezed = [compressed(plane.astype("<i2")) for plane in hu]
    length = max(shortest_length(one) for one in squeezed)
    stimuli = []
    for number, one in enumerate(squeezed):
        key = f"stimuli/outages/{number}"
        default_storage.save(f"{key}/000", ContentFile(travelling(one, length=length)))
        shape = {"size_zyx": [1, *hu.shape[1:]], "spacing_zyx_mm": [3, 1, 1], "start_slice": 0}
        case = Case.objects.create(study=study, code=f"c{number}")
        stimuli.append(Stimulus.objects.create(case=case, key=key, marker_zyx=[0, 40, 40], ring_mm=10.0, **shape))
    for number in range(raters):
        user = User.objects.create_user(f"rater{number}", role=Role.RATER)
        session = Session.objects.create(rater=StudyRater.objects.create(study=study, user=user, number=number + 1))
        Presentation.objects.bulk_create(
            Presentation(session=session, position=n, stimulus=stimulus) for n, stimulus in enumerate(stimuli)
        )
    return study


@dataclass
class Reading:
    """One sitting with its outage."""

    page: Page
    random: random.Random
    given: dict[str, tuple[str, int]] = field(default_factory=dict)
    offline: bool = False
    loses_receipt: bool = False
    clock_s: float = 0.0
    during: int = 0

    def run(self) -> None:
        begins_with = self.random.randrange(CASES)
        delay_ms = self.random.choice([0, 0, self.random.randrange(5, 400)])
        self.page.route(EVENTS, self._post)
        self._read(begins_with, until_offline=delay_ms)
        self._go_offline()
        while self.clock_s < OUTAGE_S:
            if self.random.random() < 0.7 and len(self.given) < CASES and self._answer():
                self.during += 1
            self._pass(self.random.uniform(2, 9))
        self._go_online()
        self._read(CASES)
        self.page.get_by_role("heading", name="Thank you").wait_for()
        self.page.get_by_text("All answers saved").wait_for()

    def _read(self, count: int, until_offline: int | None = None) -> None:
        while len(self.given) < count:
            self.page.wait_for_selector(READY)
            self._answer()
        if until_offline is not None and len(self.given) < CASES and self.random.random() < 0.5:
            # In the midst of a case: an answer without its confidence, or a case that is still arriving.
            self.page.keyboard.press(str(self.random.randint(1, 2)))
            self.page.keyboard.press("Escape")
            self.page.wait_for_timeout(until_offline)

    def _answer(self) -> bool:
        """False when there is no case to answer."""
        try:
            self.page.wait_for_selector(READY, timeout=400 if self.offline else 20_000)
        except Exception:  # noqa: BLE001 (Playwright's timeout: nothing is there to be read)
            return False
        self.page.wait_for_timeout(BOUNCE_MS)
        token = self.page.get_attribute(".room", "data-presentation")
        answer, sure = self.random.randint(1, 2), self.random.randint(1, 3)
        self.page.keyboard.press(str(answer))
        if token is None or self.page.evaluate(STATE) != "confidence":
            return False
        if answer == sure:
            self.page.wait_for_timeout(BOUNCE_MS)
        self.page.keyboard.press(str(sure))
        self.given[token] = (("real", "synthetic")[answer - 1], sure)
        return True

    def _post(self, route: Route) -> None:
        if not self.offline:
            route.continue_()
        elif self.loses_receipt:
            self.loses_receipt = False
            route.fetch()
            route.abort()
        else:
            route.abort()

    def _go_offline(self) -> None:
        self.offline, self.loses_receipt = True, self.random.random() < 0.5
        self.page.context.set_offline(not self.loses_receipt)

    def _pass(self, seconds: float) -> None:
        self.page.clock.fast_forward(int(1000 * seconds))
        self.clock_s += seconds
        if self.clock_s > OUTAGE_S / 3 and not self.loses_receipt:
            self.page.context.set_offline(True)

    def _go_online(self) -> None:
        self.offline = False
        self.page.context.set_offline(False)


def problems_of(session: Session, given: dict[str, tuple[str, int]]) -> list[str]:
    events = RatingEvent.objects.filter(presentation__session=session).select_related("presentation")
    found = [(event.presentation.token, (event.answer, event.confidence)) for event in events]
    times = Counter(token for token, _ in found)
    problems = [f"{token} stands {n} times" for token, n in times.items() if n > 1]
    problems += [f"{token} is lost" for token in given if token not in times]
    problems += [
        f"{token}: {answer} in place of {given[token]}" for token, answer in found if given.get(token) != answer
    ]
    return problems + ([] if len(given) == CASES else [f"{len(given)} of {CASES} cases were read"])


def read(browser: Browser, base: str, session: Session, *, seed: int) -> tuple[list[str], int]:
    client = Client()
    client.force_login(session.rater.user)
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": base}])
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.clock.install()
    page.goto(f"{base}{reverse('reading:room', args=[session.token])}")
    page.get_by_role("button", name="Start reading").click()
    reading = Reading(page=page, random=random.Random(seed))
    try:
        reading.run()
        problems = []
    except Exception as error:  # noqa: BLE001 (whatever stops a reading is an outage that was not survived)
        told = f"{page.evaluate(STATE)}, {page.inner_text('.room-top')}, {page.inner_text('.room-banner')}"
        problems = [f"the room did not get to its end: {str(error).splitlines()[0]} ({' '.join(told.split())})"]
    context.close()
    return problems + problems_of(session, reading.given), reading.during


@contextmanager
def served() -> Iterator[str]:
    """The address of a server in a thread of its own."""
    server = LiveServerThread("127.0.0.1", StaticFilesHandler)
    server.daemon = True
    server.start()
    try:
        server.is_ready.wait()
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.terminate()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    # The browser is driven from a loop of events, in which Django else refuses to ask the database.
    os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    start = time.monotonic()
    with empty_database():
        study = make_study(options.runs)
        with served() as base:
            survived, during = read_all(base, seed=options.seed)
        study.refresh_from_db()
        outcome = Verification(study=study)
        verify_events(outcome)
    print(
        f"{survived} of {options.runs} outages of {OUTAGE_S} s survived complete; {during} answers given while the "
        f"network was gone; chain of {outcome.events} entries {'valid' if outcome.intact else 'BROKEN'}; "
        f"{time.monotonic() - start:.0f} s"
    )
    return int(survived < options.runs or not outcome.intact)


def read_all(base: str, *, seed: int) -> tuple[int, int]:
    """How many readings survived, and how many answers were given meanwhile."""
    survived = during = 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for number, session in enumerate(Session.objects.select_related("rater__user").order_by("pk")):
            problems, answered = read(browser, base, session, seed=seed + number)
            survived += not problems
            during += answered
            if number % 10 == 9:
                print(f"{survived} of {number + 1} survived", flush=True)
            for problem in problems:
                print(f"seed {seed + number}: {problem}", flush=True)
        browser.close()
    return survived, during


if __name__ == "__main__":
    sys.exit(main())
