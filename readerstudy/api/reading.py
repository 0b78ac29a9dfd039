"""All that a rater's browser can ask for. Tokens are all it knows; other people's tokens do not exist for it."""

from typing import Any

from django.core.files.storage import default_storage
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ctplatform.accounts.models import User
from ctplatform.errors import ConflictError
from readerstudy.api.reading_serializers import (
    AcknowledgementSerializer,
    PresentationSerializer,
    RatingEventSerializer,
    ReadingSessionSerializer,
)
from readerstudy.blinding.presentation import NO_STORE, SLICE_CONTENT_TYPE, presentation_payload
from readerstudy.ledger.append import append
from readerstudy.models import Presentation, RatingEvent
from readerstudy.reading.preview import Preview, is_preview
from readerstudy.reading.sessions import presentation_of, sessions_of, standing, study_payload


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

    def presentation(self, token: str) -> Presentation:
        return get_object_or_404(presentation_of(self.person(), token))


class SessionView(ReadingView):
    @extend_schema(operation_id="reading_session", responses=ReadingSessionSerializer)
    def get(self, request: Request, token: str) -> Response:
        if is_preview(token):
            return Response(Preview(user=self.person(), token=token).session_payload())
        session = get_object_or_404(sessions_of(self.person()), token=token)
        payload = {**study_payload(session.rater.study), **standing(session).as_payload(), "preview": False}
        return Response(payload)


class PresentationView(ReadingView):
    @extend_schema(operation_id="reading_presentation", responses=PresentationSerializer)
    def get(self, request: Request, token: str) -> Response:
        if is_preview(token):
            return Response(Preview(user=self.person(), token=token).presentation_payload())
        presentation = self.presentation(token)
        refuse_when_closed(presentation)
        stimulus = presentation.stimulus
        return Response(
            presentation_payload(
                size_zyx=stimulus.size_zyx,
                spacing_zyx_mm=stimulus.spacing_zyx_mm,
                start_slice=stimulus.start_slice,
                marker_zyx=stimulus.marker_zyx,
            )
        )


class SliceView(ReadingView):
    @extend_schema(
        operation_id="reading_slice",
        responses={(200, SLICE_CONTENT_TYPE): OpenApiResponse(OpenApiTypes.BINARY, "int16 LE, rows x columns")},
    )
    def get(self, request: Request, token: str, index: int) -> HttpResponse:
        if is_preview(token):
            content = Preview(user=self.person(), token=token).slice_bytes(index)
            return HttpResponse(content, content_type=SLICE_CONTENT_TYPE)
        presentation = self.presentation(token)
        refuse_when_closed(presentation)
        if index >= presentation.stimulus.size_zyx[0]:
            raise Http404
        with default_storage.open(presentation.stimulus.slice_key(index), "rb") as file:
            return HttpResponse(file.read(), content_type=SLICE_CONTENT_TYPE)


class EventView(ReadingView):
    @extend_schema(
        operation_id="reading_rate",
        request=RatingEventSerializer,
        responses={200: AcknowledgementSerializer, 201: AcknowledgementSerializer},
    )
    def post(self, request: Request, token: str) -> Response:
        received = RatingEventSerializer(data=request.data)
        received.is_valid(raise_exception=True)
        rating = received.rating()
        if is_preview(token):
            receipt = {"client_event_id": rating.client_event_id, "sequence": 0, "digest": ""}
            preview = Preview(user=self.person(), token=token).after_answer()
            return Response({"receipt": {**receipt, "received_at": timezone.now()}, **preview})
        presentation = self.presentation(token)
        event, new = append(presentation=presentation, rating=rating)
        presentation.session.rater.study.refresh_from_db()
        body = {"receipt": receipt_of(event), **standing(presentation.session).as_payload()}
        return Response(body, status=status.HTTP_201_CREATED if new else status.HTTP_200_OK)


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
        raise ConflictError("This study takes no more ratings from you. Thank you for reading.", code="study_not_open")
