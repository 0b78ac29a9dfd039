from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.views.generic import RedirectView

from ctplatform.accounts.models import User


class HomeView(RedirectView):
    """Everyone lands where their work is."""

    def get(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        user = request.user
        if not isinstance(user, User):
            return redirect("account_login")
        return redirect(
            "reading:sessions" if user.is_rater else "studies:studies" if user.may_coordinate else "datasets:datasets"
        )
