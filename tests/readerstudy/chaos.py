"""Raters with two computers each, one of them with two tabs, on lines and with clocks and people that do what they do;
the reading API must lose nothing, double nothing, and let no answer replace one that its rater had not seen. One
rater's part is ended while answers are under way: what was given before that and by a clock that was right arrives, and
nothing else is dropped. Where a study lets answers stand, a late one is turned away for good, and only where its case
has another.

A page here keeps the contract that the browser's outbox keeps (frontend/src/core/outbox.ts, with a chaos of its
own in outbox.chaos.spec.ts): answers wait in order until the server has confirmed this very answer, and only a refusal
in the sitting's voice ends one.
"""

import copy
import random
import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.test import Client
from django.urls import reverse
from django.utils import timezone

from readerstudy.ledger.turns import LATE, out_of_turn, policy_of
from readerstudy.models import GoingBack, RatingEvent, Session, Study
from readerstudy.unblinding import services as unblinding
from readerstudy.verification import verify
from tests.readerstudy.worlds import rating

FATES = ("through",) * 5 + ("lost", "reply lost", "twice", "proxy", "other login", "logged out")
PROXY = (404, 400, 405, 413, 451)
HOURS_OFF = (-30, -2, 0, 2, 30)
ROUNDS = 60


@dataclass
class Storage:
    """A browser's storage: whether it keeps, deletes and tells what it holds. One that hangs is not waited for."""

    state: str = "sound"
    entries: dict[str, dict[str, Any]] = field(default_factory=dict)

    def put(self, entry: dict[str, Any]) -> None:
        if self.state not in {"full", "hangs", "throws"}:
            self.entries[entry["body"]["client_event_id"]] = copy.deepcopy(entry)

    def remove(self, event_id: str) -> None:
        if self.state not in {"deletes nothing", "hangs", "throws"}:
            self.entries.pop(event_id, None)

    def all(self) -> list[dict[str, Any]]:
        return [] if self.state in {"hangs", "throws"} else copy.deepcopy(list(self.entries.values()))


STORAGES = ("sound", "sound", "full", "hangs", "throws", "deletes nothing")


