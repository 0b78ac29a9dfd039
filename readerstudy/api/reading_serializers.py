"""The wire shapes of reading: everything a rater's browser receives and sends."""

from typing import Any

from rest_framework import serializers

from readerstudy.ledger.append import Rating
from readerstudy.models import Answer

LONGEST_MS = 24 * 3600 * 1000


class AnswerChoiceSerializer(serializers.Serializer[Any]):
    value = serializers.ChoiceField(choices=Answer.choices)
    label = serializers.CharField()  # type: ignore[assignment]
    key = serializers.CharField()


class ConfidenceLevelSerializer(serializers.Serializer[Any]):
    value = serializers.IntegerField()
    label = serializers.CharField()  # type: ignore[assignment]
    key = serializers.CharField()


class ConfidenceSerializer(serializers.Serializer[Any]):
    levels = ConfidenceLevelSerializer(many=True)


class QuestionSerializer(serializers.Serializer[Any]):
    title = serializers.CharField()
    instructions = serializers.CharField()
    question = serializers.CharField()
    answers = AnswerChoiceSerializer(many=True)
    confidence = ConfidenceSerializer(allow_null=True)


class DisplayWindowSerializer(serializers.Serializer[Any]):
    center = serializers.FloatField()
    width = serializers.FloatField()


class DisplaySerializer(serializers.Serializer[Any]):
    mode = serializers.ChoiceField(choices=["patch", "slice", "stack"])
    field_of_view_mm = serializers.FloatField(allow_null=True)
    window = DisplayWindowSerializer()


class ProgressSerializer(serializers.Serializer[Any]):
    done = serializers.IntegerField()
    total = serializers.IntegerField()


class StandingSerializer(serializers.Serializer[Any]):
    progress = ProgressSerializer()
    state = serializers.ChoiceField(choices=["open", "finished", "closed"])
    next = serializers.ListField(child=serializers.CharField())
    previous = serializers.CharField(allow_null=True)


class ReadingSessionSerializer(StandingSerializer):
    study = QuestionSerializer()
    display = DisplaySerializer()
    preview = serializers.BooleanField()


class MarkerSerializer(serializers.Serializer[Any]):
    row = serializers.IntegerField()
    column = serializers.IntegerField()
    slice = serializers.IntegerField()


class PresentationSerializer(serializers.Serializer[Any]):
    rows = serializers.IntegerField()
    columns = serializers.IntegerField()
    slices = serializers.IntegerField()
    spacing_zyx_mm = serializers.ListField(child=serializers.FloatField())
    start_slice = serializers.IntegerField()
    marker = MarkerSerializer(allow_null=True)


class InteractionsSerializer(serializers.Serializer[Any]):
    scrolls = serializers.IntegerField(min_value=0, default=0)
    windowings = serializers.IntegerField(min_value=0, default=0)
    zooms = serializers.IntegerField(min_value=0, default=0)


class EnvironmentSerializer(serializers.Serializer[Any]):
    renderer = serializers.CharField(max_length=40, required=False)
    device_pixel_ratio = serializers.FloatField(required=False)
    viewport_px = serializers.ListField(child=serializers.IntegerField(), min_length=2, max_length=2, required=False)


class RatingEventSerializer(serializers.Serializer[Any]):
    client_event_id = serializers.UUIDField()
    answer = serializers.ChoiceField(choices=Answer.choices)
    confidence = serializers.IntegerField(allow_null=True, default=None)
    shown_at = serializers.DateTimeField()
    answered_at = serializers.DateTimeField()
    reading_ms = serializers.IntegerField(min_value=0, max_value=LONGEST_MS)
    load_ms = serializers.IntegerField(min_value=0, max_value=LONGEST_MS)
    hidden_ms = serializers.IntegerField(min_value=0, max_value=LONGEST_MS)
    interactions = InteractionsSerializer(required=False, default=dict)
    environment = EnvironmentSerializer(required=False, default=dict)

    def rating(self) -> Rating:
        return Rating(**self.validated_data)


class ReceiptSerializer(serializers.Serializer[Any]):
    client_event_id = serializers.UUIDField()
    sequence = serializers.IntegerField()
    digest = serializers.CharField()
    received_at = serializers.DateTimeField()


class AcknowledgementSerializer(StandingSerializer):
    receipt = ReceiptSerializer()
