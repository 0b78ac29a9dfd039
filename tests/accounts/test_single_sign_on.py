"""Logging in by the hospital's own login: against a real OpenID Connect provider, small and on a loopback port."""

import io
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from allauth.socialaccount.models import SocialAccount
from django.core import mail
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from ctplatform.accounts import access, checks
from ctplatform.accounts.models import AccountEvent, Role, User
from ctplatform.accounts.record import Author
from ctplatform.accounts.resetting import send_link
from tests.accounts.provider import CLIENT, SECRET, Provider
from tests.factories import PASSWORD, make_user
from tests.pages import shown

pytestmark = pytest.mark.django_db
GROUPS = {"CN=Ward readers,OU=Groups": "rater", "staff": "researcher", "leads": "coordinator", "it": "administrator"}
ANNA = {
    "sub": "4711",
    "preferred_username": "anna",
    "name": "Anna Ward",
    "email": "anna@hospital.example",
    "email_verified": True,
    "groups": ["staff", "everybody"],
}


@pytest.fixture
def provider(settings):
    with Provider() as running:
        running.person = dict(ANNA)
        settings.CT_OIDC_ISSUER = running.issuer
        settings.CT_OIDC_NAME = "Hospital login"
        settings.CT_OIDC_ROLES = GROUPS
        app = {
            "provider_id": settings.CT_OIDC_PROVIDER_ID,
            "name": settings.CT_OIDC_NAME,
            "client_id": CLIENT,
            "secret": SECRET,
            "settings": {"server_url": running.issuer},
        }
        settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": [app]}}
        yield running


@pytest.fixture
def begin(settings):
    return reverse("openid_connect_login", args=[settings.CT_OIDC_PROVIDER_ID])


@pytest.fixture
def log_in(begin):
    """Presses the button, goes to the provider and comes back, as a browser does; gives the last page."""

    def run(client, query=""):
        away = client.post(begin + query)
        assert away.status_code == 302, away.content
        back = urlsplit(requests.get(away["Location"], allow_redirects=False, timeout=10).headers["Location"])
        return client.get(f"{back.path}?{back.query}", follow=True)

    return run


def logged_in(client):
    return User.objects.filter(pk=client.session.get("_auth_user_id")).first()


def test_without_a_provider_there_is_no_button_and_no_way(client, begin):
    assert "sign-on" not in client.get("/account/login/").content.decode()
    assert client.post(begin).status_code == 404


def test_whoever_has_a_group_with_a_role_gets_an_account(client, provider, log_in):
    page = client.get("/account/login/?next=/datasets/").content.decode()
    assert "Hospital login" in page
    assert log_in(client, "?next=/datasets/").request["PATH_INFO"] == "/datasets/"
    anna = logged_in(client)
    assert (anna.username, anna.display_name, anna.role) == ("anna", "Anna Ward", Role.RESEARCHER)
    assert (anna.email, anna.has_usable_password()) == ("anna@hospital.example", False)
    assert AccountEvent.objects.filter(subject=anna).values_list("kind", flat=True)[1] == "joined_by_sign_on"
    assert SocialAccount.objects.get(user=anna).extra_data == {}
    assert provider.asked[0]["code_challenge_method"] == "S256"
    again = Client()
    log_in(again)
    assert logged_in(again) == anna
    assert User.objects.count() == 1


def test_the_record_of_who_joined_is_english_whatever_the_browser_asks(client, provider, log_in):
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "de"
    log_in(client)
    assert AccountEvent.objects.get(kind="joined_by_sign_on").detail == "As researcher"


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        (["everybody"], "none of your groups has a role here"),
        (None, "none of your groups has a role here"),
        (["staff", "CN=Ward readers,OU=Groups"], "it has to be one of the two"),
    ],
)
def test_without_a_single_role_there_is_no_account(client, provider, log_in, groups, words):
    provider.person["groups"] = groups
    page = log_in(client)
    assert words in shown(page)
    assert page.request["PATH_INFO"] == "/account/login/"
    assert not User.objects.exists()
    assert not SocialAccount.objects.exists()


