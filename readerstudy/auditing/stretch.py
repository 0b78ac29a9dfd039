"""A part of one rater's reading, within one rehearsal: each case in its turn, and what it could change elsewhere."""

import json
import re
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from readerstudy.auditing.addresses import addresses
from readerstudy.auditing.asking import (
    JSON,
    Ask,
    Doors,
    Rating,
    Who,
    anew,
    asked_of_every_case,
    asked_otherwise,
    gone_back_to,
    in_the_way,
    looked_at_again,
    out_of_sight,
    rated,
    told_to_others,
    told_too_early,
    unfit_answers,
)
from readerstudy.auditing.received import Received, Walk, object_of, seen_of
from readerstudy.auditing.rehearsal import Sitting, Slot, Trial, start_afresh
from readerstudy.auditing.told import FEEDBACK, of_each
from readerstudy.auditing.visitor import Answer, Visitor
from readerstudy.blinding.presentation import IN_SIGHT
from readerstudy.blinding.screenless import check_without_a_screen
from readerstudy.models import DisplayCheck, Feedback, Study, StudyRater, StudyState

# After a pause nothing was answered before: with fewer, a slow machine would never ask of what was.
LEAST_AT_ONCE = 2
# With fewer raters each asks more often, for the times.
LEAST_TIMINGS = 3
# Of so many cases, chosen by their random ids, everything is asked that the same code answers for every case: one that
# gets another answer suffices, and that all of them are of one kind happens once in two thousand studies.
MOST_ASKED_OTHERWISE = 12
# Further ahead than any browser may load.
FAR_AHEAD = IN_SIGHT + 2
NOWHERE = "/nowhere/"
LINKS = re.compile(r'(?:src|href)="(/[^"]*)"')


@contextmanager
def aside() -> Iterator[None]:
    """Whatever is written in between is taken back, and the reading goes on as if nobody had looked elsewhere."""
    with transaction.atomic():
        try:
            yield
        finally:
            transaction.set_rollback(True)


def checked_display(visitor: Visitor, token: str, session: Answer) -> dict[str, Answer]:
    """Where a study asks for it: without it no answer is taken."""
    asked = object_of(session.body).get("display_check")
    if not asked:
        return {}
    body = json.dumps(check_without_a_screen(asked["steps"])).encode()
    url = reverse("reading-api:display-check", args=[token])
    return {"display check": visitor.ask("POST", url, body=body, content_type=JSON)}


def example_rating(study: Study, *, counter: int) -> Rating:
    """The same answer to every case: what comes back can differ by the case alone."""
    now = timezone.now().isoformat().replace("+00:00", "Z")
    return {
        "client_event_id": str(uuid.uuid4()),
        **vars(study.asked.task.example()),
        "further": {item.name: item.example() for item in study.asked.items},
        "shown_at": now,
        "answered_at": now,
        "reading_ms": 1000,
        "load_ms": 10,
        "hidden_ms": 0,
        "counter": counter,
    }


@dataclass(frozen=True, kw_only=True)
class Given:
    """An answer to a trial, about the image that `doors` lead to."""

    trial: Trial
    rating: Rating
    doors: Doors


