"""Between allauth's OpenID Connect and the rules of single_sign_on."""

from typing import Any, NoReturn

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialLogin
from allauth.socialaccount.providers.base import AuthError, AuthProcess
from django.conf import settings
from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.shortcuts import redirect
from django.utils.translation import gettext

from ctplatform.accounts import single_sign_on
from ctplatform.accounts.models import User
from ctplatform.accounts.record import Author
from ctplatform.errors import ConflictError, DomainError


class SingleSignOnAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]  # allauth is untyped
    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Whoever is refused never reaches allauth's own signing up, which asks for no role."""
        claims = _taken_from(sociallogin)
        try:
            if sociallogin.state.get("process") == AuthProcess.CONNECT:
                _link(request, sociallogin, claims)
            elif sociallogin.is_existing:
                single_sign_on.admit(user=sociallogin.user, claims=claims, address=Author.of(request).address)
            else:
                _join(request, sociallogin, claims)
        except DomainError as error:
            messages.error(request, error.message)
            raise ImmediateHttpResponse(_back(request)) from error

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        return False

    def on_authentication_error(
        self, request: HttpRequest, provider: Any, error: str | None = None, **details: Any
    ) -> NoReturn:
        if error == AuthError.CANCELLED:
            words = gettext("You have cancelled it, so you are not logged in. Try again, or log in with your password.")
        else:
            words = gettext(
                "%(provider)s did not let you in, so you are not logged in. Try again, or log in with your password."
            ) % {"provider": settings.CT_OIDC_NAME}
        messages.error(request, words)
        raise ImmediateHttpResponse(_back(request))


def _taken_from(sociallogin: SocialLogin) -> dict[str, Any]:
    """Names, groups and addresses stay with the provider: the row keeps the subject alone."""
    told, account = sociallogin.account.extra_data, sociallogin.account
    account.extra_data = {}
    if account.pk:
        account.save(update_fields=["extra_data"])
    return {**(told.get("id_token") or {}), **(told.get("userinfo") or {})}


def _join(request: HttpRequest, sociallogin: SocialLogin, claims: dict[str, Any]) -> None:
    try:
        with transaction.atomic():
            user = single_sign_on.make_account(claims=claims, address=Author.of(request).address)
            sociallogin.connect(request, user)
    except IntegrityError as error:
        raise ConflictError(gettext("Your account was being made in another window. Log in again.")) from error


def _link(request: HttpRequest, sociallogin: SocialLogin, claims: dict[str, Any]) -> NoReturn:
    if not isinstance(request.user, User):
        raise ConflictError(gettext("Your login has expired, so nothing was linked. Log in again."))
    if sociallogin.is_existing:
        raise ConflictError(gettext("This login belongs to another account here already."))
    with transaction.atomic():
        single_sign_on.refuse_link(user=request.user, claims=claims)
        sociallogin.connect(request, request.user)
        single_sign_on.note_link(user=request.user, author=Author.of(request))
    messages.success(
        request,
        gettext("From now on %(provider)s opens this account as well.") % {"provider": settings.CT_OIDC_NAME},
    )
    raise ImmediateHttpResponse(redirect("people:account"))


def _back(request: HttpRequest) -> Any:
    return redirect("people:account" if request.user.is_authenticated else "account_login")
