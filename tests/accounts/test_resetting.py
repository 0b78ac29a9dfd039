"""Links for a new password: who may make them, that they work once, and that everything of before ends."""

from datetime import timedelta
from smtplib import SMTPServerDisconnected

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from ctplatform.accounts import access, resetting
from ctplatform.accounts.models import AccountEvent, AccountEventKind, Role
from ctplatform.accounts.record import Author
from ctplatform.errors import ForbiddenError
from tests.factories import PASSWORD, make_user, token_headers
from tests.pages import shown

pytestmark = pytest.mark.django_db
NEW = "quite another passphrase"


@pytest.fixture
def people():
    return {role: make_user(role) for role in Role}


def link_by(actor, person):
    return resetting.make_link(user=person, author=Author(user=actor, address=None))


def follow(link, password=NEW, again=None):
    return Client().post(
        reverse("people:reset", args=[link]), {"password": password, "password_again": again or password}
    )


def logs_in(person, password):
    client = Client()
    client.post("/account/login/", {"login": person.username, "password": password})
    return client.get("/people/account/").status_code == 200


def test_a_coordinator_helps_a_rater_who_lost_the_password(people):
    coordinator, rater = people[Role.COORDINATOR], people[Role.RATER]
    client = Client()
    client.force_login(coordinator)
    assert f"New password for {rater.username}" in client.get(reverse("people:people")).content.decode()
    page = client.post(reverse("people:make-reset-link", args=[rater.pk])).content.decode()
    link = page.split("/people/reset/")[1].split("/")[0]
    assert rater.username in shown(Client().get(reverse("people:reset", args=[link])))
    assert follow(link).status_code == 302
    assert logs_in(rater, NEW)
    assert not logs_in(rater, PASSWORD)
    told = list(AccountEvent.objects.filter(subject=rater).order_by("pk").values_list("kind", "actor__username"))
    assert (AccountEventKind.RESET_LINK_MADE, coordinator.username) in told
    assert (AccountEventKind.PASSWORD_RESET, rater.username) in told


def test_a_link_works_once(people):
    link = link_by(people[Role.ADMINISTRATOR], people[Role.RATER])
    assert follow(link).status_code == 302
    assert "does not work" in shown(follow(link, "a third passphrase here"))
    assert logs_in(people[Role.RATER], NEW)


def test_logins_and_tokens_of_before_end(people):
    person = people[Role.RESEARCHER]
    headers, browser = token_headers(person), Client()
    browser.post("/account/login/", {"login": person.username, "password": PASSWORD})
    person.refresh_from_db()
    assert follow(link_by(people[Role.ADMINISTRATOR], person)).status_code == 302
    assert Client().get("/api/jobs/", headers=headers).status_code == 401
    assert browser.get("/people/account/").status_code == 302


@pytest.mark.parametrize("end", ["time", "login", "signed out", "deactivated", "forged"])
def test_a_link_ends_with(people, monkeypatch, end):
    administrator, rater = people[Role.ADMINISTRATOR], people[Role.RATER]
    link = link_by(administrator, rater)
    author = Author(user=administrator, address=None)
    if end == "time":
        late = timezone.now().replace(tzinfo=None) + timedelta(days=4)
        monkeypatch.setattr(resetting._links, "_now", lambda: late)
    elif end == "login":
        assert logs_in(rater, PASSWORD)
    elif end == "signed out":
        access.end_all_access(user=rater, author=author)
    elif end == "deactivated":
        access.deactivate(user=rater, author=author)
    else:
        other = link_by(administrator, people[Role.COORDINATOR])
        link = f"{link.partition('.')[0]}.{other.partition('.')[2]}"
    assert resetting.opened_by(link) is None
    assert "does not work" in shown(follow(link))
    assert not logs_in(rater, NEW)


@pytest.mark.parametrize(
    ("by", "whose", "may"),
    [
        (Role.ADMINISTRATOR, Role.COORDINATOR, True),
        (Role.COORDINATOR, Role.RATER, True),
        (Role.COORDINATOR, Role.RESEARCHER, False),
        (Role.COORDINATOR, Role.ADMINISTRATOR, False),
        (Role.RESEARCHER, Role.RATER, False),
        (Role.RATER, Role.RATER, False),
        (Role.ADMINISTRATOR, Role.ADMINISTRATOR, False),
    ],
)
def test_who_makes_links_for_whom(people, by, whose, may):
    if may:
        assert resetting.opened_by(link_by(people[by], people[whose])) == people[whose]
        return
    with pytest.raises(ForbiddenError):
        link_by(people[by], people[whose])
    client = Client()
    client.force_login(people[by])
    answer = client.post(reverse("people:make-reset-link", args=[people[whose].pk]), follow=True)
    assert "/people/reset/" not in answer.content.decode()


@pytest.mark.parametrize(
    ("password", "again", "told"), [("short", None, "too short"), (NEW, "different one", "differ")]
)
def test_a_bad_password_is_refused_and_the_link_still_works(people, password, again, told):
    link = link_by(people[Role.ADMINISTRATOR], people[Role.RATER])
    answer = follow(link, password, again)
    assert answer.status_code == 200
    assert told in shown(answer)
    assert follow(link).status_code == 302


@pytest.mark.parametrize("link", ["x", "1.", "zz.abc-def", "0.x-y", "9" * 40 + ".a-b"])
def test_nonsense_is_no_link(link):
    assert "does not work" in shown(Client().get(reverse("people:reset", args=[link])))


def test_there_is_one_way_to_a_new_password(client, db):
    assert client.get("/account/password/reset/").url == reverse("people:lost-password")


def test_a_mail_server_that_refuses_is_told_to_who_runs_the_server_alone(client, monkeypatch, caplog):
    def refusing(*_args, **_named):
        raise SMTPServerDisconnected

    make_user(username="lost", email="lost@example.org")
    monkeypatch.setattr(resetting, "send_mail", refusing)
    refused = client.post(reverse("people:lost-password"), {"login": "lost"}, follow=True)
    assert "a link is on its way to it" in shown(refused)
    assert "could not be sent" in caplog.text
    assert "lost@example.org" not in caplog.text
