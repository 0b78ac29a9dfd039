"""For every test: databases may be emptied between tests although the product forbids it."""

from collections.abc import Iterator

import pytest
from django.db import connection
from django.test import TransactionTestCase

from readerstudy.ledger import triggers


@pytest.fixture(autouse=True, scope="session")
def emptying_append_only_tables() -> Iterator[None]:
    """A test with real transactions ends in a flush, which the ledger's triggers would refuse."""
    original = TransactionTestCase._fixture_teardown

    def teardown(case: TransactionTestCase) -> None:
        triggers.uninstall(connection)
        try:
            original(case)
        finally:
            triggers.install(connection)

    TransactionTestCase._fixture_teardown = teardown  # type: ignore[method-assign]
    yield
    TransactionTestCase._fixture_teardown = original  # type: ignore[method-assign]
