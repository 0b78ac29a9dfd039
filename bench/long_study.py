"""A long study without any science: rows as the lock would leave them, with a protocol as large as such a study's."""

import uuid
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils import timezone

from ctplatform.accounts.models import Role, User
from readerstudy.digests import digest_of
from readerstudy.models import Case, Presentation, Session, Stimulus, Study, StudyRater, StudySeal, StudyState

ASKED = {"title": "Bench", "template": "inserted_lesions", "question": "Real?", "instructions": ""}


def make_long_study(*, cases: int, raters: int, size_zyx: tuple[int, int, int] = (1, 512, 512)) -> list[Session]:
    """A study that collects; returns the sittings of its raters."""
    owner = User.objects.create_user(f"owner-{uuid.uuid4().hex[:8]}", role=Role.COORDINATOR)
    protocol = _protocol(cases, raters)
    study = Study.objects.create(
        owner=owner,
        **ASKED,
        confidence_levels=3,
        state=StudyState.COLLECTING,
        locked_at=timezone.now(),
        opened_at=timezone.now(),
        protocol=protocol,
        protocol_digest=digest_of(protocol),
        leak_audit={"findings": [{"name": uuid.uuid4().hex, "leak": False}] * 2000},
    )
    StudySeal.objects.create(study=study, schedule_seed="0" * 32, salt="0" * 64)
    stimuli = _stimuli(study, cases, size_zyx)
    sittings = []
    for number in range(1, raters + 1):
        user = User.objects.create_user(f"rater-{number}-{study.pk.hex[:8]}", role=Role.RATER)
        session = Session.objects.create(rater=StudyRater.objects.create(study=study, user=user, number=number))
        slots = [Presentation(session=session, position=n, stimulus=one) for n, one in enumerate(stimuli)]
        Presentation.objects.bulk_create(slots)
        sittings.append(session)
    return sittings


def _protocol(cases: int, raters: int) -> dict[str, Any]:
    window = {"center": 60.0, "width": 400.0}
    return {
        **ASKED,
        "schema": 2,
        "confidence_levels": 3,
        "display": {"mode": "patch", "field_of_view_mm": 50.0, "window_hu": window},
        "going_back": "last",
        "arrival": {"grace_hours": 72},
        "sealed": {str(rater): [uuid.uuid4().hex * 2 for _ in range(cases)] for rater in range(raters)},
    }


def _stimuli(study: Study, cases: int, size_zyx: tuple[int, int, int]) -> list[Stimulus]:
    slices, rows, columns = size_zyx
    shape = {"size_zyx": list(size_zyx), "spacing_zyx_mm": [1.0, 1.0, 1.0], "start_slice": 0}
    made = Case.objects.bulk_create([Case(study=study, code=f"c{n}") for n in range(cases)])
    stimuli = [Stimulus(case=case, key=f"stimuli/{uuid.uuid4()}", **shape) for case in made]
    for stimulus in stimuli:
        for index in range(slices):
            default_storage.save(stimulus.slice_key(index), ContentFile(bytes(2 * rows * columns)))
    return Stimulus.objects.bulk_create(stimuli)
