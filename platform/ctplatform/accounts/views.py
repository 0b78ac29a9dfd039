from typing import Any

from django.contrib import messages
from django.contrib.auth import login
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.generic import FormView, TemplateView, View

from ctplatform.accounts import familiar, services
from ctplatform.accounts.filters import PersonFilter
from ctplatform.accounts.forms import AcceptInvitationForm, InvitationForm
from ctplatform.accounts.models import Invitation, User
from ctplatform.accounts.permissions import StaffPageMixin, current_user, may_reset
from ctplatform.accounts.record import Author
from ctplatform.errors import DomainError

PEOPLE_PER_PAGE = 50
BACKEND = "allauth.account.auth_backends.AuthenticationBackend"


class CoordinatorPageMixin(StaffPageMixin):
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if isinstance(request.user, User) and not request.user.is_rater and not request.user.may_coordinate:
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)


class PeopleView(CoordinatorPageMixin, TemplateView):
    template_name = "accounts/people.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user = current_user(self.request)
        invitations = Invitation.objects.open().select_related("invited_by")
        if not user.is_administrator:
            invitations = invitations.filter(invited_by=user)
        kwargs.setdefault("form", InvitationForm(inviter=user))
        filtered = PersonFilter(
            self.request.GET, queryset=User.objects.select_related("program").order_by("role", "username")
        )
        page = Paginator(filtered.qs, PEOPLE_PER_PAGE).get_page(self.request.GET.get("page"))
        for person in page:
            person.resettable = may_reset(person, user)
        return super().get_context_data(filter=filtered, page_obj=page, invitations=invitations, **kwargs)


class InviteView(CoordinatorPageMixin, View):
    def post(self, request: HttpRequest) -> HttpResponse:
        inviter = current_user(request)
        form = InvitationForm(request.POST, inviter=inviter)
        if not form.is_valid():
            page = PeopleView(request=request)
            return page.render_to_response(page.get_context_data(form=form), status=422)
        address = Author.of(request).address
        _, token = services.invite(invited_by=inviter, address=address, **form.cleaned_data)
        link = request.build_absolute_uri(reverse("people:accept", args=[token]))
        return render(request, "accounts/invited.html", {"link": link, "name": form.cleaned_data["name"]})


class RevokeInvitationView(CoordinatorPageMixin, View):
    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        user = current_user(request)
        mine = Invitation.objects.all() if user.is_administrator else Invitation.objects.filter(invited_by=user)
        try:
            services.revoke(invitation=get_object_or_404(mine, pk=pk), author=Author.of(request))
        except DomainError as error:
            messages.error(request, error.message)
        return redirect("people:people")


class AcceptInvitationView(FormView[AcceptInvitationForm]):
    template_name = "accounts/accept.html"
    form_class = AcceptInvitationForm

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        invitation = Invitation.objects.open().for_token(self.kwargs["token"]).first()
        return super().get_context_data(invitation=invitation, **kwargs)

    def form_valid(self, form: AcceptInvitationForm) -> HttpResponse:
        data = form.cleaned_data
        try:
            user = services.accept(
                token=self.kwargs["token"],
                username=data["username"],
                display_name=data["display_name"],
                password=data["password"],
                experience_years=data["experience_years"],
                email=data["email"],
                address=Author.of(self.request).address,
            )
        except DomainError as error:
            form.add_error(None, error.message)
            return self.form_invalid(form)
        login(self.request, user, backend=BACKEND)
        response = redirect("home")
        familiar.remember(self.request, response, user)
        return response
