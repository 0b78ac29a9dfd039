"""What programs get: the parts of the analysis with their meaning, for the description of the API."""

from typing import Any

from rest_framework import serializers
from rest_framework.renderers import BaseRenderer


class CsvRenderer(BaseRenderer):
    """Passes a table through that is text already; a refusal becomes its sentence."""

    media_type = "text/csv"
    format = "csv"
    charset = "utf-8"

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> str:
        return data if isinstance(data, str) else f"{data.get('detail', '')}\n"


class EstimateSerializer(serializers.Serializer[dict[str, Any]]):
    value = serializers.FloatField(allow_null=True, help_text="null: see reason")
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)
    reason = serializers.CharField(allow_null=True, help_text="Why value or interval can't be estimated")


class EquivalenceSerializer(serializers.Serializer[dict[str, Any]]):
    margin = serializers.FloatField(help_text="In proportion points: 0.15 is 15 points")
    level = serializers.FloatField()
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)
    p = serializers.FloatField(allow_null=True)
    equivalent = serializers.BooleanField(allow_null=True)
    reason = serializers.CharField(allow_null=True)


class PrimarySerializer(serializers.Serializer[dict[str, Any]]):
    method = serializers.CharField()
    measure = serializers.CharField()
    null = serializers.FloatField(help_text="The value under chance")
    estimate = EstimateSerializer()
    p = serializers.FloatField(allow_null=True)
    equivalence = EquivalenceSerializer()
    verdict = serializers.CharField()
    sentence = serializers.CharField()


class ReadingSerializer(serializers.Serializer[dict[str, Any]]):
    """One rater; the answer holds more fields than these, such as detection indices and Bayes factors."""

    rater = serializers.CharField(help_text="Number of the rater in the study")
    n = serializers.IntegerField()
    missing = serializers.IntegerField()
    correct = serializers.IntegerField()
    tp = serializers.IntegerField(help_text="Synthetic cases called synthetic")
    fn = serializers.IntegerField()
    fp = serializers.IntegerField(help_text="Real cases called synthetic")
    tn = serializers.IntegerField()
    accuracy = EstimateSerializer()
    sensitivity = EstimateSerializer()
    specificity = EstimateSerializer()
    auc = EstimateSerializer(required=False)
    test = serializers.CharField(help_text="binomial or fisher")
    p = serializers.FloatField(allow_null=True)
    p_adjusted = serializers.FloatField(allow_null=True)
    verdict = serializers.CharField()


class ResultsSerializer(serializers.Serializer[dict[str, Any]]):
    """The default analysis. Sections without fields of their own here are objects of the same file's analysis.json."""

    schema = serializers.CharField()
    software = serializers.DictField(child=serializers.CharField())
    options = serializers.DictField(help_text="The frozen choices that the analysis ran under")
    status = serializers.DictField(child=serializers.CharField(), help_text="Per section: planned or exploratory")
    plan_digest = serializers.CharField(allow_null=True)
    design = serializers.DictField()
    primary = PrimarySerializer()
    raters = ReadingSerializer(many=True)
    ensemble = serializers.DictField()
    pooled = serializers.DictField(help_text="With a warning: readings counted as if they were independent")
    mrmc = serializers.DictField(help_text="AUC averaged over raters, raters and cases random")
    permutation = serializers.DictField()
    agreement = serializers.DictField()
    roc = serializers.DictField(allow_null=True)
    calibration = serializers.ListField(child=serializers.DictField(), allow_null=True)
    difficulty = serializers.DictField()
    model = serializers.DictField()


class RatingsSerializer(serializers.Serializer[dict[str, Any]]):
    """One row per rating. Columns of the truth are there after the unblinding only."""

    schema = serializers.CharField()
    study = serializers.DictField()
    codebook = serializers.DictField(child=serializers.CharField(), help_text="Column to meaning")
    ratings = serializers.ListField(child=serializers.DictField())


class PlanSerializer(serializers.Serializer[dict[str, Any]]):
    plan = serializers.DictField()
    digest = serializers.CharField()
    frozen = serializers.BooleanField()
    in_words = serializers.ListField(child=serializers.CharField())
