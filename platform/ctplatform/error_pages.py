"""Answers to requests that go nowhere. None of them looks at the body, which may be what is wrong."""

from http import HTTPStatus

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, resolve_url
from django.template.loader import render_to_string
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext


def refusal(request: HttpRequest, status: HTTPStatus, words: str, title: str = "") -> HttpResponse:
    if request.path.startswith("/api/"):
        return JsonResponse({"detail": words}, status=status)
    page = render_to_string("refusal.html", {"title": title or _title(status), "words": words})
    return HttpResponse(page, status=status)


def _title(status: HTTPStatus) -> str:
    return {
        HTTPStatus.BAD_REQUEST: gettext("Bad request"),
        HTTPStatus.FORBIDDEN: gettext("Forbidden"),
        HTTPStatus.NOT_FOUND: gettext("Not found"),
    }.get(status, status.phrase.capitalize())


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    words = gettext("The server could not read the request. Go back, load the page again and try once more.")
    return refusal(request, HTTPStatus.BAD_REQUEST, words)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    words = gettext(
        "Your account may not do this. Ask the owner of the dataset or study to share it with you, "
        "or an administrator for another role."
    )
    return refusal(request, HTTPStatus.FORBIDDEN, words)


def forged(request: HttpRequest, reason: str = "") -> HttpResponse:
    if request.path == resolve_url(settings.LOGIN_URL):
        return _login_once_more(request)
    words = gettext(
        "The page you came from is too old, or your browser keeps no cookies. Nothing was changed. "
        "Go back, load the page again and try once more."
    )
    return refusal(request, HTTPStatus.FORBIDDEN, words)


def _login_once_more(request: HttpRequest) -> HttpResponse:
    """A login page that was open for long, or in two windows of which one has logged in already."""
    wanted = request.POST.get("next", "")
    safe = wanted if url_has_allowed_host_and_scheme(wanted, {request.get_host()}) else ""
    if request.user.is_authenticated:
        return redirect(safe or "home")
    messages.warning(
        request,
        gettext(
            "The login page had been open for too long, so nothing was sent. Log in now. If you see this again, your "
            "browser keeps no cookies for this page: allow them."
        ),
    )
    return redirect_to_login(safe) if safe else redirect("account_login")


def broken(request: HttpRequest) -> HttpResponse:
    words = gettext("The error has been logged. Nothing that was saved is lost; go back and try again.")
    return refusal(request, HTTPStatus.INTERNAL_SERVER_ERROR, words, title=gettext("Something went wrong"))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    words = gettext("There is nothing here, or it is not shared with your account.")
    return refusal(request, HTTPStatus.NOT_FOUND, words)
