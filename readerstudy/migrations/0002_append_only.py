from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from readerstudy.ledger.triggers import LEDGER


def install(apps: object, schema_editor: BaseDatabaseSchemaEditor) -> None:
    LEDGER.install(schema_editor.connection)


def uninstall(apps: object, schema_editor: BaseDatabaseSchemaEditor) -> None:
    LEDGER.uninstall(schema_editor.connection)


class Migration(migrations.Migration):
    """The database refuses to change or delete ledger and record (SQLite and PostgreSQL alike)."""

    dependencies = [("readerstudy", "0001_initial")]
    operations = [migrations.RunPython(install, uninstall, elidable=False)]
