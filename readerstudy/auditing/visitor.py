"""A browser without a network: one person's requests through the whole of the web application, middleware included.

Status line, headers in their order, cookies and bytes are those that a web server would send on. What stands before
the application (waitress, a proxy) is not seen; a live server could not see rows that are never committed.
"""

import io
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from http.cookies import SimpleCookie
from importlib import import_module
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest

from ctplatform.accounts.models import User


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back, as received."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes
    seconds: float

    @property
    def code(self) -> int:
        return int(self.status.split()[0])

    def header(self, name: str) -> str:
        return next((value for held, value in self.headers if held.lower() == name.lower()), "")


class Visitor:
    """Asks as `user`, or as a stranger. The login is a session's row: no password is needed or touched."""

    def __init__(self, user: User | None = None) -> None:
        self.cookies: dict[str, str] = {}
        if user is not None:
            self.cookies[settings.SESSION_COOKIE_NAME] = _logged_in(user)

    def ask(
        self,
        method: str,
        url: str,
        *,
        body: bytes = b"",
        content_type: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        request = WSGIRequest(self._environ(method, url, body, content_type, headers or {}))
        started = perf_counter()
        response = _application().get_response(request)
        content = b"".join(response)
        seconds = perf_counter() - started
        answer = Answer(
            status=f"{response.status_code} {response.reason_phrase}",
            headers=[
                *response.items(),
                *(("Set-Cookie", cookie.OutputString()) for cookie in response.cookies.values()),
            ],
            body=content,
            seconds=seconds,
        )
        # Not response.close(): the end of a request would close the connection that the rehearsal is in.
        file = getattr(response, "file_to_stream", None)
        if file is not None:
            file.close()
        self._keep_cookies(answer)
        return answer

    def _environ(
        self, method: str, url: str, body: bytes, content_type: str, headers: Mapping[str, str]
    ) -> dict[str, Any]:
        address, host = urlsplit(url), own_host()
        named = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}
        if token := self.cookies.get(settings.CSRF_COOKIE_NAME):
            named["HTTP_X_CSRFTOKEN"] = token
        if settings.SECURE_PROXY_SSL_HEADER:
            name, value = settings.SECURE_PROXY_SSL_HEADER[:2]
            named[name] = value
        return {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": address.path,
            "QUERY_STRING": address.query,
            "CONTENT_LENGTH": str(len(body)),
            "CONTENT_TYPE": content_type,
            "SERVER_NAME": host,
            "SERVER_PORT": "443",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_HOST": host,
            "HTTP_REFERER": f"https://{host}/",
            "HTTP_COOKIE": "; ".join(f"{name}={value}" for name, value in self.cookies.items()),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "https",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": False,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            **named,
        }

    def _keep_cookies(self, answer: Answer) -> None:
        for name, value in answer.headers:
            if name.lower() == "set-cookie":
                self.cookies.update({held.key: held.value for held in SimpleCookie(value).values()})


@cache
def _application() -> WSGIHandler:
    """All of the middleware, put together once."""
    return WSGIHandler()


def _logged_in(user: User) -> str:
    """The key of a session as the login makes it; it is taken back with the transaction that the visit is in."""
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    return str(session.session_key)


def own_host() -> str:
    named = [host for host in settings.ALLOWED_HOSTS if host not in {"*", ""}]
    return named[0].lstrip(".") if named else "localhost"


@contextmanager
def unlogged_refusals() -> Iterator[None]:
    """What a visit asks for in order to be refused is no warning for the operator."""
    loggers = [logging.getLogger(name) for name in ("django.request", "django.security.csrf")]

    def dropped(_record: logging.LogRecord) -> bool:
        return False

    for logger in loggers:
        logger.addFilter(dropped)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(dropped)
