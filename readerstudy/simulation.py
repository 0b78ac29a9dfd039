"""Virtual raters: a dry run of a study through its public API, marked as simulated wherever they appear.

They know the truth only as far as their skill goes: each draws evidence from a normal whose mean depends on the
truth, so that a share `skill` of the answers is right, and is surer the farther the evidence lies from indifference.
"""

import json
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import numpy as np
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from scipy import stats

from ctplatform.accounts.models import Role, User
from ctplatform.errors import ConflictError, DomainError
from readerstudy.auditing.visitor import own_host
from readerstudy.blinding.screenless import check_without_a_screen
from readerstudy.design.services import set_raters
from readerstudy.models import CaseTruth, Feedback, Session, Stimulus, Study
from readerstudy.tasks.items import Item
from readerstudy.tasks.marks import AXES
from readerstudy.tasks.task import Choice, EachMark, GivenAnswer, Task

NAMESPACE = uuid.UUID("0f3d3c3e-6f0c-4f6e-9b0a-6f2f0a5f5c11")
MEDIAN_READING_MS = 9_000
SKILL_ON_CONTROLS = 0.95


@dataclass(frozen=True, kw_only=True)
class Truth:
    """Of one case; `size_zyx` is that of its picture, `edited` are runs of samples, where places are marked."""

    synthetic: bool
    control: bool
    size_zyx: Sequence[int]
    edited: Sequence[Sequence[int]]


@dataclass(frozen=True, kw_only=True)
class VirtualRater:
    """Skill is the probability of a right answer, the same for every case; positive controls are mostly found."""

    skill: float
    task: Task
    items: Sequence[Item]
    random: np.random.Generator

    def choose(self, images: Sequence[Truth]) -> Choice:
        """The answer to a trial, of its images from the left."""
        choice = self.task.choose([self._evidence(image) for image in images])
        asked = self.task.mark
        if asked is None or choice.given.answer not in asked.required_with:
            return choice
        image, given = images[choice.side], choice.given
        if asked.each is not None:
            marks = [{**mark, **self._mark(image), "reason": self._reason(asked.each)} for mark in given.marks or ()]
            return replace(choice, given=replace(given, marks=_apart(marks)))
        return replace(choice, given=replace(given, mark=self._mark(image)))

    def _reason(self, each: EachMark) -> int:
        return int(self.random.integers(1, len(each.reasons) + 1))

    def _evidence(self, image: Truth) -> float:
        return float(self.random.normal(float(stats.norm.ppf(self._skill(image))) * (1 if image.synthetic else -1)))

    def _mark(self, image: Truth) -> dict[str, int]:
        """On what was edited as often as skill goes beyond guessing, else anywhere in the picture."""
        if image.edited and self.random.random() < 2 * self._skill(image) - 1:
            z, y, start, stop = image.edited[int(self.random.integers(len(image.edited)))]
            place = [z, y, int(self.random.integers(start, stop))]
        else:
            place = [int(self.random.integers(size)) for size in image.size_zyx]
        return dict(zip(AXES, place, strict=True))

    def _skill(self, image: Truth) -> float:
        return max(self.skill, SKILL_ON_CONTROLS) if image.control else self.skill

    def further(self) -> dict[str, Any]:
        """Answers that know nothing of the truth."""
        return {item.name: item.simulated(float(self.random.random())) for item in self.items}

    def reading_ms(self) -> int:
        return int(np.clip(self.random.lognormal(np.log(MEDIAN_READING_MS), 0.5), 800, 120_000))


def _apart(marks: Sequence[dict[str, int]]) -> list[dict[str, int]]:
    """Without a mark where one stands already; the first is the surest."""
    return list({tuple(mark[axis] for axis in AXES): mark for mark in reversed(marks)}.values())[::-1]


def add_virtual_raters(*, study: Study, actor: User, count: int) -> list[User]:
    """Accounts that nobody can log in to, added to the raters of a draft."""
    users = []
    for number in range(1, count + 1):
        name = f"simulated-{number}"
        user, made = User.objects.get_or_create(
            username=name,
            defaults={"role": Role.RATER, "is_simulated": True, "display_name": f"Simulated rater {number}"},
        )
        if made:
            user.set_unusable_password()
            user.save()
        elif not user.is_simulated:
            raise DomainError(f"The account {name} belongs to a person, so it can't be a virtual rater.")
        users.append(user)
    others = [rater.user for rater in study.raters.select_related("user")]
    set_raters(study=study, actor=actor, users=[*others, *users])
    return users


