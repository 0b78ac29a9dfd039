"""The page that gives a generator the lesions of a dataset as exemplars."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.generic import FormView

from ctplatform.accounts.permissions import StaffPageMixin, current_user
from ctplatform.datasets.models import Dataset
from ctplatform.errors import DomainError
from ctplatform.jobs.models import Job
from synthesis.generators.banks import BankThereError, address_of, order_bank
from synthesis.models import GENERATOR_BULK, ExemplarBank, Generator
from synthesis.web.forms import BankForm

MADE_SHOWN = 20


class OrderBankView(StaffPageMixin, FormView[BankForm]):
    template_name = "synthesis/bank.html"
    form_class = BankForm

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"datasets": Dataset.objects.visible_to(current_user(self.request))}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        generator = self._generator()
        banks = ExemplarBank.objects.visible_to(current_user(self.request)).made().filter(source=generator)
        banks = banks.select_related("generator", "dataset").defer(*(f"generator__{name}" for name in GENERATOR_BULK))
        return super().get_context_data(generator=generator, made=banks[:MADE_SHOWN], **kwargs)

    def form_valid(self, form: BankForm) -> HttpResponse:
        told = {**form.cleaned_data}
        all_drawn = not told.pop("partly_drawn")
        try:
            bank = order_bank(
                ordered_by=current_user(self.request), generator=self._generator(), all_drawn=all_drawn, **told
            )
        except BankThereError as error:
            there = {"message": error.message, "address": self._address(error.there)}
            return self.render_to_response(self.get_context_data(form=form, there=there))
        except DomainError as error:
            form.add_error(None, error.message)
            return self.form_invalid(form)
        return redirect("jobs:job", pk=bank.job_id)

    def _address(self, there: ExemplarBank) -> str:
        """None of another person's job."""
        jobs = Job.objects.visible_to(current_user(self.request))
        return address_of(there) if there.generator or jobs.filter(pk=there.job_id).exists() else ""

    def _generator(self) -> Generator:
        return get_object_or_404(Generator, pk=self.kwargs["pk"])
