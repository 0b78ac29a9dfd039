"""A server of fixtures that keeps the contract between Django and the browser code, and nothing else.

It serves the built browser code under the platform's security policy, a phantom scan with masks, and reading
sessions whose answers a test can look at and whose troubles a test can cause.
"""

import gzip
import json
import re
import secrets
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np

from readerstudy.blinding.wire import GRADIENT, compressed, shortest_length, travelling

ROOT = Path(__file__).resolve().parents[2]
DIST = ROOT / "frontend" / "dist"
CSS = ROOT / "platform" / "ctplatform" / "static" / "css" / "app.css"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; worker-src 'self'; base-uri 'none'; "
    "frame-ancestors 'none'; form-action 'self'"
)
TYPES = {".js": "text/javascript", ".css": "text/css", ".json": "application/json"}


@dataclass
class Reply:
    body: bytes
    content_type: str = "application/json"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


def as_json(data: Any, status: int = 200) -> Reply:
    return Reply(json.dumps(data).encode(), status=status)


def not_of_this_reading() -> Reply:
    """As the server says it: a page may still ask for images of a reader whose place another one has taken."""
    return as_json({"detail": "No Presentation matches the given query."}, 404)


@dataclass
class Request:
    method: str
    path: str
    body: bytes
    headers: dict[str, str]


@dataclass
class PhantomScan:
    """Labelled and int16 volumes on one grid, as a manifest and its slices."""

    hu: np.ndarray
    spacing_zyx_mm: tuple[float, float, float] = (2.5, 0.8, 0.8)
    origin_lps_mm: tuple[float, float, float] = (-180.0, -160.0, -40.0)
    direction: tuple[tuple[float, ...], ...] = ((1, 0, 0), (0, 1, 0), (0, 0, 1))
    masks: dict[str, np.ndarray] = field(default_factory=dict)
    name: str = "Phantom 1"

    def manifest(self, prefix: str) -> dict[str, Any]:
        return {
            "id": "1",
            "name": self.name,
            "size_zyx": list(self.hu.shape),
            "spacing_zyx_mm": list(self.spacing_zyx_mm),
            "origin_lps_mm": list(self.origin_lps_mm),
            "direction": [list(row) for row in self.direction],
            "slice_url": f"{prefix}/slices/{{index}}/",
            "window": {"center": 60, "width": 400},
            "masks": [
                {"id": kind, "kind": kind, "made_by": "phantom", "slice_url": f"{prefix}/masks/{kind}/{{index}}/"}
                for kind in self.masks
            ],
            "lesions": [],
        }


def body_phantom(shape_zyx: tuple[int, int, int] = (40, 200, 240), *, lesion: bool = True) -> PhantomScan:
    """A body, a liver on the patient's right, a dark lesion, a spine; the axes differ on purpose."""
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape_zyx), indexing="ij")
    random = np.random.default_rng(1)
    hu = np.full(shape_zyx, -1000.0)
    hu[(x / 0.92) ** 2 + (y / 0.82) ** 2 < 1] = 40
    liver = ((x + 0.38) / 0.42) ** 2 + ((y + 0.1) / 0.5) ** 2 + (z / 0.8) ** 2 < 1
    hu[liver] = 110
    tumour = ((x + 0.5) / 0.1) ** 2 + ((y + 0.15) / 0.12) ** 2 + ((z - 0.1) / 0.2) ** 2 < 1
    if lesion:
        hu[tumour] = 60
    hu[(x / 0.13) ** 2 + ((y - 0.55) / 0.15) ** 2 < 1] = 600
    hu += random.normal(0, 12, shape_zyx)
    masks = {"liver": liver.astype(np.uint8), "lesion": (tumour & lesion).astype(np.uint8)}
    return PhantomScan(hu=hu.round().astype(np.int16), masks=masks)


