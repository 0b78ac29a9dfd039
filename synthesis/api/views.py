from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from ctplatform.accounts.models import User
from ctplatform.accounts.permissions import current_user
from ctplatform.datasets.api.serializers import VerdictSerializer
from ctplatform.datasets.models import Lesion, Scan, Verdict
from ctplatform.jobs.api import JobSerializer
from ml.editing.spec import LesionSpec
from ml.errors import SpecError
from synthesis.api.fields import VisibleLesionField, VisibleScanField
from synthesis.api.generator_orders import BankOrderSerializer, ExemplarBankSerializer
from synthesis.edits import services
from synthesis.edits.chains import Insertion
from synthesis.filters import EditOrderFilter, GeneratorFilter
from synthesis.generators.banks import order_bank
from synthesis.models import GENERATOR_BULK, LESION_KIND_CHOICES, EditOrder, Generator, cards_for


class GeneratorListSerializer(serializers.ListSerializer[Any]):
    child: "GeneratorSerializer"

    def to_representation(self, data: Any) -> Any:
        generators = list(data)
        self.child.cards = cards_for(current_user(self.context["request"]), generators)
        return super().to_representation(generators)


class GeneratorSerializer(serializers.ModelSerializer[Generator]):
    cards: Mapping[UUID, dict[str, Any]] = MappingProxyType({})  # those of a list, fetched at once
    card = serializers.SerializerMethodField(help_text="Without the names of scans that the asking person may not see")

    class Meta:
        model = Generator
        fields = ["id", "name", "digest", "card", "registered_at", "retired_at", "emptied_at"]
        read_only_fields = fields
        list_serializer_class = GeneratorListSerializer

    def get_card(self, generator: Generator) -> dict[str, Any]:
        return self.cards.get(generator.pk) or generator.card_for(current_user(self.context["request"]))


class SynthesisJobSerializer(serializers.ModelSerializer[EditOrder]):
    job = JobSerializer(read_only=True)
    measured = serializers.DictField(source="provenance.measured", default={}, read_only=True)
    review = serializers.ChoiceField(
        source="provenance.verdict", choices=Verdict.choices, default=Verdict.PENDING, read_only=True
    )
    review_reason = serializers.CharField(source="provenance.verdict_reason", default="", read_only=True)
    reviewed_at = serializers.DateTimeField(
        source="provenance.reviewed_at", default=None, allow_null=True, read_only=True
    )
    kind = serializers.ChoiceField(choices=LESION_KIND_CHOICES, allow_blank=True, read_only=True)
    then = serializers.ListField(
        child=serializers.DictField(),
        read_only=True,
        help_text="Edits that follow, each of the result of the one before it",
    )

    class Meta:
        model = EditOrder
        fields = [
            "id",
            "job",
            "operation",
            "generator",
            "source_scan",
            "centre_lps_mm",
            "kind",
            "diameter_mm",
            "contrast_hu",
            "seed",
            "batch",
            "then",
            "lesion",
            "result_scan",
            "measured",
            "review",
            "review_reason",
            "reviewed_at",
            "ordered_at",
        ]
        read_only_fields = fields


class PlacedLesionSerializer(serializers.Serializer[Any]):
    centre_lps_mm = serializers.ListField(child=serializers.FloatField(), min_length=3, max_length=3)
    kind = serializers.ChoiceField(choices=LESION_KIND_CHOICES)
    diameter_mm = serializers.FloatField()
    contrast_hu = serializers.FloatField()
    seed = serializers.IntegerField(min_value=0)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        parts = {name: attrs.pop(name) for name in ("kind", "diameter_mm", "contrast_hu", "seed")}
        try:
            attrs["spec"] = LesionSpec(**parts)
        except SpecError as error:
            raise serializers.ValidationError(str(error)) from error
        return attrs


class InsertionOrderSerializer(PlacedLesionSerializer):
    scan = VisibleScanField(queryset=Scan.objects.all())
    generator = serializers.PrimaryKeyRelatedField(queryset=Generator.objects.all())
    further = PlacedLesionSerializer(
        many=True,
        required=False,
        help_text="More lesions for the same scan, one after another: each goes into the result of the one before",
    )

    def validate_further(self, told: list[dict[str, Any]]) -> list[Insertion]:
        return [Insertion(**one) for one in told]


class RemovalOrderSerializer(serializers.Serializer[Any]):
    lesion = VisibleLesionField(queryset=Lesion.objects.all())
    generator = serializers.PrimaryKeyRelatedField(queryset=Generator.objects.all())
    seed = serializers.IntegerField(min_value=0)
    further = VisibleLesionField(
        queryset=Lesion.objects.all(),
        many=True,
        required=False,
        help_text="More lesions of the same scan, each removed from the result of the one before",
    )


class GeneratorViewSet(viewsets.ReadOnlyModelViewSet[Generator]):
    queryset = Generator.objects.defer("reports")
    serializer_class = GeneratorSerializer
    filterset_class = GeneratorFilter

    @extend_schema(request=BankOrderSerializer, responses={201: ExemplarBankSerializer})
    @action(detail=True, methods=["post"])
    def bank(self, request: Request, pk: str | None = None) -> Response:
        """A generator that inserts a dataset's lesions; the result of the job names it."""
        order = BankOrderSerializer(data=request.data, context={"request": request})
        order.is_valid(raise_exception=True)
        bank = order_bank(ordered_by=current_user(request), generator=self.get_object(), **order.validated_data)
        return Response(ExemplarBankSerializer(bank).data, status=status.HTTP_201_CREATED)


class SynthesisJobViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[EditOrder]):
    queryset = EditOrder.objects.none()
    serializer_class = SynthesisJobSerializer
    filterset_class = EditOrderFilter

    def get_queryset(self) -> QuerySet[EditOrder]:
        if not isinstance(self.request.user, User):
            return EditOrder.objects.none()
        related = ("job", "generator", "result_scan__provenance")
        unseen = [f"generator__{name}" for name in GENERATOR_BULK]
        return EditOrder.objects.visible_to(self.request.user).select_related(*related).defer(*unseen)

    @extend_schema(request=InsertionOrderSerializer, responses={201: SynthesisJobSerializer})
    @action(detail=False, methods=["post"])
    def insert(self, request: Request) -> Response:
        order = InsertionOrderSerializer(data=request.data, context={"request": request})
        order.is_valid(raise_exception=True)
        synthesis = services.order_insertion(ordered_by=current_user(request), **order.validated_data)
        return Response(self.get_serializer(synthesis).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=RemovalOrderSerializer, responses={201: SynthesisJobSerializer})
    @action(detail=False, methods=["post"])
    def remove(self, request: Request) -> Response:
        order = RemovalOrderSerializer(data=request.data, context={"request": request})
        order.is_valid(raise_exception=True)
        synthesis = services.order_removal(ordered_by=current_user(request), **order.validated_data)
        return Response(self.get_serializer(synthesis).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=VerdictSerializer, responses=SynthesisJobSerializer)
    @action(detail=True, methods=["post"])
    def review(self, request: Request, pk: str | None = None) -> Response:
        decision = VerdictSerializer(data=request.data)
        decision.is_valid(raise_exception=True)
        synthesis = services.review(
            synthesis=self.get_object(), reviewer=current_user(request), **decision.validated_data
        )
        return Response(self.get_serializer(synthesis).data)
