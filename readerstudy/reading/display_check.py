"""Whether a rater's screen tells greys apart where livers are shown dark or bright: asked and kept per sitting."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from ctplatform.errors import ConflictError
from readerstudy.digests import storable
from readerstudy.ledger.screens import display_policy
from readerstudy.models import DisplayCheck, DisplayPolicy, Session, Study, record
from readerstudy.verification.displays import CHECKED, display_check_digest

# Five per cent from black and from white, as test patterns of medical displays have it; then finer ones, which are
# noted and not demanded.
DEMANDED = ((0, 13), (255, 242))
NOTED = ((0, 8), (255, 247))
# A working day at one screen.
COUNTS_FOR = timedelta(hours=12)


def display_check_payload(session: Session) -> dict[str, Any] | None:
    policy = display_policy(session.rater.study)
    if policy == DisplayPolicy.OFF:
        return None
    since = timezone.now() - COUNTS_FOR
    return {
        "policy": policy.value,
        "steps": [{"ground": ground, "grey": grey} for ground, grey in (*DEMANDED, *NOTED)],
        "last": session.display_checks.filter(at__gte=since).order_by("at").values("at", "passed", "screen").last(),
    }


def store_display_check(
    session: Session, *, steps: Sequence[Mapping[str, Any]], screen: Mapping[str, Any]
) -> DisplayCheck:
    """The report prints them as they stood at the closing, so none is taken after it."""
    found = {(step["ground"], step["grey"]) for step in steps if step["found"]}
    with transaction.atomic():
        # The lock on the study's row lets the closing see every check that was taken before it.
        study = Study.objects.select_for_update().only("state").get(pk=session.rater.study_id)
        if not study.accepts_ratings or session.rater.excluded_at is not None:
            raise ConflictError(gettext("This study takes no more ratings from you."), code="study_not_open")
        check = DisplayCheck.objects.create(
            session=session,
            passed=found.issuperset(DEMANDED),
            steps=storable([dict(step) for step in steps]),
            screen=storable(dict(screen)),
        )
        # Raters are numbers there: archives hold the record.
        record(
            study=study,
            actor=None,
            action=CHECKED,
            rater=session.rater.number,
            passed=check.passed,
            digest=display_check_digest(check),
        )
    return check
