from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0027_a_rule_for_offlineimap"),
    ]

    operations = [
        migrations.AddField(
            model_name="directoryversion",
            name="last_uidvalidity",
            field=models.BigIntegerField(default=0),
        ),
    ]
