"""API tokens: looked up by their digest, counted so that nobody tries keys or floods the API with one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allauth.core.internal import ratelimit
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.utils.crypto import constant_time_compare
from rest_framework import authentication, exceptions, throttling
from rest_framework.request import Request

from ctplatform.accounts.models import ApiToken, User
from ctplatform.accounts.sessions import SessionStore

if TYPE_CHECKING:  # rest_framework.views imports this module through the settings
    from rest_framework.views import APIView

REFUSED_TOKENS = {"token_refused": "60/m/ip"}


class TokenAuthentication(authentication.TokenAuthentication):
    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        try:
            return super().authenticate(request)
        except exceptions.AuthenticationFailed:
            if not ratelimit.consume(
                request, app="ctplatform", action="token_refused", config=REFUSED_TOKENS, limit_get=True
            ):
                raise exceptions.Throttled(
                    detail="Too many wrong tokens came from your address. Wait a minute."
                ) from None
            raise

    def authenticate_credentials(self, key: str) -> tuple[User, ApiToken]:
        token = ApiToken.objects.with_key(key)
        if token is None:
            raise exceptions.AuthenticationFailed("This token is unknown or has ended. Make a new one on the API page.")
        token.note_use()
        return token.user, token


class TokenThrottle(throttling.SimpleRateThrottle):
    """Programs only: a person's browser loads a thousand slices in a moment."""

    scope = "token"

    def get_cache_key(self, request: Request, view: APIView) -> str | None:
        if not isinstance(request.auth, ApiToken):
            return None
        return self.cache_format % {"scope": self.scope, "ident": request.auth.pk}


def token_user(header: str) -> User | None:
    """Whose token an Authorization header holds."""
    keyword, _, key = header.partition(" ")
    token = ApiToken.objects.with_key(key.strip()) if keyword.lower() == "token" else None
    return token.user if token else None


def session_user(session_key: str) -> User | None:
    """Who is logged in by this session. Only reads, unlike Django's get_user, which cleans up as well."""
    session = SessionStore(session_key)
    user = User.objects.filter(pk=session.get(SESSION_KEY, 0), is_active=True).first()
    if user and constant_time_compare(session.get(HASH_SESSION_KEY, ""), user.get_session_auth_hash()):
        return user
    return None
