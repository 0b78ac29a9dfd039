"""The one place that turns errors into HTTP answers of the API."""

from typing import Any

from django.core.exceptions import ValidationError as DjangoValidationError
from rest_framework import status
from rest_framework.response import Response
from rest_framework.views import exception_handler

from ctplatform.api_json import JsonRenderer
from ctplatform.errors import DomainError


def api_exception_handler(exception: Exception, context: dict[str, Any]) -> Response | None:
    """A refusal is JSON whatever was asked for: no program shall read a sentence as a table."""
    request = context["request"]
    request.accepted_renderer, request.accepted_media_type = JsonRenderer(), JsonRenderer.media_type
    return _answer(exception, context)


def _answer(exception: Exception, context: dict[str, Any]) -> Response | None:
    if isinstance(exception, DomainError):
        body = {"detail": exception.message, "code": exception.code, "details": exception.details}
        return Response(body, status=exception.http_status_code)
    if isinstance(exception, DjangoValidationError):
        body = {"detail": " ".join(exception.messages), "code": "invalid", "details": exception.messages}
        return Response(body, status=status.HTTP_400_BAD_REQUEST)
    return exception_handler(exception, context)