class Stretch:
    def __init__(self, study: Study, sitting: Sitting, walked: Walk, number: int) -> None:
        self.study, self.sitting, self.walked, self.number = study, sitting, walked, number
        self.visitor = Visitor(sitting.user)
        others = [other.user for other in walked.sittings if other.user != sitting.user]
        # All here, for what a visitor's login writes must not be taken back with what it asks aside.
        self.visitors = {
            Who.RATER: self.visitor,
            Who.FORGED: Visitor(sitting.user),
            Who.ANOTHER: Visitor((others or [study.owner])[0]),
            Who.STRANGER: Visitor(),
        }
        self.answered: list[Given] = []

    def read(self, trials: Sequence[Trial], start: int, *, seconds: float) -> int:
        """Read from `start` until the time is up; returns where to go on."""
        start_afresh(self.study, self.sitting, [slot for trial in trials[start:] for slot in trial])
        self._enter(first=start == 0)
        began, at = time.monotonic(), start
        while at < len(trials) and (at - start < LEAST_AT_ONCE or time.monotonic() - began < seconds):
            self._look_at_what_comes(trials[at : at + IN_SIGHT])
            self._look_ahead(trials, at)
            for slot in trials[at]:
                self._read_image(slot)
            self._answer(trials[at])
            self._look_back()
            at += 1
        if at == len(trials) and self._is_told(Feedback.END):
            self._be_told_of_all()
        if not self.walked.few:
            self._export()
            self._ended()
        return at

    # --- pages of no case --------------------------------------------------------------------------------------------

    def _enter(self, *, first: bool) -> None:
        room = self.visitor.ask("GET", reverse("reading:room", args=[self.sitting.token]))
        session = self.visitor.ask("GET", self.session_url)
        pages = {"room": room, "session": session, **checked_display(self.visitor, self.sitting.token, session)}
        if first and not self.walked.few:
            urls = [reverse("reading:sessions"), reverse("reading-api:sessions")]
            if not self.number:
                urls = self._everywhere(room)
            for url in urls:
                with aside():
                    pages[url] = self.visitor.ask("GET", url)
        for name, page in pages.items():
            self.walked.pages[f"rater {self.sitting.rater_number}: {name}"] = seen_of(page)

    def _everywhere(self, room: Answer) -> list[str]:
        """Whatever has an address that needs no case to be known, most of which no rater may see."""
        linked = sorted(set(LINKS.findall(room.body.decode(errors="replace"))))
        own = {"token": self.sitting.token}
        listed = addresses({"": {}, "reading/": own, "api/reading/sessions/": own})
        return [url for url in dict.fromkeys([*listed, *linked, NOWHERE]) if url != self.session_url]

    @property
    def session_url(self) -> str:
        return reverse("reading-api:session", args=[self.sitting.token])

    @property
    def feedback_url(self) -> str:
        return reverse("reading-api:feedback", args=[self.sitting.token])

    # --- a case in its turn ------------------------------------------------------------------------------------------

    def _read_image(self, slot: Slot) -> None:
        doors = Doors(slot.token)
        closely = self._looks_closely(slot)
        if closely:
            self._note(slot, "session", self.visitor.ask("GET", self.session_url))
        for _ in range(1 if self.walked.few else max(1, LEAST_TIMINGS // len(self.walked.sittings))):
            about = self._note(slot, "description", self.visitor.ask("GET", doors.about))
        told = object_of(about.body)
        count, start = int(told.get("slices", 0)), int(told.get("start_slice", 0))
        for name, index in self._slices(count, start, closely=closely):
            self._note(slot, name, self.visitor.ask("GET", doors.slice(index)))
        if closely:
            self._ask(slot, asked_of_every_case(doors, slices=count))
            self._ask(slot, told_too_early(doors, self.feedback_url, when="before the answer"))
        if self._asks_otherwise(slot):
            rating = example_rating(self.study, counter=len(self.answered) + 1)
            taken = self.answered[-1].rating["client_event_id"] if self.answered else None
            self._ask(slot, asked_otherwise(doors, about, rating, start=start))
            self._ask(slot, unfit_answers(doors, rating, taken=taken))
            self._ask_without_a_display(slot, rating)

    def _look_at_what_comes(self, in_sight: Sequence[Trial]) -> None:
        """As a browser does that fetches ahead: at each case once, as soon as it is served."""
        for slot in (slot for trial in in_sight for slot in trial if self._looks_closely(slot)):
            if slot.token in self.walked.seen_ahead:
                continue
            self.walked.seen_ahead.add(slot.token)
            doors = Doors(slot.token)
            about = self._note(slot, "description ahead", self.visitor.ask("GET", doors.about))
            start = int(object_of(about.body).get("start_slice", 0))
            self._note(slot, "slice ahead", self.visitor.ask("GET", doors.slice(start)))

    def _looks_closely(self, slot: Slot) -> bool:
        return not self.walked.few and self.walked.turn[slot.case_id] % len(self.walked.sittings) == self.number

    def _asks_otherwise(self, slot: Slot) -> bool:
        return self._looks_closely(slot) and self.walked.turn[slot.case_id] < MOST_ASKED_OTHERWISE

    def _slices(self, count: int, start: int, *, closely: bool) -> list[tuple[str, int]]:
        """The first one shown, and another that differs from rater to rater; all of them in a close look."""
        if count < 1:
            return []
        if closely:
            others = [index for index in range(count) if index != start]
        else:
            others = [(start + 1 + self.number % (count - 1)) % count] if count > 1 else []
        return [("slice", start), *(("other slice", index) for index in others)]

    def _answer(self, trial: Trial) -> None:
        """About one of its images, now this, now that one. What comes back is told with each of them."""
        doors = Doors(trial[len(self.answered) % len(trial)].token)
        rating = example_rating(self.study, counter=len(self.answered) + 1)
        closely = [slot for slot in trial if self._looks_closely(slot)]
        for request, told in (("receipt", trial), ("receipt again", closely)):
            if told:
                ask = rated(request, doors, rating)
                answer = self._sent(ask)
                for slot in told:
                    self._note(slot, request, answer, said=ask.said)
        self.answered.append(Given(trial=trial, rating=rating, doors=doors))
        self._be_told(trial, doors)

    def _be_told(self, trial: Trial, doors: Doors) -> None:
        """Where the study tells raters after every case; where it does not, everybody is refused alike."""
        for slot in (slot for slot in trial if self._looks_closely(slot)):
            self._ask(slot, told_to_others(doors))
            if self.study.asked.feedback != Feedback.CASE:
                of_this, of_all = told_too_early(doors, self.feedback_url, when="after the answer")
                # What all cases were is due with the last one.
                due = self._is_told(Feedback.END) and slot.position == self.sitting.slots[-1].position
                self._ask(slot, [of_this] if due else [of_this, of_all])
        if self._is_told(Feedback.CASE):
            told = self.visitor.ask("POST", doors.feedback, body=b"{}", content_type=JSON)
            for slot in trial:
                self._note(slot, FEEDBACK, told)

    def _is_told(self, when: Feedback) -> bool:
        """Programs are told nothing."""
        return self.study.asked.feedback == when and self.sitting.user.as_program is None

    def _be_told_of_all(self) -> None:
        told = self.visitor.ask("POST", self.feedback_url, body=b"{}", content_type=JSON)
        for slot, answer in of_each(told, [given.trial for given in self.answered]):
            self._note(slot, FEEDBACK, answer)

    # --- elsewhere ---------------------------------------------------------------------------------------------------

    def _look_ahead(self, trials: Sequence[Trial], at: int) -> None:
        """At cases that a browser may load already, and at those that it may not."""
        rating = example_rating(self.study, counter=len(self.answered) + 1)
        for when, place in (("ahead", at + 1), ("far ahead", at + FAR_AHEAD)):
            for slot in trials[place] if place < len(trials) else ():
                if self._asks_far_ahead(slot) if when == "far ahead" else self._asks_otherwise(slot):
                    self._ask(slot, out_of_sight(Doors(slot.token), anew(rating), when=when))
                    self._ask(slot, told_too_early(Doors(slot.token), self.feedback_url, when=when))

    def _asks_far_ahead(self, slot: Slot) -> bool:
        """Of the first ones that are far ahead: of those of which everything is asked only few may ever be."""
        asked = self.walked.asked_far_ahead
        if len(asked) < MOST_ASKED_OTHERWISE and self._looks_closely(slot):
            asked.add(slot.token)
        return slot.token in asked

    def _look_back(self) -> None:
        """At the case that was just answered, and at the one before it, whose answer stands by most policies."""
        for when, place in (("once answered", -1), ("long answered", -2)):
            if len(self.answered) < -place:
                continue
            given = self.answered[place]
            for slot in given.trial:
                doors = Doors(slot.token)
                if self._asks_otherwise(slot):
                    self._ask(slot, gone_back_to(doors, given.rating, when=when))
                    self._ask(slot, in_the_way(given.doors, given.rating) if place == -1 else ())
                elif self._looks_closely(slot) and place == -1:
                    self._ask(slot, looked_at_again(doors, when=when))

    def _ask_without_a_display(self, slot: Slot, rating: Rating) -> None:
        """As if the rater's screen had not been checked."""
        checks = DisplayCheck.objects.filter(session__token=self.sitting.token)
        if checks.exists():
            with aside():
                checks.delete()
                self._ask(slot, [rated("answer without a check of the display", Doors(slot.token), anew(rating))])

    def _ended(self) -> None:
        """What raters are told of the cases they read, when their part or the study has ended."""
        for when, end in (("excluded", self._exclude), ("closed", self._close)):
            with aside():
                end()
                for given in self.answered:
                    for slot in given.trial:
                        self._look_after_the_end(slot, given.rating, when=when)

    def _look_after_the_end(self, slot: Slot, given: Rating, *, when: str) -> None:
        doors = Doors(slot.token)
        if self._asks_otherwise(slot):
            self._ask(slot, gone_back_to(doors, given, when=when))
        elif self._looks_closely(slot) and when == "closed":
            self._ask(slot, [Ask(name="description, closed", url=doors.about)])

    # Before anything was answered: what was answered before and arrives later may be taken.

    def _close(self) -> None:
        Study.objects.filter(pk=self.study.pk).update(state=StudyState.CLOSED, closed_at=self.study.opened_at)

    def _exclude(self) -> None:
        raters = StudyRater.objects.filter(study=self.study, number=self.sitting.rater_number)
        raters.update(
            excluded_at=self.study.opened_at, excluded_by=self.study.owner, excluded_reason="Looked for leaks"
        )

    def _export(self) -> None:
        """The team's file: its last rows are the answers of this stretch, in their order."""
        owner = Visitor(self.study.owner)
        with aside():
            answer = owner.ask("GET", reverse("studies:export-json", args=[self.study.pk]))
        rows = object_of(answer.body).get("ratings", [])
        for given, row in zip(self.answered, rows[-len(self.answered) :], strict=False):
            columns = {str(name): str(value) for name, value in row.items()}
            self.walked.exported += [(self.sitting.rater_number, slot, columns) for slot in given.trial]

    # --- how it is asked ---------------------------------------------------------------------------------------------

    def _ask(self, slot: Slot, asked: Iterable[Ask]) -> None:
        for ask in asked:
            with aside():
                self._note(slot, ask.name, self._sent(ask), said=ask.said)

    def _sent(self, ask: Ask) -> Answer:
        visitor = self.visitors[ask.by]
        return visitor.ask(ask.method, ask.url, body=ask.body, content_type=ask.content_type, headers=ask.headers)

    def _note(self, slot: Slot, request: str, answer: Answer, *, said: tuple[str, ...] = ()) -> Answer:
        self.walked.received.append(
            Received(rater=self.sitting.rater_number, slot=slot, request=request, answer=answer, said=said)
        )
        return answer
