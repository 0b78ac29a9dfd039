"""How much a request may bring, by who sends it, judged before a byte of its body is parsed or kept."""

from collections.abc import Callable
from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParser, MultiPartParserError

from ctplatform.accounts.authentication import sender_of
from ctplatform.accounts.models import User
from ctplatform.error_pages import refusal

KIB = 1024
ANONYMOUS_BYTES = 64 * KIB  # a login or an invitation's form
RATER_BYTES = 1024 * KIB  # answers
FORM_FIELDS_BYTES = 1024 * KIB  # what a form says beside its files


def limit_bytes(sender: User | None) -> int:
    if sender is None:
        return ANONYMOUS_BYTES
    if sender.is_rater:
        return RATER_BYTES
    return int(settings.CT_UPLOAD_MAX_BYTES) + FORM_FIELDS_BYTES


class BodyMiddleware:
    """Answers 413 to a body that is too large for its sender and 400 to one whose head can't be right.

    Django parses bodies late and in many places (CSRF, views, even error pages), so this comes before them all.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.refuse(request) or self.get_response(request)

    def refuse(self, request: HttpRequest) -> HttpResponse | None:
        declared = request.META.get("CONTENT_LENGTH") or "0"
        if not (declared.isascii() and declared.isdigit()):
            return refusal(request, HTTPStatus.BAD_REQUEST, "The length of the request is no number.")
        length = int(declared)
        if length > ANONYMOUS_BYTES and length > limit_bytes(sender_of(request)):
            words = "Your request is too large. Log in first if you want to upload something."
            return refusal(request, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, words)
        if request.content_type == "multipart/form-data":
            try:
                MultiPartParser(request.META, request, [])
            except MultiPartParserError as error:
                return refusal(request, HTTPStatus.BAD_REQUEST, f"The form can't be read: {error}")
        return None
