import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0025_a_mark_a_committer"),
    ]

    operations = [
        migrations.CreateModel(
            name="FlagDeed",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("modseq", models.BigIntegerField()),
                ("uids", models.TextField()),
                ("kept", models.SmallIntegerField()),
                ("added", models.SmallIntegerField()),
                (
                    "folder",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="accounts.folder",
                    ),
                ),
            ],
        ),
    ]