def simulate(
    *, study: Study, skill: float, seed: int, raters: int | None = None, say: Callable[[str], object] = print
) -> int:
    """Let the virtual raters of a collecting study rate what they have not rated yet; returns the number of ratings."""
    if not 0 < skill < 1:
        raise DomainError("The skill is a probability above 0 and below 1; 0.5 is guessing.")
    if not study.accepts_ratings:
        raise ConflictError(f"The study is {study.state}; open it for reading before raters are simulated.")
    sessions = Session.objects.filter(
        rater__study=study, rater__user__is_simulated=True, rater__excluded_at=None
    ).select_related("rater__user")
    chosen = list(sessions.order_by("rater__number")[:raters])
    if not chosen:
        raise DomainError("This study has no virtual rater; add some with --raters while it is a draft.")
    truths = _truths(study)
    total = 0
    for session in chosen:
        random = np.random.default_rng([seed, session.rater.number])
        rater = VirtualRater(skill=skill, task=study.asked.task, items=study.asked.items, random=random)
        total += _rate_all(session, rater, truths=truths, seed=seed)
        say(f"{session.rater.user} has rated.")
    return total


def _truths(study: Study) -> dict[uuid.UUID, Truth]:
    sizes = dict(Stimulus.objects.filter(case__study=study).values_list("case", "size_zyx"))
    return {
        row.case_id: Truth(
            synthetic=row.synthetic,
            control=row.control,
            size_zyx=sizes[row.case_id],
            edited=row.target.get("runs", ()),
        )
        for row in CaseTruth.objects.filter(case__study=study)
    }


def _rate_all(session: Session, rater: VirtualRater, *, truths: dict[uuid.UUID, Truth], seed: int) -> int:
    client = Client(SERVER_NAME=own_host())
    client.force_login(session.rater.user, backend=settings.AUTHENTICATION_BACKENDS[0])
    slots = session.presentations.values_list("token", "stimulus__case")
    truth_by_token = {token: truths[case] for token, case in slots}
    standing = _get(client, reverse("reading-api:session", args=[session.token]))
    if standing["display_check"] is not None:
        check = check_without_a_screen(standing["display_check"]["steps"])
        _post(client, reverse("reading-api:display-check", args=[session.token]), check)
    count, feedback = 0, standing["study"]["feedback"]
    while standing["next"]:
        token = standing["next"][0]
        images = _get(client, reverse("reading-api:presentation", args=[token]))["images"]
        choice = rater.choose([truth_by_token[image] for image in images])
        body = _event(rater, choice.given, token=token, seed=seed, counter=standing["counter"] + 1)
        standing = _post(client, reverse("reading-api:events", args=[images[choice.side]]), body)
        count += 1
        if feedback == Feedback.CASE:
            _post(client, reverse("reading-api:case-feedback", args=[token]), {})
    if feedback == Feedback.END and standing["state"] == "finished":
        _post(client, reverse("reading-api:feedback", args=[session.token]), {})
    return count


def _event(rater: VirtualRater, given: GivenAnswer, *, token: str, seed: int, counter: int) -> dict[str, Any]:
    reading_ms = rater.reading_ms()
    now = timezone.now()
    return {
        # The same run again sends the same events, which the ledger takes once.
        "client_event_id": str(uuid.uuid5(NAMESPACE, f"{seed}:{token}")),
        **vars(given),
        "further": rater.further(),
        "shown_at": (now - timedelta(milliseconds=reading_ms)).isoformat(),
        "answered_at": now.isoformat(),
        "reading_ms": reading_ms,
        "load_ms": int(rater.random.integers(20, 120)),
        "hidden_ms": 0,
        "idle_ms": 0,
        "waiting_ms": 0,
        "counter": counter,
        "supersedes": None,
        "sent_at": now.isoformat(),
        "interactions": {"scrolls": 0, "windowings": 0, "zooms": 0},
        "environment": {"renderer": "simulated"},
    }


def _get(client: Client, url: str) -> dict[str, Any]:
    return _checked(client.get(url, secure=True))


def _post(client: Client, url: str, body: dict[str, Any]) -> dict[str, Any]:
    return _checked(client.post(url, json.dumps(body), content_type="application/json", secure=True))


def _checked(response: Any) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(response.content)
    if response.status_code not in {200, 201}:
        raise DomainError(f"The reading API refused a virtual rating ({response.status_code}): {content}")
    return content
