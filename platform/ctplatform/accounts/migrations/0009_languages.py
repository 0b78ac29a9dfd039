from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0008_programs_that_read'),
    ]

    operations = [
        migrations.AddField(
            model_name='user',
            name='language',
            field=models.CharField(blank=True, choices=[('en-gb', 'English'), ('de', 'Deutsch')], help_text='Empty: as the browser asks', max_length=10),
        ),
    ]