@pytest.mark.parametrize(
    ("claim", "told", "role"),
    [
        ("groups", {"groups": "leads"}, Role.COORDINATOR),
        ("groups", {"groups": ["staff", "leads"]}, Role.COORDINATOR),
        ("groups", {"groups": ["CN=Ward readers,OU=Groups"]}, Role.RATER),
        ("realm_access.roles", {"realm_access": {"roles": ["it"]}}, Role.ADMINISTRATOR),
    ],
)
def test_the_claim_says_who_somebody_is(client, provider, log_in, settings, claim, told, role):
    settings.CT_OIDC_ROLE_CLAIM = claim
    provider.person.update(told)
    log_in(client)
    assert logged_in(client).role == role


def test_another_group_is_another_role_at_the_next_login(client, provider, log_in):
    log_in(client)
    provider.person["groups"] = ["leads"]
    log_in(Client())
    anna = User.objects.get()
    assert anna.role == Role.COORDINATOR
    event = AccountEvent.objects.get(kind="role_changed")
    assert (event.subject, event.detail) == (anna, "Researcher → Coordinator, by Hospital login")
    provider.person["groups"] = ["CN=Ward readers,OU=Groups"]
    other = Client()
    assert "Nobody rates what they have seen unblinded" in shown(log_in(other))
    assert logged_in(other) is None
    provider.person["groups"] = []
    log_in(other)
    assert logged_in(other) is None


def test_the_last_administrator_stays_one(client, provider, log_in):
    provider.person["groups"] = ["it"]
    log_in(client)
    provider.person["groups"] = ["staff"]
    log_in(Client())
    assert User.objects.get().role == Role.ADMINISTRATOR
    make_user(Role.ADMINISTRATOR)
    log_in(Client())
    assert User.objects.get(username="anna").role == Role.RESEARCHER


def test_an_account_that_is_there_is_linked_by_its_owner_and_never_taken(client, provider, log_in):
    anna = make_user(Role.RESEARCHER, username="Anna", email="anna@hospital.example")
    assert "log in with its password and link it" in shown(log_in(client))
    assert (logged_in(client), SocialAccount.objects.count()) == (None, 0)
    client.force_login(anna)
    assert "Link this account" in shown(client.get("/people/account/"))
    assert "opens this account as well" in shown(log_in(client, "?process=connect"))
    fresh = Client()
    log_in(fresh)
    assert logged_in(fresh) == anna
    other = Client()
    other.force_login(make_user())
    assert "belongs to another account" in shown(log_in(other, "?process=connect"))
    assert "The link is ended" in shown(client.post("/people/account/end-link/", follow=True))
    assert "not linked" in shown(client.post("/people/account/end-link/", follow=True))
    assert [event.kind for event in anna.account_events.filter(kind__in=["linked", "unlinked"])] == [
        "unlinked",
        "linked",
    ]


def test_a_raters_account_is_not_linked_with_groups_of_staff(client, provider, log_in):
    client.force_login(make_user(Role.RATER))
    assert "needs another account" in shown(log_in(client, "?process=connect"))
    assert not SocialAccount.objects.exists()


def test_an_account_without_a_password_keeps_its_link_and_gets_no_password(client, provider, log_in):
    log_in(client)
    page = shown(client.get("/people/account/"))
    assert "has no password here: Hospital login opens it." in page
    assert "Change the password" not in page
    assert "has no password, so without its link" in shown(client.post("/people/account/end-link/", follow=True))
    assert client.get("/account/password/change/", follow=True).request["PATH_INFO"] == "/people/account/"
    send_link(login="anna", address=None, as_url=str)
    assert mail.outbox == []


def test_a_proven_address_is_taken_once_and_an_unproven_one_never(client, provider, log_in):
    make_user(email="anna@hospital.example")
    log_in(client)
    assert User.objects.get(username="anna").email == ""
    provider.person |= {"sub": "4712", "preferred_username": "ben", "email": "ben@x.example", "email_verified": False}
    log_in(Client())
    assert User.objects.get(username="ben").email == ""


