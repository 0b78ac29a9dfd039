"""Access can be taken away, by its owner and by administrators, and the record shows it."""

import importlib
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.contrib.auth.hashers import make_password
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.utils import timezone

from ctplatform.accounts import access, services
from ctplatform.accounts.models import AccountEvent, AccountEventKind, ApiToken, Invitation, Role, User
from ctplatform.accounts.record import RECORD, Author, note
from ctplatform.errors import ConflictError, DomainError
from tests.factories import PASSWORD, make_user, token_headers

pytestmark = pytest.mark.django_db
NEW_PASSWORD = "an even longer password"


@pytest.fixture
def administrator():
    return make_user(role=Role.ADMINISTRATOR)


@pytest.fixture
def person():
    return make_user(role=Role.RESEARCHER)


def logged_in(user, **options):
    browser = Client(**options)
    browser.post("/account/login/", {"login": user.username, "password": PASSWORD})
    assert is_in(browser)
    return browser


def is_in(browser):
    return browser.get("/people/account/").status_code == 200


def opens(headers):
    return Client().get("/api/jobs/", headers=headers).status_code == 200


def kinds(user):
    return [event.kind for event in AccountEvent.objects.filter(subject=user).order_by("pk")]


def test_deactivation_ends_logins_tokens_and_open_invitations(administrator):
    person = make_user(role=Role.COORDINATOR)
    browsers, headers = [logged_in(person), logged_in(person)], token_headers(person)
    services.invite(invited_by=person, name="Dr Reader", role=Role.RATER)
    assert opens(headers)
    admins = logged_in(administrator)
    assert "deactivated" in admins.post(f"/people/{person.pk}/deactivate/", follow=True).content.decode()
    assert [is_in(browser) for browser in browsers] == [False, False]
    assert not opens(headers)
    assert not Invitation.objects.open().exists()
    refused = Client().post("/account/login/", {"login": person.username, "password": PASSWORD}, follow=True)
    assert "switched off" in refused.content.decode()
    assert (admins.post(f"/people/{person.pk}/reactivate/").status_code, opens(headers)) == (302, False)
    assert [is_in(browser) for browser in browsers] == [False, False]
    logged_in(person)
    assert kinds(person)[-3:] == ["deactivated", "reactivated", "logged_in"]


def test_nobody_deactivates_themselves_so_one_administrator_is_always_left(administrator):
    other = make_user(role=Role.ADMINISTRATOR)
    with pytest.raises(DomainError, match="your own"):
        access.deactivate(user=administrator, author=Author(user=administrator))
    access.deactivate(user=other, author=Author(user=administrator))
    with pytest.raises(DomainError, match="Only administrators"):
        access.deactivate(user=administrator, author=Author(user=other))
    with pytest.raises(ConflictError):
        access.deactivate(user=other, author=Author(user=administrator))
    assert User.objects.get(pk=administrator.pk).is_active


@pytest.mark.parametrize(
    ("role", "status"), [(Role.COORDINATOR, 403), (Role.RESEARCHER, 403), (Role.RATER, 404), (None, 302)]
)
def test_only_administrators_reach_other_accounts(client, person, role, status):
    if role:
        client.force_login(make_user(role=role))
    assert client.get(f"/people/{person.pk}/").status_code == status
    assert client.get("/people/record/").status_code == status
    for action in ("deactivate", "reactivate", "sign-out"):
        assert client.post(f"/people/{person.pk}/{action}/").status_code == status
    assert kinds(person) == []
    assert User.objects.get(pk=person.pk).is_active


@pytest.mark.parametrize("role", Role.values)
def test_everybody_can_sign_out_everywhere(role):
    user = make_user(role=role)
    browsers = [logged_in(user), logged_in(user)]
    headers = token_headers(user) if role != Role.RATER else None
    answer = browsers[0].post("/people/account/sign-out/", follow=True)
    assert "signed out everywhere" in answer.content.decode()
    assert [is_in(browser) for browser in browsers] == [False, False]
    assert headers is None or not opens(headers)


def test_logging_out_ends_this_login_alone(person):
    here, there = logged_in(person), logged_in(person)
    here.post("/account/logout/")
    assert [is_in(here), is_in(there)] == [False, True]
    assert kinds(person) == ["logged_in", "logged_in", "logged_out"]