@dataclass
class Page:
    """One tab of a browser of one rater; tabs of one browser have one storage."""

    session: Session
    chance: random.Random
    stranger: Any
    storage: Storage
    outbox: list[dict[str, Any]] = field(default_factory=list)
    given: dict[str, str] = field(default_factory=dict)
    counter: int = 0
    clock: timedelta = timedelta(0)
    standing: dict[str, Any] = field(default_factory=dict)
    #: By client ids what the rater has said: an answer, and which one it takes the place of.
    meant: dict[str, set[tuple[str, str | None]]] = field(default_factory=dict)
    #: Client ids of answers that the rater gave up for another one.
    given_up: set[str] = field(default_factory=set)
    #: Those that only a page held which was then closed: it had said that they were not safe yet.
    unsafe: set[str] = field(default_factory=set)
    #: By client ids when an answer was given, and whether the clock was right.
    given_at: dict[str, tuple[datetime, bool]] = field(default_factory=dict)
    #: By client ids what the server said last of an answer that it did not take, where that is lifted later.
    held_for: dict[str, str] = field(default_factory=dict)
    #: By client ids the case of an answer that came when another one stood already; a copy stays in the storage.
    turned_away: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.client = Client()
        self.client.force_login(self.session.rater.user)
        self.load()

    def load(self) -> None:
        """A page that is loaded knows what the server says and what its storage tells."""
        self.unsafe |= {id_of(entry) for entry in self.outbox} - set(self.storage.entries)
        stored = [entry for entry in self.storage.all() if not entry["refused"]]
        self.outbox = sorted(stored, key=lambda entry: entry["body"]["counter"])
        for entry in self.outbox:
            entry["held"] = False
        self.ask()

    def ask(self) -> None:
        self.standing = self.client.get(reverse("reading-api:session", args=[self.session.token])).json()
        self.given = {}
        self.learn(self.standing)
        for entry in self.outbox:
            self.given[entry["token"]] = id_of(entry)

    def learn(self, standing: dict[str, Any]) -> None:
        self.standing = {**self.standing, **standing}
        self.counter = max([standing["counter"], *(entry["body"]["counter"] for entry in self.outbox)])
        waiting = {entry["token"] for entry in self.outbox}
        if standing["previous"] and standing["previous_answer"] and standing["previous"] not in waiting:
            self.given[standing["previous"]] = standing["previous_answer"]["client_event_id"]

    @property
    def fresh(self) -> list[str]:
        """Cases that are shown and that this page has no answer for."""
        waiting = {entry["token"] for entry in self.outbox}
        return [token for token in self.standing["next"] if token not in waiting]

    def press(self) -> None:
        """Answer the case that is on the screen, or the one before again."""
        before, fresh = self.standing["previous"], self.fresh
        if before in self.given and (not fresh or self.chance.random() < 0.2):
            self.answer(before)
        elif fresh:
            self.answer(fresh[0])

    def answer(self, token: str) -> None:
        now = timezone.now() + self.clock
        self.counter += 1
        body = rating(
            answer=self.chance.choice(["real", "synthetic"]),
            client_event_id=str(uuid.UUID(int=self.chance.getrandbits(128), version=4)),
            counter=self.counter,
            supersedes=self.given.get(token),
            shown_at=(now - timedelta(seconds=6)).isoformat(),
            answered_at=now.isoformat(),
        )
        entry = {"token": token, "body": body, "held": False, "refused": False}
        self.given_at[body["client_event_id"]] = (timezone.now(), not self.clock)
        self.given[token] = body["client_event_id"]
        self.outbox.append(entry)
        self.keep(entry)

    def keep(self, entry: dict[str, Any]) -> None:
        self.storage.put(entry)
        self.meant.setdefault(id_of(entry), set()).add((entry["body"]["answer"], entry["body"]["supersedes"]))

    def forget(self, entry: dict[str, Any]) -> None:
        self.outbox.remove(entry)
        self.storage.remove(id_of(entry))

    def send(self) -> str:
        """Offer the oldest answer that is not held; returns the line's fate."""
        if not self.outbox:
            return "nothing"
        fate = self.chance.choice(FATES)
        self._offer(fate)
        return fate

    def _offer(self, fate: str) -> None:
        offered = next((entry for entry in self.outbox if not entry["held"]), None)
        if offered is None:
            for entry in self.outbox:
                entry["held"] = False
            offered = self.outbox[0]
        response = self._line(offered, fate)
        if response is not None:
            self._hear(offered, response)

    def read_to_the_end(self) -> None:
        """Without any trouble: send all that waits, and answer what has no answer yet."""
        self.load()
        for _ in range(ROUNDS):
            if self.outbox:
                self._offer("through")
            if self.fresh:
                self.answer(self.fresh[0])
            if not self.outbox and not self.fresh:
                return

    def _line(self, entry: dict[str, Any], fate: str) -> Any:
        if fate == "lost":
            return None
        if fate == "proxy":
            return self.chance.choice(PROXY), None
        if fate in ("other login", "logged out"):
            client = Client()
            if fate == "other login":
                client.force_login(self.stranger)
            return self._post(client, entry)
        reply = self._post(self.client, entry)
        if fate == "twice":
            reply = self._post(self.client, entry)
        return None if fate == "reply lost" else reply

    def _post(self, client: Client, entry: dict[str, Any]) -> tuple[int, Any]:
        url = reverse("reading-api:events", args=[entry["token"]])
        body = {**entry["body"], "sent_at": (timezone.now() + self.clock).isoformat(), "unsent": len(self.outbox) - 1}
        response = client.post(url, body, content_type="application/json")
        return response.status_code, response.json()

    def _hear(self, entry: dict[str, Any], reply: tuple[int, Any]) -> None:
        status, body = reply
        event_id = id_of(entry)
        if status < 300 and body and body.get("receipt", {}).get("client_event_id") == event_id:
            self.forget(entry)
            self.learn(body)
            return
        refusal = (body or {}).get("refusal")
        if not refusal or refusal["voice"] != self.standing["voice"] or refusal["client_event_id"] != event_id:
            return
        if refusal["code"] == "answer_conflict":
            self._choose(entry["token"], refusal["current"])
        elif refusal["code"] == "event_id_reused":
            # The storage still held this answer as it was before its rater chose it: the same answer stands.
            assert RatingEvent.objects.get(client_event_id=event_id).answer == entry["body"]["answer"]
            self._turn_away(entry)
        elif refusal["final"]:
            assert refusal["code"] == "answer_stands", (entry, body)
            self._turn_away(entry)
        else:
            entry["held"] = True
            self.held_for[event_id] = refusal["code"]

    def _turn_away(self, entry: dict[str, Any]) -> None:
        """For good; a copy stays in the storage, and the page says so."""
        self.turned_away[id_of(entry)] = entry["token"]
        self.outbox.remove(entry)
        self.storage.put({**entry, "refused": True})
        self.ask()

    def _choose(self, token: str, current: dict[str, Any] | None) -> None:
        """Both answers are shown; the rater means one of them."""
        rivals = [entry for entry in self.outbox if entry["token"] == token]
        known = current["client_event_id"] if current else None
        mine = self.chance.random() < 0.5
        for rival in rivals[:-1] if mine else rivals:
            self.given_up.add(id_of(rival))
            self.forget(rival)
        if mine:
            self.counter += 1
            rivals[-1]["body"] |= {"supersedes": known, "counter": self.counter}
            self.keep(rivals[-1])
        self.ask()


