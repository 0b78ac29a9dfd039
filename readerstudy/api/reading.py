"""All that a rater's browser can ask for. Tokens are all it knows; other people's tokens do not exist for it."""

from typing import Any

from django.core.files.storage import default_storage
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ctplatform.accounts.models import User
from ctplatform.errors import ConflictError, DomainError
from readerstudy.api.reading_serializers import (
    AcknowledgementSerializer,
    DisplayCheckRequestSerializer,
    DisplayCheckSerializer,
    GivenAnswerSerializer,
    LeftSerializer,
    OwnSessionSerializer,
    PresentationSerializer,
    RatingEventSerializer,
    ReadingSessionSerializer,
    RefusedSerializer,
    ToldCaseSerializer,
    ToldSerializer,
    rating_of,
)
from readerstudy.blinding.presentation import NO_STORE, SLICE_CONTENT_TYPE, presentation_payload
from readerstudy.blinding.wire import is_compressed
from readerstudy.ledger.append import append
from readerstudy.ledger.placing import AnswerConflictError
from readerstudy.models import Presentation, RatingEvent, Session
from readerstudy.reading.display_check import display_check_payload, store_display_check
from readerstudy.reading.phases import begin
from readerstudy.reading.practice import Practice, is_practice
from readerstudy.reading.preview import Preview, is_preview
from readerstudy.reading.sessions import (
    as_locked,
    given_answer,
    images_of,
    note_left,
    samples_form,
    sessions_of,
    shown_title,
    standing,
    standing_after,
    standings,
    study_payload,
)
from readerstudy.reading.shown import note_fetch, presentation_of
from readerstudy.reading.sight import refuse_out_of_sight
from readerstudy.reading.voices import drawer_key_of, voice_of
from readerstudy.unblinding.feedback import tell_of_all, tell_of_case

# The study may be opened again, of two answers the rater chooses one, an earlier answer or a check of the display may
# still come.
LIFTED_LATER = {
    "not_begun",
    "study_not_open",
    "rater_excluded",
    "answer_conflict",
    "not_its_turn",
    "display_not_checked",
    "protocol_changed",
}


class ReadingView(APIView):
    """For every account: whose token it is decides, not the role."""

    permission_classes = [IsAuthenticated]

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        final = super().finalize_response(request, response, *args, **kwargs)
        final["Cache-Control"] = NO_STORE
        return final

    def person(self) -> User:
        user = self.request.user
        if not isinstance(user, User):
            raise Http404
        return user

    def session(self, token: str) -> Session:
        session: Session = get_object_or_404(sessions_of(self.person()), token=token)
        begin(session)
        return session

    def presentation(self, token: str) -> Presentation:
        presentation = presentation_of(self.person(), token)
        if presentation is None:
            raise Http404
        begin(presentation.session)
        return presentation

    def trial(self, token: str) -> Preview | Practice | None:
        """What is tried and stored nowhere: a draft, or the room itself."""
        if is_preview(token):
            return Preview(user=self.person(), token=token)
        return Practice(user=self.person(), token=token) if is_practice(token) else None


class SessionsView(ReadingView):
    @extend_schema(operation_id="reading_sessions", responses=OwnSessionSerializer(many=True))
    def get(self, request: Request) -> Response:
        """One's own sittings in studies that are or were open, the newest first: where a program begins."""
        sessions = as_locked(sessions_of(self.person()).order_by("-rater__study__opened_at", "number"))
        at = standings(sessions)
        rows = [{"token": one.token, "title": shown_title(one), "standing": at[one.pk]} for one in sessions]
        return Response(OwnSessionSerializer(rows, many=True).data)


class SessionView(ReadingView):
    @extend_schema(operation_id="reading_session", responses=ReadingSessionSerializer)
    def get(self, request: Request, token: str) -> Response:
        if is_preview(token):
            return Response(Preview(user=self.person(), token=token).session_payload())
        if is_practice(token):
            return Response(Practice(user=self.person(), token=token).session_payload())
        session = self.session(token)
        own = {
            "reader": str(self.person()),
            "voice": voice_of(token),
            "drawer_key": drawer_key_of(self.person()),
            "preview": False,
            "practice": False,
            "display_check": display_check_payload(session),
        }
        return Response({**study_payload(session.rater.study), **standing(session).as_payload(), **own})


class DisplayCheckView(ReadingView):
    @extend_schema(
        operation_id="reading_display_check",
        request=DisplayCheckRequestSerializer,
        responses={201: DisplayCheckSerializer},
    )
    def post(self, request: Request, token: str) -> Response:
        """What the rater saw of the grey steps, and on what screen; one row per check."""
        session = self.session(token)
        received = DisplayCheckRequestSerializer(data=request.data)
        received.is_valid(raise_exception=True)
        check = store_display_check(session, **received.validated_data)
        return Response(DisplayCheckSerializer(check).data, status=status.HTTP_201_CREATED)


class LeftView(ReadingView):
    @extend_schema(operation_id="reading_left", request=LeftSerializer, responses={204: None})
    def post(self, request: Request, token: str) -> Response:
        """The page of this sitting is being closed."""
        session = self.session(token)
        received = LeftSerializer(data=request.data)
        received.is_valid(raise_exception=True)
        note_left(session, unsent=received.validated_data["unsent"])
        return Response(status=status.HTTP_204_NO_CONTENT)


