"""Threads that send ratings at the same moment, on a database with real transactions."""

import threading
import time
import uuid
from contextlib import nullcontext

from django.db import connections
from django.utils import timezone

from ctplatform.errors import ConflictError
from readerstudy.ledger.append import append
from readerstudy.ledger.rating import Rating
from readerstudy.models import Presentation, RatingEvent
from readerstudy.verification import verify
from tests.readerstudy.worlds import Cast, Stages, make_draft, make_world

THREADS = 6
PATIENCE = 15_000


def a_rating(event_id=None):
    now = timezone.now()
    return Rating(
        client_event_id=event_id or uuid.uuid4(),
        answer="real",
        confidence=2,
        shown_at=now,
        answered_at=now,
        reading_ms=10,
        load_ms=1,
        hidden_ms=0,
        interactions={},
        environment={},
    )


def in_turn(presentation):
    """As a browser does: an answer whose turn has not come is offered again."""
    rating = a_rating(uuid.uuid4())
    for _ in range(PATIENCE):
        try:
            return append(presentation=presentation, rating=rating)
        except ConflictError as error:
            if error.code != "not_its_turn":
                raise
            time.sleep(0.02)
    raise AssertionError("its turn never came")


def race():
    """Every thread sends the one shared rating, and then one for a case of its own."""
    cast = Cast.create()
    study = Stages(lambda **_: nullcontext()).open(make_draft(cast, make_world(cast.owner)))
    slots = Presentation.objects.filter(session__rater__user=cast.rater).order_by("position")
    keys = list(slots.values_list("pk", flat=True))
    shared, outcomes, troubles = a_rating(uuid.uuid4()), [], []
    barrier = threading.Barrier(THREADS)

    def send(number):
        try:
            barrier.wait()
            outcomes.append(append(presentation=Presentation.objects.get(pk=keys[0]), rating=shared).new)
            own = Presentation.objects.get(pk=keys[1 + number])
            in_turn(own)
        except Exception as error:  # noqa: BLE001 - shown by the assertion below
            troubles.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=send, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    study.refresh_from_db()
    assert troubles == []
    assert sorted(outcomes) == [False] * (THREADS - 1) + [True]
    assert study.ledger_count == RatingEvent.objects.count() == THREADS + 1
    assert verify(study).intact
