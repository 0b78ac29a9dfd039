"""In which language a page is written: the account's own, else what the browser asks for.

A page is in one language as a whole, its numbers and dates too: what is not translated yet is English for everybody.
"""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import ResolverMatch
from django.utils import translation
from django.utils.cache import patch_vary_headers

from ctplatform.accounts.models import User

ENGLISH = settings.LANGUAGE_CODE
# Routes below which nobody has translated the pages yet.
UNTRANSLATED = (
    *("datasets/de-identification/", "datasets/scans/", "synthesis/"),
    *(f"studies/<uuid:pk>/{page}" for page in ("plan/", "registration", "results/")),
    *(f"studies/<uuid:pk>/{page}" for page in ("report", "audit.zip", "ratings")),
)
# Programs are answered in English, at addresses that lead nowhere too; what the reading room is refused, raters read.
PROGRAMS, READING_ROOM = "/api/", "/api/reading/"


class LanguageMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with translation.override(language_of(request)):
            response = self.get_response(request)
            response.headers.setdefault("Content-Language", translation.get_language() or ENGLISH)
            # The same for everybody, so that an answer tells nothing of whose account was asked what.
            patch_vary_headers(response, ("Accept-Language",))
        return response

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        if not is_translated(request.resolver_match):
            translation.activate(ENGLISH)


def language_of(request: HttpRequest) -> str:
    """By the account, where it has chosen one; else by the cookie of the sign-in page's switch, or the browser."""
    if request.path_info.startswith(PROGRAMS) and not request.path_info.startswith(READING_ROOM):
        return ENGLISH
    chosen = request.user.language if isinstance(request.user, User) else ""
    return chosen or translation.get_language_from_request(request)


def remember_language(response: HttpResponse, language: str) -> None:
    """For this browser, as long as nobody is logged in whose account has chosen one."""
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        language,
        max_age=settings.LANGUAGE_COOKIE_AGE,
        secure=settings.LANGUAGE_COOKIE_SECURE,
        httponly=settings.LANGUAGE_COOKIE_HTTPONLY,
        samesite="Lax",
    )


def is_translated(match: ResolverMatch | None) -> bool:
    return match is None or not match.route.startswith(UNTRANSLATED)