def test_deactivated_accounts_stay_out(client, provider, log_in):
    log_in(client)
    anna = User.objects.get()
    access.deactivate(user=anna, author=Author(user=make_user(Role.ADMINISTRATOR)))
    assert client.get("/datasets/").status_code == 302
    provider.person["groups"] = ["leads"]
    outside = Client()
    assert outside.get("/account/inactive/").status_code == log_in(outside).status_code == 200
    assert logged_in(outside) is None
    anna.refresh_from_db()
    assert anna.role == Role.RESEARCHER


def test_signing_out_everywhere_ends_these_logins_too(client, provider, log_in):
    other = Client()
    for browser in (client, other):
        log_in(browser)
        assert browser.get("/datasets/").status_code == 200
    client.post("/people/account/sign-out/")
    for browser in (client, other):
        assert browser.get("/datasets/").status_code == 302


def test_a_second_factor_is_asked_for_here_too(client, provider, log_in):
    log_in(client)
    TOTP.activate(User.objects.get(), generate_totp_secret())
    other = Client()
    assert log_in(other).request["PATH_INFO"] == "/account/mfa/authenticate/" or "2fa" in other.get("/").url
    assert logged_in(other) is None


@pytest.mark.parametrize(
    ("wrong", "words"),
    [("cancelled", "You have cancelled it"), ("token", "did not let you in"), ("audience", "did not let you in")],
)
def test_what_goes_wrong_at_the_provider_is_told_and_lets_nobody_in(client, provider, log_in, wrong, words):
    provider.wrong = wrong
    page = log_in(client)
    assert words in shown(page)
    assert page.request["PATH_INFO"] == "/account/login/"
    assert not User.objects.exists()


def test_an_answer_that_nobody_asked_for_lets_nobody_in(client, provider, log_in, begin):
    away = client.post(begin)
    back = urlsplit(requests.get(away["Location"], allow_redirects=False, timeout=10).headers["Location"])
    stranger = Client()
    assert "did not let you in" in shown(stranger.get(f"{back.path}?{back.query}", follow=True))
    assert not User.objects.exists()
    log_in(client)
    used = parse_qs(back.query)
    assert used["code"]
    fresh = Client()
    fresh.post(begin)
    assert "did not let you in" in shown(fresh.get(f"{back.path}?{back.query}", follow=True))


def test_a_provider_that_is_away_is_told(client, provider, begin, settings):
    settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"][0]["settings"]["server_url"] = "http://127.0.0.1:9"
    page = client.post(begin, follow=True)
    assert "Hospital login does not answer." in shown(page)
    assert page.request["PATH_INFO"] == "/account/login/"


def test_settings_that_would_let_nobody_in_stop_the_start(settings):
    assert checks.single_sign_on_is_whole() == []
    settings.CT_OIDC_ISSUER = "http://login.hospital.example"
    settings.CT_OIDC_ROLES = {}
    assert {found.id for found in checks.single_sign_on_is_whole()} == {"accounts.E001", "accounts.E002"}
    settings.CT_OIDC_ISSUER, settings.CT_OIDC_ROLES = "https://login.hospital.example", {"staff": "boss"}
    assert [found.id for found in checks.single_sign_on_is_whole()] == ["accounts.E003"]


def test_the_command_says_what_the_provider_must_know(provider, settings):
    said = io.StringIO()
    call_command("single_sign_on", stdout=said)
    assert reverse("openid_connect_callback", args=[settings.CT_OIDC_PROVIDER_ID]) in said.getvalue()
    assert "staff: Researcher" in said.getvalue()
    assert f"{provider.issuer} answers." in said.getvalue()
    settings.CT_OIDC_ISSUER = "http://127.0.0.1:9"
    with pytest.raises(CommandError, match="does not answer"):
        call_command("single_sign_on")
    settings.CT_OIDC_ISSUER = ""
    with pytest.raises(CommandError, match="off"):
        call_command("single_sign_on")


def test_a_login_by_password_goes_on(client, provider):
    person = make_user()
    client.post("/account/login/", {"login": person.username, "password": PASSWORD})
    assert logged_in(client) == person
