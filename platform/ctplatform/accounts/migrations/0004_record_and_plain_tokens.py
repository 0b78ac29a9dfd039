from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from ctplatform.accounts.record import RECORD

OLD_TABLE = "authtoken_token"


def install(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    RECORD.install(schema_editor.connection)


def uninstall(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    RECORD.uninstall(schema_editor.connection)


def end_plain_tokens(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Tokens used to be stored as they are sent. Whoever saw the database or a copy could use them, so they all end."""
    connection = schema_editor.connection
    if OLD_TABLE not in connection.introspection.table_names():
        return
    event = apps.get_model("accounts", "AccountEvent")
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT user_id FROM {OLD_TABLE}")
        owners = [row[0] for row in cursor.fetchall()]
        cursor.execute(f"DROP TABLE {OLD_TABLE}")
    event.objects.bulk_create(
        event(kind="token_ended", subject_id=owner, detail="It was stored readably by an earlier version")
        for owner in owners
    )


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_access")]
    operations = [
        migrations.RunPython(install, uninstall, elidable=False),
        migrations.RunPython(end_plain_tokens, migrations.RunPython.noop, elidable=True),
    ]
