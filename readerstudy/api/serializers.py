"""What programs get beside the analysis, whose description follows from its dataclasses."""

from typing import Any

from rest_framework import serializers
from rest_framework.renderers import BaseRenderer


class CsvRenderer(BaseRenderer):
    """Passes a table through that is text already."""

    media_type = "text/csv"
    format = "csv"
    charset = "utf-8"

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> str:
        return str(data)


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
