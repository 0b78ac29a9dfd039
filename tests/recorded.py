"""What many tests begin with is made once a process, and put back for each of them: the rows, and the files they name.

Opening a study takes seconds and putting one back hundredths of them. What is put back is what was made, to the byte,
so that whatever a test does to it is gone before the next one. What is made upon something recorded (a study of
recorded people) is recorded as the difference that it makes.
"""

import pickle
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, transaction
from pytest_django import Settings

from tests.draws import drawn_for

# As the database writes them: lines of PostgreSQL's COPY, tuples of SQLite; what identifies a row comes first.
Row = Any
Rows = dict[str, list[Row]]


@dataclass(frozen=True)
class Recording:
    value: bytes
    gone: Rows
    come: Rows
    files: dict[str, bytes]


IDENTIFIERS = 1_000_000
_recordings: dict[str, Recording] = {}


@pytest.fixture
def recorded(
    db: None, settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str, Callable[[], Any]], Any]]:
    """What ``make`` returns, of model instances and what holds them; ``make`` runs once for a name.

    The test has a storage of its own, for what it stores would lie there for the next one of the same study.
    """
    settings.MEDIA_ROOT = tmp_path_factory.mktemp("storage")

    def recorded_as(name: str, make: Callable[[], Any]) -> Any:
        if name not in _recordings:
            with drawn_for(name):
                _recordings[name] = _record(make)
        return _put_back(_recordings[name])

    yield recorded_as
    shutil.rmtree(settings.MEDIA_ROOT, ignore_errors=True)


def _record(make: Callable[[], Any]) -> Recording:
    rows_before, files_before = _all_rows(), _files()
    with transaction.atomic():
        _number_from(IDENTIFIERS * (len(_recordings) + 1))
        value = pickle.dumps(make())
        rows = _all_rows()
        transaction.set_rollback(True)
    files = {name: (_storage() / name).read_bytes() for name in _files() - files_before}
    return Recording(value, gone=_without(rows_before, rows), come=_without(rows, rows_before), files=files)


def _number_from(first: int) -> None:
    """No row of a recording has an identifier that rows of another one or of a test have.

    PostgreSQL gives none twice; SQLite begins anew after every test, until the transaction is rolled back.
    """
    if connection.vendor != "sqlite":
        return
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM sqlite_sequence")
        cursor.execute(
            "INSERT INTO sqlite_sequence SELECT name, %s FROM sqlite_master WHERE sql LIKE '%%AUTOINCREMENT%%'", [first]
        )


def _put_back(recording: Recording) -> Any:
    # Together, for rows name others that come later.
    with transaction.atomic():
        for table, rows in recording.gone.items():
            _delete(table, rows)
        for table, rows in recording.come.items():
            _insert(table, rows)
    for name, content in recording.files.items():
        path = _storage() / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return pickle.loads(recording.value)


def _storage() -> Path:
    return Path(settings.MEDIA_ROOT)


def _files() -> set[str]:
    return {str(path.relative_to(_storage())) for path in _storage().rglob("*") if path.is_file()}


def _without(rows: Rows, others: Rows) -> Rows:
    left = {}
    for table, lines in rows.items():
        known = set(others[table])
        left[table] = [line for line in lines if line not in known]
    return {table: lines for table, lines in left.items() if lines}


def _all_rows() -> Rows:
    tables = connection.introspection.django_table_names(only_existing=True, include_views=False)
    return {table: _rows(table) for table in tables}


def _rows(table: str) -> list[Row]:
    quoted = connection.ops.quote_name(table)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {quoted} TO STDOUT") as copied:
                return b"".join(bytes(part) for part in copied).splitlines(keepends=True)
        return list(cursor.execute(f"SELECT * FROM {quoted}").fetchall())


def _insert(table: str, rows: list[Row]) -> None:
    quoted = connection.ops.quote_name(table)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {quoted} FROM STDIN") as copied:
                copied.write(b"".join(rows))
        else:
            cursor.executemany(f"INSERT INTO {quoted} VALUES ({', '.join(['%s'] * len(rows[0]))})", rows)


def _delete(table: str, rows: Iterable[Row]) -> None:
    quoted = connection.ops.quote_name(table)
    with connection.cursor() as cursor:
        [identifier, *_] = connection.introspection.get_table_description(cursor, table)
        for row in rows:
            first = row.split(b"\t")[0].decode() if isinstance(row, bytes) else row[0]
            cursor.execute(f"DELETE FROM {quoted} WHERE {connection.ops.quote_name(identifier.name)} = %s", [first])
