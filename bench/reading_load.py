"""Many raters at once against the service deployment; run `python -m bench.reading_load`.

Web processes and settings of the service deployment, with PostgreSQL and Redis. Every virtual rater fetches a case and
its slices over one connection, thinks, answers, and waits for the receipt. Limits: no error, and 99 of 100 answers
confirmed within 250 ms. The processor time is that of the web processes, whoever else is at work on the machine.
"""

import argparse
import asyncio
import json
import math
import os
import random
import sys
import tempfile
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.processes import Installation, free_port, fresh_postgres, fresh_redis, wait_until

LIMIT_MS = 250
CSRF = "c" * 32
PREPARE = """
from bench.reading_load import prepare
print(json.dumps(prepare(*map(int, sys.argv[1:]))))
"""
HOW_MANY = """
from bench.reading_load import counted
print(json.dumps(counted()))
"""


def prepare(cases: int, raters: int, edge: int) -> list[dict[str, str]]:
    """In the installation: a study that collects, and a login of each of its raters."""
    from django.conf import settings
    from django.test import Client

    from bench.long_study import make_long_study

    def login(session: Any) -> dict[str, str]:
        client = Client()
        client.force_login(session.rater.user, backend=settings.AUTHENTICATION_BACKENDS[0])
        return {"session": session.token, "cookie": client.cookies[settings.SESSION_COOKIE_NAME].value}

    return [login(one) for one in make_long_study(cases=cases, raters=raters, size_zyx=(1, edge, edge))]


def counted() -> dict[str, Any]:
    """In the installation: how many answers the ledger holds, and whether they hang together."""
    from readerstudy.ledger.chain import event_digest
    from readerstudy.models import RatingEvent, Study

    study = Study.objects.get()
    events = RatingEvent.objects.filter(study=study).select_related("presentation", "supersedes").order_by("sequence")
    head, count = study.protocol_digest, 0
    for count, event in enumerate(events, start=1):
        if event.previous_digest != head or event.sequence != count or event_digest(event) != event.digest:
            return {"answers": count, "chained": False}
        head = event.digest
    return {"answers": count, "chained": head == study.ledger_head and count == study.ledger_count}


@dataclass
class Seen:
    milliseconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    errors: list[str] = field(default_factory=list)
    answers: int = 0


@dataclass
class Rater:
    """A browser that keeps one connection."""

    port: int
    session: str
    cookie: str
    seen: Seen
    interval_s: float

    async def read_until(self, deadline: float) -> None:
        await asyncio.sleep(random.uniform(0, self.interval_s))
        standing = json.loads(await self._ask("session", "GET", f"/api/reading/sessions/{self.session}/"))
        counter, due = 0, time.monotonic()
        while standing["next"] and time.monotonic() < deadline:
            token = standing["next"][0]
            await self._look_at(token)
            due = max(due + self.interval_s, time.monotonic())
            await asyncio.sleep(due - time.monotonic())
            counter += 1
            told = await self._ask("rating", "POST", f"/api/reading/presentations/{token}/events/", _answer(counter))
            self.seen.answers += 1
            standing = json.loads(told)

    async def _look_at(self, token: str) -> None:
        path = f"/api/reading/presentations/{token}/"
        description = json.loads(await self._ask("case", "GET", path))
        for index in range(description["slices"]):
            await self._ask("slice", "GET", f"{path}slices/{index}/")

    async def connect(self) -> None:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)

    async def _ask(self, name: str, method: str, path: str, body: bytes = b"") -> bytes:
        cookies = f"sessionid={self.cookie}; csrftoken={CSRF}"
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookies}\r\nX-CSRFToken: {CSRF}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        began = time.perf_counter()
        self.writer.write(head.encode() + body)
        told = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in told[1:] if line)
        content = await self.reader.readexactly(int(headers["content-length"]))
        self.seen.milliseconds[name].append(1000 * (time.perf_counter() - began))
        if told[0].split()[1] not in {"200", "201"}:
            raise RuntimeError(f"{name}: {told[0]} {content[:200]!r}")
        return content


