"""Bodies that can't be what they say, to every address, as everybody: refused with words, never an error of ours."""

import itertools
import json
import random

import pytest
from django.conf import settings
from django.db import transaction
from django.test import Client

from ctplatform.accounts.models import Role, User
from ctplatform.bodies import ANONYMOUS_BYTES, RATER_BYTES
from tests.doors.addresses import UNSAFE, addresses

pytestmark = pytest.mark.django_db
NO_BOUNDARY = {
    "no boundary": ("multipart/form-data", b"x"),
    "an empty boundary": ("multipart/form-data; boundary=", b"x"),
    "a boundary that is no text": ("multipart/form-data; boundary=\u00e9", b"x"),
    "a boundary without end": ("multipart/form-data; boundary=" + "b" * 300, b"x"),
}
FIELD = b'--b\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n'
NAMES = [
    b"reason",
    b"review_reason",
    b"typed_title",
    b"confirmation",
    b"next",
    b"then",
    b"q",
    b"members",
    b"raters",
    b"case",
    b"place",
    b"dataset",
]
NAMES += [b"name", b"title", b"description", b"question", b"subject", b"scans", b"generator", b"decision", b"accept"]
# Names of the API's fields, those too that repeat in their refusal what was sent.
HALF_LETTERS = json.dumps(
    dict.fromkeys([name.decode() for name in NAMES] + ["template", "kind", "format", "published", "answer"], "\ud800")
).encode()
MALFORMED = {
    **NO_BOUNDARY,
    "half a form": ("multipart/form-data; boundary=b", b"--b\r\nContent-Dis"),
    "bad base64": (
        "multipart/form-data; boundary=b",
        b'--b\r\nContent-Disposition: form-data; name="a"\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!\r\n--b--',
    ),
    "a file without a name": ("multipart/form-data; boundary=b", FIELD % (b"files", b'; filename=""', b"x") + b"--b--"),
    "text that is no text": ("multipart/form-data; boundary=b", FIELD % (b"name", b"", b"\xff\xfe\x00") + b"--b--"),
    "half of JSON": ("application/json", b"{"),
    "JSON in no encoding": ("application/json", b"\xff\xfe"),
    "JSON in an unknown encoding": ("application/json; charset=nonsense", b"{}"),
    "JSON without end": ("application/json", b"[" * 50_000),
    "JSON of half letters": ("application/json", HALF_LETTERS),
    "JSON that is a list": ("application/json", b"[1, null]"),
    "JSON with huge numbers": ("application/json", b'{"name": 1e999, "seed": ' + b"9" * 5000 + b"}"),
    "a form in an unknown encoding": ("application/x-www-form-urlencoded; charset=nonsense", b"a=1"),
    "a form of zeros everywhere": ("application/x-www-form-urlencoded", b"&".join(b"%s=%%00" % name for name in NAMES)),
    "a form of zeros": ("application/x-www-form-urlencoded", b"name=%00&title=%00&username=%00&login=%00&password=%00"),
    "a form of 7000 fields": ("application/x-www-form-urlencoded", b"a=%ff&" * 7000),
    "an unknown kind": ("application/x-nonsense", b"x"),
}


@pytest.fixture
def browsers(cast):
    """With a session, and with a CSRF token that fits, so that nothing is refused for the wrong reason."""
    people = {"nobody": None, "administrator": cast.administrator, "researcher": cast.member, "rater": cast.rater}
    browsers = {}
    for name, user in people.items():
        browsers[name] = browser = Client(raise_request_exception=False, enforce_csrf_checks=True)
        browser.get("/account/login/")
        if user is not None:
            browser.force_login(user)
    return browsers


def ask(browser, method, path, kind, body):
    token = browser.cookies["csrftoken"].value
    return browser.generic(method.upper(), path, body, content_type=kind, headers={"X-CSRFToken": token})


@pytest.mark.parametrize("name", NO_BOUNDARY)
def test_a_form_without_a_boundary_is_a_bad_request_everywhere(things, browsers, name):
    kind, body = NO_BOUNDARY[name]
    answers = {
        (str(address), who, method): ask(browser, method, address.path, kind, body).status_code
        for address in addresses(things)
        for who, browser in browsers.items()
        for method in ("get", *UNSAFE)
    }
    assert len(answers) > 2000
    assert {place: status for place, status in answers.items() if status != 400} == {}


