from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from ctplatform.accounts.permissions import current_user
from ctplatform.datasets import services
from ctplatform.datasets.api.serializers import (
    CorrectedSerializer,
    CorrectionSerializer,
    DatasetSerializer,
    ImportSerializer,
    JobReferenceSerializer,
    LesionSerializer,
    ManifestSerializer,
    NewMasksSerializer,
    RetrievalSerializer,
    ScanDetailSerializer,
    ScanSerializer,
    VerdictSerializer,
    WithdrawalSerializer,
    manifest_of,
)
from ctplatform.datasets.archives.orders import request_retrieval
from ctplatform.datasets.archives.wanted import Wanted
from ctplatform.datasets.filters import DatasetFilter, LesionFilter, ScanFilter
from ctplatform.datasets.kinds import MaskKind
from ctplatform.datasets.models import Dataset, Lesion, Mask, Scan
from ctplatform.datasets.permissions import refuse_without_pixels
from ctplatform.datasets.scans import flips, voxels
from ctplatform.datasets.scans.corrected import correct_mask
from ctplatform.datasets.withdrawal import withdraw
from ctplatform.errors import DomainError

# A slice never changes: an edit makes a new scan, an estimate a new mask.
FOR_EVER = "private, max-age=31536000, immutable"
SAMPLES = "application/octet-stream"
RAW = {
    (200, SAMPLES): OpenApiResponse(OpenApiTypes.BINARY, description="Raw little-endian samples, row-major, under gzip")
}


def slice_response(key: str, *, index: int, slices: int) -> HttpResponse:
    if not 0 <= index < slices:
        raise Http404
    try:
        content = voxels.load_bytes(key)
    except FileNotFoundError:
        # Withdrawn; what a browser still asks for is gone.
        raise Http404 from None
    return HttpResponse(
        content,
        content_type=SAMPLES,
        headers={"Content-Encoding": "gzip", "Cache-Control": FOR_EVER},
    )