def _answer(counter: int) -> bytes:
    now = datetime.now(UTC).isoformat()
    times = {"reading_ms": 4200, "load_ms": 30, "hidden_ms": 0, "idle_ms": 0, "waiting_ms": 0}
    moments = {"shown_at": now, "answered_at": now, "sent_at": now}
    seen = {"scrolls": 4, "slices": [[n, 210] for n in range(15)], "windows": [[60, 400, 4200]], "zoom_range": [1, 2]}
    answer = {"client_event_id": str(uuid.uuid4()), "answer": "real", "confidence": 2, "counter": counter}
    rest = {"supersedes": None, "interactions": seen, "environment": {"renderer": "cpu"}}
    return json.dumps({**answer, **times, **moments, **rest}).encode()


async def read(port: int, logins: Sequence[dict[str, str]], *, seconds: float, interval_s: float) -> Seen:
    seen = Seen()

    async def one(login: dict[str, str]) -> None:
        try:
            rater = Rater(port=port, seen=seen, interval_s=interval_s, **login)
            await rater.connect()
            await rater.read_until(time.monotonic() + seconds)
            rater.writer.close()
        except (OSError, RuntimeError, EOFError) as error:
            seen.errors.append(str(error))

    await asyncio.gather(*(one(login) for login in logins))
    return seen


def processor_seconds(parent: int) -> float:
    """Spent so far by the web processes: the children of the one that was started."""
    ticks = 0.0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == parent:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def told(seen: Seen, *, seconds: float, spent: float, stored: dict[str, Any]) -> int:
    for name, times in seen.milliseconds.items():
        p50, p99 = percentile(times, 0.5), percentile(times, 0.99)
        print(f"{name:<8} n = {len(times):6d}   median {p50:7.1f} ms   p99 {p99:7.1f} ms   most {max(times):7.1f} ms")
    requests = sum(map(len, seen.milliseconds.values()))
    print(
        f"{seen.answers} answers in {seconds:.0f} s ({seen.answers / seconds:.1f}/s), {len(seen.errors)} errors; "
        f"{1000 * spent / requests:.1f} ms of processor time per request; the ledger holds {stored['answers']}, "
        f"{'in one chain' if stored['chained'] else 'BROKEN'}"
    )
    for error in seen.errors[:5]:
        print(f"  {error}")
    whole = stored["chained"] and stored["answers"] == seen.answers
    kept = not seen.errors and whole and percentile(seen.milliseconds["rating"], 0.99) < LIMIT_MS
    print("kept" if kept else "MISSED")
    return int(not kept)


def service_settings(database: str) -> dict[str, str]:
    return {
        "DJANGO_SETTINGS_MODULE": "ctplatform.settings.production",
        "DJANGO_SECRET_KEY": uuid.uuid4().hex,
        "DJANGO_ALLOWED_HOSTS": "127.0.0.1",
        "DJANGO_DATABASE_URL": database,
        "DJANGO_CACHE_URL": fresh_redis().replace("redis://", "rediscache://", 1),
        "CT_BROKER_URL": fresh_redis(),
        "DJANGO_SECURE_SSL_REDIRECT": "false",
        "DJANGO_COOKIES_SECURE": "false",
    }


def is_up(port: int) -> Callable[[], bool]:
    def asked() -> bool:
        try:
            asyncio.run(Rater(port=port, session="", cookie="", seen=Seen(), interval_s=0).connect())
        except OSError:
            return False
        return True

    return asked


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--raters", type=int, default=200)
    parser.add_argument("--cases", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--interval", type=float, default=5, help="Seconds between two answers of one rater")
    parser.add_argument("--edge", type=int, default=256, help="Pixels on each side of a picture")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    with fresh_postgres() as database, tempfile.TemporaryDirectory() as folder:
        installation = Installation(folder, **service_settings(database))
        try:
            installation.manage("migrate", "--verbosity", 0)
            logins = installation.run(PREPARE, options.cases, options.raters, options.edge, timeout=600)
            port = free_port()
            web = (sys.executable, "-m", "ctplatform.webserver", "--port", port, "--processes", options.processes)
            server = installation.start(*web, log="web")
            wait_until(is_up(port), seconds=60, what="the start of the web processes", installation=installation)
            asyncio.run(read(port, logins[:8], seconds=0, interval_s=1))  # every process has loaded its code
            before, began = processor_seconds(server.pid), time.monotonic()
            seen = asyncio.run(read(port, logins, seconds=options.seconds, interval_s=options.interval))
            seconds, spent = time.monotonic() - began, processor_seconds(server.pid) - before
            return told(seen, seconds=seconds, spent=spent, stored=installation.run(HOW_MANY))
        finally:
            installation.stop()


if __name__ == "__main__":
    sys.exit(main())
