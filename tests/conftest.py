"""For every test: databases may be emptied between tests although the product forbids it."""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from django.core.files.storage import FileSystemStorage
from django.db import connection
from django.test import TransactionTestCase

from ctplatform.accounts.record import RECORD
from ctplatform.catalogues import catalogue_paths, compile_catalogues
from ctplatform.jobs import registry
from readerstudy.ledger.triggers import LEDGER, TRUTHS_TOLD

# A tree that nobody has built yet shows its translated texts all the same.
compile_catalogues(catalogue_paths())

pytest_plugins = ["tests.draws", "tests.recorded", "tests.warm_readers"]
DATABASE_FIXTURES = {"db", "transactional_db", "django_db_setup"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--database-only", action="store_true", help="leave out what asks nothing of a database")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--database-only"):
        kept, left_out = [], []
        for item in items:
            (kept if _asks_the_database(item) else left_out).append(item)
        config.hook.pytest_deselected(items=left_out)
        items[:] = kept


def _asks_the_database(item: pytest.Item) -> bool:
    fixtures = getattr(item, "fixturenames", ())
    return item.get_closest_marker("django_db") is not None or not DATABASE_FIXTURES.isdisjoint(fixtures)


@pytest.fixture(autouse=True, scope="session")
def emptying_append_only_tables() -> Iterator[None]:
    """A test with real transactions ends in a flush, which the triggers of ledger and record would refuse."""
    original = TransactionTestCase._fixture_teardown

    def teardown(case: TransactionTestCase) -> None:
        for tables in (LEDGER, TRUTHS_TOLD, RECORD):
            tables.uninstall(connection)
        try:
            original(case)
        finally:
            for tables in (LEDGER, TRUTHS_TOLD, RECORD):
                tables.install(connection)

    TransactionTestCase._fixture_teardown = teardown  # type: ignore[method-assign]
    yield
    TransactionTestCase._fixture_teardown = original  # type: ignore[method-assign]


@pytest.fixture(autouse=True)
def storage_rests_while_a_result_is_written(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever job a test runs: the transaction that ends it writes rows and touches no file."""
    writing: list[str] = []
    touched: list[str] = []
    find = registry.kind

    @contextmanager
    def during(name: str) -> Iterator[None]:
        writing.append(name)
        try:
            yield
        finally:
            writing.pop()

    def watched(name: str) -> registry.JobKind:
        kind = find(name)

        def run(payload, context):
            write_result = kind.run(payload, context)
            return during(f"{name} writes")(write_result)

        told = kind.on_abandoned and during(f"{name} is abandoned")(kind.on_abandoned)
        return replace(kind, run=run, on_abandoned=told)

    def noting(method: str) -> None:
        original = getattr(FileSystemStorage, method)

        @functools.wraps(original)
        def noted(*args, **kwargs):
            touched.extend(f"{name}: {method} of {args[1:2]}" for name in writing)
            return original(*args, **kwargs)

        monkeypatch.setattr(FileSystemStorage, method, noted)

    monkeypatch.setattr(registry, "kind", watched)
    for method in ("_open", "_save", "delete", "exists", "listdir"):
        noting(method)
    yield
    assert not touched
