"""How much a request may bring, by who sends it, judged before a byte of its body is parsed or kept."""

import logging
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.db import DatabaseError, close_old_connections
from django.http import HttpRequest, HttpResponse, UnreadablePostError, parse_cookie
from django.http.multipartparser import MultiPartParser, MultiPartParserError
from django.utils.translation import gettext, gettext_lazy

from ctplatform.accounts.authentication import session_user, token_user
from ctplatform.accounts.models import User
from ctplatform.error_pages import refusal

logger = logging.getLogger(__name__)
KIB = 1024
ANONYMOUS_BYTES = 64 * KIB  # a login or an invitation's form
RATER_BYTES = 1024 * KIB  # answers
TOO_LARGE = gettext_lazy(
    "The request is larger than your account may send. Log in first if you want to upload something, "
    "and upload large data in parts."
)
FORM_FIELDS_BYTES = 1024 * KIB  # what a form says beside its files


def limit_bytes(sender: User | None) -> int:
    if sender is None:
        return ANONYMOUS_BYTES
    if sender.is_rater:
        return RATER_BYTES
    return int(settings.CT_UPLOAD_MAX_BYTES) + FORM_FIELDS_BYTES


def limit_for_headers(headers: Mapping[str, str]) -> int:
    """The same for a server that keeps a whole body before Django sees the request."""
    try:
        key = parse_cookie(headers.get("COOKIE", "")).get(settings.SESSION_COOKIE_NAME, "")
        return limit_bytes(session_user(key) or token_user(headers.get("AUTHORIZATION", "")))
    except DatabaseError:
        logger.exception("Nobody could be recognised by a request's headers")
        return ANONYMOUS_BYTES
    finally:
        close_old_connections()


class BodyMiddleware:
    """Answers 413 to a body that is too large for its sender and 400 to a request whose head can't be right.

    Django parses bodies late and in many places (CSRF, views, even error pages), so this comes before them all.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.refuse(request) or self.get_response(request)

    def refuse(self, request: HttpRequest) -> HttpResponse | None:
        if "\0" in request.path_info or "%00" in request.META.get("QUERY_STRING", ""):
            # No text of ours holds one, and PostgreSQL refuses to look for it.
            return refusal(request, HTTPStatus.BAD_REQUEST, gettext("The address has a NUL character in it."))
        declared = request.META.get("CONTENT_LENGTH") or "0"
        if not (declared.isascii() and declared.isdigit()):
            return refusal(request, HTTPStatus.BAD_REQUEST, gettext("The length of the request is no number."))
        length = int(declared)
        if length > ANONYMOUS_BYTES and length > self.limit_of(request):
            return refusal(request, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, str(TOO_LARGE))
        if request.content_type == "multipart/form-data":
            try:
                MultiPartParser(request.META, request, [])
            except MultiPartParserError as error:
                return refusal(
                    request, HTTPStatus.BAD_REQUEST, gettext("The form can't be read: %(error)s") % {"error": error}
                )
        return None

    def limit_of(self, request: HttpRequest) -> int:
        user = request.user if isinstance(request.user, User) else token_user(request.headers.get("Authorization", ""))
        return limit_bytes(user)


class FormMiddleware:
    """Answers 400 to a form with a NUL character in it, which no keyboard makes and PostgreSQL refuses to store.

    After the CSRF check, which has parsed the form by then; the API's serializers refuse such texts themselves.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], arguments: list[Any], named: dict[str, Any]
    ) -> HttpResponse | None:
        if getattr(view, "csrf_exempt", False) or not _has_zeros(request):
            return None
        return refusal(request, HTTPStatus.BAD_REQUEST, gettext("The form has a NUL character in it."))


def _has_zeros(request: HttpRequest) -> bool:
    try:
        return any("\0" in text for name, texts in request.POST.lists() for text in (name, *texts))
    except UnreadablePostError:
        # The connection is gone: the view that wants the form is told the same.
        return False
