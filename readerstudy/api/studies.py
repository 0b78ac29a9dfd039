"""Studies for programs. Before the unblinding it tells counts and times only."""

from dataclasses import asdict
from typing import Any, cast

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from ctplatform.accounts.models import User
from ctplatform.accounts.permissions import current_user
from ctplatform.datasets.models import Dataset
from ctplatform.errors import DomainError
from readerstudy.analysis import (
    ArmsComparison,
    DefaultAnalysis,
    FreeResponseReading,
    GroupsComparison,
    PhaseChange,
    PlacesReading,
    ProgramReading,
    RepeatedReadings,
)
from readerstudy.analysis.default.json_form import as_json
from readerstudy.api.derived import serializer_of
from readerstudy.api.lifecycle import LifecycleMixin
from readerstudy.api.serializers import CsvRenderer, PlanSerializer, RatingsSerializer
from readerstudy.choices import ChoiceResults, choice_results
from readerstudy.design import following
from readerstudy.design import services as design
from readerstudy.design.published import STARTED
from readerstudy.design.published_protocol import PublishedPhases, PublishedProtocol
from readerstudy.design.services import PROTOCOL_FIELDS
from readerstudy.filters import StudyFilter
from readerstudy.models import Study, Template
from readerstudy.models.reading import LONGEST_GROUP
from readerstudy.planning.plans import plan_of, sentences_of
from readerstudy.reading.progress import RaterProgress, progress_of
from readerstudy.report import export
from readerstudy.report.arm_marks import MarkMap
from readerstudy.report.free_response import free_response_of
from readerstudy.report.further import further_of
from readerstudy.report.groups import groups_of
from readerstudy.report.loading import rater_labels
from readerstudy.report.mark_map import mark_map_of
from readerstudy.report.phases import phases_of
from readerstudy.report.places import places_of
from readerstudy.report.questions import FurtherQuestions
from readerstudy.report.tables import results_csv
from readerstudy.results import analysis_of, arms_of, programs_of, repeats_of
from readerstudy.tasks.items import KINDS
from readerstudy.tasks.registry import OFFERED
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
            "published",
            "continues",
            "least_gap_days",
            "other_patients",
            "state",
            "owner",
            "language",
            "question",
            "instructions",
            "display_mode",
            "task_name",
            "task_settings",
            "further_questions",
            "end_question",
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
            "archived_at",
        ]
        read_only_fields = fields


_SETTINGS = "; ".join(
    f"{name}: {', '.join(setting.name for setting in task.settings)}" for name, task in OFFERED.items() if task.settings
)


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


class NewStudySerializer(serializers.Serializer[Any]):
    template = serializers.ChoiceField(choices=Template.choices)
    title = serializers.CharField(max_length=160)
    cases_planned = serializers.IntegerField(min_value=4, max_value=2000, help_text="Half real, half synthetic")


class PublishedSerializer(serializers.Serializer[Any]):
    """A published study that a draft may follow."""

    key = serializers.CharField()
    authors = serializers.CharField()
    title = serializers.CharField()
    reference = serializers.CharField()
    doi = serializers.CharField()
    raters = serializers.CharField()
    untold = serializers.ListField(child=serializers.CharField(), help_text="What the publication does not tell")
    otherwise = serializers.ListField(child=serializers.CharField(), help_text="What is done otherwise here")
    phases = serializers.SerializerMethodField()

    @extend_schema_field(
        serializers.ListField(
            child=serializers.CharField(), help_text="Keys of the phases that are started at once; empty for one study"
        )
    )
    def get_phases(self, published: PublishedProtocol | PublishedPhases) -> list[str]:
        return [phase.key for phase in published.phases] if isinstance(published, PublishedPhases) else []


class FollowSerializer(serializers.Serializer[Any]):
    published = serializers.ChoiceField(choices=[(key, protocol.authors) for key, protocol in STARTED.items()])


class StartedSerializer(StudySerializer):
    """The draft of the first phase, and which drafts continue it."""

    later = serializers.ListField(child=serializers.UUIDField(), help_text="Drafts of later phases, in their order")

    class Meta(StudySerializer.Meta):
        fields = [*StudySerializer.Meta.fields, "later"]
        read_only_fields = fields


