from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from ctplatform.accounts.permissions import current_user
from ctplatform.datasets.api.serializers import ArchiveSerializer, FoundSeriesSerializer, SeriesSearchSerializer
from ctplatform.datasets.archives import client, configured

NAME = OpenApiParameter("name", str, OpenApiParameter.PATH)


class ArchiveViewSet(viewsets.GenericViewSet[Any]):
    """Archives (PACS) that are set up, for coordinators and administrators."""

    serializer_class = ArchiveSerializer
    lookup_field = "name"
    pagination_class = None
    filter_backends: list[type] = []

    @extend_schema(responses=ArchiveSerializer(many=True))
    def list(self, request: Request) -> Response:
        configured.refuse_unless_may_use(current_user(request))
        return Response(ArchiveSerializer(configured.archives(), many=True).data)

    @extend_schema(parameters=[NAME], request=SeriesSearchSerializer, responses=FoundSeriesSerializer(many=True))
    @action(detail=True, methods=["post"])
    def search(self, request: Request, name: str) -> Response:
        """CT series that match. Sent by POST: what it asks for names patients, and addresses stand in logs."""
        configured.refuse_unless_may_use(current_user(request))
        wanted = SeriesSearchSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        found = client.find_series(configured.archive_called(name), **wanted.validated_data)
        return Response([asdict(one) for one in found], headers={"Cache-Control": "no-store"})
