"""A study on which leaks are planted, each in the running product: in what it stores, draws, serves or exports."""

import secrets
from dataclasses import dataclass, replace

import numpy as np
import pytest
from django.db import transaction

from ctplatform.datasets.kinds import MaskKind
from ctplatform.datasets.models import Lesion, MadeBy, Origin
from ctplatform.datasets.scans.edited import Edit, register_edited_scan
from ctplatform.jobs.models import Job
from readerstudy.api import reading as reading_api
from readerstudy.auditing import audit
from readerstudy.auditing.received import Walk
from readerstudy.auditing.rehearsal import rehearsed, sittings_of
from readerstudy.auditing.walk import walk
from readerstudy.design import services as design
from readerstudy.design.candidates import from_lesions
from readerstudy.locking import execution
from readerstudy.models import Presentation, Study, Template
from tests.factories import edited_here, make_dataset, make_scan
from tests.phantoms import ball
from tests.readerstudy.worlds import GRID, LESION_HU, Cast, ct_with_lesions, decide

CASES = 32
# Diameter of lesions that are no cases.
OTHERS_MM = 5.0


class Context:
    """What a job may say and ask, where nobody listens."""

    def __init__(self, job_id):
        self.job_id = job_id

    def progress(self, fraction, message=""):
        pass

    def unless_written(self, remove):
        self.remove = remove


@dataclass
class Planted:
    """A draft with clean cases, each from a scan of its own, and the same study locked."""

    study: Study
    kinds: dict
    # A clean walk: what is planted in storage and tables is judged beside it, without another one.
    walked: Walk | None = None

    def lock(self, monkeypatch=None):
        """What leaks in an attempt to lock the draft, of which nothing stays. Given `monkeypatch` it walks no more."""
        if monkeypatch is not None:
            monkeypatch.setattr(audit, "walk", self._walk_again)
        with transaction.atomic():
            leaks = self._attempt().get("leaks", [])
            transaction.set_rollback(True)
        return leaks

    def _walk_again(self, study_id, *, put_rows, on_progress):
        with rehearsed(study_id, put_rows=put_rows) as study:
            return replace(self.walked, sittings=[*self.walked.sittings, *sittings_of(study)])

    def walk_once(self):
        def kept(*args, **named):
            self.walked = walk(*args, **named)
            return self.walked

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(audit, "walk", kept)
            self.lock()

    def lock_for_good(self):
        while "leaks" in self._attempt():
            pass  # a false alarm, one in a hundred
        self.study.refresh_from_db()
        slots = Presentation.objects.filter(session__rater__study=self.study)
        self.kinds = dict(slots.values_list("token", "stimulus__case__truth__synthetic"))

    def _attempt(self):
        job = Job.objects.create(kind="study.lock", title="Lock", owner=self.study.owner)
        Study.objects.filter(pk=self.study.pk).update(lock_job=job)
        payload = {"study": str(self.study.pk), "folder": f"stimuli/{secrets.token_hex(16)}"}
        context = Context(str(job.pk))
        outcome = execution.run_lock(payload, context)()
        if not outcome["locked"]:
            context.remove()
        return outcome

    def audit(self):
        return audit.audit_study(self.study, on_progress=lambda done, message: None)


def make_planted(*, cases=CASES, all_edited=False, made=None, **settings):
    """`made`, in place of `one_case`, makes the scan of each case."""
    cast = Cast.create()
    study = design.create_study(
        owner=cast.owner,
        template=Template.INSERTED_LESIONS,
        title="Planted",
        cases_planned=cases,
        field_of_view_mm=25.0,
        **settings,
    )
    design.set_raters(study=study, actor=cast.owner, users=[cast.rater])
    dataset = make_dataset(owner=cast.owner)
    random = np.random.default_rng(11)
    scans = [
        (made or one_case)(dataset, cast.owner, seed, random, synthetic=all_edited or seed % 2 == 0)
        for seed in range(cases)
    ]
    of_cases = Lesion.objects.filter(scan__in=scans, diameter_mm__gt=OTHERS_MM + 1)
    lesions = of_cases.select_related("scan__dataset", "scan__provenance")
    design.add_cases(study=study, actor=cast.owner, candidates=from_lesions(list(lesions)))
    study.refresh_from_db()
    planted = Planted(study=study, kinds={})
    planted.walk_once()
    return planted


def anywhere(synthetic, random):
    return 4, *(int(v) for v in random.integers(16, 37, 2))


def alone(number, synthetic):
    return None


