"""Addresses for lost passwords, roles that change, and login pages that were open for too long."""

import re

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse

from ctplatform.accounts import access, services
from ctplatform.accounts.models import AccountEvent, AccountEventKind, Role, User
from ctplatform.accounts.record import Author
from ctplatform.errors import ConflictError, DomainError, ForbiddenError
from tests.accounts.test_resetting import NEW, follow, logs_in
from tests.factories import PASSWORD, make_user
from tests.pages import shown

pytestmark = pytest.mark.django_db
SENT = "If this account exists and has an e-mail address, a link is on its way to it."


@pytest.fixture(autouse=True)
def counting(settings, request):
    location = f"addresses {request.node.name}"
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": location}}


def lost(login):
    return shown(Client().post(reverse("people:lost-password"), {"login": login}, follow=True))


@pytest.mark.parametrize("by", ["username", "email"])
def test_a_lost_password_is_chosen_anew_by_a_link_that_came_by_mail(by):
    rater = make_user(Role.RATER, email="reader@clinic.example")
    assert SENT in lost(getattr(rater, by).upper())
    [message] = mail.outbox
    assert message.to == ["reader@clinic.example"]
    [link] = re.findall(r"http://testserver/people/reset/(\S+)/", message.body)
    assert follow(link).status_code == 302
    assert logs_in(rater, NEW)
    assert follow(link, password="a third passphrase").status_code == 200
    event = AccountEvent.objects.get(kind=AccountEventKind.RESET_LINK_MADE)
    assert (event.subject, event.actor, event.detail) == (rater, None, "By e-mail")


def test_nobody_learns_by_it_who_has_an_account():
    make_user(Role.RATER, username="known")
    gone = make_user(Role.RATER, email="gone@clinic.example", is_active=False)
    assert all(SENT in lost(login) for login in ("known", "unknown", gone.username, gone.email))
    assert mail.outbox == []


def test_nobody_fills_a_mailbox():
    make_user(Role.RATER, email="reader@clinic.example")
    for _ in range(8):
        assert SENT in lost("reader@clinic.example")
    assert len(mail.outbox) == 3


def test_an_address_is_the_persons_own_and_only_one_accounts(client):
    person, other = make_user(), make_user(email="taken@clinic.example")
    client.force_login(person)
    address = reverse("people:email")
    for data, said in (
        ({"email": "me@clinic.example", "password": "wrong"}, "That is not your password"),
        ({"email": "Taken@clinic.example", "password": PASSWORD}, "Another account has this e-mail address"),
        ({"email": "no address", "password": PASSWORD}, "Enter a valid email address."),
    ):
        assert said in shown(client.post(address, data, follow=True))
        person.refresh_from_db()
        assert person.email == ""
    assert "is saved" in shown(client.post(address, {"email": "me@clinic.example", "password": PASSWORD}, follow=True))
    person.refresh_from_db()
    assert person.email == "me@clinic.example"
    assert AccountEvent.objects.filter(subject=person, kind=AccountEventKind.EMAIL_CHANGED).count() == 1
    with pytest.raises(ForbiddenError):
        services.change_email(user=other, email="", password=PASSWORD, author=Author(user=person))


def test_an_invited_person_may_leave_an_address_or_none():
    inviter = make_user(Role.COORDINATOR)
    for number, email in enumerate(["", "new@clinic.example"]):
        _, token = services.invite(invited_by=inviter, name="Reader", role=Role.RATER)
        data = {"username": f"reader{number}", "password": NEW, "password_again": NEW, "email": email}
        assert Client().post(reverse("people:accept", args=[token]), data).status_code == 302
        assert User.objects.get(username=f"reader{number}").email == email
    _, token = services.invite(invited_by=inviter, name="Reader", role=Role.RATER)
    with pytest.raises(ConflictError, match="Another account"):
        services.accept(token=token, username="third", display_name="", password=NEW, email="NEW@clinic.example")


def test_an_administrator_changes_roles_among_staff(client):
    administrator, person = make_user(Role.ADMINISTRATOR), make_user(Role.RESEARCHER)
    client.force_login(administrator)
    address = reverse("people:role", args=[person.pk])
    assert "has another role now" in shown(client.post(address, {"role": "coordinator"}, follow=True))
    person.refresh_from_db()
    assert person.role == Role.COORDINATOR
    event = AccountEvent.objects.get(kind=AccountEventKind.ROLE_CHANGED)
    assert (event.subject, event.actor, event.detail) == (person, administrator, "Researcher → Coordinator")
    assert "has this role already" in shown(client.post(address, {"role": "coordinator"}, follow=True))


@pytest.mark.parametrize(("was", "becomes"), [(Role.RATER, Role.RESEARCHER), (Role.RESEARCHER, Role.RATER)])
def test_who_rates_never_becomes_somebody_who_sees_datasets_nor_the_other_way(was, becomes):
    person = make_user(was)
    with pytest.raises(DomainError, match="second account"):
        access.change_role(user=person, role=becomes, author=Author(user=make_user(Role.ADMINISTRATOR)))
    person.refresh_from_db()
    assert person.role == was


def test_nobody_else_changes_roles_and_nobody_their_own():
    administrator, person = make_user(Role.ADMINISTRATOR), make_user()
    for author in (make_user(Role.COORDINATOR), person):
        with pytest.raises(ForbiddenError):
            access.change_role(user=person, role=Role.COORDINATOR, author=Author(user=author))
    with pytest.raises(DomainError, match="own role"):
        access.change_role(user=administrator, role=Role.RESEARCHER, author=Author(user=administrator))


class TestALoginPageThatWasOpenForLong:
    @pytest.fixture
    def window(self):
        return Client(enforce_csrf_checks=True)

    def test_it_comes_again_with_a_friendly_word_and_the_way_on(self, window):
        answer = window.post("/account/login/", {"login": "x", "password": "y", "next": "/datasets/"}, follow=True)
        assert answer.redirect_chain == [("/account/login/?next=/datasets/", 302)]
        assert "The login page had been open for too long" in shown(answer)

    def test_who_has_logged_in_in_another_window_is_let_on(self, window):
        window.force_login(make_user())
        assert window.post("/account/login/", {"next": "/datasets/"})["Location"] == "/datasets/"
        assert window.post("/account/login/", {"next": "https://elsewhere.example/"})["Location"] == "/"

    def test_other_forms_are_refused_as_before(self, window):
        window.force_login(make_user())
        assert window.post("/people/account/sign-out/").status_code == 403
