"""The wire shapes of reading: everything a rater's browser receives and sends."""

import math
from datetime import UTC, datetime
from typing import Any

from rest_framework import serializers

from readerstudy.blinding.wire import GRADIENT, RAW
from readerstudy.ledger.rating import Rating
from readerstudy.models import Answer, DisplayPolicy, Feedback
from readerstudy.tasks.task import REAL, SYNTHETIC

# What a database's integer holds; in milliseconds 24 days.
MOST = 2**31 - 1
# No clock of a computer shows another year, and sums of times stay within what dates can be.
FIRST_MOMENT, LAST_MOMENT = datetime(1900, 1, 1, tzinfo=UTC), datetime(2900, 1, 1, tzinfo=UTC)


class AnswerChoiceSerializer(serializers.Serializer[Any]):
    value = serializers.ChoiceField(choices=Answer.choices)
    level = serializers.IntegerField(allow_null=True, help_text="Of an answer that is a level of a scale")
    side = serializers.IntegerField(required=False, help_text="Of an answer that chooses an image, from 0 on the left")
    label = serializers.CharField()  # type: ignore[assignment]
    key = serializers.CharField()


class NumberedChoiceSerializer(serializers.Serializer[Any]):
    value = serializers.IntegerField()
    label = serializers.CharField()  # type: ignore[assignment]
    key = serializers.CharField()


class ConfidenceSerializer(serializers.Serializer[Any]):
    levels = NumberedChoiceSerializer(many=True)


class ScaleSerializer(serializers.Serializer[Any]):
    """A scale with more levels than keys: a number is typed or set with a slider."""

    lowest = serializers.IntegerField()
    highest = serializers.IntegerField()
    ends = serializers.ListField(child=serializers.CharField(), min_length=2, max_length=2)


class EachMarkSerializer(serializers.Serializer[Any]):
    """What is said of each of any number of marks."""

    levels = NumberedChoiceSerializer(many=True, help_text="How sure the rater is of this place")
    reasons = NumberedChoiceSerializer(many=True, help_text="Why it was marked")
    most = serializers.IntegerField(help_text="So many marks are taken")


class MarkAskedSerializer(serializers.Serializer[Any]):
    """One place is marked in the picture, beside the answer; or any number."""

    required_with = serializers.ListField(
        child=serializers.ChoiceField(choices=Answer.choices), help_text="Answers that are taken with a mark only"
    )
    each = EachMarkSerializer(allow_null=True, help_text="Where any number of places is marked; null where one is")


class MarkSerializer(serializers.Serializer[Any]):
    """A place of the picture, counted from 0."""

    slice = serializers.IntegerField(min_value=0, max_value=MOST)
    row = serializers.IntegerField(min_value=0, max_value=MOST)
    column = serializers.IntegerField(min_value=0, max_value=MOST)


class PlacedMarkSerializer(MarkSerializer):
    """One of several places, with how sure the rater is of it, and the number of the reason."""

    confidence = serializers.IntegerField(min_value=1, max_value=MOST)
    reason = serializers.IntegerField(min_value=1, max_value=MOST)


class FurtherQuestionAskedSerializer(serializers.Serializer[Any]):
    """Asked after the answer: by buttons, as a number, or in words."""

    name = serializers.CharField()
    question = serializers.CharField()
    choices = NumberedChoiceSerializer(many=True)
    scale = ScaleSerializer(allow_null=True)
    text = serializers.BooleanField()


class QuestionSerializer(serializers.Serializer[Any]):
    title = serializers.CharField()
    instructions = serializers.CharField()
    question = serializers.CharField()
    answers = AnswerChoiceSerializer(many=True)
    confidence = ConfidenceSerializer(allow_null=True)
    scale = ScaleSerializer(allow_null=True, help_text="Where the levels have no buttons")
    mark = MarkAskedSerializer(allow_null=True, help_text="Where a place is to be marked")
    further = FurtherQuestionAskedSerializer(many=True)
    at_the_end = serializers.CharField(
        help_text="Asked once, after the last case; the words go with its answer, as `at-the-end` of `further`. Empty: "
        "nothing is asked"
    )
    feedback = serializers.ChoiceField(
        choices=Feedback.choices, help_text="When the rater may ask what the cases were: never, of each, or of all"
    )


