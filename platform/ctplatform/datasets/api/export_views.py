from uuid import UUID

from django.db.models import QuerySet
from django.http import FileResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from ctplatform.accounts.permissions import current_user
from ctplatform.datasets.api.serializers import ExportOrderSerializer, ExportSerializer, JobReferenceSerializer
from ctplatform.datasets.archives.orders import request_sending
from ctplatform.datasets.exporting import orders
from ctplatform.datasets.exporting.files import export_file
from ctplatform.datasets.kinds import ExportFormat
from ctplatform.datasets.models import Export, Scan
from ctplatform.errors import DomainError

ZIP = {
    (200, "application/zip"): OpenApiResponse(
        OpenApiTypes.BINARY, description="A zip: one folder a scan, and a table of them"
    )
}


class ExportViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.DestroyModelMixin, viewsets.GenericViewSet[Export]
):
    """Packages of scans for other programs: ordered, made by a job, fetched, removed after some days."""

    queryset = Export.objects.none()
    serializer_class = ExportSerializer
    lookup_value_converter = "uuid"
    filter_backends: list[type] = []

    def get_queryset(self) -> QuerySet[Export]:
        return Export.objects.visible_to(current_user(self.request))

    @extend_schema(request=ExportOrderSerializer, responses={202: JobReferenceSerializer})
    def create(self, request: Request) -> Response:
        """Order a package, or that the scans are sent to an archive; the job's result tells what came of it."""
        order = ExportOrderSerializer(data=request.data)
        order.is_valid(raise_exception=True)
        wanted = order.validated_data
        user, scans, masks = current_user(request), self._scans(request, wanted["scans"]), wanted["masks"]
        if wanted["archive"]:
            job = request_sending(user=user, scans=scans, archive_name=wanted["archive"], masks=masks)
        else:
            job = orders.request_export(user=user, scans=scans, form=ExportFormat(wanted["form"]), masks=masks)
        return Response(JobReferenceSerializer(job).data, status=status.HTTP_202_ACCEPTED)

    def _scans(self, request: Request, wanted: list[UUID]) -> list[Scan]:
        found = {scan.pk: scan for scan in Scan.objects.visible_to(current_user(request)).filter(pk__in=wanted)}
        if missing := [str(pk) for pk in wanted if pk not in found]:
            raise DomainError(f"There is no scan {missing[0]} that you may use.")
        return [found[pk] for pk in dict.fromkeys(wanted)]

    def perform_destroy(self, instance: Export) -> None:
        orders.delete_export(export=instance, actor=current_user(self.request))

    @extend_schema(responses=ZIP)
    @action(detail=True, methods=["get"])
    def file(self, request: Request, pk: UUID) -> FileResponse:
        """The package itself."""
        return export_file(self.get_object())
