import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0018_shared_mailboxes"),
    ]

    operations = [
        migrations.CreateModel(
            name="SearchCursor",
            fields=[
                (
                    "mailbox",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="search_cursor",
                        serialize=False,
                        to="accounts.mailbox",
                    ),
                ),
                ("version", models.SmallIntegerField()),
                ("message_id", models.BigIntegerField(default=0)),
                ("modseq", models.BigIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name="SearchBlock",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("version", models.SmallIntegerField()),
                ("first", models.BigIntegerField()),
                ("last", models.BigIntegerField()),
                ("had", models.IntegerField()),
                ("keys", models.BinaryField()),
                (
                    "mailbox",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="search_blocks",
                        to="accounts.mailbox",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=["mailbox", "last"], name="search_block_last")
                ],
            },
        ),
        migrations.CreateModel(
            name="SearchBits",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("part", models.SmallIntegerField()),
                ("rows", models.BinaryField()),
                (
                    "block",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="bits",
                        to="accounts.searchblock",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=["block", "part"], name="search_bits_part")
                ],
            },
        ),
        migrations.AlterField(
            model_name="message",
            name="mailbox",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="messages",
                to="accounts.mailbox",
                verbose_name="mailbox",
            ),
        ),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(fields=["mailbox", "id"], name="message_mailbox"),
        ),
    ]
