"""Everything that raters, strangers and the team can fetch before the unblinding, fetched as they would.

Every rater reads every case in the stored order: description, slices, answer. One of them also looks at what a case
could change elsewhere: the session before it, the case as soon as it is served and so before its turn, the same answer
sent twice, all that is refused, the closed study. Where there are fewer cases than any statistic could judge, each case
is read by one rater and nobody looks elsewhere.
"""

import json
import re
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from readerstudy.auditing.rehearsal import (
    PutRows,
    Sitting,
    Slot,
    Trial,
    rehearsed,
    sittings_of,
    start_afresh,
    trials_of,
)
from readerstudy.auditing.visitor import Answer, Visitor, unlogged_refusals
from readerstudy.blinding.leaks import FEWEST_CASES
from readerstudy.blinding.presentation import IN_SIGHT
from readerstudy.blinding.screenless import check_without_a_screen
from readerstudy.models import Study, StudyState

# Others wait for so long when they want to write meanwhile, and then get time to: SQLite tries again every 100 ms.
REHEARSAL_SECONDS = 0.8
PAUSE_SECONDS = 0.15
# With fewer raters each asks more often, for the times.
LEAST_TIMINGS = 3
JSON = "application/json"
NOWHERE = "/nowhere/"
LINKS = re.compile(r'(?:src|href)="(/[^"]*)"')

Progress = Callable[[float, str], None]


@dataclass(frozen=True, kw_only=True)
class Received:
    """One answer about one case, to one rater. `event_id` is what the rater's browser called its own answer."""

    rater: int
    slot: Slot
    request: str
    answer: Answer
    event_id: str = ""

    @property
    def case_id(self) -> str:
        return self.slot.case_id


@dataclass
class Walk:
    sittings: list[Sitting] = field(default_factory=list)
    # Whose turn a case is, of the raters, to be looked at closely; by the random ids of the cases.
    turn: dict[str, int] = field(default_factory=dict)
    received: list[Received] = field(default_factory=list)
    # Pages that belong to no case: searched for names that nobody may see.
    pages: dict[str, bytes] = field(default_factory=dict)
    # What the team fetches: rater, slot, and the columns of the rating's row in the export.
    exported: list[tuple[int, Slot, dict[str, str]]] = field(default_factory=list)

    @property
    def few(self) -> bool:
        return len(self.turn) < FEWEST_CASES


def walk(study_id: UUID, *, put_rows: PutRows, on_progress: Progress) -> Walk:
    walked = Walk()
    with rehearsed(study_id, put_rows=put_rows) as study:
        walked.sittings = sittings_of(study)
    cases = sorted({slot.case_id for sitting in walked.sittings for slot in sitting.slots})
    walked.turn = {case_id: number for number, case_id in enumerate(cases)}
    held = 0.0
    with unlogged_refusals():
        for number, sitting in enumerate(walked.sittings):
            trials = _trials_to_read(walked, sitting, number)
            at = 0
            while at < len(trials):
                began = time.monotonic()
                with rehearsed(study_id, put_rows=put_rows) as study:
                    at = _Stretch(study, sitting, walked, number).read(trials, at)
                held = _let_others_write(held + time.monotonic() - began)
                share = (number + at / len(trials)) / len(walked.sittings)
                on_progress(share, f"reading as rater {sitting.rater_number}, case {at} of {len(trials)}")
    return walked


def _let_others_write(held_seconds: float) -> float:
    """Rest when rehearsals have kept others from writing for long; returns for how long they have since."""
    if held_seconds < REHEARSAL_SECONDS:
        return held_seconds
    time.sleep(PAUSE_SECONDS)
    return 0.0


def _trials_to_read(walked: Walk, sitting: Sitting, number: int) -> Sequence[Trial]:
    trials = trials_of(sitting.slots)
    if not walked.few:
        return trials
    # The same cases stand together for every rater, so the first of them tells whose turn all are.
    first = [(min(walked.turn[slot.case_id] for slot in trial), trial) for trial in trials]
    return [trial for turn, trial in first if turn % len(walked.sittings) == number]


