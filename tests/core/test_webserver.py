"""The real web process, asked by slow, greedy and honest clients at the same time."""

import contextlib
import http.client
import json
import socket
import sys
import time

import pytest

from ctplatform import webserver
from tests.processes import Installation, free_port, wait_until

pytestmark = pytest.mark.processes
# A server that is held up answers no sooner than it gives the holders up, and far from that a busy machine is.
PATIENCE_SECONDS = webserver.HEAD_SECONDS - 5
MIB = 1024**2
MAKE_PEOPLE = """
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from ctplatform.accounts import access
from ctplatform.accounts.models import Role, User
from ctplatform.accounts.record import Author
def session(user):
    store = SessionStore()
    store[SESSION_KEY], store[HASH_SESSION_KEY] = str(user.pk), user.get_session_auth_hash()
    store[BACKEND_SESSION_KEY] = "allauth.account.auth_backends.AuthenticationBackend"
    store.create()
    return "sessionid=" + store.session_key
people = {role: User.objects.create_user(username=role, role=role) for role in (Role.RESEARCHER, Role.RATER)}
gone = User.objects.create_user(username="gone", role=Role.RESEARCHER)
cookies = {"gone": session(gone), **{role: session(user) for role, user in people.items()}}
access._end_all_access(gone)
_, key = access.make_token(user=people[Role.RESEARCHER], name="t", author=Author())
print(json.dumps({"cookies": cookies, "token": key}))
"""


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    installation = Installation(tmp_path_factory.mktemp("web"))
    installation.manage("migrate", "--verbosity", "0")
    yield installation
    installation.stop()


@pytest.fixture(scope="module")
def people(installation):
    return installation.run(MAKE_PEOPLE)


@pytest.fixture(scope="module", params=[1, 2], ids=["one process", "two processes"])
def port(request, installation):
    port = free_port()
    argv = [sys.executable, "-m", "ctplatform.webserver", "--port", port, "--processes", request.param]
    installation.start(*argv, log="web")
    wait_until(lambda: answers(port), seconds=120, what="an answer", installation=installation)
    return port


def answers(port):
    with contextlib.suppress(OSError):
        return get(port)[0] == 200


def get(port, path="/healthz", **headers):
    return send(port, "GET", path, headers=headers)


def send(port, method, path, *, body=None, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def seconds_for_an_answer(port):
    begun = time.monotonic()
    assert get(port)[0] == 200
    return time.monotonic() - begun


HALVES = {
    "half a head": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Unfinished: ",
    "half a body": (
        b"POST /account/login/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\n\r\nlogin="
    ),
    "half a chunk": (
        b"POST /account/login/ HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\n\r\n100\r\nlogin="
    ),
    "nothing": b"",
}


@contextlib.contextmanager
def held(port, count, *halves):
    with contextlib.ExitStack() as stack:
        clients = []
        for number in range(count):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))
            client.sendall(halves[number % len(halves)])
            clients.append(client)
        yield clients


@pytest.mark.parametrize("kind", HALVES)
def test_sixty_half_requests_keep_nobody_waiting(port, kind):
    with held(port, 60, HALVES[kind]):
        assert max(seconds_for_an_answer(port) for _ in range(5)) < PATIENCE_SECONDS


def test_more_connections_than_are_kept_open_keep_nobody_waiting(port):
    with held(port, webserver.CONNECTIONS + 50, *HALVES.values()):
        assert max(seconds_for_an_answer(port) for _ in range(3)) < PATIENCE_SECONDS


def test_answers_that_nobody_fetches_keep_nobody_waiting(port):
    with held(port, 60, b"GET /account/login/ HTTP/1.1\r\nHost: localhost\r\n\r\n" * 20):
        assert max(seconds_for_an_answer(port) for _ in range(3)) < PATIENCE_SECONDS


def test_half_a_request_is_given_up_after_a_while_even_if_it_trickles(port):
    with held(port, 2, HALVES["half a head"], HALVES["half a body"]) as clients:
        deadline = time.monotonic() + webserver.HEAD_SECONDS + webserver.HOUSEKEEPING_SECONDS + 60
        gone = set()
        while len(gone) < 2:
            assert time.monotonic() < deadline
            for client in set(clients) - gone:
                try:
                    client.sendall(b"x")
                    client.settimeout(0.2)
                    if client.recv(100) == b"":
                        gone.add(client)
                except TimeoutError:
                    continue
                except OSError:
                    gone.add(client)
            time.sleep(0.3)


LIMITS = [
    (None, 60_000, {200, 302}),  # to the login page anew
    (None, 70_000, {413}),
    ("gone", 70_000, {413}),
    ("rater", 70_000, {403, 404}),
    ("rater", 2 * MIB, {413}),
    ("researcher", 2 * MIB, {403, 404}),
]


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(("who", "size", "statuses"), LIMITS)
def test_how_much_somebody_may_send_is_judged_before_it_is_kept(port, people, who, size, statuses, chunked):
    headers = {"Content-Type": "application/octet-stream", "Host": "localhost"}
    if who:
        headers["Cookie"] = people["cookies"][who]
    body = iter([b"x" * 1000] * (size // 1000)) if chunked else b"x" * size
    try:
        status, _ = send(
            port, "POST", "/account/login/" if who is None else "/api/nothing/", body=body, headers=headers
        )
    except (BrokenPipeError, ConnectionResetError):
        status = 413  # it hung up while more was being sent
    assert status in statuses


def test_a_program_with_a_token_may_send_as_much_as_its_owner(port, people):
    headers = {"Content-Type": "application/json", "Authorization": f"Token {people['token']}"}
    body = json.dumps({"name": "x" * 100_000})
    status, answer = send(port, "POST", "/api/datasets/", body=body, headers=headers)
    assert (status, "name" in json.loads(answer)) == (400, True)
    status, answer = send(port, "POST", "/api/datasets/", body=body, headers={**headers, "Authorization": "Token no"})
    assert (status, "too" in answer.decode() or "larger" in answer.decode()) == (413, True)


def test_a_head_without_end_is_refused(port):
    assert get(port, **{"X-Long": "x" * 2 * webserver.HEAD_BYTES})[0] == 431


def test_what_is_being_worked_on_ends_with_the_process(installation):
    """SIGTERM ends the process and its children within the launcher's grace."""
    port = free_port()
    process = installation.start(sys.executable, "-m", "ctplatform.webserver", "--port", port, "--processes", 2)
    # It listens before it knows what to do when it is asked to end, and answers only afterwards.
    wait_until(lambda: answers(port), seconds=120, what="an answer", installation=installation)
    process.terminate()
    assert process.wait(timeout=60) == 0
    wait_until(lambda: refused(port), seconds=60, what="the end of its children", installation=installation)


def refused(port):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            return False
    except ConnectionRefusedError:
        return True
