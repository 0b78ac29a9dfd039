"""Accounts of programs that read: nobody can log in to one, and its one token is its only key."""

import pytest
from django.test import Client

from ctplatform.accounts import programs
from ctplatform.accounts.models import AccountEvent, ApiToken, Program, Role
from ctplatform.accounts.record import Author
from ctplatform.errors import ForbiddenError
from tests.factories import make_user

pytestmark = pytest.mark.django_db
DIGEST = "0123456789abcdef" * 4
FIELDS = {"name": "Detector", "version": "2.1", "digest": DIGEST, "run_number": 1}


@pytest.fixture
def coordinator():
    return make_user(Role.COORDINATOR)


@pytest.fixture
def desk(coordinator):
    client = Client()
    client.force_login(coordinator)
    return client


def registered(coordinator, **fields):
    return programs.register_program(author=Author(user=coordinator), **{**FIELDS, **fields})


def reads_with(key):
    return Client().get("/api/reading/sessions/", headers={"Authorization": f"Token {key}"}).status_code


def test_a_coordinator_registers_a_program_and_sees_its_token_once(desk):
    page = desk.post("/people/programs/", FIELDS)
    program = Program.objects.select_related("user").get()
    key = page.context["key"]
    assert key in page.content.decode()
    assert reads_with(key) == 200
    assert key not in desk.get("/people/programs/").content.decode()
    assert "Detector 2.1" in desk.get("/people/programs/").content.decode()
    assert not program.user.has_usable_password()
    events = AccountEvent.objects.filter(subject=program.user).order_by("pk")
    assert [event.kind for event in events] == ["program_registered", "token_made"]


def test_a_new_token_ends_the_one_before(desk, coordinator):
    program, first = registered(coordinator)
    second = desk.post(f"/people/programs/{program.pk}/key/").context["key"]
    assert (reads_with(first), reads_with(second)) == (401, 200)
    assert ApiToken.objects.alive().filter(user=program.user).count() == 1


def test_whoever_did_not_register_a_program_gets_no_key_to_it(coordinator):
    """It may be reading somebody else's study at this moment."""
    program, key = registered(coordinator)
    other = Client()
    other.force_login(make_user(Role.COORDINATOR))
    address = f"/people/programs/{program.pk}/key/"
    refused = other.post(address, follow=True)
    assert f"Only {coordinator} and administrators make another key" in refused.content.decode()
    assert address not in refused.content.decode()
    assert reads_with(key) == 200
    programs.renew_key(program=program, author=Author(user=make_user(Role.ADMINISTRATOR)))
    assert reads_with(key) == 401


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"digest": "12ab"}, "64 characters"),
        ({"run_number": 0}, "greater than or equal to 1"),
        ({"name": ""}, "required"),
    ],
)
def test_what_does_not_name_a_program_is_refused_and_stays_typed(desk, changes, said):
    page = desk.post("/people/programs/", {**FIELDS, **changes})
    assert page.status_code == 422
    assert said in page.content.decode()
    assert "2.1" in page.content.decode()
    assert not Program.objects.exists()


def test_one_run_has_one_account_and_another_run_another(desk, coordinator):
    registered(coordinator)
    assert "has an account already" in desk.post("/people/programs/", FIELDS).content.decode()
    assert desk.post("/people/programs/", {**FIELDS, "run_number": 2}).status_code == 200
    assert Program.objects.count() == 2


def test_nobody_gets_a_password_for_a_program(coordinator):
    program, _ = registered(coordinator)
    administrator = Client()
    administrator.force_login(make_user(Role.ADMINISTRATOR))
    administrator.post(f"/people/{program.user.pk}/reset-link/")
    assert not AccountEvent.objects.filter(subject=program.user, kind="reset_link_made").exists()


@pytest.mark.parametrize("role", [Role.RESEARCHER, Role.RATER])
def test_others_register_none(role):
    person = make_user(role)
    client = Client()
    client.force_login(person)
    assert client.post("/people/programs/", FIELDS).status_code in {403, 404}
    with pytest.raises(ForbiddenError):
        registered(person)


def test_the_token_of_a_deactivated_program_opens_nothing(coordinator):
    program, key = registered(coordinator)
    administrator = Client()
    administrator.force_login(make_user(Role.ADMINISTRATOR))
    administrator.post(f"/people/{program.user.pk}/deactivate/")
    assert reads_with(key) == 401
