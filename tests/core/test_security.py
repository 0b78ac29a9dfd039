"""Headers, production settings, errors: what protects people even when a page is wrong."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ValidationError
from django.test import RequestFactory

from ctplatform.api_errors import api_exception_handler
from ctplatform.errors import ConflictError, DomainError
from tests.factories import make_user

ROOT = Path(__file__).resolve().parents[2]
PRODUCTION = {
    "DJANGO_SETTINGS_MODULE": "ctplatform.settings.production",
    "DJANGO_SECRET_KEY": "k" * 30 + "".join(map(chr, range(48, 90))),
    "DJANGO_ALLOWED_HOSTS": "ward.example.org",
    "DJANGO_DATABASE_URL": "postgres://ward@127.0.0.1/ward",
    "DJANGO_CACHE_URL": "rediscache://127.0.0.1:6379/1",
    "CT_BROKER_URL": "redis://127.0.0.1:6379/0",
}


def manage(*arguments, **environment):
    return subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *arguments],
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_deployment_check_is_clean():
    done = manage("check", "--deploy", "--fail-level", "WARNING", **PRODUCTION)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "secret", ["DJANGO_SECRET_KEY", "DJANGO_ALLOWED_HOSTS", "DJANGO_DATABASE_URL", "CT_BROKER_URL"]
)
def test_production_does_not_start_without(secret):
    environment = {name: value for name, value in PRODUCTION.items() if name != secret}
    done = manage("check", **environment)
    assert done.returncode != 0
    assert secret in done.stderr


SIGN_ON = {
    "CT_OIDC_ISSUER": "https://login.hospital.example/realms/ward",
    "CT_OIDC_CLIENT_ID": "ward",
    "CT_OIDC_CLIENT_SECRET": "secret",
    "CT_OIDC_ROLES": "CN=Readers,OU=Ward=rater; staff=researcher",
}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"CT_OIDC_CLIENT_ID": None}, "CT_OIDC_CLIENT_ID"),
        ({"CT_OIDC_CLIENT_SECRET": None}, "CT_OIDC_CLIENT_SECRET"),
        ({"CT_OIDC_ROLES": "staff=boss"}, "“staff=boss” gives no role"),
        ({"CT_OIDC_ROLES": None}, "nobody could log in"),
    ],
)
def test_single_sign_on_is_whole_or_does_not_start(changes, words):
    given = {name: value for name, value in {**PRODUCTION, **SIGN_ON, **changes}.items() if value is not None}
    done = manage("check", **given)
    assert done.returncode != 0
    assert words in done.stderr


def test_the_policy_lets_the_button_lead_to_the_provider_and_nowhere_else():
    told = "from django.conf import settings; print(settings.CT_OIDC_ROLES, settings.CONTENT_SECURITY_POLICY)"
    done = manage("shell", "-v", "0", "-c", told, **PRODUCTION, **SIGN_ON)
    assert "{'CN=Readers,OU=Ward': 'rater', 'staff': 'researcher'}" in done.stdout, done.stderr
    assert "'form-action': [\"'self'\", 'https://login.hospital.example']" in done.stdout
    assert "login.hospital" not in manage("shell", "-v", "0", "-c", told, **PRODUCTION).stdout


@pytest.mark.django_db
def test_every_page_carries_a_strict_policy(client):
    client.force_login(make_user())
    for path in ("/account/login/", "/jobs/", "/datasets/", "/synthesis/", "/nothing-here/"):
        answer = client.get(path)
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert "unsafe-eval" not in policy
        assert "script-src 'self' 'unsafe-inline'" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"


@pytest.mark.django_db
def test_pages_have_no_inline_script_or_style(client):
    client.force_login(make_user())
    for path in ("/jobs/", "/datasets/", "/synthesis/", "/synthesis/batch/", "/people/token/"):
        page = client.get(path).content.decode()
        assert "<style" not in page
        assert "onclick=" not in page
        for script in page.split("<script")[1:]:
            assert "src=" in script.split(">")[0] or "application/json" in script.split(">")[0], path


@pytest.mark.parametrize(
    ("error", "status"),
    [(DomainError("no"), 400), (ConflictError("no"), 409), (ValidationError("no"), 400)],
)
def test_domain_errors_become_answers_with_their_words(error, status):
    answer = api_exception_handler(error, {"request": RequestFactory().get("/api/")})
    assert (answer.status_code, answer.data["detail"]) == (status, "no")


@pytest.mark.django_db
def test_health_pages_need_no_login_and_tell_nothing(client):
    assert client.get("/healthz").json() == {"status": "ok"}
    answer = client.get("/readyz")
    assert answer.status_code == 200, answer.json()
    assert answer.json() == {"database": "ok", "storage": "ok", "broker": "ok"}


@pytest.mark.django_db
def test_readiness_says_what_is_missing(client, settings):
    settings.MEDIA_ROOT = "/proc/nowhere"
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["storage"] == "unavailable"