class DatasetViewSet(
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.CreateModelMixin,
    mixins.UpdateModelMixin,
    mixins.DestroyModelMixin,
    viewsets.GenericViewSet[Dataset],
):
    queryset = Dataset.objects.none()
    serializer_class = DatasetSerializer
    filterset_class = DatasetFilter
    lookup_value_converter = "uuid"
    http_method_names = ["get", "post", "patch", "delete", "head", "options"]

    def get_queryset(self) -> QuerySet[Dataset]:
        return Dataset.objects.visible_to(current_user(self.request)).with_facts().select_related("owner")

    def perform_create(self, serializer: BaseSerializer[Dataset]) -> None:
        created = services.create_dataset(owner=current_user(self.request), **serializer.validated_data)
        serializer.instance = self.get_queryset().get(pk=created.pk)

    def perform_update(self, serializer: BaseSerializer[Dataset]) -> None:
        user = current_user(self.request)
        services.update_dataset(dataset=self.get_object(), user=user, **serializer.validated_data)
        serializer.instance = self.get_object()

    def perform_destroy(self, instance: Dataset) -> None:
        services.delete_dataset(dataset=instance, user=current_user(self.request))

    @extend_schema(request={"multipart/form-data": ImportSerializer}, responses={202: JobReferenceSerializer})
    @action(detail=True, methods=["post"], parser_classes=[MultiPartParser])
    def imports(self, request: Request, pk: UUID) -> Response:
        """Import uploaded files; the job tells what came of them."""
        form = ImportSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        job = services.request_import(dataset=self.get_object(), user=current_user(request), **form.validated_data)
        return Response(JobReferenceSerializer(job).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(request=RetrievalSerializer, responses={202: JobReferenceSerializer})
    @action(detail=True, methods=["post"])
    def retrievals(self, request: Request, pk: UUID) -> Response:
        """Fetch series from an archive; the job tells what came of them."""
        dataset, order = self.get_object(), RetrievalSerializer(data=request.data)
        order.is_valid(raise_exception=True)
        job = request_retrieval(
            dataset=dataset,
            user=current_user(request),
            archive_name=order.validated_data["archive"],
            wanted=[Wanted(**one) for one in order.validated_data["series"]],
            text_looked_at=order.validated_data["text_looked_at"],
        )
        return Response(JobReferenceSerializer(job).data, status=status.HTTP_202_ACCEPTED)


@extend_schema_view(list=extend_schema(responses=ScanSerializer(many=True)))
class ScanViewSet(
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.UpdateModelMixin,
    mixins.DestroyModelMixin,
    viewsets.GenericViewSet[Scan],
):
    queryset = Scan.objects.none()
    filterset_class = ScanFilter
    lookup_value_converter = "uuid"
    http_method_names = ["get", "post", "patch", "delete", "head", "options"]

    def get_queryset(self) -> QuerySet[Scan]:
        scans = Scan.objects.visible_to(current_user(self.request)).with_facts().select_related("dataset")
        if self.action in {"list", "slices"}:
            return scans
        facts = ("masks__accepted_by", "masks__corrections__by", "lesions")
        return scans.select_related("provenance__reviewed_by").prefetch_related(*facts)

    def get_serializer_class(self) -> type[BaseSerializer[Scan]]:
        return ScanSerializer if self.action == "list" else ScanDetailSerializer

    def perform_update(self, serializer: BaseSerializer[Scan]) -> None:
        scan = self.get_object()
        wanted = {"name": scan.name, "subject": scan.subject, **serializer.validated_data}
        services.update_scan(scan=scan, user=current_user(self.request), **wanted)
        serializer.instance = self.get_object()

    def perform_destroy(self, instance: Scan) -> None:
        services.delete_scan(scan=instance, user=current_user(self.request))

    @extend_schema(responses=ManifestSerializer)
    @action(detail=True, methods=["get"])
    def manifest(self, request: Request, pk: UUID) -> Response:
        """Everything that a viewer needs to know of a scan before it loads slices."""
        scan = self.get_object()
        refuse_without_pixels([scan])
        return Response(manifest_of(scan))

    @extend_schema(responses=RAW)
    @action(detail=True, methods=["get"], url_path="slices/<int:index>")
    def slices(self, request: Request, pk: UUID, index: int) -> HttpResponse:
        """One axial slice, int16 HU."""
        scan = self.get_object()
        return slice_response(voxels.scan_slice_key(scan.pk, index), index=index, slices=scan.slices)

    @extend_schema(request=VerdictSerializer, responses=ScanDetailSerializer)
    @action(detail=True, methods=["post"])
    def verdict(self, request: Request, pk: UUID) -> Response:
        """Accept or reject a synthetic scan, whoever made it; only accepted ones become cases of a study."""
        decision = VerdictSerializer(data=request.data)
        decision.is_valid(raise_exception=True)
        scan = self.get_object()
        services.give_verdict(scan=scan, reviewer=current_user(request), **decision.validated_data)
        return Response(self.get_serializer(scan).data)

    @extend_schema(request=None, responses={202: JobReferenceSerializer})
    @action(detail=True, methods=["post"], url_path="liver-estimate")
    def liver_estimate(self, request: Request, pk: UUID) -> Response:
        job = services.request_liver_estimate(scan=self.get_object(), user=current_user(request))
        return Response(JobReferenceSerializer(job).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(request=WithdrawalSerializer, responses=ScanSerializer(many=True))
    @action(detail=True, methods=["post"], pagination_class=None, filterset_class=None)
    def withdraw(self, request: Request, pk: UUID) -> Response:
        """Delete the pixels for good, of this scan or its patient, and of whatever was edited from it; rows stay."""
        form = WithdrawalSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        gone = withdraw(scan=self.get_object(), user=current_user(request), **form.validated_data)
        rows = Scan.objects.filter(pk__in=[scan.pk for scan in gone]).with_facts()
        return Response(ScanSerializer(rows, many=True).data)

    @extend_schema(request={"multipart/form-data": NewMasksSerializer}, responses={202: JobReferenceSerializer})
    @action(detail=True, methods=["post"], parser_classes=[MultiPartParser])
    def masks(self, request: Request, pk: UUID) -> Response:
        """Add masks, or put them in the place of those of their kind; the job tells what came of them."""
        form = NewMasksSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        job = services.request_masks(scan=self.get_object(), user=current_user(request), **form.validated_data)
        return Response(JobReferenceSerializer(job).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(request=CorrectionSerializer, responses=CorrectedSerializer)
    @action(detail=True, methods=["post"], url_path="corrected-mask")
    def corrected_mask(self, request: Request, pk: UUID) -> Response:
        """Correct a mask by hand, or draw one that the scan doesn't have; refused once it is another than yours."""
        if int(request.META.get("CONTENT_LENGTH") or 0) > flips.MOST_BYTES:
            raise DomainError(flips.TOO_MUCH)
        correction = CorrectionSerializer(data=request.data)
        correction.is_valid(raise_exception=True)
        given = correction.validated_data
        mask = correct_mask(
            scan=self.get_object(),
            user=current_user(request),
            kind=MaskKind(given["kind"]),
            base=given["base"],
            lengths=given["lengths"],
        )
        return Response(CorrectedSerializer(mask.corrections.first()).data)


class MaskViewSet(viewsets.GenericViewSet[Mask]):
    queryset = Mask.objects.none()
    lookup_value_converter = "uuid"
    filter_backends: list[Any] = []

    def get_queryset(self) -> QuerySet[Mask]:
        return Mask.objects.visible_to(current_user(self.request)).select_related("scan")

    @extend_schema(responses=RAW)
    @action(detail=True, methods=["get"], url_path="slices/<int:index>")
    def slices(self, request: Request, pk: UUID, index: int) -> HttpResponse:
        """One axial slice of labels, uint8."""
        mask = self.get_object()
        return slice_response(voxels.mask_slice_key(mask.pk, index), index=index, slices=mask.scan.slices)


class LesionViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[Lesion]):
    queryset = Lesion.objects.none()
    serializer_class = LesionSerializer
    filterset_class = LesionFilter

    def get_queryset(self) -> QuerySet[Lesion]:
        return Lesion.objects.visible_to(current_user(self.request))