class DisplayWindowSerializer(serializers.Serializer[Any]):
    center = serializers.FloatField()
    width = serializers.FloatField()


class DisplaySerializer(serializers.Serializer[Any]):
    mode = serializers.ChoiceField(choices=["patch", "slice", "stack"])
    field_of_view_mm = serializers.FloatField(allow_null=True)
    window = DisplayWindowSerializer()
    window_may_stay = serializers.BooleanField(help_text="From case to case, where the rater has set another one")
    images = serializers.IntegerField(help_text="Shown side by side in one trial")


class ProgressSerializer(serializers.Serializer[Any]):
    done = serializers.IntegerField()
    total = serializers.IntegerField()


class GivenAnswerSerializer(serializers.Serializer[Any]):
    """The answer to a case that counts at present."""

    client_event_id = serializers.UUIDField()
    answer = serializers.ChoiceField(choices=Answer.choices)
    confidence = serializers.IntegerField(allow_null=True)
    level = serializers.IntegerField(allow_null=True)
    mark = MarkSerializer(allow_null=True)
    marks = PlacedMarkSerializer(many=True, allow_null=True)
    side = serializers.IntegerField(help_text="Of the image that it is about, from 0 on the left")
    answered_at = serializers.DateTimeField()


class StandingSerializer(serializers.Serializer[Any]):
    progress = ProgressSerializer()
    state = serializers.ChoiceField(choices=["open", "finished", "closed"])
    next = serializers.ListField(child=serializers.CharField())
    previous = serializers.CharField(allow_null=True)
    previous_answer = GivenAnswerSerializer(allow_null=True)
    counter = serializers.IntegerField(help_text="The highest number that an answer of this sitting has")


class GreyStepSerializer(serializers.Serializer[Any]):
    """A grey (0 to 255) within a field of another one."""

    ground = serializers.IntegerField(min_value=0, max_value=255)
    grey = serializers.IntegerField(min_value=0, max_value=255)


class FoundStepSerializer(GreyStepSerializer):
    found = serializers.BooleanField()


class ScreenSerializer(serializers.Serializer[Any]):
    screen_px = serializers.ListField(child=serializers.IntegerField(min_value=0), min_length=2, max_length=2)
    viewport_px = serializers.ListField(child=serializers.IntegerField(min_value=0), min_length=2, max_length=2)
    device_pixel_ratio = serializers.FloatField(min_value=0, max_value=100)
    colour_depth = serializers.IntegerField(min_value=0, max_value=1000)


class DisplayCheckRequestSerializer(serializers.Serializer[Any]):
    steps = serializers.ListField(child=FoundStepSerializer(), min_length=1, max_length=20)
    screen = ScreenSerializer()


class DisplayCheckSerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    passed = serializers.BooleanField()
    screen = ScreenSerializer()


class LeftSerializer(serializers.Serializer[Any]):
    unsent = serializers.IntegerField(min_value=0, max_value=10_000, help_text="Answers that the browser still holds")


class AskedDisplayCheckSerializer(serializers.Serializer[Any]):
    policy = serializers.ChoiceField(choices=DisplayPolicy.choices)
    steps = GreyStepSerializer(many=True, help_text="To be found, the plainest first")
    last = DisplayCheckSerializer(allow_null=True, help_text="Of the last hours, if one counts still")


class OwnSessionSerializer(serializers.Serializer[Any]):
    """No case is named: which ones come, the sitting itself says."""

    token = serializers.CharField()
    title = serializers.CharField()
    state = serializers.ChoiceField(choices=["open", "waiting", "finished", "closed"], source="standing.state")
    done = serializers.IntegerField(source="standing.done")
    total = serializers.IntegerField(source="standing.total")


