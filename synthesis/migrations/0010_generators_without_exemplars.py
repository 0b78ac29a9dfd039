from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('synthesis', '0009_stored_digests'),
    ]

    operations = [
        migrations.AddField(
            model_name='generator',
            name='emptied_at',
            field=models.DateTimeField(blank=True, help_text='When a scan of its exemplars was withdrawn: since then it has networks alone', null=True),
        ),
        migrations.AddField(
            model_name='generator',
            name='emptied_digest',
            field=models.CharField(blank=True, help_text='Of the weights without exemplars', max_length=64),
        ),
    ]
