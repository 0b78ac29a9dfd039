"""Secrets stay where they belong: out of logs and pages; and weights are never code."""

import hashlib
import io
import json
import logging
import pickle

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from ctplatform.accounts import resetting, services
from ctplatform.accounts.models import Role
from ctplatform.accounts.record import Author
from ctplatform.jobs.models import Job
from ctplatform.logs import JsonFormatter
from ml.generator.card import CARD_NAME, DEMO_FOLDER
from synthesis.models import Generator
from tests.factories import PASSWORD, make_user

pytestmark = pytest.mark.django_db
WRONG, NEW = "a wrong but telling password", "an even longer password"


@pytest.fixture
def logged():
    """All that is logged, down to the last detail, as the log has it."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream.getvalue
    root.removeHandler(handler)
    root.setLevel(level)


def test_passwords_tokens_and_links_are_never_logged(logged, settings):
    user = make_user(role=Role.COORDINATOR)
    _, link = services.invite(invited_by=user, name="Dr Reader", role=Role.RATER)
    browser = Client(raise_request_exception=False)
    browser.post("/account/login/", {"login": user.username, "password": WRONG})
    browser.post("/account/login/", {"login": user.username, "password": PASSWORD})
    key = browser.post("/people/token/", {"name": "x"}).context["key"]
    for headers in ({"Authorization": f"Token {key}"}, {"Authorization": f"Token {key}x"}):
        Client().get("/api/nothing/", headers=headers)
        Client().get("/api/datasets/", headers=headers)
    browser.post("/account/password/change/", {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW})
    browser.post(f"/people/invitation/{link}/", b"x", content_type="multipart/form-data")
    browser.get(f"/people/invitation/{link}/nothing/")
    Client(enforce_csrf_checks=True).post(f"/people/invitation/{link}/", {"username": "x", "password": NEW})
    reset = resetting.make_link(user=make_user(role=Role.RATER), author=Author(user=None, address=None))
    browser.post(f"/people/reset/{reset}/", b"x", content_type="multipart/form-data")
    browser.get(f"/people/reset/{reset}/nothing/")
    text = logged()
    assert "/people/invitation/" in text
    assert "/people/reset/" in text
    secrets = [WRONG, PASSWORD, NEW, key, link, reset, browser.session.session_key, settings.SECRET_KEY]
    assert [secret for secret in secrets if secret in text] == []


def test_an_error_of_ours_is_logged_without_the_form(logged, monkeypatch):
    def fail(**_):
        raise RuntimeError("broken")

    monkeypatch.setattr(services, "accept", fail)
    _, link = services.invite(invited_by=make_user(role=Role.COORDINATOR), name="Dr Reader", role=Role.RATER)
    form = {"username": "reader", "password": NEW, "password_again": NEW}
    answer = Client(raise_request_exception=False).post(f"/people/invitation/{link}/", form)
    assert answer.status_code == 500
    assert "broken" in logged()
    assert NEW not in logged() + answer.content.decode()
    assert link not in logged()


class Planted:
    ran = False

    def __reduce__(self):
        return (Planted.run, ())

    @staticmethod
    def run():
        Planted.ran = True


def sealed_card(weights):
    """A card as the demo's, for these weights: what is left to judge is the weights themselves."""
    card = json.loads((DEMO_FOLDER / CARD_NAME).read_text())
    return json.dumps({**card, "weights_sha256": hashlib.sha256(weights).hexdigest()}).encode()


@pytest.mark.parametrize("name", ["weights.safetensors", "weights.pt", "weights.pkl"])
def test_weights_that_are_a_pickle_are_refused_and_never_run(django_capture_on_commit_callbacks, name):
    import torch

    browser = Client()
    browser.force_login(make_user(role=Role.ADMINISTRATOR))
    buffer = io.BytesIO()
    torch.save({"encoder.weight": Planted()}, buffer)
    for content in (pickle.dumps(Planted()), buffer.getvalue()):
        with django_capture_on_commit_callbacks(execute=True):
            form = {
                "name": "planted",
                "card": SimpleUploadedFile("card.json", sealed_card(content)),
                "weights": SimpleUploadedFile(name, content),
            }
            assert browser.post("/synthesis/generators/register/", form).status_code == 302
    jobs = Job.objects.all()
    assert [job.status for job in jobs] == ["failed", "failed"]
    assert all("weights" in job.error for job in jobs), [job.error for job in jobs]
    assert not Generator.objects.exists()
    assert not Planted.ran
    pickle.loads(pickle.dumps(Planted()))
    assert Planted.ran  # the trap itself works
    Planted.ran = False