class _Stretch:
    """A part of one rater's reading, within one rehearsal."""

    def __init__(self, study: Study, sitting: Sitting, walked: Walk, number: int) -> None:
        self.study, self.sitting, self.walked, self.number = study, sitting, walked, number
        self.visitor = Visitor(sitting.user)
        self.stranger = Visitor()
        self.answered: list[Trial] = []

    def read(self, trials: Sequence[Trial], start: int) -> int:
        """Read from `start` until the time is up; returns where to go on."""
        start_afresh(self.study, self.sitting, [slot for trial in trials[start:] for slot in trial])
        self._enter(first=start == 0)
        began, at = time.monotonic(), start
        while at < len(trials) and (at == start or time.monotonic() - began < REHEARSAL_SECONDS):
            self._look_ahead(trials[(at if at == start else at + IN_SIGHT - 1) : at + IN_SIGHT])
            for slot in trials[at]:
                self._read_image(slot)
            self._answer(trials[at])
            at += 1
        if not self.walked.few:
            self._export()
            self._closed()
        return at

    def _enter(self, *, first: bool) -> None:
        room = self.visitor.ask("GET", reverse("reading:room", args=[self.sitting.token]))
        session = self.visitor.ask("GET", self.session_url)
        pages = {"room": room, "session": session, **self._display_check(session)}
        if first and not self.number and not self.walked.few:
            urls = [reverse("home"), reverse("reading:sessions"), reverse("people:account"), reverse("schema")]
            urls += sorted(set(LINKS.findall(room.body.decode(errors="replace"))))
            pages |= {url: self.visitor.ask("GET", url) for url in [*urls, NOWHERE]}
        for name, page in pages.items():
            self.walked.pages[f"rater {self.sitting.rater_number}: {name}"] = seen_of(page)

    def _display_check(self, session: Answer) -> dict[str, Answer]:
        """Where a study asks for it: without it no answer is taken."""
        asked = _object(session.body).get("display_check")
        if not asked:
            return {}
        body = json.dumps(check_without_a_screen(asked["steps"])).encode()
        url = reverse("reading-api:display-check", args=[self.sitting.token])
        return {"display check": self.visitor.ask("POST", url, body=body, content_type=JSON)}

    @property
    def session_url(self) -> str:
        return reverse("reading-api:session", args=[self.sitting.token])

    def _read_image(self, slot: Slot) -> None:
        url = reverse("reading-api:presentation", args=[slot.token])
        closely = self._looks_closely(slot)
        if closely:
            self._note(slot, "session", self.visitor.ask("GET", self.session_url))
        for _ in range(1 if self.walked.few else max(1, LEAST_TIMINGS // len(self.walked.sittings))):
            about = self._note(slot, "description", self.visitor.ask("GET", url))
        for name, index in self._slices(about).items():
            address = reverse("reading-api:slice", args=[slot.token, index])
            self._note(slot, name, self.visitor.ask("GET", address))
        if closely:
            self._refusals(slot, about)

    def _look_ahead(self, come_into_sight: Sequence[Trial]) -> None:
        """As a browser does that fetches what comes. Those left over at the end of a stretch are looked at again."""
        for slot in (slot for trial in come_into_sight for slot in trial if self._looks_closely(slot)):
            url = reverse("reading-api:presentation", args=[slot.token])
            about = self._note(slot, "description ahead", self.visitor.ask("GET", url))
            start = int(_object(about.body).get("start_slice", 0))
            address = reverse("reading-api:slice", args=[slot.token, start])
            self._note(slot, "slice ahead", self.visitor.ask("GET", address))

    def _looks_closely(self, slot: Slot) -> bool:
        return not self.walked.few and self.walked.turn[slot.case_id] % len(self.walked.sittings) == self.number

    def _slices(self, about: Answer) -> dict[str, int]:
        """The first one shown, and another that differs from rater to rater."""
        told = _object(about.body)
        count, start = int(told.get("slices", 0)), int(told.get("start_slice", 0))
        if count < 1:
            return {}
        return {"slice": start} | (
            {"other slice": (start + 1 + self.number % (count - 1)) % count} if count > 1 else {}
        )

    def _refusals(self, slot: Slot, about: Answer) -> None:
        about_url = reverse("reading-api:presentation", args=[slot.token])
        beyond = reverse("reading-api:slice", args=[slot.token, int(_object(about.body).get("slices", 0))])
        events = reverse("reading-api:events", args=[slot.token])
        asked: Iterable[tuple[str, Visitor, str, str, bytes, str]] = (
            ("no such slice", self.visitor, "GET", beyond, b"", ""),
            ("options", self.visitor, "OPTIONS", about_url, b"", ""),
            ("head", self.visitor, "HEAD", about_url, b"", ""),
            ("wrong method", self.visitor, "DELETE", about_url, b"", ""),
            ("empty answer", self.visitor, "POST", events, b"{}", JSON),
            ("no JSON", self.visitor, "POST", events, b"{", JSON),
            ("not logged in", self.stranger, "GET", about_url, b"", ""),
        )
        for request, visitor, method, url, body, content_type in asked:
            self._note(slot, request, visitor.ask(method, url, body=body, content_type=content_type))

    def _answer(self, trial: Trial) -> None:
        """About one of its images, now this, now that one. What comes back is told with each of them."""
        url = reverse("reading-api:events", args=[trial[len(self.answered) % len(trial)].token])
        rating = self._rating()
        body, event_id = json.dumps(rating).encode(), rating["client_event_id"]
        closely = [slot for slot in trial if self._looks_closely(slot)]
        for request, told in (("receipt", trial), ("receipt again", closely)):
            if told:
                answer = self.visitor.ask("POST", url, body=body, content_type=JSON)
                for slot in told:
                    self._note(slot, request, answer, event_id=event_id)
        self.answered.append(trial)

    def _rating(self) -> dict[str, Any]:
        """The same answer to every case: what comes back can differ by the case alone."""
        now = timezone.now().isoformat()
        return {
            "client_event_id": str(uuid.uuid4()),
            **vars(self.study.asked.task.example()),
            "further": {item.name: item.example() for item in self.study.asked.items},
            "shown_at": now,
            "answered_at": now,
            "reading_ms": 1000,
            "load_ms": 10,
            "hidden_ms": 0,
            "counter": len(self.answered) + 1,
        }

    def _closed(self) -> None:
        """What raters are told of the cases they read, when the study has been closed."""
        Study.objects.filter(pk=self.study.pk).update(state=StudyState.CLOSED)
        for slot in (slot for trial in self.answered for slot in trial if self._looks_closely(slot)):
            url = reverse("reading-api:presentation", args=[slot.token])
            self._note(slot, "closed", self.visitor.ask("GET", url))

    def _export(self) -> None:
        """The team's file: its last rows are the answers of this stretch, in their order."""
        owner = Visitor(self.study.owner)
        with transaction.atomic():
            answer = owner.ask("GET", reverse("studies:export-json", args=[self.study.pk]))
        rows = _object(answer.body).get("ratings", [])
        for trial, row in zip(self.answered, rows[-len(self.answered) :], strict=False):
            columns = {str(name): str(value) for name, value in row.items()}
            self.walked.exported += [(self.sitting.rater_number, slot, columns) for slot in trial]

    def _note(self, slot: Slot, request: str, answer: Answer, *, event_id: str = "") -> Answer:
        self.walked.received.append(
            Received(
                rater=self.sitting.rater_number,
                slot=slot,
                request=request,
                answer=answer,
                event_id=event_id,
            )
        )
        return answer


def seen_of(answer: Answer) -> bytes:
    """All that is readable of an answer."""
    head = "\n".join(f"{name}: {value}" for name, value in answer.headers)
    return f"{answer.status}\n{head}\n".encode() + answer.body


def _object(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
