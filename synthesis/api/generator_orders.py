"""Trainings, and banks of own lesions, for programs."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from ctplatform.accounts.models import User
from ctplatform.accounts.permissions import current_user
from ctplatform.datasets.models import Dataset, Scan
from ctplatform.jobs.api import JobSerializer
from ml.generator.card import OBJECTIVE_WORDS, POPULATION_WORDS
from synthesis.api.fields import VisibleDatasetField, VisibleScanField
from synthesis.generators.training import MAX_STEPS, MIN_STEPS, order_training
from synthesis.models import MAX_SEED, ExemplarBank, Generator, TrainingRun


class TrainingRunSerializer(serializers.ModelSerializer[TrainingRun]):
    job = JobSerializer(read_only=True)
    config = serializers.DictField(read_only=True, help_text="What differs from the recipe of python -m ml.train")
    curve = serializers.ListField(child=serializers.DictField(), read_only=True, help_text="Step and losses")

    class Meta:
        model = TrainingRun
        fields = ["id", "job", "name", "scans", "config", "initial", "curve", "generator"]
        read_only_fields = fields


class TrainingOrderSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=120)
    scans = VisibleScanField(queryset=Scan.objects.all(), many=True)
    objective = serializers.ChoiceField(choices=list(OBJECTIVE_WORDS), default="iae_content")
    population = serializers.ChoiceField(choices=list(POPULATION_WORDS), default="all")
    steps = serializers.IntegerField(min_value=MIN_STEPS, max_value=MAX_STEPS)
    seed = serializers.IntegerField(min_value=0, max_value=MAX_SEED, default=0)
    initial = serializers.PrimaryKeyRelatedField(
        queryset=Generator.objects.all(),
        required=False,
        allow_null=True,
        help_text="The generator whose weights to begin from; without it random ones",
    )
    lesion_free = VisibleScanField(
        queryset=Scan.objects.all(),
        many=True,
        required=False,
        help_text="Scans without a lesion mask of which it is known that there is nothing to draw",
    )
    partly_drawn = VisibleScanField(
        queryset=Scan.objects.all(), many=True, required=False, help_text="Scans whose masks lack lesions"
    )


class ExemplarBankSerializer(serializers.ModelSerializer[ExemplarBank]):
    job = JobSerializer(read_only=True)

    class Meta:
        model = ExemplarBank
        fields = ["id", "job", "name", "source", "dataset", "beside", "all_drawn", "generator"]
        read_only_fields = fields


class BankOrderSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=120, help_text="Of the generator that comes out")
    dataset = VisibleDatasetField(queryset=Dataset.objects.all(), help_text="Whose lesions become exemplars")
    beside = serializers.BooleanField(default=False, help_text="Whether the generator's own exemplars stay")
    all_drawn = serializers.BooleanField(default=True, help_text="Whether the masks hold every lesion of their scans")


class TrainingViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[TrainingRun]):
    queryset = TrainingRun.objects.none()
    serializer_class = TrainingRunSerializer

    def get_queryset(self) -> QuerySet[TrainingRun]:
        if not isinstance(self.request.user, User):
            return TrainingRun.objects.none()
        runs = TrainingRun.objects.visible_to(self.request.user)
        return runs.select_related("job").prefetch_related("scans").order_by("-job__created_at", "pk")

    @extend_schema(request=TrainingOrderSerializer, responses={201: TrainingRunSerializer})
    def create(self, request: Request) -> Response:
        order = TrainingOrderSerializer(data=request.data, context={"request": request})
        order.is_valid(raise_exception=True)
        run = order_training(ordered_by=current_user(request), **order.validated_data)
        return Response(self.get_serializer(run).data, status=status.HTTP_201_CREATED)
