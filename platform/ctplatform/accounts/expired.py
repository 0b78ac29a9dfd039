"""A login that ended while somebody was at work: told where they are, and the way back leads to a page."""

from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import resolve_url
from django.urls import Resolver404, resolve
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
NOT_SAVED = gettext_lazy("Your login has expired, so nothing was saved. Log in again.")


class ExpiredLoginMiddleware:
    """Looks at redirects to the login that a request without a login got as its answer.

    Code in a page would follow them to a login page that nobody sees: it gets 401. A form that was sent would come
    back, after the login, as a GET of an address that takes none: it comes back to the page where it was filled in.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        # The login itself leads back to itself when its page was too old; that is no expired login.
        at_login = request.path == resolve_url(settings.LOGIN_URL)
        if request.user.is_authenticated or at_login or not _asks_for_login(response):
            return response
        if _sent_by_code(request):
            return JsonResponse({"detail": str(NOT_SAVED)}, status=HTTPStatus.UNAUTHORIZED)
        if request.method in SAFE_METHODS:
            return response
        messages.warning(request, NOT_SAVED)
        return redirect_to_login(page_of_form(request))


def _asks_for_login(response: HttpResponse) -> bool:
    """Logging out leads to the login too, but to nowhere from there."""
    location = urlsplit(response.get("Location", ""))
    return location.path == resolve_url(settings.LOGIN_URL) and "next" in parse_qs(location.query)


def _sent_by_code(request: HttpRequest) -> bool:
    return "HX-Request" in request.headers or request.headers.get("Accept") == "application/json"


def page_of_form(request: HttpRequest) -> str:
    """Where the form was filled in, as far as the browser says and as that address can be opened; else the start."""
    came_from = request.headers.get("Referer", "")
    if url_has_allowed_host_and_scheme(came_from, {request.get_host()}):
        page = urlsplit(came_from)
        if _opens(page.path):
            return f"{page.path}?{page.query}" if page.query else page.path
    return request.path if _opens(request.path) else resolve_url("home")


def _opens(path: str) -> bool:
    try:
        view = getattr(resolve(path).func, "view_class", None)
    except Resolver404:
        # Where nothing is, nobody is led to.
        return False
    return view is not None and hasattr(view, "get") and "get" in view.http_method_names
