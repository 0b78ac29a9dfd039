"""A draft as a rater would see it. Stimuli are cut on the fly, nothing is stored, and a lock ends every preview."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from django.core import signing
from django.http import Http404
from numpy.typing import NDArray

from ctplatform.accounts.models import User
from readerstudy.blinding.presentation import presentation_payload
from readerstudy.design.cases import truths_of
from readerstudy.locking.stimuli import frame_of, pixels_of
from readerstudy.models import CaseTruth, Study
from readerstudy.reading.sessions import AHEAD, Standing, study_payload

PREFIX = "preview."
SALT = "readerstudy.preview"
LONGEST = 20
HOURS_12 = 12 * 3600


def is_preview(token: str) -> bool:
    return token.startswith(PREFIX)


def session_token(study: Study) -> str:
    return PREFIX + signing.dumps({"study": str(study.pk)}, salt=SALT)


def _case_token(truth: CaseTruth) -> str:
    return PREFIX + signing.dumps({"study": str(truth.case.study_id), "case": str(truth.case_id)}, salt=SALT)


class Preview:
    """The draft that a token names, for a person of its team."""

    def __init__(self, *, user: User, token: str) -> None:
        try:
            content: dict[str, str] = signing.loads(token.removeprefix(PREFIX), salt=SALT, max_age=HOURS_12)
        except signing.BadSignature as error:
            raise Http404 from error
        study = Study.objects.visible_to(user).draft().filter(pk=content["study"]).first()
        if study is None:
            raise Http404
        self.study = study
        self.truths: Sequence[CaseTruth] = truths_of(study)
        self.shown = self.truths[:LONGEST]
        self.position = next((i for i, t in enumerate(self.shown) if str(t.case_id) == content.get("case")), None)

    def session_payload(self) -> dict[str, Any]:
        standing = self._standing(answered=0)
        return {**study_payload(self.study), **standing.as_payload(), "preview": True}

    def after_answer(self) -> dict[str, Any]:
        return self._standing(answered=self._index() + 1).as_payload()

    def _standing(self, *, answered: int) -> Standing:
        tokens = [_case_token(truth) for truth in self.shown[answered : answered + AHEAD]]
        return Standing(
            done=answered,
            total=len(self.shown),
            state="open" if tokens else "finished",
            next=tokens,
            previous=_case_token(self.shown[answered - 1]) if answered else None,
        )

    def presentation_payload(self) -> dict[str, Any]:
        frame = frame_of(self.study, self.truths)
        _, cut = pixels_of(self.study, self.shown[self._index()], frame)
        return presentation_payload(
            size_zyx=frame.size_zyx,
            spacing_zyx_mm=frame.spacing_zyx_mm,
            start_slice=frame.start_slice,
            marker_zyx=cut.marker_zyx,
        )

    def slice_bytes(self, index: int) -> bytes:
        pixels: NDArray[np.int16]
        pixels, _ = pixels_of(self.study, self.shown[self._index()], frame_of(self.study, self.truths))
        if not 0 <= index < len(pixels):
            raise Http404
        content: bytes = pixels[index].tobytes()
        return content

    def _index(self) -> int:
        if self.position is None:
            raise Http404
        return self.position
