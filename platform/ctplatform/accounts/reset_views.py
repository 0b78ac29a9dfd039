"""Links for a new password: making one, and following it without being logged in."""

from typing import Any

from allauth.core.internal import ratelimit
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.generic import FormView, View

from ctplatform.accounts import resetting
from ctplatform.accounts.adapter import APP
from ctplatform.accounts.forms import LostPasswordForm, NewPasswordForm
from ctplatform.accounts.models import User
from ctplatform.accounts.record import Author
from ctplatform.accounts.views import CoordinatorPageMixin
from ctplatform.errors import DomainError


class MakeResetLinkView(CoordinatorPageMixin, View):
    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        person = get_object_or_404(User, pk=pk)
        try:
            made = resetting.make_link(user=person, author=Author.of(request))
        except DomainError as error:
            messages.error(request, error.message)
            return redirect("people:people")
        link = request.build_absolute_uri(reverse("people:reset", args=[made]))
        return render(request, "accounts/reset_link.html", {"link": link, "person": person})


class LostPasswordView(FormView[LostPasswordForm]):
    """Says the same whether there is such an account or not."""

    template_name = "accounts/lost_password.html"
    form_class = LostPasswordForm

    def form_valid(self, form: LostPasswordForm) -> HttpResponse:
        address = Author.of(self.request).address
        login = form.cleaned_data["login"]
        limits = [("lost_password_address", None), ("lost_password_account", login.lower())]
        if all(ratelimit.consume(self.request, app=APP, action=name, key=key) for name, key in limits):
            resetting.send_link(login=login, address=address, as_url=self.as_url)
        messages.info(
            self.request,
            gettext(
                "If this account exists and has an e-mail address, a link is on its way to it. It works "
                "once, for three days. If none comes, ask your study coordinator or an administrator."
            ),
        )
        return redirect("account_login")

    def as_url(self, link: str) -> str:
        return self.request.build_absolute_uri(reverse("people:reset", args=[link]))


@method_decorator(never_cache, name="dispatch")
class ResetView(FormView[NewPasswordForm]):
    template_name = "accounts/reset.html"
    form_class = NewPasswordForm

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "person": resetting.opened_by(self.kwargs["link"])}

    def form_valid(self, form: NewPasswordForm) -> HttpResponse:
        try:
            resetting.choose_password(
                link=self.kwargs["link"],
                password=form.cleaned_data["password"],
                address=Author.of(self.request).address,
            )
        except DomainError as error:
            form.add_error(None, error.message)
            return self.form_invalid(form)
        messages.success(self.request, gettext("Your new password is set. Log in with it."))
        return redirect("account_login")
