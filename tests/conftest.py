"""For every test: databases may be emptied between tests although the product forbids it."""

from collections.abc import Iterator

import pytest
from django.db import connection
from django.test import TransactionTestCase

from ctplatform.accounts.record import RECORD
from readerstudy.ledger.triggers import LEDGER


@pytest.fixture(autouse=True, scope="session")
def emptying_append_only_tables() -> Iterator[None]:
    """A test with real transactions ends in a flush, which the triggers of ledger and record would refuse."""
    original = TransactionTestCase._fixture_teardown

    def teardown(case: TransactionTestCase) -> None:
        for tables in (LEDGER, RECORD):
            tables.uninstall(connection)
        try:
            original(case)
        finally:
            for tables in (LEDGER, RECORD):
                tables.install(connection)

    TransactionTestCase._fixture_teardown = teardown  # type: ignore[method-assign]
    yield
    TransactionTestCase._fixture_teardown = original  # type: ignore[method-assign]
