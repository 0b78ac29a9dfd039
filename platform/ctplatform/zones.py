"""Times in the reader's own zone: the browser names it in a cookie that holds nothing else."""

from collections.abc import Callable
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

COOKIE = "zone"
LONGEST_NAME = 64


class ZoneMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with timezone.override(zone_of(request.COOKIES.get(COOKIE, ""))):
            return self.get_response(request)


def zone_of(name: str) -> ZoneInfo | None:
    """None, which is the server's zone, for whatever is not the name of one."""
    if not name or len(name) > LONGEST_NAME:
        return None
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        return None