def id_of(entry: dict[str, Any]) -> str:
    return str(entry["body"]["client_event_id"])


@dataclass
class Outcome:
    presses: int
    faults: int
    happened: Counter[str]
    problems: list[str]


def _storages() -> tuple[Storage, ...]:
    at_work, at_home = Storage(), Storage()
    return at_work, at_work, at_home


def run(study: Study, *, steps: int, seed: int) -> Outcome:
    """Let all raters of a collecting study read in the midst of trouble, then let the trouble end, and look."""
    chance = random.Random(seed)
    sessions = list(Session.objects.filter(rater__study=study).select_related("rater__user"))
    strangers = [session.rater.user for session in sessions]
    pages = [
        Page(session, chance, strangers[number - 1], storage)
        for number, session in enumerate(sessions)
        for storage in _storages()
    ]
    happened: Counter[str] = Counter()
    ends_at = chance.randrange(steps // 3, steps)
    for step in range(steps):
        page = chance.choice(pages)
        if step == ends_at:
            _exclude(page)
            happened["exclude"] += 1
        what = chance.choice(("press", "press", "send", "send", "send", "load", "clock", "storage", "close"))
        happened[_do(what, page, study, chance)] += 1
    _end_the_trouble(study, pages)
    presses = sum(len(page.meant) for page in pages)
    faults = sum(count for what, count in happened.items() if what not in {"press", "through", "nothing", "sound"})
    return Outcome(presses, faults, happened, _problems(study, pages))


def _do(what: str, page: Page, study: Study, chance: random.Random) -> str:
    if what == "press":
        page.press()
    elif what == "send":
        return page.send()
    elif what == "load":
        page.load()
    elif what == "clock":
        page.clock = timedelta(hours=chance.choice(HOURS_OFF))
    elif what == "storage":
        page.storage.state = chance.choice(STORAGES)
        return page.storage.state
    else:
        study.refresh_from_db()
        if study.accepts_ratings:
            unblinding.close(study=study, actor=study.owner)
        else:
            unblinding.reopen(study=study, actor=study.owner, reason="more to come")
    return what


def _exclude(page: Page) -> None:
    rater = page.session.rater
    unblinding.exclude_rater(rater=rater, actor=rater.study.owner, reason="knew the scans")


def _end_the_trouble(study: Study, pages: list[Page]) -> None:
    study.refresh_from_db()
    if not study.accepts_ratings:
        unblinding.reopen(study=study, actor=study.owner, reason="the end of the trouble")
    for page in pages:
        page.clock = timedelta(0)
        page.storage.state = "sound"
    # Twice, for what one page of a rater holds may wait for what the other one does.
    for page in [*pages, *pages]:
        page.read_to_the_end()


def _problems(study: Study, pages: list[Page]) -> list[str]:
    study.refresh_from_db()
    ended = dict(study.raters.exclude(excluded_at=None).values_list("pk", "excluded_at"))
    readers = [page for page in pages if page.session.rater_id not in ended]
    problems = [f"{len(page.outbox)} never arrived" for page in readers if page.outbox]
    problems += [f"left in a storage: {left}" for page in readers for left in _left_in(page.storage)]
    problems += [f"not finished: {page.standing}" for page in readers if page.standing["state"] != "finished"]
    for page in pages:
        if page.session.rater_id in ended:
            problems += _problems_of_ended(page, pages, ended[page.session.rater_id])
    problems += _problems_of_turned_away(pages)
    problems += _problems_of_the_ledger(study, pages, not_awaited=[page for page in pages if page not in readers])
    return problems + verify(study, with_stimuli=False).problems


def _left_in(storage: Storage) -> list[str]:
    return [event_id for event_id, entry in storage.entries.items() if not entry["refused"]]


def _problems_of_ended(page: Page, pages: list[Page], ended_at: datetime) -> list[str]:
    """What is still held was given after the end or by a wrong clock, or waits for such an answer."""
    given = {event_id: when for one in pages for event_id, when in one.given_at.items()}
    problems = []
    for entry in page.outbox:
        event_id = id_of(entry)
        given_at, clock_right = given[event_id]
        why = page.held_for.get(event_id)
        if why == "rater_excluded" and clock_right and given_at < ended_at:
            problems.append(f"{event_id} was given before the end and is refused")
        if why not in {"rater_excluded", "not_its_turn"}:
            problems.append(f"{event_id} is held and nobody said why: {why}")
    return problems


def _problems_of_turned_away(pages: list[Page]) -> list[str]:
    """An answer is turned away for good only where its case has one."""
    turned_away = [(event_id, token) for page in pages for event_id, token in page.turned_away.items()]
    answered = set(
        RatingEvent.objects.filter(presentation__token__in=[token for _, token in turned_away]).values_list(
            "presentation__token", flat=True
        )
    )
    return [
        f"{event_id} was turned away, and nothing stands" for event_id, token in turned_away if token not in answered
    ]


def _problems_of_the_ledger(study: Study, pages: list[Page], *, not_awaited: list[Page]) -> list[str]:
    entries = list(RatingEvent.objects.filter(study=study).select_related("presentation").order_by("sequence"))
    events = {str(event.client_event_id): event for event in entries}
    meant: dict[str, set[tuple[str, str | None]]] = {}
    for page in pages:
        for event_id, said in page.meant.items():
            meant[event_id] = meant.get(event_id, set()) | said
    may_miss = set().union(*(page.given_up | page.unsafe | set(page.turned_away) for page in pages))
    may_miss |= {id_of(entry) for page in not_awaited for entry in page.outbox}
    problems = [f"lost: {event_id}" for event_id in meant if event_id not in events and event_id not in may_miss]
    for event_id, event in events.items():
        replaced = str(event.supersedes.client_event_id) if event.supersedes else None
        if event_id not in meant:
            problems.append(f"from nowhere: {event_id}")
        elif (event.answer, replaced) not in meant[event_id]:
            problems.append(f"{event_id} is not what was given")
    allowed = {LATE} if policy_of(study) == GoingBack.ANY else set()
    problems += [f"entry {key} was {how}" for key, how in out_of_turn(entries).items() if how not in allowed]
    if policy_of(study) == GoingBack.NEVER:
        problems += [f"{event.client_event_id} replaces an answer" for event in entries if event.supersedes_id]
    return problems
