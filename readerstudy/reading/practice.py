"""The room to try, on a computer-made scan that belongs to no dataset and no study: nothing of it is stored.

It looks as the study's cases do, because it is cut to their frame; what is real or synthetic in it nobody is told.
"""

import io
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from django.core.files.storage import default_storage
from django.http import Http404
from numpy.typing import NDArray

from ctplatform.accounts.models import User
from ctplatform.datasets.scans import voxels
from ml.geometry import Float3, Grid, Int3
from readerstudy.blinding.cutting import Cut, Frame, cut_for, render, source_box
from readerstudy.blinding.presentation import IN_SIGHT, presentation_payload, ring_radius_mm
from readerstudy.blinding.wire import GRADIENT, compressed, shortest_length, travelling
from readerstudy.models import Feedback, Session, Template
from readerstudy.reading.phases import begin
from readerstudy.reading.sessions import Standing, sessions_of, study_payload

PREFIX = "practice."
CASES, LESIONS = 4, 6
# How far places stand from the middle where raters look for them.
WANDERS_ZYX = ((0.5, -0.4, 0.7), (-0.8, 0.9, -0.2), (0.1, 0.3, 0.5), (-0.3, -0.7, -0.9))
# Of no phantom that is made for the demo or by a command's default.
SEED = 20_261_129
STORED_AS = f"practice/phantom-{SEED}.npz"


@dataclass(frozen=True, kw_only=True)
class PracticeScan:
    grid: Grid
    hu: NDArray[np.int16]
    # The same scan as if nobody were ill.
    healthy_hu: NDArray[np.int16]
    places_lps_mm: tuple[Float3, ...]
    diameters_mm: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class _Shown:
    """How a study shows its cases: all that a practice case depends on, besides its number."""

    mode: str
    healthy: bool
    size_zyx: Int3
    spacing_zyx_mm: Float3
    # Raters look for the place themselves.
    unmarked: bool


def is_practice(token: str) -> bool:
    return token.startswith(PREFIX)


def practice_token(session: Session) -> str:
    return f"{PREFIX}{session.token}"


class Practice:
    """The practice of a sitting, for its own rater; `token` may name one of its cases."""

    def __init__(self, *, user: User, token: str) -> None:
        name, *image = token.removeprefix(PREFIX).split(".")
        session = sessions_of(user).filter(token=name).first()
        if session is None:
            raise Http404
        begin(session)
        self.session, self.images = session, session.rater.study.asked.task.images
        known = {_named(n, side): (n, side) for n in range(CASES) for side in range(self.images)}
        if image and ".".join(image) not in known:
            raise Http404
        place: tuple[int | None, int] = known[".".join(image)] if image else (None, 0)
        self.number, self.side = place

    def session_payload(self) -> dict[str, Any]:
        nothing_kept = {"voice": "", "drawer_key": "", "preview": True, "practice": True, "display_check": None}
        own = {"reader": str(self.session.rater.user), **nothing_kept}
        payload = {**study_payload(self.session.rater.study), **self._standing(answered=0).as_payload(), **own}
        # Nothing has been read yet that could be spoken of, and nobody is told what is shown.
        payload["study"] |= {"at_the_end": "", "feedback": Feedback.NONE.value}
        return payload

    def after_answer(self) -> dict[str, Any]:
        return self._standing(answered=self._index() + 1).as_payload()

    def presentation_payload(self) -> dict[str, Any]:
        shown, number = self._shown(), self._index()
        lesion = self._lesion()
        cut = _cut(shown, lesion)
        return presentation_payload(
            size_zyx=shown.size_zyx,
            spacing_zyx_mm=shown.spacing_zyx_mm,
            start_slice=shown.size_zyx[0] // 2,
            marker_zyx=cut.marker_zyx,
            ring_mm=ring_radius_mm(practice_scan().diameters_mm[lesion]),
            samples=GRADIENT,
            images=[self._token(number, side) for side in range(self.images)],
        )

    def slice_bytes(self, index: int) -> bytes:
        pixels = _pixels(self._shown(), self._lesion())
        if not 0 <= index < len(pixels):
            raise Http404
        squeezed = compressed(pixels[index])
        return travelling(squeezed, length=shortest_length(squeezed))

    def _standing(self, *, answered: int) -> Standing:
        tokens = [self._token(number, 0) for number in range(CASES)]
        return Standing(
            done=answered,
            total=CASES,
            state="open" if answered < CASES else "finished",
            next=tokens[answered : answered + IN_SIGHT],
            previous=tokens[answered - 1] if answered else None,
        )

    def _token(self, number: int, side: int) -> str:
        return f"{practice_token(self.session)}.{_named(number, side)}"

    def _lesion(self) -> int:
        """Beside one another stand different ones, as far as there are so many."""
        return (self._index() + self.side) % CASES

    def _index(self) -> int:
        if self.number is None:
            raise Http404
        return self.number

    def _shown(self) -> _Shown:
        study = self.session.rater.study
        display, healthy = study.frozen["display"], study.template == Template.REMOVED_LESIONS
        z, y, x = display["size_zyx"]
        spacing_zyx_mm = _three(display["spacing_zyx_mm"])
        return _Shown(
            mode=display["mode"],
            healthy=healthy,
            size_zyx=(z, y, x),
            spacing_zyx_mm=spacing_zyx_mm,
            unmarked=study.asked.task.mark is not None,
        )


