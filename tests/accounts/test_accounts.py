from datetime import timedelta

import pytest
from django.utils import timezone

from ctplatform.accounts import services
from ctplatform.accounts.models import Invitation, Role, User
from ctplatform.accounts.record import Author
from ctplatform.errors import ConflictError, DomainError
from tests.factories import PASSWORD, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def coordinator():
    return make_user(role=Role.COORDINATOR)


def invite(coordinator, role=Role.RATER):
    return services.invite(invited_by=coordinator, name="Dr Reader", role=role)


def test_an_invitation_makes_one_account(client, coordinator):
    _, token = invite(coordinator)
    answers = {
        "username": "reader",
        "display_name": "Dr Reader",
        "password": "plenty long enough",
        "password_again": "plenty long enough",
    }
    assert client.get(f"/people/invitation/{token}/").status_code == 200
    assert client.post(f"/people/invitation/{token}/", answers).status_code == 302
    user = User.objects.get(username="reader")
    assert (user.role, user.check_password("plenty long enough")) == (Role.RATER, True)
    client.logout()
    again = client.post(f"/people/invitation/{token}/", {**answers, "username": "second"})
    assert "has been used" in again.content.decode()
    assert not User.objects.filter(username="second").exists()


def test_the_database_does_not_hold_the_link(coordinator):
    _, token = invite(coordinator)
    assert token not in str(list(Invitation.objects.values()))


@pytest.mark.parametrize("spoil", ["expired", "revoked"])
def test_a_dead_invitation_is_refused(coordinator, spoil):
    invitation, token = invite(coordinator)
    if spoil == "expired":
        Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    else:
        services.revoke(invitation=invitation, author=Author(user=coordinator))
    with pytest.raises(ConflictError):
        services.accept(token=token, username="late", display_name="", password=PASSWORD)


def test_a_coordinator_cannot_make_an_administrator(coordinator):
    with pytest.raises(DomainError):
        invite(coordinator, role=Role.ADMINISTRATOR)


def test_weak_or_different_passwords_are_refused_and_the_name_is_kept(client, coordinator):
    _, token = invite(coordinator)
    page = client.post(
        f"/people/invitation/{token}/",
        {"username": "reader", "password": "short", "password_again": "other"},
    ).content.decode()
    assert "The two passwords differ." in page
    assert 'value="reader"' in page
    assert not User.objects.filter(username="reader").exists()


def test_nobody_signs_up_without_an_invitation(client):
    page = client.get("/account/signup/")
    assert b"<form" not in page.content or b"password" not in page.content


@pytest.mark.parametrize(
    ("role", "people", "datasets", "home"),
    [
        (Role.ADMINISTRATOR, 200, 200, "/"),
        (Role.COORDINATOR, 200, 200, "/"),
        (Role.RESEARCHER, 403, 200, "/"),
        (Role.RATER, 404, 404, "/reading/"),
    ],
)
def test_everyone_lands_where_their_work_is(client, role, people, datasets, home):
    client.force_login(make_user(role=role))
    assert client.get("/", follow=True).request["PATH_INFO"] == home
    assert client.get("/people/").status_code == people
    assert client.get("/datasets/").status_code == datasets


def test_login_by_password(client):
    user = make_user(role=Role.RESEARCHER)
    answer = client.post("/account/login/", {"login": user.username, "password": PASSWORD})
    assert (answer.status_code, answer.url) == (302, "/")
    client.logout()
    wrong = client.post("/account/login/", {"login": user.username, "password": "no"})
    assert (wrong.status_code, "not correct" in wrong.content.decode()) == (200, True)
