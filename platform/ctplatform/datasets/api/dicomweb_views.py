"""DICOMweb (PS3.18) for viewers such as OHIF and 3D Slicer: a dataset's scans, to read."""

from collections.abc import Iterable
from itertools import chain, islice
from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from pydicom.uid import ExplicitVRLittleEndian
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request
from rest_framework.views import APIView

from ctplatform.accounts.permissions import current_user
from ctplatform.datasets.dicomweb import catalogue, multipart
from ctplatform.datasets.dicomweb.catalogue import Series
from ctplatform.datasets.exporting.dicom_ct import as_file, ct_header, ct_series, ct_slice, samples
from ctplatform.datasets.models import Dataset
from ctplatform.errors import DomainError

MOST_ROWS, ROWS_UNASKED = 1000, 50
DICOM = f"application/dicom; transfer-syntax={ExplicitVRLittleEndian}"
OCTETS = f"application/octet-stream; transfer-syntax={ExplicitVRLittleEndian}"


class AnyRepresentation(BaseContentNegotiation):
    """The standard's media types are no renderers; each view says itself what it can send."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type


class NotAcceptableError(DomainError):
    http_status_code = 406


@extend_schema(exclude=True)
class DicomwebView(APIView):
    """Described by the DICOM standard, so not by the API's description."""

    content_negotiation_class = AnyRepresentation
    http_method_names = ["get", "head", "options"]

    def dataset(self, pk: UUID) -> Dataset:
        return get_object_or_404(Dataset.objects.visible_to(current_user(self.request)), pk=pk)

    def one(self, pk: UUID, study: str, series: str) -> Series:
        found = catalogue.one_series(self.dataset(pk), study, series)
        if found is None:
            raise Http404
        return found

    def place(self, one: Series, instance: str) -> int:
        index = one.index_of(instance)
        if index is None:
            raise Http404
        return index

    @property
    def asked(self) -> dict[str, str]:
        return {name: str(self.request.query_params[name]) for name in self.request.query_params}

    def rows(self, rows: Iterable[dict[str, Any]]) -> HttpResponse:
        """No more than are asked for are made; whoever asks for no number is told that there are more."""
        start, count = _whole(self.asked.get("offset"), 0), _whole(self.asked.get("limit"), ROWS_UNASKED)
        found = list(islice(catalogue.matching(rows, self.asked), start, start + count + 1))
        answer = as_json(found[:count])
        if len(found) > count:
            # PS3.18 8.3.4.4
            answer["Warning"] = f'299 {self.request.get_host()} "There are additional results that can be requested"'
        return answer


class StudiesView(DicomwebView):
    def get(self, request: Request, pk: UUID) -> HttpResponse:
        return self.rows(catalogue.study_rows(catalogue.listed_by_study(self.dataset(pk), self.asked)))


class SeriesView(DicomwebView):
    def get(self, request: Request, pk: UUID, study: str = "") -> HttpResponse:
        by_study = catalogue.listed_by_study(self.dataset(pk), self.asked, study)
        found = catalogue.series_of(chain.from_iterable(by_study.values()))
        return self.rows(catalogue.series_rows(found))


class InstancesView(DicomwebView):
    def get(self, request: Request, pk: UUID, study: str, series: str) -> HttpResponse:
        return self.rows(catalogue.instance_rows([self.one(pk, study, series)]))


class MetadataView(DicomwebView):
    """Everything of the slices but their pixels."""

    def get(self, request: Request, pk: UUID, study: str, series: str, instance: str = "") -> HttpResponse:
        one = self.one(pk, study, series)
        headers = [ct_header(one.scan, self.place(one, instance))] if instance else catalogue.headers(one)
        return as_json([header.to_json_dict() for header in headers])


class FilesView(DicomwebView):
    def get(self, request: Request, pk: UUID, study: str, series: str, instance: str = "") -> HttpResponseBase:
        refuse_unless_accepted(request, "application/dicom")
        one = self.one(pk, study, series)
        slices = [ct_slice(one.scan, self.place(one, instance))] if instance else ct_series(one.scan)
        return as_parts((as_file(made) for made in slices), DICOM)


class FrameView(DicomwebView):
    """Slices have one frame."""

    def get(self, request: Request, pk: UUID, study: str, series: str, instance: str) -> HttpResponseBase:
        refuse_unless_accepted(request, "application/octet-stream")
        one = self.one(pk, study, series)
        return as_parts([samples(one.scan, self.place(one, instance))], OCTETS)


def as_json(rows: list[dict[str, Any]]) -> HttpResponse:
    return JsonResponse(rows, safe=False, content_type="application/dicom+json")


def as_parts(contents: Iterable[bytes], content_type: str) -> StreamingHttpResponse:
    header, body = multipart.parts(contents, content_type)
    return StreamingHttpResponse(body, content_type=header)


def refuse_unless_accepted(request: Request, media_type: str) -> None:
    accepted = request.headers.get("Accept", "*/*").replace('"', "").replace(" ", "").lower()
    if not any(word in accepted for word in (f"type={media_type}", media_type, "*/*", "multipart/related,")):
        raise NotAcceptableError(f"This is sent as multipart/related with parts of {media_type}, uncompressed.")


def _whole(text: str | None, otherwise: int) -> int:
    if text is None:
        return otherwise
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise DomainError("limit and offset are whole numbers.")
    return min(int(text), MOST_ROWS) if otherwise else int(text)
