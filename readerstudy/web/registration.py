from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.text import slugify
from django.views.generic import TemplateView, View

from ctplatform.documents.pdf import pdf
from readerstudy.report.registration import registration, registration_files
from readerstudy.report.zipping import zipped
from readerstudy.web.common import StudyPageMixin


class RegistrationView(StudyPageMixin, TemplateView):
    """What is deposited before the first rating; of a draft, what it would be."""

    template_name = "readerstudy/registration.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(study=self.study, document=registration(self.study), **kwargs)


class RegistrationFileView(StudyPageMixin, View):
    def get(self, request: HttpRequest, *, form: str, **kwargs: Any) -> HttpResponse:
        content = pdf(registration(self.study)) if form == "pdf" else zipped(registration_files(self.study))
        draft = "draft-" if self.study.is_draft else ""
        name = f"{slugify(self.study.asked.title) or 'study'}-{draft}registration.{form}"
        response = HttpResponse(content, content_type=f"application/{form}")
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        return response
