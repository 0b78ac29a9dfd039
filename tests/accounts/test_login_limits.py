"""Wrong passwords slow down whoever tries them, and nobody else."""

import itertools

import pytest
from django.test import Client, RequestFactory

from ctplatform.accounts.models import AccountEvent, Role
from ctplatform.accounts.record import Author
from tests.factories import PASSWORD, make_user

pytestmark = pytest.mark.django_db
_caches = itertools.count()
OFFICE, ELSEWHERE = "192.0.2.10", "198.51.100.7"


@pytest.fixture(autouse=True)
def counting(settings):
    location = f"logins {next(_caches)}"
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": location}}


@pytest.fixture
def user():
    return make_user(role=Role.RATER)


def attempt(login, password=PASSWORD, *, address=OFFICE, browser=None):
    browser = browser or Client()
    page = browser.post("/account/login/", {"login": login, "password": password}, REMOTE_ADDR=address)
    if page.status_code == 302:
        browser.post("/account/logout/", REMOTE_ADDR=address)
        return "in"
    return "paused" if "too many wrong logins" in page.content.decode() else "refused"


def test_guessing_is_paused_and_the_words_say_what_to_do(user):
    assert [attempt(user.username, f"wrong {n}") for n in range(11)] == ["refused"] * 10 + ["paused"]
    assert attempt(user.username) == "paused"
    page = Client().post("/account/login/", {"login": user.username, "password": "x"}, REMOTE_ADDR=OFFICE)
    assert "Wait five minutes" in page.content.decode()
    kinds = [event.kind for event in AccountEvent.objects.filter(subject=user).order_by("pk")]
    assert kinds == ["login_refused"] * 10 + ["login_paused"]


def test_who_tries_names_keeps_nobody_else_out(user):
    for n in range(11):
        attempt(f"nobody{n}", "wrong")
    assert attempt(user.username) == "in"


def test_who_tries_an_account_keeps_its_owner_out_at_one_address_only(user):
    for n in range(12):
        attempt(user.username, f"wrong {n}", address=ELSEWHERE)
    assert attempt(user.username, address=ELSEWHERE) == "paused"
    assert attempt(user.username, address=OFFICE) == "in"


def test_a_familiar_browser_is_never_kept_out_by_others(user, settings):
    """Not from the same address, not from a hundred others."""
    settings.ACCOUNT_RATE_LIMITS = {**settings.ACCOUNT_RATE_LIMITS, "login_account": "20/h/key"}
    mine = Client()
    assert attempt(user.username, browser=mine) == "in"
    for n in range(12):
        attempt(user.username, f"wrong {n}", address=OFFICE)
    for n in range(20):
        attempt(user.username, f"wrong {n}", address=f"203.0.113.{n}")
    assert attempt(user.username, address="203.0.113.200") == "paused"
    assert attempt(user.username, browser=mine, address=OFFICE) == "in"


def test_a_familiar_browser_is_counted_as_well(user):
    mine = Client()
    attempt(user.username, browser=mine)
    tries = [attempt(user.username, f"wrong {n}", browser=mine, address=f"203.0.113.{n}") for n in range(11)]
    assert tries == ["refused"] * 10 + ["paused"]


def test_a_mark_that_somebody_made_up_makes_no_browser_familiar(user):
    mine = Client()
    attempt(user.username, browser=mine)
    (name,) = [name for name in mine.cookies if name.startswith("familiar_")]
    tries = []
    for n in range(11):
        forger = Client()
        forger.cookies[name] = f"{n}:forged:mark"
        tries.append(attempt(user.username, f"wrong {n}", browser=forger))
    assert tries[-1] == "paused"


def test_right_logins_use_nothing_up(user):
    assert [attempt(user.username) for _ in range(15)] == ["in"] * 15


@pytest.mark.parametrize(
    ("proxies", "forwarded", "believed"),
    [
        (0, "203.0.113.5", OFFICE),
        (1, "203.0.113.5", "203.0.113.5"),
        (1, "6.6.6.6, 203.0.113.5", "203.0.113.5"),
        (2, "6.6.6.6, 203.0.113.5, 192.0.2.1", "203.0.113.5"),
        (2, "203.0.113.5", OFFICE),
        (1, "rubbish", OFFICE),
        (1, None, OFFICE),
    ],
)
def test_forwarded_addresses_are_believed_from_our_proxies_only(settings, proxies, forwarded, believed):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = proxies
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    request = RequestFactory().get("/", REMOTE_ADDR=OFFICE, headers=headers)
    assert Author.of(request).address == believed


def test_inventing_addresses_evades_no_limit(user):
    tries = []
    for n in range(11):
        browser = Client(headers={"X-Forwarded-For": f"203.0.113.{n}"})
        tries.append(attempt(user.username, f"wrong {n}", browser=browser))
    assert tries[-1] == "paused"
