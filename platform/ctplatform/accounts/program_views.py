"""Programs that read: their accounts, and the keys by which they do."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.generic import View

from ctplatform.accounts import programs
from ctplatform.accounts.forms import ProgramForm
from ctplatform.accounts.models import Program
from ctplatform.accounts.permissions import current_user
from ctplatform.accounts.record import Author
from ctplatform.accounts.views import CoordinatorPageMixin
from ctplatform.errors import DomainError


class ProgramsView(CoordinatorPageMixin, View):
    def get(self, request: HttpRequest) -> HttpResponse:
        return page(request, ProgramForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        form = ProgramForm(request.POST)
        if not form.is_valid():
            return page(request, form, status=422)
        try:
            program, key = programs.register_program(author=Author.of(request), **form.cleaned_data)
        except DomainError as error:
            form.add_error(None, error.message)
            return page(request, form, status=422)
        return page(request, ProgramForm(), new=program, key=key)


class RenewKeyView(CoordinatorPageMixin, View):
    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        program = get_object_or_404(Program.objects.select_related("user"), pk=pk)
        try:
            key = programs.renew_key(program=program, author=Author.of(request))
        except DomainError as error:
            messages.error(request, error.message)
            return redirect("people:programs")
        return page(request, ProgramForm(), new=program, key=key)


def page(request: HttpRequest, form: ProgramForm, status: int = 200, **context: Any) -> HttpResponse:
    registered = Program.objects.select_related("user", "registered_by").order_by("user__display_name", "-pk")
    person = current_user(request)
    rows = [(program, programs.may_renew(program, person)) for program in registered]
    return render(request, "accounts/programs.html", {"form": form, "programs": rows, **context}, status=status)
