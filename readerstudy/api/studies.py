"""Studies for programs. Before the unblinding it tells counts and times only."""

from dataclasses import asdict
from typing import Any

from django.db.models import Count, QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from ctplatform.accounts.models import User
from readerstudy.analysis import DefaultAnalysis
from readerstudy.api.derived import serializer_of
from readerstudy.api.serializers import CsvRenderer, PlanSerializer, RatingsSerializer
from readerstudy.models import Study, StudyState, Template
from readerstudy.planning.plans import plan_of
from readerstudy.planning.words import plan_sentences
from readerstudy.reading.progress import RaterProgress, progress_of
from readerstudy.report import export
from readerstudy.report.loading import rater_labels
from readerstudy.report.tables import results_csv
from readerstudy.results import analysis_of
from readerstudy.unblinding.opened import UnblindedStudy

TABLES = [JSONRenderer, CsvRenderer]


def json_or_csv(serializer: type[serializers.Serializer[Any]]) -> dict[Any, Any]:
    return {(200, "application/json"): serializer, (200, "text/csv"): OpenApiTypes.STR}


def wants_csv(request: Request) -> bool:
    return bool(request.accepted_renderer.format == CsvRenderer.format)


class StudySerializer(serializers.ModelSerializer[Study]):
    owner = serializers.CharField(source="owner.username", read_only=True)
    cases = serializers.IntegerField(source="case_count", read_only=True)
    raters = serializers.IntegerField(source="rater_count", read_only=True)

    class Meta:
        model = Study
        fields = [
            "id",
            "title",
            "description",
            "template",
            "state",
            "owner",
            "question",
            "instructions",
            "display_mode",
            "confidence_levels",
            "cases",
            "raters",
            "protocol_digest",
            "plan_digest",
            "schedule_digest",
            "ledger_count",
            "ledger_head",
            "created_at",
            "locked_at",
            "opened_at",
            "closed_at",
            "unblinded_at",
        ]
        read_only_fields = fields


class RaterProgressSerializer(serializers.Serializer[RaterProgress]):
    number = serializers.IntegerField(source="rater.number")
    name = serializers.CharField(source="rater.user")
    simulated = serializers.BooleanField(source="rater.user.is_simulated")
    excluded = serializers.SerializerMethodField()
    done = serializers.IntegerField()
    total = serializers.IntegerField()
    revised = serializers.IntegerField()
    last_rating_at = serializers.DateTimeField(allow_null=True)
    median_seconds = serializers.FloatField(allow_null=True)

    def get_excluded(self, row: RaterProgress) -> bool:
        return row.rater.excluded_at is not None


class StudyFilter(filters.FilterSet):
    q = filters.CharFilter(field_name="title", lookup_expr="icontains")
    state = filters.ChoiceFilter(choices=StudyState.choices)
    template = filters.ChoiceFilter(choices=Template.choices)


class StudyViewSet(viewsets.ReadOnlyModelViewSet[Study]):
    queryset = Study.objects.none()
    serializer_class = StudySerializer
    filterset_class = StudyFilter
    ordering_fields = ["created_at", "title", "state"]

    def get_queryset(self) -> QuerySet[Study]:
        user = self.request.user
        if not isinstance(user, User):
            return Study.objects.none()
        counted = Study.objects.visible_to(user).select_related("owner")
        counted = counted.annotate(case_count=Count("cases", distinct=True), rater_count=Count("raters", distinct=True))
        # Counting groups the rows, which drops the order of the model.
        return counted.order_by("-created_at", "pk")

    @extend_schema(responses=RaterProgressSerializer(many=True))
    @action(detail=True, pagination_class=None, filterset_class=None)
    def progress(self, request: Request, pk: str | None = None) -> Response:
        """Counts and times per rater."""
        return Response([RaterProgressSerializer(row).data for row in progress_of(self.get_object())])

    @extend_schema(responses=PlanSerializer)
    @action(detail=True, pagination_class=None, filterset_class=None)
    def plan(self, request: Request, pk: str | None = None) -> Response:
        """The analysis plan, frozen when the study is locked."""
        study = self.get_object()
        plan = plan_of(study)
        content = {
            "plan": asdict(plan),
            "digest": plan.digest(),
            "frozen": not study.is_draft,
            "in_words": plan_sentences(plan),
        }
        return Response(content)

    @extend_schema(responses=json_or_csv(serializer_of(DefaultAnalysis)))
    @action(detail=True, renderer_classes=TABLES, pagination_class=None, filterset_class=None)
    def results(self, request: Request, pk: str | None = None) -> Response:
        """The whole analysis, or as CSV one row per rater and for the ensemble; 409 until the study is unblinded."""
        opened = UnblindedStudy(self.get_object())
        analysis = analysis_of(opened)
        return Response(results_csv(analysis, rater_labels(opened)) if wants_csv(request) else analysis.as_json())

    @extend_schema(responses=json_or_csv(RatingsSerializer))
    @action(detail=True, renderer_classes=TABLES, pagination_class=None, filterset_class=None)
    def ratings(self, request: Request, pk: str | None = None) -> Response:
        """One row per rating with a codebook; truth only after the unblinding."""
        study = self.get_object()
        return Response(export.as_csv(study) if wants_csv(request) else export.as_data(study))
