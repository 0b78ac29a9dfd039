"""What could be asked about a case besides reading it: going back and ahead, other words, and all that is refused.

Each list is one kind of question, asked in one state of the sitting. Whatever is accepted is taken back at once.
"""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from django.urls import reverse

from readerstudy.auditing.visitor import Answer

JSON = "application/json"
# More than a rater may send at all.
TOO_MUCH = b" " * (1024 * 1024 + 1)
BEYOND = 1_000_000


class Who(Enum):
    RATER = auto()
    # The same rater, with a form that this server did not give out.
    FORGED = auto()
    ANOTHER = auto()
    STRANGER = auto()


@dataclass(frozen=True, kw_only=True)
class Ask:
    name: str
    url: str
    method: str = "GET"
    body: bytes = b""
    content_type: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    by: Who = Who.RATER
    said: tuple[str, ...] = ()


@dataclass(frozen=True)
class Doors:
    """The addresses of one image."""

    token: str

    @property
    def about(self) -> str:
        return reverse("reading-api:presentation", args=[self.token])

    @property
    def events(self) -> str:
        return reverse("reading-api:events", args=[self.token])

    @property
    def feedback(self) -> str:
        return reverse("reading-api:case-feedback", args=[self.token])

    def slice(self, index: int) -> str:
        return reverse("reading-api:slice", args=[self.token, index])


Rating = dict[str, Any]


def rated(name: str, doors: Doors, rating: Rating, *, earlier: Rating | None = None, by: Who = Who.RATER) -> Ask:
    """`earlier` is an answer to the same case, which a refusal tells again."""
    said = {
        str(one[key]) for one in (rating, earlier or {}) for key in ("client_event_id", "answered_at") if key in one
    }
    body = json.dumps(rating).encode()
    return Ask(name=name, url=doors.events, method="POST", body=body, content_type=JSON, by=by, said=tuple(said))


def anew(rating: Rating, **changed: Any) -> Rating:
    return {**rating, "client_event_id": str(uuid.uuid4()), **changed}


def asked_of_every_case(doors: Doors, *, slices: int) -> list[Ask]:
    return [
        Ask(name="no such slice", url=doors.slice(slices)),
        Ask(name="options", url=doors.about, method="OPTIONS"),
        Ask(name="head", url=doors.about, method="HEAD"),
        Ask(name="wrong method", url=doors.about, method="DELETE"),
        Ask(name="empty answer", url=doors.events, method="POST", body=b"{}", content_type=JSON),
        Ask(name="no JSON", url=doors.events, method="POST", body=b"{", content_type=JSON),
        Ask(name="not logged in", url=doors.about, by=Who.STRANGER),
    ]


def asked_otherwise(doors: Doors, about: Answer, rating: Rating, *, start: int) -> list[Ask]:
    """For a part, for no change, in other forms, by others: while it is the case's turn."""
    shown = doors.slice(start)
    known = {"If-None-Match": about.header("ETag") or "*", "If-Modified-Since": about.header("Date") or LONG_AGO}
    return [
        Ask(name="description, if changed", url=doors.about, headers=known),
        Ask(name="slice, if changed", url=shown, headers=known),
        Ask(name="slice, a part", url=shown, headers={"Range": "bytes=0-63"}),
        Ask(name="slice, head", url=shown, method="HEAD"),
        Ask(name="answers, wrong method", url=doors.events),
        Ask(name="description in another form", url=doors.about, headers={"Accept": "application/xml"}),
        Ask(name="slice in another form", url=shown, headers={"Accept": "image/png"}),
        Ask(name="answer in another form", url=doors.events, method="POST", body=b"real", content_type="text/plain"),
        Ask(name="answer as a form", url=doors.events, method="POST", body=b"answer=real", content_type=FORM),
        Ask(name="answer too large", url=doors.events, method="POST", body=TOO_MUCH, content_type=JSON),
        Ask(name="description, no slash", url=doors.about.rstrip("/")),
        Ask(name="description, another rater", url=doors.about, by=Who.ANOTHER),
        Ask(name="slice, another rater", url=shown, by=Who.ANOTHER),
        rated("answer, another rater", doors, rating, by=Who.ANOTHER),
        Ask(name="slice, not logged in", url=shown, by=Who.STRANGER),
        rated("answer, not logged in", doors, rating, by=Who.STRANGER),
        rated("answer, forged", doors, rating, by=Who.FORGED),
    ]


LONG_AGO = "Sat, 01 Jan 2000 00:00:00 GMT"
FORM = "application/x-www-form-urlencoded"


def unfit_answers(doors: Doors, rating: Rating, *, taken: str | None) -> list[Ask]:
    """What is no answer to this question, while it is the case's turn. `taken` is the id of another case's answer."""
    unfit: dict[str, Rating] = {
        "answer without a level": {"confidence": None, "level": None, "mark": None, "marks": None},
        "answer with another level": {"confidence": BEYOND, "level": BEYOND},
        "no such answer": {"answer": "no such answer"},
        "answer with a mark outside": {"mark": dict.fromkeys(("slice", "row", "column"), BEYOND)},
        "answer to another question": {"further": {"never asked": 1}},
        "answer at another side": {"side": BEYOND},
        "answer in place of none": {"supersedes": str(uuid.uuid4())},
        **({"answer with another's id": {"client_event_id": taken}} if taken else {}),
    }
    return [rated(name, doors, anew(rating, **changed)) for name, changed in unfit.items()]


def out_of_sight(doors: Doors, rating: Rating, *, when: str) -> list[Ask]:
    """A case whose turn has not come."""
    return [*looked_at_again(doors, when=when), rated(f"answer, {when}", doors, rating)]


def looked_at_again(doors: Doors, *, when: str) -> list[Ask]:
    return [
        Ask(name=f"description, {when}", url=doors.about),
        Ask(name=f"slice, {when}", url=doors.slice(0)),
    ]


def gone_back_to(doors: Doors, given: Rating, *, when: str) -> list[Ask]:
    """A case that was answered, looked at and answered anew by somebody who knows of the answer."""
    changed = anew(given, supersedes=given["client_event_id"])
    return [*looked_at_again(doors, when=when), rated(f"changed answer, {when}", doors, changed, earlier=given)]


def told_too_early(doors: Doors, sitting: str, *, when: str) -> list[Ask]:
    """What the case is, asked by its rater before it is answered, and of the sitting before it is read."""
    return [
        Ask(name=f"feedback, {when}", url=doors.feedback, method="POST", body=b"{}", content_type=JSON),
        Ask(name=f"feedback on all, {when}", url=sitting, method="POST", body=b"{}", content_type=JSON),
    ]


def told_to_others(doors: Doors) -> list[Ask]:
    """The same by whoever has not answered the case, once its rater has."""
    return [
        Ask(name=f"feedback, {name}", url=doors.feedback, method="POST", body=b"{}", content_type=JSON, by=who)
        for name, who in (("another rater", Who.ANOTHER), ("not logged in", Who.STRANGER), ("forged", Who.FORGED))
    ]


def in_the_way(doors: Doors, given: Rating) -> list[Ask]:
    """Answers that the one which was given stands in the way of."""
    return [
        rated("answer that knows of none", doors, anew(given), earlier=given),
        rated("the same id, another answer", doors, {**given, "reading_ms": given["reading_ms"] + 1}, earlier=given),
    ]
