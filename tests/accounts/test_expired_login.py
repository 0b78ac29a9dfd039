"""What a person whose login has ended is answered: the way to the login, and from there to a page."""

from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from ctplatform.accounts.models import Role
from tests.doors.addresses import Things, addresses
from tests.factories import make_dataset, make_user

pytestmark = pytest.mark.django_db
OPEN_TO_ALL = (
    "/people/account/language/",
    "/api/",
    "/account/",
    "/people/invitation/",
    "/people/reset/",
    "/people/lost-password/",
    "/favicon.ico",
)


def sent(path, came_from="", **headers):
    if came_from:
        headers["referer"] = came_from
    return Client().post(path, headers=headers)


def way_back(answer):
    assert answer.status_code == 302
    address = urlsplit(answer["Location"])
    assert address.path == "/account/login/"
    return parse_qs(address.query)["next"]


def test_every_form_comes_back_to_a_page_that_opens():
    """Wherever it is sent from and whether or not the browser says so."""
    dataset = make_dataset(make_user(Role.ADMINISTRATOR))
    reader, asked = Client(), 0
    reader.force_login(dataset.owner)
    for address in addresses(Things(dataset=dataset.pk)):
        if "post" not in address.methods or address.path == "/" or address.path.startswith(OPEN_TO_ALL):
            continue
        for came_from in ("", f"http://testserver{address.path}", f"http://testserver{dataset.get_absolute_url()}"):
            [page] = way_back(sent(address.path, came_from))
            # What the crowd of ids leaves out is not there for anybody; no page refuses to be opened.
            assert reader.get(page).status_code in {200, 302, 404}, (address.path, page)
            asked += 1
    assert asked > 60


@pytest.mark.parametrize(
    ("came_from", "page"),
    [
        ("http://testserver/datasets/new/?x=1", "/datasets/new/?x=1"),
        ("http://testserver/people/invite/", "/"),
        ("https://elsewhere.example/datasets/", "/"),
        ("http://testserver/nothing/here/", "/"),
        ("", "/"),
    ],
)
def test_the_way_back_is_the_page_of_the_form(came_from, page):
    assert way_back(sent("/people/invite/", came_from)) == [page]


def test_the_login_page_says_why_it_is_there():
    client = Client()
    answer = client.post("/datasets/new/", {"name": "Mine"}, follow=True)
    assert answer.redirect_chain == [("/account/login/?next=/datasets/new/", 302)]
    assert "Your login has expired, so nothing was saved." in answer.content.decode()


@pytest.mark.parametrize("headers", [{"HX-Request": "true"}, {"accept": "application/json"}])
@pytest.mark.parametrize("method", ["get", "post"])
def test_code_in_a_page_is_told_instead_of_led_away(headers, method):
    answer = getattr(Client(), method)("/jobs/", headers=headers)
    assert answer.status_code == 401
    assert "expired" in answer.json()["detail"]


def test_whoever_opens_a_page_is_led_to_the_login_without_reproach():
    answer = Client().get("/datasets/", follow=True)
    assert answer.redirect_chain == [("/account/login/?next=/datasets/", 302)]
    assert "expired" not in answer.content.decode()


def test_logging_out_is_no_expired_login():
    client = Client()
    client.force_login(make_user())
    answer = client.post("/account/logout/", headers={"referer": "http://testserver/datasets/"}, follow=True)
    assert answer.redirect_chain == [("/account/login/", 302)]
    assert "expired" not in answer.content.decode()
