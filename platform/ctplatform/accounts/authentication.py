"""API tokens: looked up by their digest, counted so that nobody tries keys or floods the API with one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allauth.core.internal import ratelimit
from django.contrib.auth import get_user
from django.http import HttpRequest
from rest_framework import authentication, exceptions, throttling
from rest_framework.request import Request

from ctplatform.accounts.models import ApiToken, User

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
        token = ApiToken.objects.use(key)
        if token is None:
            raise exceptions.AuthenticationFailed("This token is unknown or has ended. Make a new one on the API page.")
        return token.user, token


class TokenThrottle(throttling.SimpleRateThrottle):
    """Programs only: a person's browser loads a thousand slices in a moment."""

    scope = "token"

    def get_cache_key(self, request: Request, view: APIView) -> str | None:
        if not isinstance(request.auth, ApiToken):
            return None
        return self.cache_format % {"scope": self.scope, "ident": request.auth.pk}


def sender_of(request: HttpRequest) -> User | None:
    """Who sends a request, by its session or its token, without looking at the body."""
    user = getattr(request, "user", None) or get_user(request)
    if isinstance(user, User):
        return user
    keyword, _, key = request.headers.get("Authorization", "").partition(" ")
    token = ApiToken.objects.use(key.strip()) if keyword.lower() == "token" else None
    return token.user if token else None
