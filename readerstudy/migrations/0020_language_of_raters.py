from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('readerstudy', '0019_shown_before_and_asked_at_the_end'),
    ]

    operations = [
        migrations.AddField(
            model_name='study',
            name='language',
            field=models.CharField(choices=[('en-gb', 'English'), ('de', 'Deutsch')], default='en-gb', help_text="Of the product's own words for this study: names of answers, usual question and instructions", max_length=10, verbose_name='Language of raters'),
        ),
    ]
