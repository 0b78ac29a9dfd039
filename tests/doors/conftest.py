"""A platform with something of everything in it, in every state that has pages of its own."""

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from ctplatform.accounts import access, services
from ctplatform.accounts.models import Role
from ctplatform.accounts.record import Author
from ctplatform.datasets.models import Mask
from ctplatform.jobs.models import Job
from ml.generator.card import CARD_NAME, WEIGHTS_NAME
from readerstudy.models import Presentation, Session
from synthesis.models import EditOrder, SignatureAtlas, TrainingRun
from tests.doors.addresses import Things
from tests.factories import make_generator
from tests.readerstudy.worlds import make_draft, make_world
from tests.report.conftest import cast, collected, finished, stages  # noqa: F401 - fixtures


@pytest.fixture
def things(cast):  # noqa: F811
    """A draft with cases to come, and what leads there."""
    world = make_world(cast.owner)
    study = make_draft(cast, world)
    return things_of(cast, world.dataset, world.sources[0], study)


@pytest.fixture
def many_things(cast, finished):  # noqa: F811
    """A study that was read and unblinded, with results."""
    dataset = finished.datasets.get()
    return things_of(cast, dataset, dataset.scans.order_by("created_at").first(), finished)


def things_of(people, dataset, scan, study):
    generator = make_generator(registered_by=people.owner)
    for name in (CARD_NAME, WEIGHTS_NAME):
        default_storage.save(f"{generator.storage_prefix}/{name}", ContentFile(b"{}"))
    jobs = [Job.objects.create(kind="x", title="Work", owner=people.owner, status="failed") for _ in range(3)]
    atlas = SignatureAtlas.objects.create(job=jobs[0], generator=generator, dataset=dataset)
    training = TrainingRun.objects.create(job=jobs[1], name="Run", config={})
    token, _ = access.make_token(user=people.owner, name="A program", author=Author(user=people.owner))
    invitation, link = services.invite(invited_by=people.owner, name="Dr Reader", role=Role.RATER)
    rater = study.raters.first()
    case = study.cases.exclude(code="").first()
    ids = {
        "dataset": dataset.pk,
        "scan": scan.pk,
        "generator": generator.pk,
        "study": study.pk,
        "job": jobs[2].pk,
        "atlas": atlas.pk,
        "training": training.pk,
        "api_token": token.pk,
        "invitation": invitation.pk,
        "invitation_link": link,
        "person": people.member.pk,
        "rater": rater.pk,
    }
    for name, model in {"mask": Mask, "synthesis": EditOrder}.items():
        found = model.objects.first()
        if found is not None:
            ids[name] = found.pk
    session, presentation = Session.objects.first(), Presentation.objects.first()
    if session is not None:
        ids |= {"session": session.token, "presentation": presentation.token}
    if case is not None:
        ids["code"] = case.code
    return Things(**ids)