class FixtureServer:
    """Routes are patterns with groups; the last added wins, so a test can override one."""

    def __init__(self) -> None:
        self.routes: list[tuple[str, re.Pattern[str], Callable[..., Reply]]] = []
        self.requests: list[tuple[str, str]] = []
        self.lock = threading.Lock()
        self.add("GET", r"/static/app/(.+)", self._asset)
        self.add("GET", r"/static/css/app.css", lambda _: Reply(CSS.read_bytes(), "text/css"))
        self.add("GET", r"/favicon.ico", lambda _: Reply(b"", "image/x-icon"))
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                request = Request(self.command, self.path, self.rfile.read(length), dict(self.headers.items()))
                reply = outer.answer(request)
                self.send_response(reply.status)
                for name, value in {"Content-Type": reply.content_type, **reply.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Security-Policy", POLICY)
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)

            do_GET = do_POST = answer  # noqa: N815

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def add(self, method: str, pattern: str, answer: Callable[..., Reply]) -> None:
        self.routes.append((method, re.compile(pattern), answer))

    def answer(self, request: Request) -> Reply:
        """A fault of the test's own server is told by its words, not by a connection that ends."""
        try:
            return self.handle(request)
        except Exception as error:  # noqa: BLE001  whatever it is, the page and the output tell it
            traceback.print_exc()
            return as_json({"detail": f"{type(error).__name__} in the test's server: {error}"}, 500)

    def handle(self, request: Request) -> Reply:
        path = request.path.split("?")[0]
        with self.lock:
            self.requests.append((request.method, path))
        for method, pattern, answer in reversed(self.routes):
            match = pattern.fullmatch(path)
            if method == request.method and match:
                return answer(request, *match.groups())
        return as_json({"detail": f"no route for {request.method} {path}"}, 404)

    def _asset(self, _: Request, name: str) -> Reply:
        path = DIST / name
        if not path.is_file():
            return as_json({"detail": "missing"}, 404)
        return Reply(path.read_bytes(), TYPES.get(path.suffix, "application/octet-stream"))

    def page(self, path: str, entry: str, content: str, *, body_class: str = "", title: str = "Fixture") -> None:
        html = f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="htmx-config" content='{{"includeIndicatorStyles": false, "allowEval": false}}'>
