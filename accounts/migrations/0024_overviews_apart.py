import django.db.models.deletion
from django.db import migrations, models

import accounts.models.overview


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0023_quota_setters"),
    ]

    operations = [
        migrations.CreateModel(
            name="Overview",
            fields=[
                (
                    "message",
                    accounts.models.overview.SharedKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        serialize=False,
                        to="accounts.message",
                    ),
                ),
                ("octets", models.BinaryField()),
            ],
        ),
        migrations.RunSQL(
            "INSERT INTO accounts_overview (message_id, octets)"
            " SELECT id, overview FROM accounts_message WHERE overview IS NOT NULL",
            "UPDATE accounts_message SET overview = (SELECT octets FROM accounts_overview"
            " WHERE message_id = accounts_message.id)",
        ),
        migrations.RemoveField(model_name="message", name="overview"),
    ]
