"""The pages that allauth serves are the product's: its words, its layout, every step of a second factor."""

import re

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.test import Client
from django.urls import NoReverseMatch, reverse

from tests.factories import PASSWORD, make_user
from tests.pages import shown

pytestmark = pytest.mark.django_db
OTHERS_WORDS = re.compile(
    r"sign(ed)? (in|out|up)|two-factor|authenticator app is|third-party|reauthenticate|are you sure",
    re.IGNORECASE,
)


def code_of(secret):
    return format_hotp_value(hotp_value(secret, next(yield_hotp_counters_from_time())))


def entered(client, name):
    """The page, after the password has been given once more where it is asked for."""
    page = client.get(reverse(name))
    if page.status_code == 302:
        speaks_as_the_rest(client.get(page.url))
        page = client.post(page.url, {"password": PASSWORD}, follow=True)
    return speaks_as_the_rest(page)


def speaks_as_the_rest(page):
    assert page.status_code == 200
    text = shown(page)
    assert 'class="narrow card"' in text, page.request["PATH_INFO"]
    assert not OTHERS_WORDS.search(re.sub(r"<[^>]+>", " ", text)), OTHERS_WORDS.search(text)
    return text


def test_a_second_factor_from_on_to_off(client):
    person = make_user()
    client.post("/account/login/", {"login": person.username, "password": PASSWORD})
    speaks_as_the_rest(client.get(reverse("account_change_password")))
    assert "Switch it on" in speaks_as_the_rest(client.get(reverse("mfa_index")))
    secret = re.search(r'value="([A-Z2-7]{16,})"', entered(client, "mfa_activate_totp"))[1]
    assert "Incorrect" in speaks_as_the_rest(client.post(reverse("mfa_activate_totp"), {"code": "000000"}))
    after = client.post(reverse("mfa_activate_totp"), {"code": code_of(secret)}, follow=True)
    codes = speaks_as_the_rest(after)
    assert "10 of 10 are left" in codes
    for name in ("mfa_index", "mfa_view_recovery_codes", "mfa_generate_recovery_codes", "mfa_deactivate_totp"):
        entered(client, name)

    other = Client()
    asked = other.post("/account/login/", {"login": person.username, "password": PASSWORD}, follow=True)
    assert "one of your recovery codes" in speaks_as_the_rest(asked)
    one_code = re.search(r"<pre[^>]*>\s*(\w+)", codes)[1]
    other.post(reverse("mfa_authenticate"), {"code": one_code})
    assert "9 of 10 are left" in speaks_as_the_rest(other.get(reverse("mfa_index")))
    speaks_as_the_rest(other.get(reverse("account_reauthenticate")))
    assert "Switch it on" in speaks_as_the_rest(client.post(reverse("mfa_deactivate_totp"), follow=True))


@pytest.mark.parametrize("path", ["/account/logout/", "/account/signup/"])
def test_pages_around_the_login(client, path):
    client.force_login(make_user())
    if path == "/account/signup/":
        client.logout()
    speaks_as_the_rest(client.get(path))


@pytest.mark.parametrize("name", ["account_email", "account_email_verification_sent"])
def test_addresses_are_changed_on_the_accounts_own_page_alone(client, name):
    client.force_login(make_user())
    assert client.get(reverse(name)).url == reverse("people:account")


def test_nothing_else_of_allauth_can_be_reached():
    for name in ("socialaccount_connections", "socialaccount_signup", "mfa_trust", "account_request_login_code"):
        with pytest.raises(NoReverseMatch):
            reverse(name)
