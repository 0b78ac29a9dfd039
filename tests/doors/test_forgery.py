"""Nothing changes without a token of the page that asked for it, and nobody is led astray."""

import json

import pytest
from django.test import Client

from ctplatform.accounts.models import Role, User
from tests.doors.addresses import Things, addresses
from tests.factories import PASSWORD, make_user

pytestmark = pytest.mark.django_db
CLOSED = {"favicon.ico"}  # a redirect to a file, whatever the method
EXPECTED_AT_LEAST = 70


LOGIN = "/account/login/"


def is_forgery_refusal(answer):
    if answer.wsgi_request.path == LOGIN:  # whose page was open for too long gets it anew
        return answer.status_code == 302 and answer["Location"] in {LOGIN, "/"}
    text = answer.content.decode()
    return answer.status_code == 403 and ("CSRF" in text or "The page you came from is too old" in text)


def unsafe(things):
    return [(address, method) for address in addresses(things) for method in address.methods]


def test_every_state_changing_address_refuses_a_request_from_elsewhere(things, cast):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(cast.administrator)
    pairs = [(address, method) for address, method in unsafe(things) if str(address) not in CLOSED]
    assert len(pairs) > EXPECTED_AT_LEAST
    wrong = []
    for address, method in pairs:
        for headers in ({}, {"Referer": "https://evil.example/", "Origin": "https://evil.example"}):
            answer = getattr(browser, method)(address.path, headers=headers)
            if not is_forgery_refusal(answer):
                wrong.append((str(address), method, answer.status_code))
    assert wrong == []
    assert User.objects.get(pk=cast.administrator.pk).is_active


def test_a_request_with_the_pages_token_is_not_taken_for_a_forgery():
    browser = Client(enforce_csrf_checks=True)
    browser.get("/account/login/")
    user = make_user(role=Role.RESEARCHER)
    form = {"login": user.username, "password": PASSWORD, "csrfmiddlewaretoken": browser.cookies["csrftoken"].value}
    assert browser.post("/account/login/", form).status_code == 302
    token = browser.cookies["csrftoken"].value
    headers, name = {"X-CSRFToken": token}, json.dumps({"name": "From a page"})
    made = browser.post("/api/datasets/", name, content_type="application/json", headers=headers)
    assert made.status_code == 201


def test_a_login_can_not_be_forged():
    browser = Client(enforce_csrf_checks=True)
    user = make_user(role=Role.RESEARCHER)
    assert is_forgery_refusal(browser.post(LOGIN, {"login": user.username, "password": PASSWORD}))
    assert "_auth_user_id" not in browser.session


@pytest.mark.parametrize(
    "where",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "https:evil.example",
        "javascript:alert(1)",
        "\thttps://evil.example",
    ],
)
def test_no_login_logout_or_job_leads_to_another_site(where, things, cast):
    browser = Client()
    form = {"login": cast.owner.username, "password": PASSWORD, "next": where}
    for address in ("/account/login/", f"/account/login/?next={where}"):
        answer = browser.post(address, form)
        assert (answer.status_code, answer["Location"]) == (302, "/")
        answer = browser.post("/account/logout/", {"next": where})
        assert (answer.status_code, answer["Location"]) == (302, "/account/login/")
    browser.force_login(cast.owner)
    answer = browser.post(f"/jobs/{things.ids['job']}/cancel/", {"next": where})
    assert (answer.status_code, answer["Location"].startswith("/jobs/")) == (302, True)


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "localhost@evil.example", "", "a b"])
def test_another_hosts_name_is_refused(client, host):
    client.force_login(make_user(role=Role.ADMINISTRATOR))
    for path in ("/account/login/", "/people/", "/api/jobs/"):
        assert client.get(path, headers={"Host": host}).status_code == 400
    invited = client.post(
        "/people/invite/", {"name": "x", "role": "rater"}, headers={"X-Forwarded-Host": host or "evil"}
    )
    assert "http://testserver/people/invitation/" in invited.content.decode()


def test_addresses_are_filled_with_what_is_there(things):
    paths = [address.path for address in addresses(things)]
    assert not [path for path in paths if "<" in path or "(" in path]
    assert any(str(things.ids["study"]) in path for path in paths)
    assert Things().path("jobs/<uuid:pk>/").count("-") == 4