def test_malformed_bodies_never_cause_an_error_of_ours(things, browsers):
    """All of them by an administrator, who gets furthest, and every one by one of the others."""
    pairs = [(address, method) for address in addresses(things) for method in address.methods]
    others, draw = [who for who in browsers if who != "administrator"], random.Random(1)
    logins = {who: dict(browser.cookies) for who, browser in browsers.items()}
    errors = []
    for (address, method), (name, (kind, body)) in itertools.product(pairs, MALFORMED.items()):
        for who in ("administrator", draw.choice(others)):
            # The address before may have logged this one out.
            undo = transaction.savepoint()
            answer = ask(browsers[who], method, address.path, kind, body)
            transaction.savepoint_rollback(undo)
            browsers[who].cookies.update(logins[who])
            if answer.status_code >= 500:
                errors.append((str(address), who, method, name))
            if address.path.startswith("/api/") and answer.status_code >= 400:
                assert answer.headers["Content-Type"].startswith("application/json"), address
    assert errors == []
    assert browsers["administrator"].get("/people/").status_code == 200


def test_a_zero_in_a_form_is_refused_wherever_the_form_goes(things, browsers):
    """Views that take a text out of the form themselves too: PostgreSQL would refuse to store it."""
    kind, body = MALFORMED["a form of zeros everywhere"]
    forms = [address for address in addresses(things) if "post" in address.methods and address.path[:5] != "/api/"]
    statuses = {}
    for address in forms:
        undo = transaction.savepoint()
        statuses[address.route] = ask(browsers["administrator"], "post", address.path, kind, body).status_code
        transaction.savepoint_rollback(undo)
        browsers["administrator"].force_login(User.objects.get(role=Role.ADMINISTRATOR))
    assert len(statuses) > 60
    # An upload reads its form itself, and says that there is no file in it.
    assert {route: status for route, status in statuses.items() if status not in (400, 422)} == {}


@pytest.mark.parametrize(
    ("who", "size", "refused"),
    [
        ("nobody", ANONYMOUS_BYTES, False),
        ("nobody", ANONYMOUS_BYTES + 1, True),
        ("rater", RATER_BYTES, False),
        ("rater", RATER_BYTES + 1, True),
        ("researcher", RATER_BYTES + 1, False),
        ("researcher", settings.CT_UPLOAD_MAX_BYTES + 2 * RATER_BYTES, True),
    ],
)
@pytest.mark.parametrize("path", ["/account/login/", "/api/datasets/"])
def test_how_much_a_body_may_hold_depends_on_who_sends_it(browsers, who, size, refused, path):
    """Only the length is declared: a body that is judged by it must not be read."""
    browser = browsers[who]
    answer = browser.generic(
        "POST", path, b"", content_type="application/octet-stream", CONTENT_LENGTH=str(size),
        headers={"X-CSRFToken": browser.cookies["csrftoken"].value},
    )  # fmt: skip
    assert (answer.status_code == 413) == refused
    if refused:
        assert "larger than your account may send" in answer.content.decode()


def test_no_file_of_somebody_unknown_is_kept(browsers, monkeypatch):
    """A form with a file that Django would spool to the disk never gets that far."""
    from django.core.files.uploadhandler import TemporaryFileUploadHandler

    def spool(*arguments):
        raise AssertionError("a file was spooled")

    monkeypatch.setattr(TemporaryFileUploadHandler, "new_file", spool)
    body = FIELD % (b"login", b'; filename="big.bin"', b"x" * 3_000_000) + b"--b--"
    assert (
        ask(browsers["nobody"], "post", "/account/login/", "multipart/form-data; boundary=b", body).status_code == 413
    )


@pytest.mark.parametrize(
    "address", ["/reading/%00/", "/api/reading/sessions/x%00/", "/datasets/?q=%00", "/people/record/?person=a%00"]
)
def test_an_address_with_a_nul_is_a_bad_request(client, cast, address):
    client.force_login(cast.administrator)
    assert client.get(address).status_code == 400


@pytest.mark.parametrize("length", ["-1", "1e3", "١", "nonsense"])
def test_a_length_that_is_none_is_a_bad_request(client, length):
    assert client.generic("POST", "/account/login/", b"", CONTENT_LENGTH=length).status_code == 400
