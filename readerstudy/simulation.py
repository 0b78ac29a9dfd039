"""Virtual raters: a dry run of a study through its public API, marked as simulated wherever they appear.

They know the truth only as far as their skill goes: each draws evidence from a normal whose mean depends on the
truth, so that a share `skill` of the answers is right, and is surer the farther the evidence lies from indifference.
"""

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
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
from readerstudy.design.services import set_raters
from readerstudy.models import Answer, CaseTruth, Session, Study

NAMESPACE = uuid.UUID("0f3d3c3e-6f0c-4f6e-9b0a-6f2f0a5f5c11")
MEDIAN_READING_MS = 9_000


@dataclass(frozen=True, kw_only=True)
class VirtualRater:
    """Skill is the probability of a right answer, the same for every case."""

    skill: float
    confidence_levels: int
    random: np.random.Generator

    def answer(self, *, synthetic: bool) -> tuple[str, int | None]:
        shift = float(stats.norm.ppf(self.skill)) * (1 if synthetic else -1)
        evidence = float(self.random.normal(shift))
        answer = Answer.SYNTHETIC if evidence > 0 else Answer.REAL
        if not self.confidence_levels:
            return answer, None
        # Equal shares of the half-normal for a rater without skill.
        sure = 2 * float(stats.norm.cdf(abs(evidence))) - 1
        return answer, min(self.confidence_levels, 1 + int(sure * self.confidence_levels))

    def reading_ms(self) -> int:
        return int(np.clip(self.random.lognormal(np.log(MEDIAN_READING_MS), 0.5), 800, 120_000))


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
    truths = dict(CaseTruth.objects.filter(case__study=study).values_list("case", "synthetic"))
    total = 0
    for session in chosen:
        random = np.random.default_rng([seed, session.rater.number])
        rater = VirtualRater(skill=skill, confidence_levels=study.confidence_levels, random=random)
        total += _rate_all(session, rater, truths=truths, seed=seed)
        say(f"{session.rater.user} has rated.")
    return total


def _rate_all(session: Session, rater: VirtualRater, *, truths: dict[uuid.UUID, bool], seed: int) -> int:
    client = Client(SERVER_NAME=_own_host())
    client.force_login(session.rater.user, backend=settings.AUTHENTICATION_BACKENDS[0])
    slots = session.presentations.values_list("token", "stimulus__case")
    synthetic_by_token = {token: truths[case] for token, case in slots}
    standing = _get(client, reverse("reading-api:session", args=[session.token]))
    count = 0
    while standing["next"]:
        token = standing["next"][0]
        _get(client, reverse("reading-api:presentation", args=[token]))
        body = _event(rater, token=token, synthetic=synthetic_by_token[token], seed=seed)
        response = client.post(
            reverse("reading-api:events", args=[token]), json.dumps(body), content_type="application/json", secure=True
        )
        standing = _checked(response)
        count += 1
    return count


def _event(rater: VirtualRater, *, token: str, synthetic: bool, seed: int) -> dict[str, Any]:
    answer, confidence = rater.answer(synthetic=synthetic)
    reading_ms = rater.reading_ms()
    now = timezone.now()
    return {
        # The same run again sends the same events, which the ledger takes once.
        "client_event_id": str(uuid.uuid5(NAMESPACE, f"{seed}:{token}")),
        "answer": answer,
        "confidence": confidence,
        "shown_at": (now - timedelta(milliseconds=reading_ms)).isoformat(),
        "answered_at": now.isoformat(),
        "reading_ms": reading_ms,
        "load_ms": int(rater.random.integers(20, 120)),
        "hidden_ms": 0,
        "interactions": {"scrolls": 0, "windowings": 0, "zooms": 0},
        "environment": {"renderer": "simulated"},
    }


def _get(client: Client, url: str) -> dict[str, Any]:
    return _checked(client.get(url, secure=True))


def _checked(response: Any) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(response.content)
    if response.status_code not in {200, 201}:
        raise DomainError(f"The reading API refused a virtual rating ({response.status_code}): {content}")
    return content


def _own_host() -> str:
    named = [host for host in settings.ALLOWED_HOSTS if host not in {"*", ""}]
    return named[0].lstrip(".") if named else "localhost"
