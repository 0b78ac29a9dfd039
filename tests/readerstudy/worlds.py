"""Small worlds for reader studies: scans with real lesions, and accepted edits of them."""

import json
import uuid
from dataclasses import dataclass, field

import numpy as np
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from ctdemo.studies import LOCK_ATTEMPTS, open_study
from ctplatform.accounts.models import Role, User
from ctplatform.datasets.kinds import MaskKind
from ctplatform.datasets.models import Dataset, MadeBy, Origin, centre_columns
from ctplatform.datasets.scans.edited import Edit, register_edited_scan
from ctplatform.datasets.services import give_verdict
from readerstudy.design import services as design
from readerstudy.locking import services as locking
from readerstudy.models import Presentation, RatingEvent, Session, Study, Template
from readerstudy.unblinding import services as unblinding
from tests.factories import edited_here, make_dataset, make_scan, make_user
from tests.phantoms import ball, liver_box, small_grid

GRID = small_grid((9, 52, 52), (3.0, 1.25, 1.25))
# Mirror images of each other, so that no place tells the kinds apart. In every source another one is left for edits.
CORNERS = [(4, 14, 14), (4, 14, 37), (4, 37, 14), (4, 37, 37)]
REAL_PLACES = CORNERS[:3]
LESION_HU = -45
FIELD_OF_VIEW_MM = 25.0


@dataclass
class Cast:
    administrator: User
    owner: User
    member: User
    other: User
    rater: User
    second_rater: User
    idle_rater: User

    @classmethod
    def create(cls):
        return cls(
            administrator=make_user(Role.ADMINISTRATOR),
            owner=make_user(Role.COORDINATOR),
            member=make_user(Role.RESEARCHER),
            other=make_user(Role.COORDINATOR),
            rater=make_user(Role.RATER),
            second_rater=make_user(Role.RATER),
            idle_rater=make_user(Role.RATER),
        )


@dataclass
class World:
    dataset: Dataset
    sources: list = field(default_factory=list)
    edits: list = field(default_factory=list)


def ct_with_lesions(seed, places, diameter_mm=9.0, grid=GRID):
    random = np.random.default_rng(seed)
    liver = liver_box(grid)
    volume = np.where(liver_box(grid, margin=2), 60.0, -1000.0) + random.normal(0, 12, grid.size_zyx)
    lesions = np.zeros(grid.size_zyx, dtype=bool)
    for place in places:
        lesions |= ball(grid, place, diameter_mm)
    volume[lesions] += LESION_HU
    return np.clip(np.rint(volume), -1024, 3071).astype(np.int16), liver, lesions


def make_world(owner, *, sources=3, edits_per_source=2, operation="insert", accepted=True) -> World:
    world = World(make_dataset(owner=owner))
    for number in range(sources):
        volume, liver, lesions = ct_with_lesions(100 + number, real_places(number))
        scan = make_scan(
            world.dataset,
            grid=GRID,
            volume=volume,
            masks={MaskKind.LIVER: liver, MaskKind.LESION: lesions},
            masks_made_by=MadeBy.PHANTOM,
            origin=Origin.ACQUIRED,
        )
        world.sources.append(scan)
        for index in range(edits_per_source):
            places = edit_of(number, index, operation=operation)
            world.edits.append(make_edit(scan, volume, index, **places, accepted=accepted, owner=owner))
    return world


def real_places(number):
    """Where the lesions of a source are."""
    return [corner for corner in CORNERS if corner != free_corner(number)]


def free_corner(number):
    return CORNERS[3 - number % 4]


def edit_of(number, index, *, operation):
    """Where an edit of a source inserts and removes. One lesion goes for the one that comes, so that as many others
    stand in the picture as beside a real one."""
    removed = real_places(number)[index]
    if operation == "remove":
        return {"removed": removed}
    z, y, x = free_corner(number)
    # No two edits are the same: later ones lie a voxel farther out.
    outward = [int(np.sign(v - 25)) for v in (y, x)]
    return {"removed": removed, "inserted": (z, y + outward[0] * (index == 1), x + outward[1] * (index == 2))}


def make_edit(scan, volume, index, *, removed, accepted, owner, inserted=None):
    """An edit made by copying what a real lesion (or its absence) looks like, with noise of its own."""
    goes = ball(GRID, removed, 9.0)
    comes = np.zeros_like(goes) if inserted is None else ball(GRID, inserted, 9.0)
    box = tuple(slice(int(axis.min()), int(axis.max()) + 1) for axis in np.nonzero(goes | comes))
    content = volume.astype(int) + LESION_HU * comes - LESION_HU * goes
    edit = Edit(
        box_start_zyx=tuple(side.start for side in box),
        content=content[box].astype(np.int16),
        changed=(goes | comes)[box],
        removed=goes[box],
        inserted=None if inserted is None else comes[box],
    )
    operation, place = ("remove", removed) if inserted is None else ("insert", inserted)
    centre = [float(v) for v in GRID.to_world(place)]
    edited = register_edited_scan(
        source=scan,
        edit=edit,
        provenance=edited_here(operation, **centre_columns(centre)),
        name=f"{scan.name} {operation} {index}",
        created_by=owner,
    )
    if accepted is not None:
        decide(edited, accept=accepted)
    return edited


