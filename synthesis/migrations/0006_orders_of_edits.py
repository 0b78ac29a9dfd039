import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('datasets', '0001_initial'),
        ('synthesis', '0005_verdict_in_provenance'),
    ]

    operations = [
        migrations.RenameModel(old_name='SynthesisJob', new_name='EditOrder'),
        migrations.AlterField(
            model_name='editorder',
            name='generator',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='orders', to='synthesis.generator'),
        ),
        migrations.AlterField(
            model_name='editorder',
            name='source_scan',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='edit_orders', to='datasets.scan'),
        ),
        migrations.AlterField(
            model_name='trainingrun',
            name='config',
            field=models.JSONField(help_text='ml.training.config.TrainConfig'),
        ),
    ]
