"""Backup and restore by their commands, into another database and storage, on both kinds of databases."""

import os
import subprocess
import sys
import uuid
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db import connection

from readerstudy.models import RatingEvent
from tests.readerstudy.worlds import Browser

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def read(collecting, cast):
    """A running study with ratings."""
    for person in (cast.rater, cast.second_rater):
        Browser(person, collecting).rate_all()
    return collecting


@pytest.fixture
def backup(read, tmp_path):
    folder = tmp_path / "backup"
    call_command("backup", str(folder))
    return folder


@contextmanager
def empty_database(folder):
    """Its address; of the kind that the tests run on."""
    if connection.vendor == "sqlite":
        yield f"sqlite:///{folder / 'restored.sqlite3'}"
        return
    settings, name = connection.settings_dict, f"restored_{uuid.uuid4().hex[:8]}"
    access = {"host": settings["HOST"], "port": settings["PORT"] or 5432, "user": settings["USER"]}
    with psycopg.connect(dbname="postgres", password=settings["PASSWORD"] or None, autocommit=True, **access) as server:
        server.execute(f"CREATE DATABASE {name}")
        try:
            password = f":{settings['PASSWORD']}" if settings["PASSWORD"] else ""
            yield f"postgres://{access['user']}{password}@{access['host']}:{access['port']}/{name}"
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def manage(address, folder, *arguments):
    environment = {**os.environ, "DJANGO_DATABASE_URL": address, "CT_VAR_DIR": str(folder)}
    command = [sys.executable, str(ROOT / "manage.py"), *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def files_of(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_backup_is_restored_elsewhere_and_every_ledger_verifies(read, backup, tmp_path):
    new = tmp_path / "new"
    entries = RatingEvent.objects.filter(study=read).count()
    assert entries == 24
    with empty_database(tmp_path) as address:
        done = manage(address, new, "restore", backup)
        assert done.returncode == 0, done.stderr
        assert f"{read.title}: {entries} entries, 12 stimuli: intact" in done.stdout
        assert files_of(new / "storage") == files_of(backup / "storage")
        last = "from readerstudy.models import AuditEntry as E; e = E.objects.order_by('-id').first(); print(e.action)"
        assert "restored from a backup" in manage(address, new, "shell", "-v", "0", "-c", last).stdout
        again = manage(address, tmp_path / "other", "restore", backup)
        assert "The database holds tables already" in again.stderr
        forged = f"from readerstudy.models import RatingEvent as E; E.objects.filter(study='{read.pk}').delete()"
        assert "append-only" in manage(address, new, "shell", "-v", "0", "-c", forged).stderr
    key = next(iter(files_of(backup / "storage")))
    with default_storage.open(key.as_posix()) as stored:
        assert stored.read() == files_of(backup / "storage")[key]


def test_a_damaged_backup_changes_nothing(backup, tmp_path):
    victim = next(path for path in (backup / "storage").rglob("*") if path.is_file())
    victim.write_bytes(victim.read_bytes()[:-1])
    with empty_database(tmp_path) as address:
        done = manage(address, tmp_path / "new", "restore", backup)
        assert f"{victim.name} is missing from this backup or damaged" in done.stderr
        assert files_of(tmp_path / "new" / "storage") == {}
        (backup / "SHA256SUMS").unlink()
        assert "no finished backup" in manage(address, tmp_path / "new", "restore", backup).stderr


def test_nothing_is_overwritten(backup, tmp_path):
    with pytest.raises(CommandError, match="not empty"):
        call_command("backup", str(backup))
    default_storage.save("something.txt", ContentFile(b"x"))
    with pytest.raises(CommandError, match="storage holds files already"):
        call_command("restore", str(backup))
    default_storage.delete("something.txt")