class ReadingSessionSerializer(StandingSerializer):
    study = QuestionSerializer()
    display = DisplaySerializer()
    preview = serializers.BooleanField(help_text="Nothing is stored")
    practice = serializers.BooleanField(help_text="A preview of the room, with cases that belong to no study")
    display_check = AskedDisplayCheckSerializer(allow_null=True)
    reader = serializers.CharField(help_text="Whose sitting this is")
    voice = serializers.CharField(help_text="Stands in every refusal that ends an answer of this sitting")
    drawer_key = serializers.CharField(help_text="Encrypts the answers that the browser keeps; 32 bytes, hexadecimal")


class MarkerSerializer(serializers.Serializer[Any]):
    row = serializers.IntegerField()
    column = serializers.IntegerField()
    slice = serializers.IntegerField()
    radius_mm = serializers.FloatField(allow_null=True, help_text="Of the ring; null where all rings are alike")


class PresentationSerializer(serializers.Serializer[Any]):
    rows = serializers.IntegerField()
    columns = serializers.IntegerField()
    slices = serializers.IntegerField()
    spacing_zyx_mm = serializers.ListField(child=serializers.FloatField())
    start_slice = serializers.IntegerField()
    marker = MarkerSerializer(allow_null=True)
    samples = serializers.ChoiceField(
        choices=[RAW, GRADIENT],
        help_text="A slice, decompressed: int16 is rows x columns of little-endian HU; gradient holds each less left + "
        "above - above left, its sign folded into the last bit, all low bytes before all high bytes",
    )
    images = serializers.ListField(
        child=serializers.CharField(),
        help_text="What is shown together, from the left, this image among it: each is asked for by its own token, and "
        "the answer is sent to the one that is chosen",
    )


class CountField(serializers.IntegerField):
    """More than can be stored, of things or of milliseconds, is very many: not a reason to refuse an answer."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=0, **kwargs)

    def to_internal_value(self, data: Any) -> int:
        return min(int(super().to_internal_value(data)), MOST)


class MomentField(serializers.DateTimeField):
    """By the clock of the rater's computer, however wrong it is."""

    def to_internal_value(self, value: Any) -> datetime:
        moment: datetime = super().to_internal_value(value)
        if not FIRST_MOMENT <= moment <= LAST_MOMENT:
            self.fail("overflow")
        return moment


class FiniteField(serializers.FloatField):
    """JSON has no word for what is not a number, and neither have all databases."""

    def to_internal_value(self, data: Any) -> float:
        value = float(super().to_internal_value(data))
        if not math.isfinite(value):
            self.fail("invalid")
        return value


class PairsField(serializers.ListField):
    """Rows of numbers, as many in each row."""

    def __init__(self, *, numbers: int, longest: int, **kwargs: Any) -> None:
        row = serializers.ListField(child=FiniteField(), min_length=numbers, max_length=numbers)
        super().__init__(child=row, max_length=longest, **kwargs)


class InteractionsSerializer(serializers.Serializer[Any]):
    scrolls = CountField(default=0)
    windowings = CountField(default=0)
    zooms = CountField(default=0)
    slices = PairsField(numbers=2, longest=512, required=False, help_text="[slice, ms on the screen], by slice")
    windows = PairsField(numbers=3, longest=20, required=False, help_text="[centre HU, width HU, ms], as chosen")
    zoom_range = serializers.ListField(
        child=FiniteField(), min_length=2, max_length=2, required=False, help_text="Relative to the first"
    )
    place_ms = CountField(
        required=False, help_text="The place in the ring was within the picture on the screen; not told without a ring"
    )
    pauses = CountField(required=False)


