"""Django with the settings of tests, and a database that is made for a benchmark and goes with it.

Imported before anything of the product, which asks for settings when it is imported.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ctplatform.settings.testing")
django.setup()

from django.test.runner import DiscoverRunner  # noqa: E402


@contextmanager
def empty_database() -> Iterator[None]:
    """On SQLite, or on the server of DJANGO_DATABASE_URL."""
    runner = DiscoverRunner(verbosity=0, interactive=False)
    databases = runner.setup_databases()
    try:
        yield
    finally:
        runner.teardown_databases(databases)
