"""From a draft to its results, for programs: what the buttons of a study's page do, by the same services."""

from collections.abc import Sequence
from typing import Any

from django.http import FileResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from ctplatform.accounts.models import Role, User
from ctplatform.accounts.permissions import current_user
from ctplatform.datasets.api.serializers import JobReferenceSerializer
from ctplatform.errors import ConflictError, DomainError
from ctplatform.jobs.models import Job
from readerstudy.design import services as design
from readerstudy.design import shelving
from readerstudy.design.readiness import Check, readiness
from readerstudy.design.same_cases import take_same_cases
from readerstudy.design.same_raters import Taken, take_same_raters
from readerstudy.locking import services as locking
from readerstudy.models import Study
from readerstudy.opening import services as opening
from readerstudy.report.download import report_file
from readerstudy.report.services import request_report
from readerstudy.unblinding import services as unblinding
from readerstudy.unblinding.opened import UnblindedStudy

ZIP = {(200, "application/zip"): OpenApiResponse(OpenApiTypes.BINARY, description="The archive of the report")}
ORDERED = {202: JobReferenceSerializer}


class RatersSerializer(serializers.Serializer[Any]):
    usernames = serializers.ListField(child=serializers.CharField(max_length=150), max_length=500)

    def users(self) -> list[User]:
        wanted: Sequence[str] = self.validated_data["usernames"]
        found = {user.username: user for user in User.objects.filter(role=Role.RATER, is_active=True)}
        if missing := [name for name in wanted if name not in found]:
            raise DomainError(f"No active rater has the login “{missing[0]}”, so nothing was saved.")
        return [found[name] for name in wanted]


class NotTakenSerializer(serializers.Serializer[Any]):
    username = serializers.CharField()
    reason = serializers.CharField()


class SameRatersSerializer(serializers.Serializer[Taken]):
    usernames = serializers.SerializerMethodField()
    left_out = serializers.SerializerMethodField()
    message = serializers.CharField(source="words")

    def get_usernames(self, taken: Taken) -> list[str]:
        return sorted(person.username for person in taken.people)

    @extend_schema_field(NotTakenSerializer(many=True))
    def get_left_out(self, taken: Taken) -> list[dict[str, str]]:
        return [{"username": person.username, "reason": why} for person, why in taken.left_out]


class CheckSerializer(serializers.Serializer[Check]):
    title = serializers.CharField()
    met = serializers.BooleanField()
    blocks = serializers.BooleanField(help_text="The study can't be locked until this is met")
    message = serializers.CharField()


class TypedTitleSerializer(serializers.Serializer[Any]):
    typed_title = serializers.CharField(max_length=200, help_text="The study's title, exactly as it stands")


class StateSerializer(serializers.Serializer[Any]):
    state = serializers.CharField()
    message = serializers.CharField()


