"""A look at how raters answer while the truth is sealed: who hardly varies and whose answers are missing.

Each rater alone, and no case: what several raters said about one case would help to compute the truth. It shows no more
than the export of the ratings does, and is written into the record as that is.
"""

from dataclasses import dataclass

import numpy as np
from django.db.models import Count
from django.utils.translation import gettext

from ctplatform.accounts.models import User
from ctplatform.errors import ConflictError
from readerstudy.analysis import most_frequent_share
from readerstudy.analysis.panel.assay import RaterVariation, response_variation
from readerstudy.models import Presentation, RatingEvent, Study, record
from readerstudy.permissions import refuse_unless_in_team
from readerstudy.planning.plans import plan_of
from readerstudy.tasks.task import GivenAnswer, Task
from readerstudy.unblinding.looks import LOOKED, looks_of
from readerstudy.unblinding.opened import StudyLedger

FORM = "blinded look"
# Of fewer answers all may be the same by chance.
FEWEST_ANSWERS = 10


@dataclass(frozen=True, kw_only=True)
class RaterLook:
    name: str
    number: int
    excluded: bool
    n: int
    cases: int
    share_called_synthetic: float | None
    most_frequent_share: float | None
    judged: bool
    """Whether there are enough answers to say that they hardly vary."""
    varies: bool

    @property
    def called_synthetic(self) -> str:
        return _percent(self.share_called_synthetic)

    @property
    def most_frequent(self) -> str:
        return _percent(self.most_frequent_share)


@dataclass(frozen=True, kw_only=True)
class BlindedLook:
    raters: list[RaterLook]
    limit: float
    """Above this share of one answer the result will be “not assessable”."""
    looks: int
    """So far, this one included."""
    several: bool = False
    """Whether several images were shown at a time, so that the side of what was chosen is looked at."""


def look_blinded(*, study: Study, actor: User) -> BlindedLook:
    refuse_unless_in_team(study, actor)
    if not study.stage.sealed:
        raise ConflictError(
            gettext(
                "There is nothing to look at: before the lock nobody has answered, and after the unblinding the "
                "results say more."
            ),
            code="not_sealed",
        )
    record(study=study, actor=actor, action=LOOKED, form=FORM, entries=study.ledger_count)
    limit = plan_of(study).same_answer_limit
    return BlindedLook(
        raters=_raters(StudyLedger(study), limit=limit),
        limit=limit,
        looks=len(looks_of(study)),
        several=study.asked.task.images > 1,
    )


def _raters(ledger: StudyLedger, *, limit: float) -> list[RaterLook]:
    task, shown = ledger.study.asked.task, _shown(ledger.study)
    varied = _sides_vary(ledger, limit) if task.images > 1 else _answers_vary(ledger, task, limit)
    return [
        RaterLook(
            name=rater.name,
            number=rater.number,
            excluded=rater.excluded_at is not None,
            n=found.n,
            cases=shown.get(rater.pk, 0),
            share_called_synthetic=found.share_called_synthetic,
            most_frequent_share=found.most_frequent_share,
            judged=found.n >= FEWEST_ANSWERS,
            varies=found.varies,
        )
        for rater, found in zip(ledger.raters, varied, strict=True)
    ]


def _answers_vary(ledger: StudyLedger, task: Task, limit: float) -> list[RaterVariation]:
    given = _given(ledger.study)
    found: list[RaterVariation] = []
    for rater in ledger.raters:
        own = given.get(rater.pk, [])
        calls = np.array([task.call(event) for event in own]).reshape(-1, 1)
        scores = np.array([task.score(event) for event in own]).reshape(-1, 1) if task.varies_by_score else None
        found += response_variation(calls=calls, choices=scores, rater_ids=(str(rater.number),), limit=limit)
    return found


def _sides_vary(ledger: StudyLedger, limit: float) -> list[RaterVariation]:
    """Of trials of several images: on which side what was chosen stood."""
    sides: dict[int, list[int]] = {}
    current = RatingEvent.objects.filter(study=ledger.study, superseded_by=None)
    for who, side in current.values_list("presentation__session__rater", "presentation__side"):
        sides.setdefault(who, []).append(side)
    found = []
    for rater in ledger.raters:
        own = sides.get(rater.pk, [])
        share = most_frequent_share(own)
        found.append(
            RaterVariation(
                rater=str(rater.number),
                n=len(own),
                share_called_synthetic=None,
                most_frequent_share=share,
                varies=share is not None and share <= limit,
            )
        )
    return found


def _given(study: Study) -> dict[int, list[GivenAnswer]]:
    """The valid answers by rater, and nothing else of the entries: a study of many raters has thousands."""
    current = RatingEvent.objects.filter(study=study, superseded_by=None)
    found: dict[int, list[GivenAnswer]] = {}
    columns = ("presentation__session__rater", "answer", "confidence", "level")
    for rater, answer, confidence, level in current.values_list(*columns):
        found.setdefault(rater, []).append(GivenAnswer(answer=answer, confidence=confidence, level=level))
    return found


def _shown(study: Study) -> dict[int, int]:
    """Of each rater how many trials come, cases that come twice counted twice: which they are nobody is told."""
    slots = Presentation.objects.filter(session__rater__study=study, side=0).values("session__rater")
    return dict(slots.annotate(n=Count("pk")).values_list("session__rater", "n"))


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f} %"
