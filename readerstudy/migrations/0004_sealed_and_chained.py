import datetime
import hashlib
import json

import django.core.validators
import django.utils.timezone
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from readerstudy.ledger.triggers import LEDGER


def without_triggers(apps: object, schema_editor: BaseDatabaseSchemaEditor) -> None:
    LEDGER.uninstall(schema_editor.connection)


def with_triggers(apps: object, schema_editor: BaseDatabaseSchemaEditor) -> None:
    LEDGER.install(schema_editor.connection)


def plain(value: object) -> str:
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.UTC).isoformat(timespec="microseconds")
    return str(value)


def chain(apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Chain the entries of before, study by study, as `readerstudy.models.record` chains new ones."""
    AuditEntry = apps.get_model("readerstudy", "AuditEntry")
    head: dict[str, str] = {}
    for entry in AuditEntry.objects.order_by("id").iterator():
        study = str(entry.study_id)
        entry.previous_digest = head.get(study, "")
        content = {
            "study": study,
            "actor": entry.actor_id,
            "action": entry.action,
            "details": entry.details,
            "at": entry.at,
            "previous_digest": entry.previous_digest,
        }
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=plain)
        entry.digest = head[study] = hashlib.sha256(text.encode()).hexdigest()
        entry.save(update_fields=["previous_digest", "digest"])


class Migration(migrations.Migration):
    """The record becomes a chain; studies get their policies of going back and of unblinding."""

    dependencies = [("readerstudy", "0003_positive_controls")]
    operations = [
        migrations.RunPython(without_triggers, with_triggers, elidable=False),
        migrations.AddField(
            model_name="auditentry", name="previous_digest", field=models.CharField(blank=True, default="", max_length=64),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="auditentry", name="digest", field=models.CharField(default="", max_length=64),
            preserve_default=False,
        ),
        migrations.AlterField(
            model_name="auditentry", name="at", field=models.DateTimeField(default=django.utils.timezone.now),
        ),
        migrations.RunPython(chain, migrations.RunPython.noop, elidable=False),
        migrations.AddConstraint(
            model_name="auditentry",
            constraint=models.UniqueConstraint(fields=("study", "previous_digest"), name="record_does_not_fork"),
        ),
        migrations.RunPython(with_triggers, without_triggers, elidable=False),
        migrations.AddField(
            model_name='study',
            name='going_back',
            field=models.CharField(choices=[('never', 'None: an answer stands'), ('last', 'The last one, until the next case is answered'), ('any', 'Every one; the export marks what was changed later')], default='last', help_text='Which answers a rater may still change while the study takes ratings', max_length=10),
        ),
        migrations.AddField(
            model_name='study',
            name='unblinding_by_two',
            field=models.BooleanField(default=False, help_text='A second person of the team must confirm the unblinding', verbose_name='Two people unblind'),
        ),
        migrations.AlterField(
            model_name='study',
            name='block_size',
            field=models.PositiveIntegerField(default=10, help_text='In blocks of so many cases both kinds come about equally often, never exactly', validators=[django.core.validators.MinValueValidator(2)]),
        ),
        migrations.AlterField(
            model_name='study',
            name='longest_run',
            field=models.PositiveIntegerField(default=4, help_text='Wished for; the lock allows as many more as keep an order from telling about the kinds', validators=[django.core.validators.MinValueValidator(1)]),
        ),
    ]
