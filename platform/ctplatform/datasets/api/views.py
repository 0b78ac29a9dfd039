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
    DatasetSerializer,
    ImportSerializer,
    JobReferenceSerializer,
    LesionSerializer,
    ManifestSerializer,
    ScanDetailSerializer,
    ScanSerializer,
    manifest_of,
)
from ctplatform.datasets.filters import DatasetFilter, LesionFilter, ScanFilter
from ctplatform.datasets.models import Dataset, Lesion, Mask, Scan
from ctplatform.datasets.scans import voxels

# A slice never changes: an edit makes a new scan, an estimate a new mask.
FOR_EVER = "private, max-age=31536000, immutable"
RAW = OpenApiResponse(OpenApiTypes.BINARY, description="Raw little-endian samples, row-major, under gzip")


def slice_response(key: str, *, index: int, slices: int) -> HttpResponse:
    if not 0 <= index < slices:
        raise Http404
    return HttpResponse(
        voxels.load_bytes(key),
        content_type="application/octet-stream",
        headers={"Content-Encoding": "gzip", "Cache-Control": FOR_EVER},
    )


class DatasetViewSet(
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.CreateModelMixin,
    mixins.UpdateModelMixin,
    viewsets.GenericViewSet[Dataset],
):
    queryset = Dataset.objects.none()
    serializer_class = DatasetSerializer
    filterset_class = DatasetFilter
    lookup_value_converter = "uuid"
    http_method_names = ["get", "post", "patch", "head", "options"]

    def get_queryset(self) -> QuerySet[Dataset]:
        return Dataset.objects.visible_to(current_user(self.request)).with_facts().select_related("owner")

    def perform_create(self, serializer: BaseSerializer[Dataset]) -> None:
        created = services.create_dataset(owner=current_user(self.request), **serializer.validated_data)
        serializer.instance = self.get_queryset().get(pk=created.pk)

    def perform_update(self, serializer: BaseSerializer[Dataset]) -> None:
        user = current_user(self.request)
        services.update_dataset(dataset=self.get_object(), user=user, **serializer.validated_data)
        serializer.instance = self.get_object()

    @extend_schema(request={"multipart/form-data": ImportSerializer}, responses={202: JobReferenceSerializer})
    @action(detail=True, methods=["post"], parser_classes=[MultiPartParser])
    def imports(self, request: Request, pk: UUID) -> Response:
        """Import uploaded files; the job tells what came of them."""
        form = ImportSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        job = services.request_import(dataset=self.get_object(), user=current_user(request), **form.validated_data)
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
        if self.action == "list":
            return scans
        return scans.select_related("provenance__reviewed_by").prefetch_related("masks", "lesions")

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
        return Response(manifest_of(self.get_object()))

    @extend_schema(responses={200: RAW})
    @action(detail=True, methods=["get"], url_path="slices/<int:index>")
    def slices(self, request: Request, pk: UUID, index: int) -> HttpResponse:
        """One axial slice, int16 HU."""
        scan = self.get_object()
        return slice_response(voxels.scan_slice_key(scan.pk, index), index=index, slices=scan.slices)

    @extend_schema(request=None, responses={202: JobReferenceSerializer})
    @action(detail=True, methods=["post"], url_path="liver-estimate")
    def liver_estimate(self, request: Request, pk: UUID) -> Response:
        job = services.request_liver_estimate(scan=self.get_object(), user=current_user(request))
        return Response(JobReferenceSerializer(job).data, status=status.HTTP_202_ACCEPTED)


class MaskViewSet(viewsets.GenericViewSet[Mask]):
    queryset = Mask.objects.none()
    lookup_value_converter = "uuid"
    filter_backends: list[Any] = []

    def get_queryset(self) -> QuerySet[Mask]:
        return Mask.objects.visible_to(current_user(self.request)).select_related("scan")

    @extend_schema(responses={200: RAW})
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