def _named(number: int, side: int) -> str:
    return f"{number}.{side}" if side else str(number)


def _frame(shown: _Shown) -> Frame:
    return Frame(size_zyx=shown.size_zyx, spacing_zyx_mm=shown.spacing_zyx_mm, resampled=True)


def _cut(shown: _Shown, number: int) -> Cut:
    scan = practice_scan()
    return cut_for(
        scan.grid,
        _frame(shown),
        mode=shown.mode,
        place_lps_mm=scan.places_lps_mm[number],
        wander_zyx=WANDERS_ZYX[number] if shown.unmarked else None,
    )


@lru_cache(maxsize=CASES)
def _pixels(shown: _Shown, number: int) -> NDArray[np.int16]:
    scan, cut = practice_scan(), _cut(shown, number)
    box = source_box(scan.grid, _frame(shown), cut)
    hu = scan.healthy_hu if shown.healthy else scan.hu
    return render(hu[box], box, scan.grid, _frame(shown), cut)


@lru_cache(maxsize=1)
def practice_scan() -> PracticeScan:
    """Made when it is first asked for, in some seconds, and then kept in the storage."""
    if not default_storage.exists(STORED_AS):
        with suppress(FileExistsError):  # another process was faster
            voxels.save_bytes(STORED_AS, _made())
    with np.load(io.BytesIO(voxels.load_bytes(STORED_AS))) as held:
        z, y, x = held["hu"].shape
        return PracticeScan(
            grid=Grid((z, y, x), _three(held["spacing_zyx_mm"]), _three(held["origin_lps_mm"])),
            hu=held["hu"],
            healthy_hu=held["healthy_hu"],
            places_lps_mm=tuple(_three(place) for place in held["places_lps_mm"]),
            diameters_mm=tuple(float(value) for value in held["diameters_mm"]),
        )


def _made() -> bytes:
    # scipy's share of it takes a second to import, which no other page waits for
    from ml.phantom import PhantomConfig, make_phantom

    phantom = make_phantom(SEED, PhantomConfig(phase="portal", lesion_count=LESIONS))
    grid, lesions = phantom.grid, phantom.lesions[:CASES]
    out = io.BytesIO()
    np.savez_compressed(
        out,
        hu=phantom.hu,
        healthy_hu=phantom.lesion_free_hu,
        spacing_zyx_mm=grid.spacing_zyx_mm,
        origin_lps_mm=grid.origin_lps_mm,
        places_lps_mm=[grid.to_world(lesion.centre_zyx) for lesion in lesions],
        diameters_mm=[2 * lesion.radius_mm for lesion in lesions],
    )
    return out.getvalue()


def _three(values: Iterable[float]) -> Float3:
    first, second, third = (float(value) for value in values)
    return first, second, third