<link rel="stylesheet" href="/static/css/app.css">{asset_tags("src/base.ts")}{asset_tags(entry)}</head>
<body class="{body_class}"><main class="page wide"><h1>{title}</h1>{content}</main></body></html>"""
        self.add("GET", re.escape(path), lambda _: Reply(html.encode(), "text/html; charset=utf-8"))

    def scan(self, prefix: str, scan: PhantomScan) -> None:
        self.add("GET", rf"{prefix}/manifest/", lambda _: as_json(scan.manifest(prefix)))
        self.add("GET", rf"{prefix}/slices/(\d+)/", lambda _, k: _pixels(scan.hu[int(k)].astype("<i2")))
        self.add("GET", rf"{prefix}/masks/(\w+)/(\d+)/", lambda _, kind, k: _pixels(scan.masks[kind][int(k)]))


def asset_tags(entry: str) -> str:
    """The tags that django-vite writes for an entry."""
    manifest = json.loads((DIST / ".vite" / "manifest.json").read_text())
    chunk = manifest[entry]
    styles: list[str] = []

    def collect(key: str) -> None:
        for child in manifest[key].get("imports", []):
            collect(child)
        styles.extend(manifest[key].get("css", []))

    collect(entry)
    links = "".join(f'<link rel="stylesheet" href="/static/app/{name}">' for name in dict.fromkeys(styles))
    return f'{links}<script type="module" crossorigin="" src="/static/app/{chunk["file"]}"></script>'


def _pixels(array: np.ndarray) -> Reply:
    return Reply(
        gzip.compress(array.tobytes(), 1),
        "application/octet-stream",
        headers={"Content-Encoding": "gzip", "Cache-Control": "private, max-age=31536000, immutable"},
    )


@dataclass
class FakeReading:
    """One reading session: opaque tokens, stored order, answers appended exactly once and each after the one it names."""

    images: list[np.ndarray]
    #: So many of the images in a row are one trial, from the left.
    together: int = 1
    spacing_zyx_mm: tuple[float, float, float] = (2.5, 0.8, 0.8)
    mode: str = "slice"
    field_of_view_mm: float | None = None
    window_may_stay: bool = True
    confidence: bool = False
    instructions: str = ""
    marker: tuple[int, int, int] | None = None
    preview: bool = False
    practice: bool = False
    display_check: dict[str, Any] | None = None
    state: str = "open"
    logged_in: bool = True
    fail_with: list[int] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    attempts: list[str] = field(default_factory=list)
    #: Codes of refusals for good, in the sitting's voice, for the next answers.
    refuse_with: list[str] = field(default_factory=list)
    #: Takes no answer before a check of the display that was passed.
    check_first: bool = False
    #: Appends the answer but loses the reply, as a cut connection does.
    lose_replies: int = 0
    reader: str = "Dr Test"
    voice: str = "a voice of its own"
    drawer_key: str = "5a" * 32
    ahead: int = 4
    display_checks: list[dict[str, Any]] = field(default_factory=list)
    stored: dict[tuple[int, int], bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.lock = threading.Lock()
        self.tokens = [secrets.token_urlsafe(16) for _ in self.images]

    def register(self, server: FixtureServer) -> None:
        server.add("GET", r"/api/reading/sessions/s1/", self._session)
        server.add("GET", r"/api/reading/presentations/([\w-]+)/", self._presentation)
        server.add("GET", r"/api/reading/presentations/([\w-]+)/slices/(\d+)/", self._slice)
        server.add("POST", r"/api/reading/presentations/([\w-]+)/events/", self._event)
        server.add("POST", r"/api/reading/sessions/s1/left/", lambda _: Reply(b"", status=204))
        server.add("POST", r"/api/reading/sessions/s1/display/", self._display)
        server.page(
            "/read/",
            "src/pages/rate.ts",
            '<section id="reading-room" data-session-url="/api/reading/sessions/s1/" data-login-url="/login/"></section>',
            body_class="reading",
        )

    @property
    def answers(self) -> dict[str, str]:
        """The answer that counts per presentation: the last one."""
        return {event["presentation"]: event["answer"] for event in self.events}

    def view(self) -> dict[str, Any]:
        answered = {self.trial(event["presentation"])[0] for event in self.events}
        trials = self.tokens[:: self.together]
        open_tokens = [token for token in trials if token not in answered]
        done = [token for token in trials if token in answered]
        state = self.state if open_tokens or self.state != "open" else "finished"
        return {
            "progress": {"done": len(done), "total": len(trials)},
            "state": state,
            "next": open_tokens[: self.ahead],
            "previous": done[-1] if done else None,
            "previous_answer": self.current(done[-1]) if done else None,
            "counter": max((event["counter"] for event in self.events), default=0),
        }

    def trial(self, token: str) -> list[str]:
        """What is shown together with this image."""
        start = self.tokens.index(token) // self.together * self.together
        return self.tokens[start : start + self.together]

    def current(self, token: str) -> dict[str, Any] | None:
        """The answer to a trial that counts, as its rater is told of it."""
        trial = self.trial(token)
        given = [event for event in self.events if event["presentation"] in trial]
        told = ("client_event_id", "answer", "confidence", "level", "mark", "marks", "answered_at")
        side = {"side": trial.index(given[-1]["presentation"])} if given else {}
        return {name: given[-1][name] for name in told} | side if given else None

    def refusal(self, body: dict[str, Any], code: str, *, final: bool, token: str = "") -> Reply:
        about = {"client_event_id": body["client_event_id"], "voice": self.voice, "code": code, "final": final}
        current = self.current(token) if code == "answer_conflict" else None
        detail = {"study_not_open": "This study was closed on 3 May."}.get(code, "refused by the test")
        return as_json({"detail": detail, "refusal": {**about, "current": current}}, 400 if final else 409)

    def _session(self, _: Request) -> Reply:
        if not self.logged_in:
            return as_json({"detail": "Authentication credentials were not provided."}, 403)
        levels = [{"value": i + 1, "label": label, "key": str(i + 1)} for i, label in enumerate(LEVELS)]
        answers: list[dict[str, Any]] = [
            {"value": "real", "level": None, "label": "Real", "key": "1"},
            {"value": "synthetic", "level": None, "label": "Synthetic", "key": "2"},
        ]
        if self.together > 1:
            answers = [
                {"value": "chosen", "level": None, "side": n, "label": f"Image {n + 1}", "key": str(n + 1)}
                for n in range(self.together)
            ]
        study = {
            "title": "Liver lesions",
            "instructions": self.instructions,
            "question": "Is the marked lesion real or synthetic?",
            "answers": answers,
            "confidence": {"levels": levels} if self.confidence else None,
            "scale": None,
            "mark": None,
            "further": [],
            "at_the_end": "",
            "feedback": "none",
        }
        display = {
            "mode": self.mode,
            "field_of_view_mm": self.field_of_view_mm,
            "window": {"center": 60, "width": 400},
            "window_may_stay": self.window_may_stay,
            "images": self.together,
        }
        own = {"reader": self.reader, "voice": self.voice, "drawer_key": self.drawer_key, "preview": self.preview}
        around = {"practice": self.practice, "display_check": self.display_check}
        return as_json({"study": study, "display": display, **own, **around, **self.view()})

    def _display(self, request: Request) -> Reply:
        self.display_checks.append(json.loads(request.body))
        found = all(step["found"] for step in self.display_checks[-1]["steps"])
        return as_json(
            {"at": "2026-05-03T10:00:00Z", "passed": found, "screen": self.display_checks[-1]["screen"]}, 201
        )

    def _presentation(self, _: Request, token: str) -> Reply:
        if token not in self.tokens:
            return not_of_this_reading()
        image = self.images[self.tokens.index(token)]
        marker = self.marker and {
            "row": self.marker[1],
            "column": self.marker[2],
            "slice": self.marker[0],
            "radius_mm": 15.0,
        }
        return as_json(
            {
                "rows": image.shape[1],
                "columns": image.shape[2],
                "slices": image.shape[0],
                "spacing_zyx_mm": list(self.spacing_zyx_mm),
                "start_slice": self.marker[0] if self.marker else image.shape[0] // 2,
                "marker": marker,
                "samples": GRADIENT,
                "images": self.trial(token),
            }
        )

    def _slice(self, _: Request, token: str, index: str) -> Reply:
        if token not in self.tokens:
            return not_of_this_reading()
        content = self._as_stored(self.tokens.index(token), int(index))
        headers = {"Cache-Control": "private, no-store", "Content-Encoding": "gzip"}
        return Reply(content, "application/octet-stream", headers=headers)

    def store_all(self) -> None:
        """Compresses now, so that no request waits for it."""
        for case, image in enumerate(self.images):
            for index in range(len(image)):
                self._as_stored(case, index)

    def _as_stored(self, case: int, index: int) -> bytes:
        if (case, index) not in self.stored:
            squeezed = compressed(self.images[case][index].astype("<i2"))
            self.stored[case, index] = travelling(squeezed, length=shortest_length(squeezed) + 1234)
        return self.stored[case, index]

    def _event(self, request: Request, token: str) -> Reply:
        if token not in self.tokens:
            return not_of_this_reading()
        body = json.loads(request.body)
        with self.lock:
            self.attempts.append(body["client_event_id"])
            if not self.logged_in:
                return as_json({"detail": "Authentication credentials were not provided."}, 403)
            if self.fail_with:
                return as_json({"detail": "refused by the test"}, self.fail_with.pop(0))
            if self.refuse_with:
                return self.refusal(body, self.refuse_with.pop(0), final=True)
            if self.state == "closed":
                return self.refusal(body, "study_not_open", final=False)
            if self.check_first and not any(all(s["found"] for s in check["steps"]) for check in self.display_checks):
                return self.refusal(body, "display_not_checked", final=False)
            return self._append(token, body)

    def _append(self, token: str, body: dict[str, Any]) -> Reply:
        known = [event for event in self.events if event["client_event_id"] == body["client_event_id"]]
        current = self.current(token)
        if not known and body["supersedes"] != (current["client_event_id"] if current else None):
            return self.refusal(body, "answer_conflict", final=False, token=token)
        if not known:
            self.events.append({**body, "presentation": token})
        if self.lose_replies:
            self.lose_replies -= 1
            return Reply(b"<html>Bad gateway</html>", "text/html", 502)
        receipt = {
            "client_event_id": body["client_event_id"],
            "sequence": len(self.events),
            "digest": "0" * 64,
            "received_at": "2026-05-03T10:00:00Z",
        }
        return as_json({"receipt": receipt, **self.view()}, 200 if known else 201)


LEVELS = ["Guess", "Unsure", "Fairly sure", "Certain"]
