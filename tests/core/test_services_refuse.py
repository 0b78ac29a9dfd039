"""Services refuse by themselves: a door that forgot to hide something opens nothing."""

import pytest

from ctplatform.accounts import access
from ctplatform.accounts import services as accounts
from ctplatform.accounts.models import Role
from ctplatform.accounts.record import Author
from ctplatform.datasets import services as datasets
from ctplatform.datasets.withdrawal import withdraw
from ctplatform.errors import ForbiddenError
from ctplatform.jobs import services as jobs
from ctplatform.jobs.models import JobStatus
from ml.editing import LesionSpec
from synthesis.atlas.services import order_atlas
from synthesis.edits import services as edits
from synthesis.generators import services as generators
from synthesis.generators.training import order_training
from synthesis.models import EditOrder
from tests.crowd import Crowd
from tests.factories import make_user

pytestmark = pytest.mark.django_db
SPEC = LesionSpec(kind="hypodense", diameter_mm=12, contrast_hu=-40, seed=1)


@pytest.fixture
def crowd():
    crowd = Crowd()
    crowd.grow_to(1)
    return crowd


@pytest.fixture(params=[Role.RESEARCHER, Role.COORDINATOR, Role.RATER])
def stranger(request):
    return make_user(request.param)


def refused(act, **asked):
    with pytest.raises(ForbiddenError) as refusal:
        act(**asked)
    assert refusal.value.http_status_code == 403
    assert refusal.value.message.endswith(".")


def test_scans_of_others_are_neither_edited_nor_learned_from(crowd, stranger):
    scan, generator = crowd.scan, crowd.generator
    place = {"scan": scan, "generator": generator, "centre_lps_mm": (0, 0, 0), "spec": SPEC}
    before = EditOrder.objects.count()
    refused(edits.order_insertion, ordered_by=stranger, **place)
    refused(edits.order_removal, ordered_by=stranger, lesion=scan.lesions.first(), generator=generator, seed=1)
    order = edits.BatchOrder(
        per_scan=1,
        kinds=("cystic",),
        min_diameter_mm=10,
        max_diameter_mm=20,
        min_contrast_hu=-60,
        max_contrast_hu=-30,
        rules=edits.PlacementRules(),
        seed=1,
    )
    refused(edits.order_batch, ordered_by=stranger, scans=[scan], generator=generator, order=order)
    refused(order_training, ordered_by=stranger, name="G", scans=[scan], objective="iae", steps=1, seed=1)
    refused(order_atlas, ordered_by=stranger, generator=generator, dataset=scan.dataset)
    refused(datasets.give_verdict, scan=scan, reviewer=stranger, accept=True)
    refused(edits.order_again, order=EditOrder.objects.filter(source_scan=scan).first(), ordered_by=stranger)
    assert EditOrder.objects.count() == before


def test_datasets_and_scans_of_others_stay_as_they_are(crowd, stranger):
    dataset, scan = crowd.scan.dataset, crowd.scan
    refused(datasets.update_dataset, dataset=dataset, user=stranger, name="Mine")
    refused(datasets.delete_dataset, dataset=dataset, user=stranger)
    refused(datasets.share, dataset=dataset, user=stranger, member=stranger)
    refused(datasets.update_scan, scan=scan, user=stranger, name="x", subject="y")
    refused(datasets.delete_scan, scan=scan, user=stranger)
    refused(datasets.request_liver_estimate, scan=scan, user=stranger)
    refused(datasets.request_masks, scan=scan, user=stranger, files=[])
    refused(datasets.accept_liver, scan=scan, user=stranger, seen=None)
    refused(withdraw, scan=scan, user=stranger, reason="Consent withdrawn")


def test_jobs_of_others_are_not_steered(crowd, stranger):
    job = crowd.new_job("x")
    refused(jobs.cancel, job=job, actor=stranger)
    job.status = JobStatus.FAILED
    job.save()
    refused(jobs.retry, job=job, actor=stranger)
    job.refresh_from_db()
    assert job.status == JobStatus.FAILED


def test_access_of_others_is_the_administrators_business(stranger):
    other = make_user(Role.COORDINATOR)
    token, _ = access.make_token(user=other, name="t", author=Author(user=other))
    invitation, _ = accounts.invite(invited_by=other, name="Somebody", role=Role.RATER)
    author = Author(user=stranger)
    refused(access.end_token, token=token, author=author)
    refused(access.end_all_access, user=other, author=author)
    refused(access.deactivate, user=other, author=author)
    refused(access.change_role, user=other, role=Role.RESEARCHER, author=author)
    refused(accounts.change_email, user=other, email="a@b.example", password="x", author=author)
    refused(accounts.revoke, invitation=invitation, author=author)
    token.refresh_from_db()
    assert token.ended_at is None


def test_who_does_not_coordinate_neither_invites_nor_retires(crowd):
    researcher, coordinator = make_user(Role.RESEARCHER), make_user(Role.COORDINATOR)
    refused(accounts.invite, invited_by=researcher, name="Somebody", role=Role.RATER)
    refused(accounts.invite, invited_by=coordinator, name="Somebody", role=Role.ADMINISTRATOR)
    refused(generators.retire, generator=crowd.generator, user=researcher, reason="Old")
    refused(generators.reinstate, generator=crowd.generator, user=researcher)


def test_a_rater_has_neither_datasets_nor_tokens_nor_generators():
    rater = make_user(Role.RATER)
    refused(datasets.create_dataset, owner=rater, name="Mine")
    refused(access.make_token, user=rater, name="t", author=Author(user=rater))
    refused(generators.order_registration, ordered_by=rater, name="G", card=None, weights=None)
