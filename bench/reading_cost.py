"""Processor time of the requests of reading, in one process; run `python -m bench.reading_cost`.

A study of 600 cases and 20 raters, with a protocol as long as such a study's. Limits: a rating 10 ms, a case's
description 4 ms, a slice 3 ms. What the web server adds per request is the same for all pages and not counted.
"""

import argparse
import json
import statistics
import time
import uuid
from collections.abc import Callable

from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from bench.database import empty_database
from bench.long_study import make_long_study
from readerstudy.blinding.presentation import IN_SIGHT
from readerstudy.models import Presentation

LIMITS_MS = {"a rating": 10.0, "a case's description": 4.0, "a slice": 3.0}


def measured(name: str, requests: list[Callable[[], object]]) -> float:
    """Median processor time of a request, in milliseconds."""
    spent = []
    for number, request in enumerate(requests):
        start = time.process_time()
        if number == len(requests) - 1:
            with CaptureQueriesContext(connection) as queries:
                request()
        else:
            request()
            spent.append(1000 * (time.process_time() - start))
    median = statistics.median(spent[5:])
    limit = LIMITS_MS[name]
    verdict = "kept" if median <= limit else "MISSED"
    print(f"{name:<24}{median:7.2f} ms, {len(queries):3d} queries  (limit {limit} ms: {verdict}, n = {len(spent) - 5})")
    return median


def rating(counter: int) -> str:
    now = timezone.now().isoformat()
    times = {"reading_ms": 4200, "load_ms": 30, "hidden_ms": 0, "idle_ms": 0, "waiting_ms": 0}
    about = {"client_event_id": str(uuid.uuid4()), "answer": "real", "confidence": 2, "counter": counter}
    seen = {"scrolls": 4, "slices": [[n, 210] for n in range(15)], "windows": [[60, 400, 4200]], "zoom_range": [1, 2]}
    sent = {"shown_at": now, "answered_at": now, "sent_at": now, "supersedes": None}
    return json.dumps({**about, **times, **sent, "interactions": seen, "environment": {"renderer": "cpu"}})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=600)
    parser.add_argument("--raters", type=int, default=20)
    options = parser.parse_args()
    with empty_database():
        session = make_long_study(cases=options.cases, raters=options.raters)[-1]
        client = Client()
        client.force_login(session.rater.user, backend=settings.AUTHENTICATION_BACKENDS[0])
        tokens = list(Presentation.objects.filter(session=session).order_by("position").values_list("token", flat=True))

        def get(name: str, *arguments: object) -> None:
            assert client.get(reverse(f"reading-api:{name}", args=arguments)).status_code == 200

        def rate(counter: int, token: str) -> None:
            url = reverse("reading-api:events", args=[token])
            response = client.post(url, rating(counter), content_type="application/json")
            assert response.status_code == 201, response.content

        in_sight = tokens[:IN_SIGHT] * 25
        measured("a case's description", [lambda t=token: get("presentation", t) for token in in_sight])
        measured("a slice", [lambda: get("slice", tokens[0], 0)] * 100)
        measured(
            "a rating", [lambda n=n, t=token: rate(n, t) for n, token in enumerate(tokens[: options.cases - 1], 1)]
        )


if __name__ == "__main__":
    main()
