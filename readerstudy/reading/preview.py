"""A draft as a rater would see it. Stimuli are cut on the fly, nothing is stored, and a lock ends every preview."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from django.core import signing
from django.http import Http404
from numpy.typing import NDArray

from ctplatform.accounts.models import User
from ml.geometry import Float3
from readerstudy.blinding.presentation import IN_SIGHT, presentation_payload, ring_radius_mm
from readerstudy.blinding.wire import RAW
from readerstudy.design.cases import truths_of
from readerstudy.locking.stimuli import frame_of, pixels_of
from readerstudy.models import CaseTruth, Feedback, GoingBack, Study
from readerstudy.reading.sessions import Standing, study_payload

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


def _wander(truth: CaseTruth) -> Float3:
    """The same for every slice of a case that is asked for; the lock draws another one."""
    z, y, x = np.random.default_rng(truth.case_id.int).uniform(-1, 1, 3)
    return float(z), float(y), float(x)


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
        self.study, self.token = study, token
        self.truths: Sequence[CaseTruth] = truths_of(study)
        images = study.asked.task.images
        # What the lock will put together is not drawn yet.
        together = [self.truths[start : start + images] for start in range(0, len(self.truths), images)]
        self.trials = [trial for trial in together[:LONGEST] if len(trial) == images]
        named = content.get("case")
        places = ((i, truth) for i, trial in enumerate(self.trials) for truth in trial if str(truth.case_id) == named)
        found: tuple[int | None, CaseTruth | None] = next(places, (None, None))
        self.position, self.truth = found

    def session_payload(self) -> dict[str, Any]:
        standing = self._standing(answered=0)
        # Nothing of a preview is kept, so nothing is encrypted and nothing refused for good.
        trial = {"preview": True, "practice": False, "display_check": None}
        nobody = {"reader": "", "voice": "", "drawer_key": ""}
        payload = {**study_payload(self.study), **standing.as_payload(), **nobody, **trial}
        # Whoever previews a draft sees its cases with their kinds beside it; the room tells nothing twice.
        payload["study"]["feedback"] = Feedback.NONE.value
        return payload

    def after_answer(self) -> dict[str, Any]:
        return self._standing(answered=self._index() + 1).as_payload()

    def _standing(self, *, answered: int) -> Standing:
        back = answered > 0 and self.study.going_back != GoingBack.NEVER
        tokens = [_case_token(trial[0]) for trial in self.trials[answered : answered + IN_SIGHT]]
        return Standing(
            done=answered,
            total=len(self.trials),
            state="open" if tokens else "finished",
            next=tokens,
            previous=_case_token(self.trials[answered - 1][0]) if back else None,
        )

    def presentation_payload(self) -> dict[str, Any]:
        frame, truth = frame_of(self.study, self.truths), self._truth()
        _, cut = pixels_of(self.study, truth, frame, wander_zyx=_wander(truth))
        return presentation_payload(
            size_zyx=frame.size_zyx,
            spacing_zyx_mm=frame.spacing_zyx_mm,
            start_slice=frame.start_slice,
            marker_zyx=cut.marker_zyx,
            ring_mm=ring_radius_mm(truth.diameter_mm),
            samples=RAW,
            # Tokens hold the second they were made in; the image that was asked for keeps its name.
            images=[self.token if one == truth else _case_token(one) for one in self.trials[self._index()]],
        )

    def slice_bytes(self, index: int) -> bytes:
        pixels: NDArray[np.int16]
        truth, frame = self._truth(), frame_of(self.study, self.truths)
        pixels, _ = pixels_of(self.study, truth, frame, wander_zyx=_wander(truth))
        if not 0 <= index < len(pixels):
            raise Http404
        content: bytes = pixels[index].tobytes()
        return content

    def _truth(self) -> CaseTruth:
        if self.truth is None:
            raise Http404
        return self.truth

    def _index(self) -> int:
        if self.position is None:
            raise Http404
        return self.position