class ProtocolSerializer(serializers.ModelSerializer[Study]):
    """The protocol of a draft; its fields are those of the page *Protocol*."""

    datasets = serializers.PrimaryKeyRelatedField(many=True, queryset=Dataset.objects.none())
    continues = serializers.PrimaryKeyRelatedField(
        queryset=Study.objects.none(), allow_null=True, help_text="An earlier study that the person decides about"
    )
    task_name = serializers.ChoiceField(choices=[(name, task.label) for name, task in OFFERED.items()])
    task_settings = serializers.DictField(help_text=_SETTINGS)
    further_questions = serializers.ListField(
        child=serializers.DictField(),
        help_text=f"kind ({', '.join(KINDS)}), name, question, and options where it has some",
    )

    class Meta:
        model = Study
        fields = PROTOCOL_FIELDS

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        user = getattr(self.context.get("request"), "user", None)
        if isinstance(user, User):
            fields["datasets"].child_relation.queryset = Dataset.objects.visible_to(user)  # type: ignore[attr-defined]
            fields["continues"].queryset = Study.objects.managed_by(user)  # type: ignore[attr-defined]
        return fields


class GroupsSerializer(serializers.Serializer[Any]):
    groups = serializers.DictField(
        child=serializers.CharField(allow_blank=True, max_length=LONGEST_GROUP),
        help_text="Login of a rater to the name of a group; empty: in none",
    )

    def by_number(self, study: Study) -> dict[int, str]:
        numbers = dict(study.raters.values_list("user__username", "number"))
        wished: dict[str, str] = self.validated_data["groups"]
        if missing := [name for name in wished if name not in numbers]:
            raise DomainError(f"“{missing[0]}” is no rater of this study, so nothing was saved.")
        return {numbers[name]: group for name, group in wished.items()}