class LifecycleMixin(viewsets.GenericViewSet[Study]):
    @extend_schema(responses=CheckSerializer(many=True))
    @action(detail=True, pagination_class=None, filterset_class=None)
    def readiness(self, request: Request, pk: str | None = None) -> Response:
        """What a draft lacks before it can be locked."""
        study = self.get_object()
        if not study.is_draft:
            # What the checks measure follows from the truth, which is sealed from now on.
            raise ConflictError("Only a draft is checked; this study is locked already.", code="study_locked")
        return Response([CheckSerializer(check).data for check in readiness(study)])

    @extend_schema(request=RatersSerializer, responses={200: RatersSerializer})
    @action(detail=True, methods=["put"])
    def raters(self, request: Request, pk: str | None = None) -> Response:
        """Make exactly these people the raters of a draft."""
        study, asked = self.get_object(), RatersSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        design.set_raters(study=study, actor=current_user(request), users=asked.users())
        return Response({"usernames": sorted(study.raters.values_list("user__username", flat=True))})

    @extend_schema(request=None, responses=SameRatersSerializer)
    @action(detail=True, methods=["post"], url_path="same-raters")
    def same_raters(self, request: Request, pk: str | None = None) -> Response:
        """Take over the raters of the study that this draft continues, and the groups that they were in there."""
        taken = take_same_raters(study=self.get_object(), actor=current_user(request))
        return Response(SameRatersSerializer(taken).data)

    @extend_schema(request=None, responses=ORDERED)
    @action(detail=True, methods=["post"])
    def draw(self, request: Request, pk: str | None = None) -> Response:
        """Draw the planned number of cases, matched; replaces the cases of the draft."""
        return _ordered(design.request_draw(study=self.get_object(), actor=current_user(request)))

    @extend_schema(request=None, responses=StateSerializer)
    @action(detail=True, methods=["post"], url_path="same-cases")
    def same_cases(self, request: Request, pk: str | None = None) -> Response:
        """Take over the cases of the study that this draft continues; replaces the cases of the draft."""
        study = self.get_object()
        count = take_same_cases(study=study, actor=current_user(request))
        return self._state(study, f"{count} cases are taken over.")

    @extend_schema(request=None, responses=ORDERED)
    @action(detail=True, methods=["post"])
    def lock(self, request: Request, pk: str | None = None) -> Response:
        """Freeze protocol, plan, pixels and orders; the job fails with the reasons when something leaks."""
        return _ordered(locking.request_lock(study=self.get_object(), actor=current_user(request)))

    @extend_schema(request=None, responses=ORDERED)
    @action(detail=True, methods=["post"])
    def open(self, request: Request, pk: str | None = None) -> Response:
        """Check once more for leaks, then let the raters read."""
        return _ordered(opening.request_opening(study=self.get_object(), actor=current_user(request)))

    @extend_schema(request=None, responses=StateSerializer)
    @action(detail=True, methods=["post"])
    def close(self, request: Request, pk: str | None = None) -> Response:
        """Take no more ratings; says whether the ledger is intact."""
        study = self.get_object()
        verification = unblinding.close(study=study, actor=current_user(request))
        return self._state(study, verification.sentence())

    @extend_schema(request=TypedTitleSerializer, responses=StateSerializer)
    @action(detail=True, methods=["post"])
    def unblind(self, request: Request, pk: str | None = None) -> Response:
        """Open the truth of a closed study. Where the study asks for two people, the second one ends it."""
        study, asked = self.get_object(), TypedTitleSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        verification = unblinding.unblind(study=study, actor=current_user(request), **asked.validated_data)
        waits = "You have asked for the unblinding; another person of the team confirms it."
        return self._state(study, verification.sentence() if verification else waits)

    @extend_schema(request=None, responses=ORDERED)
    @action(detail=True, methods=["post"], url_path="report")
    def order_report(self, request: Request, pk: str | None = None) -> Response:
        """Make the archive of figures, tables, texts and data."""
        return _ordered(request_report(study=self.get_object(), actor=current_user(request)))

    @extend_schema(responses=ZIP)
    @order_report.mapping.get
    def report(self, request: Request, pk: str | None = None) -> FileResponse:
        """The archive that was made last; 404 while there is none."""
        return report_file(UnblindedStudy(self.get_object()))

    @extend_schema(request=None, responses=StateSerializer)
    @action(detail=True, methods=["post"])
    def archive(self, request: Request, pk: str | None = None) -> Response:
        """Put a study away that nobody works at; nothing of it is deleted."""
        study = self.get_object()
        shelving.archive(study=study, actor=current_user(request))
        return self._state(study, "The study is archived: lists show it when they are asked for archived ones.")

    @extend_schema(request=None, responses=StateSerializer)
    @action(detail=True, methods=["post"], url_path="take-back")
    def take_back(self, request: Request, pk: str | None = None) -> Response:
        study = self.get_object()
        shelving.take_back(study=study, actor=current_user(request))
        return self._state(study, "The study is back in the lists.")

    @extend_schema(request=None, responses=StateSerializer)
    @action(detail=True, methods=["post"], url_path="give-up")
    def give_up(self, request: Request, pk: str | None = None) -> Response:
        """A draft loses its cases and raters and goes to the archive; scans, edits and the record stay."""
        study = self.get_object()
        shelving.give_up(study=study, actor=current_user(request))
        return self._state(study, "The draft is given up.")

    def _state(self, study: Study, message: str) -> Response:
        study.refresh_from_db(fields=["state"])
        return Response({"state": study.state, "message": message})


def _ordered(job: Job) -> Response:
    return Response(JobReferenceSerializer(job).data, status=status.HTTP_202_ACCEPTED)