def test_a_new_password_ends_other_logins_and_tokens_but_not_this_one(person):
    here, there, headers = logged_in(person), logged_in(person), token_headers(person)
    before = here.session.session_key
    form = {"oldpassword": PASSWORD, "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    assert here.post("/account/password/change/", form).status_code == 302
    assert [is_in(here), is_in(there), opens(headers)] == [True, False, False]
    assert here.session.session_key != before
    assert not ApiToken.objects.filter(ended_at=None).exists()
    assert kinds(person)[-1] == "password_changed"


def test_a_password_changed_on_the_server_ends_logins_and_tokens_too(person):
    browser, headers = logged_in(person), token_headers(person)
    person.set_password(NEW_PASSWORD)
    person.save(update_fields=["password"])
    assert [is_in(browser), opens(headers)] == [False, False]


def test_a_password_hashed_anew_ends_nothing(person, settings):
    headers = token_headers(person)
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher", *settings.PASSWORD_HASHERS]
    browser = logged_in(person)
    assert User.objects.get(pk=person.pk).password.startswith("pbkdf2")
    assert is_in(browser)
    assert opens(headers)


def test_the_session_key_changes_at_login(client, person):
    planted = client.session
    planted["here"] = 1
    planted.save()
    client.cookies["sessionid"] = planted.session_key
    client.post("/account/login/", {"login": person.username, "password": PASSWORD})
    assert is_in(client)
    assert client.cookies["sessionid"].value != planted.session_key
    thief = Client()
    thief.cookies["sessionid"] = planted.session_key
    assert not is_in(thief)


def test_a_token_is_shown_once_kept_as_a_digest_and_ends_on_request(client, person):
    client.force_login(person)
    page = client.post("/people/token/", {"name": "night job"})
    key = page.context["key"]
    assert key in page.content.decode()
    assert key not in client.get("/people/token/").content.decode()
    assert key not in str(list(ApiToken.objects.values()))
    headers = {"Authorization": f"Token {key}"}
    assert opens(headers)
    token = ApiToken.objects.get()
    assert token.name == "night job"
    assert timezone.now() - token.last_used_at < timedelta(minutes=1)
    stranger = Client()
    stranger.force_login(make_user())
    assert stranger.post(f"/people/token/{token.pk}/end/").status_code == 404
    assert opens(headers)
    client.post(f"/people/token/{token.pk}/end/")
    assert not opens(headers)
    assert "already" in client.post(f"/people/token/{token.pk}/end/", follow=True).content.decode()
    assert kinds(person)[-2:] == ["token_made", "token_ended"]


def test_tokens_are_several_but_not_without_end(person, monkeypatch):
    monkeypatch.setattr(access, "MOST_TOKENS", 2)
    first, second = token_headers(person), token_headers(person)
    assert opens(first)
    assert opens(second)
    with pytest.raises(ConflictError, match="End one"):
        token_headers(person)


def test_a_rater_has_no_token(client):
    rater = make_user(role=Role.RATER)
    with pytest.raises(DomainError, match="no tokens"):
        token_headers(rater)


def test_a_token_of_somebody_who_became_a_rater_opens_nothing(person, client):
    headers = token_headers(person)
    User.objects.filter(pk=person.pk).update(role=Role.RATER)
    for path in ("/api/jobs/", "/api/datasets/scans/", "/api/synthesis/jobs/", "/api/studies/", "/api/schema/"):
        assert client.get(path, headers=headers).status_code in {403, 404}, path


def test_wrong_tokens_are_counted_and_right_ones_are_not_kept_out(person, settings):
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "tokens"}}
    headers, wrong = token_headers(person), {"Authorization": "Token ward_guess"}
    answers = [Client().get("/api/jobs/", headers=wrong).status_code for _ in range(61)]
    assert (set(answers[:60]), answers[60]) == ({401}, 429)
    assert opens(headers)


def test_one_token_cannot_flood_the_api(person, settings, monkeypatch):
    from ctplatform.accounts.authentication import TokenThrottle

    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "flood"}}
    monkeypatch.setattr(TokenThrottle, "THROTTLE_RATES", {"token": "2/m"})
    headers = token_headers(person)
    assert [Client().get("/api/jobs/", headers=headers).status_code for _ in range(3)] == [200, 200, 429]
    assert opens(token_headers(person))


def test_the_record_is_kept_by_the_database(person):
    note(AccountEventKind.LOGGED_IN, subject=person, author=Author(user=person))
    for statement in ("UPDATE accounts_accountevent SET detail = 'x'", "DELETE FROM accounts_accountevent"):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    RECORD.uninstall(connection)
    call_command("migrate", verbosity=0)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        AccountEvent.objects.all().delete()


def test_the_record_says_who_whom_and_from_where(administrator, person):
    admins = logged_in(administrator, REMOTE_ADDR="192.0.2.7")
    admins.post(f"/people/{person.pk}/sign-out/")
    event = AccountEvent.objects.get(subject=person)
    assert (event.kind, event.actor, event.address) == ("signed_out_everywhere", administrator, "192.0.2.7")
    page = admins.get("/people/record/").content.decode()
    assert "192.0.2.7" in page
    assert str(person) in page
    only = admins.get(f"/people/record/?person={administrator.username}")
    assert {entry.subject for entry in only.context["events"]} == {administrator}


def test_plain_tokens_of_an_earlier_version_end_and_leave_nothing_behind(person):
    migration = importlib.import_module("ctplatform.accounts.migrations.0004_record_and_plain_tokens")
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE authtoken_token (key varchar(40), user_id bigint)")
        cursor.execute("INSERT INTO authtoken_token VALUES ('0123456789abcdef', %s)", [person.pk])
    migration.end_plain_tokens(apps, SimpleNamespace(connection=connection))
    assert "authtoken_token" not in connection.introspection.table_names()
    assert not opens({"Authorization": "Token 0123456789abcdef"})
    assert kinds(person) == ["token_ended"]
    migration.end_plain_tokens(apps, SimpleNamespace(connection=connection))


def test_making_an_account_by_hand_needs_no_new_number():
    user = User(username="by-hand", password=make_password(PASSWORD))
    user.set_password(PASSWORD)
    user.save()
    assert user.access_number == 1