def one_case(dataset, owner, seed, random, *, synthetic, place_of=anywhere, beside=alone):
    """A scan with one lesion, real or inserted: nothing but its history differs.

    `beside` says how many rows away another lesion is drawn, as bright as the liver.
    """
    place, rows_away = place_of(synthetic, random), beside(seed, synthetic)
    volume, liver, lesions = ct_with_lesions(500 + seed, [] if synthetic else [place])
    volume = volume + np.rint(np.linspace(-12, 12, volume.shape[2])).astype(np.int16)  # left is not like right
    if rows_away is not None:
        row = place[1] + (rows_away if place[1] < GRID.size_zyx[1] // 2 else -rows_away)
        lesions = lesions | ball(GRID, (place[0], row, place[2]), OTHERS_MM)
    masks = {MaskKind.LIVER: liver} | ({MaskKind.LESION: lesions} if lesions.any() else {})
    scan = make_scan(
        dataset, grid=GRID, volume=volume, masks=masks, masks_made_by=MadeBy.PHANTOM, origin=Origin.ACQUIRED
    )
    return inserted(scan, volume, place, owner) if synthetic else scan


def inserted(scan, volume, place, owner):
    support = ball(GRID, place, 9.0)
    box = tuple(slice(int(axis.min()), int(axis.max()) + 1) for axis in np.nonzero(support))
    content = volume[box] + np.where(support[box], LESION_HU, 0).astype(np.int16)
    edit = Edit(
        box_start_zyx=tuple(side.start for side in box), content=content, changed=support[box], inserted=support[box]
    )
    x, y, z = (float(v) for v in GRID.to_world(place))
    provenance = edited_here("insert", centre_x_mm=x, centre_y_mm=y, centre_z_mm=z)
    edited = register_edited_scan(
        source=scan, edit=edit, provenance=provenance, name=f"{scan.name} edited", created_by=owner
    )
    decide(edited, accept=True)
    return edited


# --- where a leak can be planted -------------------------------------------------------------------------------------


def on_answers(planted, monkeypatch, change, *, of=None):
    """`change(response, synthetic)` on every answer of the reading API about a case; `of` names a view."""
    original = reading_api.ReadingView.finalize_response

    def finalize(view, request, response, *args, **kwargs):
        kind = kind_of(planted, view, response)
        if kind is not None and (of is None or type(view).__name__ == of):
            response = change(response, kind) or response
        final = original(view, request, response, *args, **kwargs)
        for name, value in getattr(response, "late_headers", {}).items():
            final[name] = value
        return final

    monkeypatch.setattr(reading_api.ReadingView, "finalize_response", finalize)


def kind_of(planted, view, response):
    """The kind of the case that an answer is about; of a session the case that comes next."""
    token = view.kwargs.get("token")
    if token in planted.kinds:
        return planted.kinds[token]
    coming = (getattr(response, "data", None) or {}).get("next") or [None]
    return planted.kinds.get(coming[0])


def late(response, name, value):
    """A header that the view itself would overwrite."""
    response.late_headers = {**getattr(response, "late_headers", {}), name: value}


def on_locking(monkeypatch, change):
    """`change(locking, kinds)` on what an attempt to lock has computed; `kinds` by case id."""
    original = execution._Locking.__init__

    def init(locking, **named):
        original(locking, **named)
        change(locking, {str(made.truth.case_id): made.truth.synthetic for made in locking.made})

    monkeypatch.setattr(execution._Locking, "__init__", init)


def on_orders(monkeypatch, arrange):
    """`arrange(real, synthetic)` gives each rater's order from the case ids of both kinds."""
    original = execution.draw_orders

    def drawn(study, truths, **named):
        orders = original(study, truths, **named)
        kinds = {str(truth.case_id): truth.synthetic for truth in truths}
        by_rater = {
            number: arrange([c for c in order if not kinds[c]], [c for c in order if kinds[c]])
            for number, order in orders.by_rater.items()
        }
        return replace(orders, by_rater=by_rater)

    monkeypatch.setattr(execution, "draw_orders", drawn)


def on_pixels(monkeypatch, change):
    """`change(pixels, synthetic)` on all stimuli as they are cut."""
    from readerstudy.locking import stimuli

    original = stimuli.pixels_of

    def cut(study, truth, frame, **named):
        pixels, place = original(study, truth, frame, **named)
        return np.ascontiguousarray(change(pixels, truth.synthetic)).astype("<i2"), place

    monkeypatch.setattr(stimuli, "pixels_of", cut)


def on_files(monkeypatch, change):
    """`change(bytes)` on the files of synthetic stimuli as they are stored."""
    from readerstudy.locking import stimuli

    marked = set()
    original_row, original_save = stimuli.stimulus_row, stimuli.voxels.save_bytes

    def row_of(truth, key, **named):
        if truth.synthetic:
            marked.add(key)
        return original_row(truth, key, **named)

    def save(key, content):
        original_save(key, change(content) if key.rpartition("/")[0] in marked else content)

    monkeypatch.setattr(stimuli, "stimulus_row", row_of)
    monkeypatch.setattr(stimuli.voxels, "save_bytes", save)
