import logging

from allauth.socialaccount.providers.openid_connect import views
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext
from requests import RequestException

logger = logging.getLogger(__name__)


def begin(request: HttpRequest, provider_id: str) -> HttpResponse:
    """allauth asks the provider where to send people, and has no answer where it does not say."""
    try:
        answer: HttpResponse = views.login(request, provider_id)
    except (RequestException, KeyError):
        logger.exception("the provider of single sign-on does not answer")
        messages.error(
            request,
            gettext("%(provider)s does not answer. Try again later, or log in with a password.")
            % {"provider": settings.CT_OIDC_NAME},
        )
        return redirect("people:account" if request.user.is_authenticated else "account_login")
    return answer
