"""The database itself keeps the ledger and the audit record append-only, on SQLite and on PostgreSQL.

Installed by a migration, and again after every migrate: SQLite rebuilds a table to alter it and forgets its triggers.
"""

from django.db.backends.base.base import BaseDatabaseWrapper

APPEND_ONLY_TABLES = ("readerstudy_ratingevent", "readerstudy_auditentry")
SQLITE_ACTIONS = ("UPDATE", "DELETE")

POSTGRES_FUNCTION = """
CREATE OR REPLACE FUNCTION readerstudy_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END
$$
"""


def install(connection: BaseDatabaseWrapper) -> None:
    with connection.cursor() as cursor:
        for statement in install_statements(connection.vendor):
            cursor.execute(statement)


def uninstall(connection: BaseDatabaseWrapper) -> None:
    """For taking the migration back, which only works before the first rating."""
    with connection.cursor() as cursor:
        for statement in uninstall_statements(connection.vendor):
            cursor.execute(statement)


def install_statements(vendor: str) -> list[str]:
    if vendor == "sqlite":
        return [
            f"CREATE TRIGGER IF NOT EXISTS {_sqlite_name(table, action)} BEFORE {action} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            for table in APPEND_ONLY_TABLES
            for action in SQLITE_ACTIONS
        ]
    if vendor == "postgresql":
        return [POSTGRES_FUNCTION] + [
            f"CREATE OR REPLACE TRIGGER {table}_{level.lower()} BEFORE {actions} ON {table} "
            f"FOR EACH {level} EXECUTE FUNCTION readerstudy_refuse_change()"
            for table in APPEND_ONLY_TABLES
            for level, actions in (("ROW", "UPDATE OR DELETE"), ("STATEMENT", "TRUNCATE"))
        ]
    raise NotImplementedError(f"The ledger has no append-only triggers for {vendor}; use PostgreSQL or SQLite.")


def uninstall_statements(vendor: str) -> list[str]:
    if vendor == "sqlite":
        return [
            f"DROP TRIGGER IF EXISTS {_sqlite_name(table, action)}"
            for table in APPEND_ONLY_TABLES
            for action in SQLITE_ACTIONS
        ]
    return [
        f"DROP TRIGGER IF EXISTS {table}_{level} ON {table}"
        for table in APPEND_ONLY_TABLES
        for level in ("row", "statement")
    ]


def _sqlite_name(table: str, action: str) -> str:
    return f"{table}_no_{action.lower()}"