class PresentationView(ReadingView):
    @extend_schema(operation_id="reading_presentation", responses=PresentationSerializer)
    def get(self, request: Request, token: str) -> Response:
        if (trial := self.trial(token)) is not None:
            return Response(trial.presentation_payload())
        presentation = self.presentation(token)
        refuse_when_closed(presentation)
        refuse_out_of_sight(presentation)
        note_fetch(presentation.session)
        stimulus = presentation.stimulus
        return Response(
            presentation_payload(
                size_zyx=stimulus.size_zyx,
                spacing_zyx_mm=stimulus.spacing_zyx_mm,
                start_slice=stimulus.start_slice,
                marker_zyx=stimulus.marker_zyx,
                ring_mm=stimulus.ring_mm,
                samples=samples_form(presentation.session.rater.study),
                images=images_of(presentation),
            )
        )


class SliceView(ReadingView):
    @extend_schema(
        operation_id="reading_slice",
        responses={(200, SLICE_CONTENT_TYPE): OpenApiResponse(OpenApiTypes.BINARY, "`samples` of the case says how")},
    )
    def get(self, request: Request, token: str, index: int) -> HttpResponse:
        if (trial := self.trial(token)) is not None:
            return slice_response(trial.slice_bytes(index))
        presentation = self.presentation(token)
        refuse_when_closed(presentation)
        refuse_out_of_sight(presentation)
        if index >= presentation.stimulus.size_zyx[0]:
            raise Http404
        with default_storage.open(presentation.stimulus.slice_key(index), "rb") as file:
            return slice_response(file.read())


class EventView(ReadingView):
    @extend_schema(
        operation_id="reading_rate",
        request=RatingEventSerializer,
        responses={
            200: AcknowledgementSerializer,
            201: AcknowledgementSerializer,
            400: OpenApiResponse(RefusedSerializer, "What was sent is no answer to this case"),
            409: OpenApiResponse(RefusedSerializer, "It does not fit what is there; some refusals are lifted later"),
        },
    )
    def post(self, request: Request, token: str) -> Response:
        if (trial := self.trial(token)) is not None:
            return self._rehearsed(trial)
        presentation = self.presentation(token)
        self.voice = voice_of(presentation.session.token)
        appended = append(presentation=presentation, rating=rating_of(self.request.data))
        body = {"receipt": receipt_of(appended.event), **standing_after(appended).as_payload()}
        return Response(body, status=status.HTTP_201_CREATED if appended.new else status.HTTP_200_OK)

    def _rehearsed(self, trial: Preview | Practice) -> Response:
        rating = rating_of(self.request.data)
        receipt = {"client_event_id": rating.client_event_id, "sequence": 0, "digest": ""}
        return Response({"receipt": {**receipt, "received_at": timezone.now()}, **trial.after_answer()})

    def handle_exception(self, exc: Exception) -> Response:
        """A refusal of this very answer says so in the sitting's voice; the browser believes no other."""
        response = super().handle_exception(exc)
        voice: str | None = getattr(self, "voice", None)
        if voice and isinstance(exc, DomainError | ValidationError):
            response.data = {**refusal_of(exc, voice=voice, event_id=self._event_id()), **as_object(response.data)}
        return response

    def _event_id(self) -> str:
        data = self.request.data
        return str(data.get("client_event_id", "")) if isinstance(data, dict) else ""


class CaseFeedbackView(ReadingView):
    @extend_schema(
        operation_id="reading_case_feedback",
        request=None,
        responses=ToldCaseSerializer,
    )
    def post(self, request: Request, token: str) -> Response:
        """What the case was, once it is answered, where the study tells it; from then on the answer stands."""
        return Response(tell_of_case(self.presentation(token)))


class SittingFeedbackView(ReadingView):
    @extend_schema(
        operation_id="reading_feedback",
        request=None,
        responses=ToldSerializer,
    )
    def post(self, request: Request, token: str) -> Response:
        """What all cases were, once the last one is answered; from then on all answers stand."""
        return Response(tell_of_all(self.session(token)))


def slice_response(content: bytes) -> HttpResponse:
    """As it lies: the browser takes apart what is compressed."""
    headers = {"Content-Encoding": "gzip"} if is_compressed(content) else {}
    return HttpResponse(content, content_type=SLICE_CONTENT_TYPE, headers=headers)


def as_object(data: Any) -> dict[str, Any]:
    return data if isinstance(data, dict) else {"detail": data}


def refusal_of(error: DomainError | ValidationError, *, voice: str, event_id: str) -> dict[str, Any]:
    code = error.code if isinstance(error, DomainError) else "invalid"
    current = error.current if isinstance(error, AnswerConflictError) else None
    return {
        "refusal": {
            "client_event_id": event_id,
            "voice": voice,
            "code": code,
            "final": code not in LIFTED_LATER,
            "current": None if current is None else GivenAnswerSerializer(given_answer(current)).data,
        }
    }


def receipt_of(event: RatingEvent) -> dict[str, Any]:
    return {
        "client_event_id": event.client_event_id,
        "sequence": event.sequence,
        "digest": event.digest,
        "received_at": event.received_at,
    }


def refuse_when_closed(presentation: Presentation) -> None:
    rater = presentation.session.rater
    if not rater.study.accepts_ratings or rater.excluded_at is not None:
        raise ConflictError(
            gettext("This study takes no more ratings from you. Thank you for reading."), code="study_not_open"
        )
