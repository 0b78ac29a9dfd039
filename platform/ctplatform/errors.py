"""Errors that a person may read, and the one place that turns them into HTTP."""

from typing import Any

from django.core.exceptions import ValidationError as DjangoValidationError
from rest_framework import status
from rest_framework.response import Response
from rest_framework.views import exception_handler


class DomainError(Exception):
    """What happened, why, and what to do; shown to the person as it stands."""

    http_status_code: int = status.HTTP_400_BAD_REQUEST

    def __init__(self, message: str, *, code: str = "refused", details: list[str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.details = details or []


class ConflictError(DomainError):
    """The thing asked for does not fit the present state (a locked study, a finished job)."""

    http_status_code = status.HTTP_409_CONFLICT


class ForbiddenError(DomainError):
    """Somebody else may do this; the message says who."""

    http_status_code = status.HTTP_403_FORBIDDEN


def api_exception_handler(exception: Exception, context: dict[str, Any]) -> Response | None:
    if isinstance(exception, DomainError):
        body = {"detail": exception.message, "code": exception.code, "details": exception.details}
        return Response(body, status=exception.http_status_code)
    if isinstance(exception, DjangoValidationError):
        body = {"detail": " ".join(exception.messages), "code": "invalid", "details": exception.messages}
        return Response(body, status=status.HTTP_400_BAD_REQUEST)
    return exception_handler(exception, context)
