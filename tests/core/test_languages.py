"""A page is in the language of the account, else in that of the browser; as a whole, and never by the case."""

import re

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import translation

from ctplatform.accounts import services
from ctplatform.accounts.models import AccountEvent, Role, User
from ctplatform.accounts.record import Author
from ctplatform.errors import ForbiddenError
from tests.factories import PASSWORD, make_user
from tests.pages import shown

pytestmark = pytest.mark.django_db
GERMAN = {"HTTP_ACCEPT_LANGUAGE": "de-AT,de;q=0.9,en;q=0.5"}
LOGIN = "/account/login/"


def language_of(response):
    said = re.search(r'<html lang="([^"]+)">', response.content.decode())[1]
    assert response["Content-Language"] == said
    assert "Accept-Language" in response["Vary"]
    return said


@pytest.mark.parametrize(
    ("asked", "language"),
    [("", "en-gb"), ("de", "de"), ("de-CH", "de"), ("en-US", "en-gb"), ("fr", "en-gb"), ("x" * 9, "en-gb")],
)
def test_whoever_is_not_logged_in_is_spoken_to_as_the_browser_asks(client, asked, language):
    page = client.get(LOGIN, HTTP_ACCEPT_LANGUAGE=asked)
    assert language_of(page) == language
    assert ("Passwort vergessen?" in shown(page)) == (language == "de")


def test_the_switch_of_the_sign_in_page_holds_for_the_browser(client):
    page = client.get(LOGIN, **GERMAN)
    assert 'lang="en-gb">English</button>' in shown(page)
    chosen = client.post(reverse("people:language"), {"language": "en-gb", "next": LOGIN}, **GERMAN)
    assert chosen.url == LOGIN
    assert language_of(client.get(LOGIN, **GERMAN)) == "en-gb"


@pytest.mark.parametrize("elsewhere", ["https://example.org/", "//example.org", "javascript:alert(1)", ""])
def test_the_switch_leads_to_no_other_site(client, elsewhere):
    assert client.post(reverse("people:language"), {"language": "de", "next": elsewhere}).url == LOGIN


def test_what_is_no_language_changes_nothing(client):
    client.post(reverse("people:language"), {"language": "../de", "next": LOGIN})
    assert "language" not in client.cookies


@pytest.mark.parametrize("role", [Role.RATER, Role.RESEARCHER])
def test_the_accounts_own_language_comes_before_the_browsers(client, role):
    person = make_user(role=role)
    client.force_login(person)
    assert language_of(client.get(reverse("people:account"), **GERMAN)) == "de"
    client.post(reverse("people:language"), {"language": "en-gb"}, **GERMAN)
    assert language_of(client.get(reverse("people:account"), **GERMAN)) == "en-gb"
    client.post(reverse("people:language"), {"language": "de"})
    assert language_of(client.get(reverse("people:account"))) == "de"
    client.post(reverse("people:language"), {"language": ""})
    assert User.objects.get(pk=person.pk).language == ""


def test_nobody_chooses_for_somebody_else():
    with pytest.raises(ForbiddenError):
        services.choose_language(
            user=make_user(), language="de", author=Author(user=make_user(role=Role.ADMINISTRATOR))
        )


def test_a_mail_is_written_in_the_language_of_who_gets_it(client):
    make_user(username="leser", email="leser@example.org", language="de")
    client.post(reverse("people:lost-password"), {"login": "leser"}, HTTP_ACCEPT_LANGUAGE="en")
    assert mail.outbox[0].subject == "Ein neues Passwort für Turing Ward"
    assert "funktioniert einmal" in mail.outbox[0].body


def test_what_is_kept_is_written_in_english_whoever_does_it(client):
    administrator, other = make_user(role=Role.ADMINISTRATOR, language="de"), make_user(role=Role.RESEARCHER)
    client.force_login(administrator)
    client.post(reverse("people:role", args=[other.pk]), {"role": Role.COORDINATOR})
    assert AccountEvent.objects.filter(subject=other).latest("pk").detail == "Researcher → Coordinator"
    assert "Rolle geändert" in shown(client.get(reverse("people:person", args=[other.pk])))


def test_refusals_and_errors_are_told_in_the_same_language(client):
    person = make_user(role=Role.RATER, language="de")
    client.force_login(person)
    missing = client.get("/nowhere/")
    assert missing.status_code == 404
    assert "Nicht gefunden" in shown(missing)
    client.post(reverse("people:email"), {"email": "a@example.org", "password": PASSWORD + "!"})
    assert "Das ist nicht Ihr Passwort" in shown(client.get(reverse("people:account")))


@pytest.mark.parametrize(
    ("path", "language"),
    [
        ("/api/studies/00000000-0000-0000-0000-000000000000/", "en-gb"),
        ("/api/unknown", "en-gb"),
        ("/api/reading/unknown", "de"),
    ],
)
def test_programs_are_answered_in_english_and_the_reading_room_in_its_readers_language(path, language):
    person = make_user(language="de")
    browser = Client()
    browser.force_login(person)
    answer = browser.get(path)
    assert answer.status_code == 404
    assert answer["Content-Language"] == language
    assert ("Hier ist nichts" in answer.json()["detail"]) == (language == "de")


def test_a_request_leaves_the_language_of_the_process_as_it_was(client):
    before = translation.get_language()
    client.get(LOGIN, **GERMAN)
    client.get("/nowhere/", **GERMAN)
    assert translation.get_language() == before
