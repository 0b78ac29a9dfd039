"""Small worlds for reader studies: scans with real lesions, and accepted edits of them."""

import json
import uuid
from dataclasses import dataclass, field

import numpy as np
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from ctplatform.accounts.models import Role, User
from ctplatform.datasets.kinds import MaskKind
from ctplatform.datasets.models import Dataset, MadeBy, Origin, centre_columns
from ctplatform.datasets.scans.edited import Edit, register_edited_scan
from ctplatform.datasets.services import give_verdict
from readerstudy.design import services as design
from readerstudy.locking import services as locking
from readerstudy.models import Presentation, Session, Study, Template
from tests.factories import edited_here, make_dataset, make_scan, make_user
from tests.phantoms import ball, liver_box, small_grid

GRID = small_grid((9, 52, 52), (3.0, 1.25, 1.25))
REAL_PLACES = [(4, 14, 14), (4, 14, 38), (4, 38, 14)]
EDIT_PLACES = [(4, 38, 38), (4, 26, 26), (3, 26, 12)]
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
        volume, liver, lesions = ct_with_lesions(100 + number, REAL_PLACES)
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
            world.edits.append(make_edit(scan, volume, index, operation=operation, accepted=accepted, owner=owner))
    return world


def make_edit(scan, volume, index, *, operation, accepted, owner):
    """An edit made by copying what a real lesion (or its absence) looks like, with noise of its own."""
    place = EDIT_PLACES[index] if operation == "insert" else REAL_PLACES[index]
    support = ball(GRID, place, 9.0)
    box = tuple(slice(int(axis.min()), int(axis.max()) + 1) for axis in np.nonzero(support))
    sign = 1 if operation == "insert" else -1
    content = volume[box] + np.where(support[box], sign * LESION_HU, 0).astype(np.int16)
    lesion = {"inserted": support[box]} if operation == "insert" else {"removed": support[box]}
    edit = Edit(
        box_start_zyx=tuple(side.start for side in box),
        content=content.astype(np.int16),
        changed=support[box],
        **lesion,
    )
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
    settings = {"field_of_view_mm": FIELD_OF_VIEW_MM, "seed": 7, **settings}
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

    def draw(self, study):
        with self._capture(execute=True):
            job = design.request_draw(study=study, actor=study.owner)
        job.refresh_from_db()
        study.refresh_from_db()
        return job

    def lock(self, study):
        with self._capture(execute=True):
            job = locking.request_lock(study=study, actor=study.owner)
        job.refresh_from_db()
        study.refresh_from_db()
        return job

    def open(self, study):
        self.draw(study)
        job = self.lock(study)
        assert study.state == "locked", (job.error, study.leak_audit)
        locking.open_for_reading(study=study, actor=study.owner)
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

    def rate(self, token, **changes):
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
        "interactions": {"scrolls": 1, "windowings": 0, "zooms": 0},
        "environment": {"renderer": "cpu", "device_pixel_ratio": 1.5, "viewport_px": [1280, 800]},
        **changes,
    }