def decide(scan, *, accept):
    """Review a scan as its dataset's owner does."""
    give_verdict(scan=scan, reviewer=scan.dataset.owner, accept=accept, reason="" if accept else "Seam")


def make_draft(cast, world, *, cases=12, template=Template.INSERTED_LESIONS, raters=None, **settings) -> Study:
    # The world is so small that patches around its lesions overlap.
    settings = {"field_of_view_mm": FIELD_OF_VIEW_MM, "seed": 7, "twins_allowed": True, **settings}
    study = design.create_study(owner=cast.owner, template=template, title="Trial", cases_planned=cases, **settings)
    study.datasets.set([world.dataset])
    design.share(study=study, actor=cast.owner, members=[cast.member])
    people = [cast.rater, cast.second_rater] if raters is None else raters
    design.set_raters(study=study, actor=cast.owner, users=people)
    return study


class Stages:
    """Takes a study through its life, running the jobs that the product would give to a worker."""

    def __init__(self, capture_on_commit):
        self._capture = capture_on_commit

    def ordered(self, order):
        """The job that `order` orders, when it has ended."""
        with self._capture(execute=True):
            job = order()
        job.refresh_from_db()
        return job

    def draw(self, study):
        job = self.ordered(lambda: design.request_draw(study=study, actor=study.owner))
        study.refresh_from_db()
        return job

    def lock(self, study):
        job = self.ordered(lambda: locking.request_lock(study=study, actor=study.owner))
        study.refresh_from_db()
        return job

    def open(self, study):
        self.draw(study)
        return self.open_drawn(study)

    def open_drawn(self, study):
        """A draft whose cases are chosen already."""
        open_study(self.locked(study), study.owner)
        return study

    def locked(self, study):
        for _ in range(LOCK_ATTEMPTS):  # one in a hundred is a false alarm, from 15 cases on
            job = self.lock(study)
            if study.state == "locked":
                break
        assert study.state == "locked", (job.error, study.leak_audit.get("leaks"))
        return study


def unblind(study):
    """Closed and unblinded by its owner."""
    unblinding.close(study=study, actor=study.owner)
    unblinding.unblind(study=study, actor=study.owner, typed_title=study.title)
    study.refresh_from_db()
    return study


class Browser:
    """What a rater's browser does, through the reading API."""

    def __init__(self, user, study):
        self.client = Client()
        self.client.force_login(user)
        self.session = Session.objects.get(rater__user=user, rater__study=study)

    def standing(self):
        return self.client.get(reverse("reading-api:session", args=[self.session.token])).json()

    def tokens(self):
        slots = Presentation.objects.filter(session=self.session).order_by("position")
        return list(slots.values_list("token", flat=True))

    def known(self, token):
        """What this browser knows of the answers given so far: its number, and the answer to this case."""
        events = RatingEvent.objects.filter(presentation__session=self.session)
        current = events.filter(presentation__token=token, superseded_by=None).first()
        return {"counter": events.count() + 1, "supersedes": str(current.client_event_id) if current else None}

    def rate(self, token, **changes):
        changes = {**self.known(token), **changes}
        url = reverse("reading-api:events", args=[token])
        return self.client.post(url, json.dumps(rating(**changes)), content_type="application/json")

    def rate_all(self, answer=lambda position: "real", confidence=2):
        for position, token in enumerate(self.tokens()):
            response = self.rate(token, answer=answer(position), confidence=confidence)
            assert response.status_code == 201, response.content


def rating(**changes):
    now = timezone.now().isoformat()
    return {
        "client_event_id": str(uuid.uuid4()),
        "answer": "real",
        "confidence": 2,
        "shown_at": now,
        "answered_at": now,
        "reading_ms": 4200,
        "load_ms": 35,
        "hidden_ms": 0,
        "idle_ms": 0,
        "waiting_ms": 0,
        "counter": 1,
        "supersedes": None,
        "sent_at": now,
        "unsent": 0,
        "interactions": {"scrolls": 1, "windowings": 0, "zooms": 0},
        "environment": {"renderer": "cpu", "device_pixel_ratio": 1.5, "viewport_px": [1280, 800]},
        **changes,
    }
