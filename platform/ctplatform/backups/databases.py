"""The database as one file and back, by its own tools: nothing is rewritten on the way, triggers come along."""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from django.db import connection, connections

from ctplatform.errors import DomainError

FILES = {"sqlite": "database.sqlite3", "postgresql": "database.dump"}


def dump(folder: Path) -> Path:
    """As it was at one moment, while others go on writing."""
    path = folder / FILES[connection.vendor]
    if connection.vendor == "sqlite":
        with closing(sqlite3.connect(_sqlite_path())) as source, closing(sqlite3.connect(path)) as target:
            source.backup(target)
    else:
        _postgres("pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={path}")
    return path


def load(folder: Path) -> None:
    """Into an empty database of the same kind."""
    path = folder / FILES[connection.vendor]
    if not path.exists():
        raise DomainError(f"This backup is of another kind of database: there is no {path.name} in it.")
    if connection.introspection.table_names():
        raise DomainError("The database holds tables already. Restore into an empty one, before its first start.")
    connections.close_all()
    if connection.vendor == "sqlite":
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(_sqlite_path())) as target:
            source.backup(target)
    else:
        name = f"--dbname={connection.settings_dict['NAME']}"
        _postgres("pg_restore", "--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction", name, path)


def _sqlite_path() -> str:
    return str(connection.settings_dict["NAME"])


def _postgres(program: str, *arguments: object) -> None:
    if shutil.which(program) is None:
        raise DomainError(f"{program} is missing: install PostgreSQL's client programs (postgresql-client).")
    done = subprocess.run(
        [program, *map(str, arguments)],
        env={**os.environ, **_access(connection.settings_dict)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise DomainError(f"{program} did not succeed: {done.stderr.strip()[-500:]}")


def _access(settings: Mapping[str, Any]) -> dict[str, str]:
    """By the environment: what stands in a command line, everybody on the machine may read."""
    names = {"PGHOST": "HOST", "PGPORT": "PORT", "PGUSER": "USER", "PGPASSWORD": "PASSWORD", "PGDATABASE": "NAME"}
    return {variable: str(settings[name]) for variable, name in names.items() if settings.get(name)}
