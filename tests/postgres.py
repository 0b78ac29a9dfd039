"""Runs the tests that ask a database once more on PostgreSQL; says loudly when there is none, and fails where one is owed."""

import os
import subprocess
import sys

import psycopg

URL = os.environ.get("CT_TEST_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/postgres")
APPS = ("jobs", "accounts", "doors", "datasets", "synthesis", "readerstudy", "report")
FOLDERS = [f"tests/{app}" for app in APPS]
# Minutes of work that asks the database for the same rows whatever its kind: files that are read in processes of their
# own before anything of them is written, judges of numbers, and pages and archives of studies whose way was tested.
THE_SAME_ANYWHERE = (
    "datasets/test_confinement.py",
    "datasets/test_deidentification.py",
    "datasets/test_drawn_text.py",
    "datasets/test_hostile_files.py",
    "datasets/test_import_formats.py",
    "datasets/test_import_refusals.py",
    "datasets/test_mask_layouts.py",
    "datasets/test_planted_identity.py",
    "datasets/test_series.py",
    "doors/test_properties.py",
    "readerstudy/test_attack.py",
    "readerstudy/test_demo_lock.py",
    "readerstudy/test_elsewhere.py",
    "readerstudy/test_forced_choice_results.py",
    "readerstudy/test_matching.py",
    "readerstudy/test_planted_leaks.py",
    "readerstudy/test_published_whole.py",
    "report/test_archive.py",
    "report/test_audit_archive.py",
    "report/test_pages.py",
    "report/test_planning.py",
    "report/test_text.py",
    "synthesis/test_generator_reports.py",
    "synthesis/test_training.py",
)
# One stage of a sealed study shows whether rows that are written anew come in an order that tells of it.
ONE_OF_MANY = "doors/test_sealed.py::test_nothing_that_anybody_gets_depends_on_which_case_is_which"
LEFT_OUT = [
    *(f"--ignore=tests/{name}" for name in THE_SAME_ANYWHERE),
    *(f"--deselect=tests/{ONE_OF_MANY}[{stage}]" for stage in ("sealed", "pairs, sealed", "places, closed")),
]
WHICH = ("--database-only", "-m", "not processes and not browser and not recipe")


def main() -> int:
    try:
        psycopg.connect(URL, connect_timeout=3).close()
    except psycopg.OperationalError as error:
        owed = bool(os.environ.get("CT_REQUIRE_SERVICES"))
        print(
            f"{'FAILED' if owed else 'SKIPPED'}: no PostgreSQL at CT_TEST_POSTGRES_URL for the database tests: {error}"
        )
        return 1 if owed else 0
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadfile", *WHICH, *LEFT_OUT, *FOLDERS]
    return subprocess.run(command, env={**os.environ, "DJANGO_DATABASE_URL": URL}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
