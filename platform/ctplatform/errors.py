"""Errors that a person may read. Without a web framework: the confined reader of uploads raises them too."""

from collections.abc import Callable
from http import HTTPStatus


class DomainError(Exception):
    """What happened, why, and what to do; shown to the person as it stands."""

    http_status_code: int = HTTPStatus.BAD_REQUEST

    def __init__(self, message: str, *, code: str = "refused", details: list[str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.details = details or []


class ConflictError(DomainError):
    """The thing asked for does not fit the present state (a locked study, a finished job)."""

    http_status_code = HTTPStatus.CONFLICT


class ForbiddenError(DomainError):
    """Somebody else may do this; the message says who."""

    http_status_code = HTTPStatus.FORBIDDEN


def why_refused(check: Callable[[], None]) -> str:
    """What a person would be answered who tried; empty where nothing refuses."""
    try:
        check()
    except DomainError as error:
        return error.message
    return ""
