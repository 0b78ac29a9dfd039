"""What a request of reading asks of the database, whatever the size of the study: `bench/reading_load.py` counts on it."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from readerstudy.reading.sessions import WIDE

LOGIN = 2  # the session of the login, and its user


def asked(request):
    """The statements of a request that is not the first of its kind: a process reads a protocol once."""
    with CaptureQueriesContext(connection) as queries:
        response = request()
    assert response.status_code < 300, response.content
    return [query["sql"] for query in queries.captured_queries if "SAVEPOINT" not in query["sql"]]


@pytest.fixture
def requests(reader):
    def get(name, *arguments):
        return reader.client.get(reverse(f"reading-api:{name}", args=arguments))

    tokens = reader.tokens()
    assert reader.rate(tokens[0]).status_code == 201
    return {
        "session": lambda: get("session", reader.session.token),
        "description": lambda: get("presentation", tokens[1]),
        "slice": lambda: get("slice", tokens[1], 0),
        "answer": lambda: reader.rate(tokens[1]),
    }


def test_a_request_asks_for_no_more_than_it_needs(requests):
    most = {"session": LOGIN + 3, "description": LOGIN + 3, "slice": LOGIN + 2}
    counts = {name: len(asked(requests[name])) for name in most}
    assert counts == most


def test_an_answer_asks_for_no_more_than_it_needs(reader, requests, monkeypatch):
    # The browser of the tests asks what it would know; a real one knows it.
    body = reader.known(reader.tokens()[1])
    monkeypatch.setattr(reader, "known", lambda token: body)
    statements = asked(requests["answer"])
    presentation, earlier, slots, study, exclusion, event, head = 1, 1, 1, 1, 1, 1, 1
    # PostgreSQL is asked to let one answer of a sitting wait for the other; SQLite has one writer anyhow.
    waiting = int(connection.vendor == "postgresql")
    assert len(statements) == LOGIN + waiting + presentation + earlier + slots + study + exclusion + event + head


def test_no_request_of_reading_fetches_what_a_study_holds_as_a_whole(requests):
    def columns(*names):
        """As Django's own queries call them, and those that are written out."""
        return [f'{table}."{name}"' for table in ('"readerstudy_study"', "study") for name in names]

    for name, request in requests.items():
        statements = asked(request)
        assert any(column in sql for sql in statements for column in columns("state")), name
        assert [sql for sql in statements if any(column in sql for column in columns(*WIDE))] == [], name


def test_a_protocol_is_read_once_by_a_process(requests, collecting):
    from readerstudy.models.study import _protocol

    _protocol.cache_clear()
    statements = [sql for name in ("description", "slice", "description") for sql in asked(requests[name])]
    assert sum('"readerstudy_study"."protocol"' in sql for sql in statements) <= 1
