"""Browsers in which an account has logged in before.

Attempts from such a browser are counted apart from all others, so that nobody who tries passwords, be it from the
same address or from a thousand, can keep the owner of the account out. The signed cookie opens nothing by itself.
"""

import hashlib
import secrets

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from ctplatform.accounts.models import User

SALT = "familiar-browser"
SECONDS = 180 * 24 * 3600


def mark_of(request: HttpRequest, login: str) -> str | None:
    """The mark that this browser got when this login last succeeded in it."""
    mark = request.get_signed_cookie(_cookie_name(login), default=None, salt=SALT, max_age=SECONDS)
    return None if mark is None else str(mark)


def remember(request: HttpRequest, response: HttpResponseBase, user: User) -> None:
    for login in filter(None, (user.username, user.email)):
        response.set_signed_cookie(
            _cookie_name(login),
            mark_of(request, login) or secrets.token_hex(16),
            salt=SALT,
            max_age=SECONDS,
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Lax",
        )


def _cookie_name(login: str) -> str:
    return f"familiar_{hashlib.sha256(login.lower().encode()).hexdigest()[:16]}"
