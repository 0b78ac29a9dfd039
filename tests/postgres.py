"""Runs the database tests once more on PostgreSQL; says loudly when there is none, and fails where one is owed."""

import os
import subprocess
import sys

import psycopg

URL = os.environ.get("CT_TEST_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/postgres")
APPS = ("jobs", "accounts", "doors", "datasets", "synthesis", "readerstudy", "report")
FOLDERS = [f"tests/{app}" for app in APPS]
MARKERS = "not processes and not browser and not recipe"


def main() -> int:
    try:
        psycopg.connect(URL, connect_timeout=3).close()
    except psycopg.OperationalError as error:
        owed = bool(os.environ.get("CT_REQUIRE_SERVICES"))
        print(
            f"{'FAILED' if owed else 'SKIPPED'}: no PostgreSQL at CT_TEST_POSTGRES_URL for the database tests: {error}"
        )
        return 1 if owed else 0
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadfile", "-m", MARKERS, *FOLDERS]
    return subprocess.run(command, env={**os.environ, "DJANGO_DATABASE_URL": URL}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