class EnvironmentSerializer(serializers.Serializer[Any]):
    renderer = serializers.CharField(max_length=40, required=False)
    device_pixel_ratio = FiniteField(required=False)
    viewport_px = serializers.ListField(child=CountField(), min_length=2, max_length=2, required=False)


class RatingEventSerializer(serializers.Serializer[Any]):
    client_event_id = serializers.UUIDField()
    answer = serializers.ChoiceField(choices=Answer.choices)
    confidence = serializers.IntegerField(allow_null=True, default=None)
    level = serializers.IntegerField(allow_null=True, default=None)
    mark = MarkSerializer(allow_null=True, default=None)
    marks = PlacedMarkSerializer(
        many=True, allow_null=True, default=None, help_text="Where any number of places is marked; none: empty"
    )
    side = serializers.IntegerField(
        allow_null=True,
        default=None,
        help_text="Where this image was shown among those of its trial, from 0 on the left; another place is refused",
    )
    further = serializers.DictField(default=dict, help_text="To further questions, by their names")
    shown_at = MomentField()
    answered_at = MomentField()
    reading_ms = CountField()
    load_ms = CountField()
    hidden_ms = CountField()
    idle_ms = CountField(default=0)
    waiting_ms = CountField(default=0)
    counter = serializers.IntegerField(min_value=1, max_value=MOST)
    supersedes = serializers.UUIDField(allow_null=True, default=None)
    sent_at = MomentField(allow_null=True, default=None)
    unsent = serializers.IntegerField(min_value=0, max_value=10_000, default=0)
    interactions = InteractionsSerializer(required=False, default=dict)
    environment = EnvironmentSerializer(required=False, default=dict)


# Made once: its fields keep nothing of what they check, and to make them anew costs more than the check.
_SENT = RatingEventSerializer()


def rating_of(sent: Any) -> Rating:
    return Rating(**_SENT.run_validation(sent))


class ReceiptSerializer(serializers.Serializer[Any]):
    client_event_id = serializers.UUIDField()
    sequence = serializers.IntegerField()
    digest = serializers.CharField()
    received_at = serializers.DateTimeField()


class ToldCaseSerializer(serializers.Serializer[Any]):
    """What a case was that the rater answered, beside the answer."""

    position = serializers.IntegerField(help_text="Of the case in the own order, from 1")
    answer = serializers.ChoiceField(choices=Answer.choices)
    level = serializers.IntegerField(allow_null=True)
    side = serializers.IntegerField(help_text="Of the image that the answer is about, from 0 on the left")
    kind = serializers.ChoiceField(choices=[REAL, SYNTHETIC], help_text="Of that image")
    right = serializers.BooleanField(allow_null=True, help_text="Null: the answer lies between both")
    hit = serializers.BooleanField(
        allow_null=True, help_text="Whether a mark lies on what was edited; null where nothing was, or none is asked"
    )
    to_find = serializers.IntegerField(allow_null=True, help_text="Of several images the side of the one to find")
    was = serializers.CharField(help_text="The same in words, in the rater's language")


class ToldSerializer(serializers.Serializer[Any]):
    cases = ToldCaseSerializer(many=True)
    right = serializers.IntegerField()
    judged = serializers.IntegerField(help_text="Answers that are right or wrong")


class SignedRefusalSerializer(serializers.Serializer[Any]):
    """What ends an answer, or holds it up. Without the sitting's voice it is somebody else's page."""

    client_event_id = serializers.CharField()
    voice = serializers.CharField()
    code = serializers.CharField()
    final = serializers.BooleanField(help_text="The same answer will never be taken")
    current = GivenAnswerSerializer(allow_null=True, help_text="What stands in its way, if it is another answer")


class RefusedSerializer(serializers.Serializer[Any]):
    detail = serializers.CharField(required=False, help_text="Missing where single fields are wrong: they are named")
    refusal = SignedRefusalSerializer(required=False, help_text="Missing where it is not this answer that was refused")


class AcknowledgementSerializer(StandingSerializer):
    receipt = ReceiptSerializer()
