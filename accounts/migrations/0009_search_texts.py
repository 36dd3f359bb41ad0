import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0008_words_for_readers"),
    ]

    operations = [
        migrations.CreateModel(
            name="SearchText",
            fields=[
                (
                    "message",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="search_text",
                        serialize=False,
                        to="accounts.message",
                    ),
                ),
                ("version", models.SmallIntegerField()),
                ("header", models.BinaryField()),
                ("body", models.BinaryField()),
            ],
        ),
    ]
