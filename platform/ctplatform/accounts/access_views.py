"""Pages by which access is looked at and taken away: one's own, and for administrators everybody's."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext, gettext_lazy
from django.views.generic import DetailView, TemplateView, View

from ctplatform.accounts import access, services, single_sign_on
from ctplatform.accounts.filters import AccountEventFilter
from ctplatform.accounts.forms import EmailForm, LanguageForm, RoleForm, TokenForm
from ctplatform.accounts.languages import remember_language
from ctplatform.accounts.models import AccountEvent, ApiToken, User
from ctplatform.accounts.permissions import StaffPageMixin, current_user
from ctplatform.accounts.record import Author
from ctplatform.errors import DomainError
from ctplatform.lists import ListPage

EVENTS_SHOWN = 15


class AdministratorPageMixin(StaffPageMixin):
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if isinstance(request.user, User) and not request.user.is_rater and not request.user.is_administrator:
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)


class AccountView(LoginRequiredMixin, TemplateView):
    """One's own account: for every role."""

    template_name = "accounts/account.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        events = AccountEvent.objects.filter(subject=current_user(self.request)).select_related("actor")
        user = current_user(self.request)
        return super().get_context_data(
            events=events[:EVENTS_SHOWN],
            email_form=EmailForm(initial={"email": user.email}),
            language_form=LanguageForm(initial={"language": user.language}),
            **kwargs,
        )


class ChangeEmailView(LoginRequiredMixin, View):
    def post(self, request: HttpRequest) -> HttpResponse:
        form = EmailForm(request.POST)
        if not form.is_valid():
            messages.error(request, " ".join(str(error) for errors in form.errors.values() for error in errors))
            return redirect("people:account")
        try:
            services.change_email(user=current_user(request), author=Author.of(request), **form.cleaned_data)
            messages.success(request, gettext("Your e-mail address is saved."))
        except DomainError as error:
            messages.error(request, error.message)
        return redirect("people:account")


class LanguageView(View):
    """The account's language; of who is not logged in, this browser's, by the switch of the sign-in page."""

    def post(self, request: HttpRequest) -> HttpResponse:
        form = LanguageForm(request.POST)
        chosen = form.cleaned_data["language"] if form.is_valid() else ""
        if isinstance(request.user, User):
            services.choose_language(user=request.user, language=chosen, author=Author.of(request))
            return redirect("people:account")
        came_from = request.POST.get("next", "")
        response = redirect(
            came_from if url_has_allowed_host_and_scheme(came_from, {request.get_host()}) else "account_login"
        )
        if chosen:
            remember_language(response, chosen)
        return response


class EndLinkView(LoginRequiredMixin, View):
    def post(self, request: HttpRequest) -> HttpResponse:
        try:
            single_sign_on.end_link(user=current_user(request), author=Author.of(request))
            messages.success(request, gettext("The link is ended. You log in with your password."))
        except DomainError as error:
            messages.error(request, error.message)
        return redirect("people:account")


class SignOutEverywhereView(LoginRequiredMixin, View):
    def post(self, request: HttpRequest) -> HttpResponse:
        access.end_all_access(user=current_user(request), author=Author.of(request))
        request.session.flush()
        messages.success(request, gettext("You are signed out everywhere, and your API tokens have ended."))
        return redirect("account_login")


class TokensView(StaffPageMixin, View):
    """The keys of a person's programs to the API."""

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.page(request, TokenForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        form = TokenForm(request.POST)
        if not form.is_valid():
            return self.page(request, form, status=422)
        try:
            token, key = access.make_token(
                user=current_user(request), name=form.cleaned_data["name"], author=Author.of(request)
            )
        except DomainError as error:
            form.add_error(None, error.message)
            return self.page(request, form, status=422)
        return self.page(request, TokenForm(), new_token=token, key=key)

    def page(self, request: HttpRequest, form: TokenForm, status: int = 200, **context: Any) -> HttpResponse:
        tokens = ApiToken.objects.alive().filter(user=current_user(request))
        return render(request, "accounts/token.html", {"form": form, "tokens": tokens, **context}, status=status)


class EndTokenView(StaffPageMixin, View):
    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        token = get_object_or_404(ApiToken, pk=pk, user=current_user(request))
        try:
            access.end_token(token=token, author=Author.of(request))
            messages.success(
                request,
                gettext("The token “%(token)s” has ended; programs that use it are refused from now on.")
                % {"token": token},
            )
        except DomainError as error:
            messages.error(request, error.message)
        return redirect("people:token")


class PersonView(AdministratorPageMixin, DetailView[User]):
    model = User
    template_name = "accounts/person.html"
    context_object_name = "person"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        events = AccountEvent.objects.filter(subject=self.object).select_related("actor")
        tokens = ApiToken.objects.alive().filter(user=self.object)
        kwargs["role_form"] = RoleForm(initial={"role": self.object.role})
        return super().get_context_data(events=events[:EVENTS_SHOWN], tokens=tokens, **kwargs)


class PersonActionView(AdministratorPageMixin, View):
    """One thing that an administrator does to somebody's access."""

    done: Any  # of the person's language, once it is shown

    def act(self, person: User, author: Author) -> None:
        raise NotImplementedError

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        person = get_object_or_404(User, pk=pk)
        try:
            self.act(person, Author.of(request))
            messages.success(request, self.done.format(person=person))
        except DomainError as error:
            messages.error(request, error.message)
        return redirect("people:person", pk=pk)


class DeactivateView(PersonActionView):
    done = gettext_lazy("{person} is deactivated: signed out everywhere, all tokens and open invitations ended.")

    def act(self, person: User, author: Author) -> None:
        access.deactivate(user=person, author=author)


class ReactivateView(PersonActionView):
    done = gettext_lazy("{person} can log in again.")

    def act(self, person: User, author: Author) -> None:
        access.reactivate(user=person, author=author)


class ChangeRoleView(PersonActionView):
    done = gettext_lazy("{person} has another role now.")

    def act(self, person: User, author: Author) -> None:
        form = RoleForm(self.request.POST)
        if not form.is_valid():
            raise DomainError(gettext("Choose a role from the list."))
        access.change_role(user=person, role=form.cleaned_data["role"], author=author)


class SignOutPersonView(PersonActionView):
    done = gettext_lazy("{person} is signed out everywhere, and all tokens have ended.")

    def act(self, person: User, author: Author) -> None:
        access.end_all_access(user=person, author=author)


class RecordView(AdministratorPageMixin, ListPage):
    template_name = "accounts/record.html"
    context_object_name = "events"
    paginate_by = 50
    filterset_class = AccountEventFilter
    queryset = AccountEvent.objects.select_related("actor", "subject")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        person = User.objects.filter(username=self.request.GET.get("person", "")).first()
        return super().get_context_data(person=person, **kwargs)
