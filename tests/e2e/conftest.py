"""Browser tests: one headless Chromium without a graphics card, a console that must stay clean."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from django.core.signals import request_finished, request_started
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, expect

from tests.e2e.harness import DIST, FixtureServer

CHROMIUM = os.environ.get("CT_CHROMIUM", "/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-gpu",
    # Readers without a graphics card have no WebGL: the tests see what they see.
    "--disable-3d-apis",
]
# Only against hanging: what a test waits for comes in its own time, on a busy machine in many times that.
SAFETY_MS = 60_000
expect.set_options(timeout=SAFETY_MS)
Seen = TypeVar("Seen")
# The live server's own database calls run in the thread of Playwright's event loop.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")


@pytest.fixture(scope="session", autouse=True)
def built_frontend() -> None:
    if not (DIST / ".vite" / "manifest.json").exists():
        pytest.skip("the browser code is not built: npm --prefix frontend ci && npm --prefix frontend run build")
    if not Path(CHROMIUM).exists():
        pytest.skip(f"no Chromium at {CHROMIUM}: set CT_CHROMIUM")


@pytest.fixture(scope="session")
def base_url() -> None:
    """Tests say the whole address. (The plugin's own fixture of this name warns under pytest 9.)"""


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    return {**browser_type_launch_args, "executable_path": CHROMIUM, "args": FLAGS}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    return {**browser_context_args, "viewport": {"width": 1280, "height": 800}}


class OpenRequests:
    """Counts what the live server is still at."""

    def __init__(self) -> None:
        self.count, self.last_change, self.lock = 0, time.monotonic(), threading.Lock()

    def _change(self, by: int) -> None:
        with self.lock:
            self.count, self.last_change = self.count + by, time.monotonic()

    def begin(self, **_: Any) -> None:
        self._change(1)

    def end(self, **_: Any) -> None:
        self._change(-1)

    def wait(self, *, quiet_s: float = 0.1, limit_s: float = SAFETY_MS / 1000) -> None:
        deadline = time.monotonic() + limit_s
        while self.count > 0 or time.monotonic() - self.last_change < quiet_s:
            if time.monotonic() > deadline:
                pytest.fail(f"{self.count} requests were never answered")
            time.sleep(0.02)


@pytest.fixture(scope="session")
def open_requests() -> Iterator[OpenRequests]:
    requests = OpenRequests()
    request_started.connect(requests.begin)
    request_finished.connect(requests.end)
    yield requests
    request_started.disconnect(requests.begin)
    request_finished.disconnect(requests.end)


@pytest.fixture
def context(context: BrowserContext, open_requests: OpenRequests) -> Iterator[BrowserContext]:
    """Leaves no request behind: the database of a test is emptied under those that pages still ask."""
    yield context
    context.close()
    open_requests.wait()


class Console:
    """Errors of the page; what a test causes on purpose it allows by a piece of its text."""

    def __init__(self) -> None:
        self.errors: list[str] = []
        self.allowed: list[str] = []

    def allow(self, text: str) -> None:
        self.allowed.append(text)

    def message(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(f"{message.text} ({message.location.get('url', '')})")

    @property
    def unexpected(self) -> list[str]:
        return [error for error in self.errors if not any(text in error for text in self.allowed)]


@pytest.fixture
def console(context: BrowserContext) -> Iterator[Console]:
    console = Console()
    context.on("console", console.message)
    context.on("weberror", lambda error: console.errors.append(str(error.error)))
    yield console
    assert console.unexpected == []


def until(page: Page, expression: str, timeout_ms: int = SAFETY_MS) -> None:
    """page.wait_for_function would need eval, which the security policy of our pages forbids."""
    for _ in range(timeout_ms // 50):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(50)
    pytest.fail(f"never became true: {expression}")


def eventually(page: Page, look: Callable[[], Seen], holds: Callable[[Seen], Any]) -> Seen:
    """What is seen once it is as it should be: a picture is painted, and an answer sent, some time after it was asked for."""
    deadline = time.monotonic() + SAFETY_MS / 1000
    while not holds(seen := look()):
        if time.monotonic() > deadline:
            pytest.fail(f"never became what it should be: {seen}")
        page.wait_for_timeout(50)
    return seen


@pytest.fixture
def fixtures() -> Iterator[FixtureServer]:
    server = FixtureServer()
    yield server
    server.close()


@pytest.fixture
def screen(page: Page, console: Console) -> Page:
    """A page whose console is watched."""
    page.context.set_default_timeout(SAFETY_MS)
    return page