class StudyViewSet(LifecycleMixin, viewsets.ReadOnlyModelViewSet[Study]):
    queryset = Study.objects.none()
    serializer_class = StudySerializer
    filterset_class = StudyFilter

    def get_queryset(self) -> QuerySet[Study]:
        user = self.request.user
        if not isinstance(user, User):
            return Study.objects.none()
        return Study.objects.visible_to(user).select_related("owner").for_lists().order_by("-created_at", "pk")

    @extend_schema(request=NewStudySerializer, responses={201: StudySerializer})
    def create(self, request: Request) -> Response:
        """Start a draft with the settings of its template."""
        asked = NewStudySerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        study = design.create_study(owner=current_user(request), **asked.validated_data)
        return Response(self._described(study), status=status.HTTP_201_CREATED)

    @extend_schema(responses=PublishedSerializer(many=True))
    @action(detail=False, pagination_class=None, filterset_class=None)
    def published(self, request: Request) -> Response:
        """The published studies that a draft may follow, then those of several phases, which are started at once."""
        return Response(PublishedSerializer(STARTED.values(), many=True).data)

    @extend_schema(request=FollowSerializer, responses={201: StartedSerializer})
    @published.mapping.post
    def follow(self, request: Request) -> Response:
        """Start a draft, or one for each phase, with everything that a publication tells; the rest is as usual."""
        asked = FollowSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        first, *later = following.start(key=asked.validated_data["published"], owner=current_user(request))
        started = {**self._described(first), "later": [study.pk for study in later]}
        return Response(started, status=status.HTTP_201_CREATED)

    @extend_schema(request=ProtocolSerializer, responses=StudySerializer)
    def partial_update(self, request: Request, pk: str | None = None) -> Response:
        """Change the protocol of a draft."""
        study = self.get_object()
        asked = ProtocolSerializer(study, data=request.data, partial=True, context=self.get_serializer_context())
        asked.is_valid(raise_exception=True)
        design.change_design(study=study, actor=current_user(request), **asked.validated_data)
        return Response(self._described(study))

    def _described(self, study: Study) -> dict[str, Any]:
        return dict(StudySerializer(self.get_queryset().get(pk=study.pk)).data)

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
            "digest": study.plan_digest or plan.digest(),
            "frozen": not study.is_draft,
            "in_words": sentences_of(study, plan),
        }
        return Response(content)

    @extend_schema(responses=json_or_csv(serializer_of(DefaultAnalysis)))
    @action(detail=True, renderer_classes=TABLES, pagination_class=None, filterset_class=None)
    def results(self, request: Request, pk: str | None = None) -> Response:
        """The analysis, or as CSV the primary one, each rater and the ensemble; 409 until the study is unblinded."""
        opened = UnblindedStudy(self.get_object())
        analysis = analysis_of(opened)
        if wants_csv(request):
            return Response(results_csv(analysis, rater_labels(opened), phases_of(opened)))
        return Response(analysis.as_json())

    @extend_schema(responses=serializer_of(ChoiceResults))
    @action(detail=True, pagination_class=None, filterset_class=None)
    def choices(self, request: Request, pk: str | None = None) -> Response:
        """Choices among several images shown together; 409 until the unblinding, and where each was shown alone."""
        return Response(choice_results(UnblindedStudy(self.get_object())).as_json())

    @extend_schema(responses=serializer_of(ArmsComparison))
    @action(detail=True, pagination_class=None, filterset_class=None)
    def arms(self, request: Request, pk: str | None = None) -> Response:
        """Every program's cases against the real ones and against each other; 409 until the study is unblinded.

        Without readings where all synthetic cases are of one arm.
        """
        opened = UnblindedStudy(self.get_object())
        return Response(as_json(arms_of(opened) or ArmsComparison(readings=(), contrasts=())))

    @extend_schema(responses=serializer_of(ProgramReading)(many=True))
    @action(detail=True, pagination_class=None, filterset_class=None)
    def programs(self, request: Request, pk: str | None = None) -> Response:
        """Programs that read beside the people, one by one; 409 until the study is unblinded."""
        return Response([as_json(one) for one in programs_of(UnblindedStudy(self.get_object()))])

    @extend_schema(responses=serializer_of(RepeatedReadings))
    @action(detail=True, pagination_class=None, filterset_class=None)
    def repeats(self, request: Request, pk: str | None = None) -> Response:
        """How raters agree with themselves on cases shown twice; 404 without any, 409 until the unblinding."""
        repeats = repeats_of(UnblindedStudy(self.get_object()))
        if repeats is None:
            raise NotFound("No case of this study was shown twice.")
        return Response(as_json(repeats))

    @extend_schema(responses=serializer_of(PhaseChange))
    @action(detail=True, pagination_class=None, filterset_class=None)
    def phases(self, request: Request, pk: str | None = None) -> Response:
        """The change of raters against the study that this one continues; 409 until the unblinding.

        404 where it continues none, or where nothing is compared.
        """
        phases = phases_of(UnblindedStudy(self.get_object()))
        if phases is None:
            raise NotFound("This study continues no other one.")
        if phases.change is None:
            raise NotFound(f"Nothing is compared with the earlier study: {phases.reason}.")
        return Response(as_json(phases.change))

    @extend_schema(responses=serializer_of(FurtherQuestions))
    @action(detail=True, pagination_class=None, filterset_class=None)
    def further(self, request: Request, pk: str | None = None) -> Response:
        """How further questions were answered in every arm, and whether the kinds differ; 409 until the unblinding."""
        return Response(as_json(further_of(UnblindedStudy(self.get_object()))))

    @extend_schema(responses=serializer_of(PlacesReading))
    @action(detail=True, pagination_class=None, filterset_class=None)
    def places(self, request: Request, pk: str | None = None) -> Response:
        """How well edited places were found, where raters mark one; 409 until the unblinding."""
        return Response(as_json(places_of(UnblindedStudy(self.get_object()))))

    @extend_schema(responses=serializer_of(FreeResponseReading))
    @action(detail=True, url_path="free-response", pagination_class=None, filterset_class=None)
    def free_response(self, request: Request, pk: str | None = None) -> Response:
        """How well edited places were found, where raters mark any number; 409 until the unblinding."""
        return Response(as_json(free_response_of(UnblindedStudy(self.get_object()))))

    @extend_schema(responses=serializer_of(GroupsComparison))
    @action(detail=True, pagination_class=None, filterset_class=None)
    def groups(self, request: Request, pk: str | None = None) -> Response:
        """What every group of raters reaches, and whether two differ; 409 until the unblinding."""
        return Response(as_json(groups_of(UnblindedStudy(self.get_object()))))

    @extend_schema(request=GroupsSerializer, responses={200: GroupsSerializer})
    @groups.mapping.put
    def set_groups(self, request: Request, pk: str | None = None) -> Response:
        """Say which group raters of a draft are in; who is not named stays."""
        study, asked = self.get_object(), GroupsSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        design.set_groups(study=study, actor=current_user(request), groups=asked.by_number(study))
        raters = study.raters.exclude(group="").select_related("user")
        return Response({"groups": {rater.user.username: rater.group for rater in raters}})

    @extend_schema(responses=serializer_of(MarkMap))
    @action(detail=True, pagination_class=None, filterset_class=None)
    def marks(self, request: Request, pk: str | None = None) -> Response:
        """Where raters marked, arm by arm; 409 until the unblinding. Without arms where no places are marked."""
        return Response(as_json(mark_map_of(UnblindedStudy(self.get_object()))))

    @extend_schema(responses=json_or_csv(RatingsSerializer))
    @action(detail=True, renderer_classes=TABLES, pagination_class=None, filterset_class=None)
    def ratings(self, request: Request, pk: str | None = None) -> StreamingHttpResponse:
        """One row per rating with a codebook. Before the unblinding without truth, and the record says who asked."""
        csv = wants_csv(request)
        ledger = export.fetched(self.get_object(), actor=cast("User", request.user), form="API, CSV" if csv else "API")
        told, as_type = (export.as_csv, "text/csv; charset=utf-8") if csv else (export.as_json, "application/json")
        return StreamingHttpResponse(told(ledger), content_type=as_type)
