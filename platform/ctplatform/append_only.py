"""Tables that the database itself keeps append-only, on SQLite and on PostgreSQL.

Installed by a migration, and again after every migrate: SQLite rebuilds a table to alter it and forgets its triggers.
"""

from dataclasses import dataclass

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

SQLITE_ACTIONS = ("UPDATE", "DELETE")


@dataclass(frozen=True)
class AppendOnlyTables:
    names: tuple[str, ...]
    refusing_function: str

    def install(self, connection: BaseDatabaseWrapper) -> None:
        _execute(connection, self.install_statements(connection.vendor))
        if connection.vendor == "sqlite":
            _execute(connection, [line for table in self.names for line in _refuse_replacing(connection, table)])

    def uninstall(self, connection: BaseDatabaseWrapper) -> None:
        """For taking a migration back, which only works while the tables are empty."""
        _execute(connection, self.uninstall_statements(connection.vendor))

    def keep(self, using: str) -> None:
        """After a migrate; one that stopped before the tables were made has nothing to keep."""
        connection = connections[using]
        if set(self.names) <= set(connection.introspection.table_names()):
            self.install(connection)

    def install_statements(self, vendor: str) -> list[str]:
        if vendor == "sqlite":
            return [
                f"CREATE TRIGGER IF NOT EXISTS {_sqlite_name(table, action)} BEFORE {action} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
                for table in self.names
                for action in SQLITE_ACTIONS
            ]
        if vendor == "postgresql":
            function = (
                f"CREATE OR REPLACE FUNCTION {self.refusing_function}() RETURNS trigger LANGUAGE plpgsql AS $$ "
                "BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
            )
            return [function] + [
                f"CREATE OR REPLACE TRIGGER {table}_{level.lower()} BEFORE {actions} ON {table} "
                f"FOR EACH {level} EXECUTE FUNCTION {self.refusing_function}()"
                for table in self.names
                for level, actions in (("ROW", "UPDATE OR DELETE"), ("STATEMENT", "TRUNCATE"))
            ]
        raise NotImplementedError(f"There are no append-only triggers for {vendor}; use PostgreSQL or SQLite.")

    def uninstall_statements(self, vendor: str) -> list[str]:
        if vendor == "sqlite":
            return [
                f"DROP TRIGGER IF EXISTS {_sqlite_name(table, action)}"
                for table in self.names
                for action in (*SQLITE_ACTIONS, "REPLACE")
            ]
        return [
            f"DROP TRIGGER IF EXISTS {table}_{level} ON {table}"
            for table in self.names
            for level in ("row", "statement")
        ]


def _refuse_replacing(connection: BaseDatabaseWrapper, table: str) -> list[str]:
    """SQLite's INSERT OR REPLACE deletes what is in its way without asking the trigger against deletion."""
    with connection.cursor() as cursor:
        constraints = connection.introspection.get_constraints(cursor, table).values()
    unique = [constraint["columns"] for constraint in constraints if constraint["unique"] or constraint["primary_key"]]
    in_the_way = " OR ".join(
        f"EXISTS (SELECT 1 FROM {table} WHERE " + " AND ".join(f"{name} = NEW.{name}" for name in columns) + ")"  # noqa: S608 - names are of our own tables
        for columns in unique
    )
    name = _sqlite_name(table, "REPLACE")
    refuse = f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    # Made anew each time: the table may have got another constraint.
    return [
        f"DROP TRIGGER IF EXISTS {name}",
        f"CREATE TRIGGER {name} BEFORE INSERT ON {table} WHEN {in_the_way} {refuse}",
    ]


def _execute(connection: BaseDatabaseWrapper, statements: list[str]) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def _sqlite_name(table: str, action: str) -> str:
    return f"{table}_no_{action.lower()}"
