import django.core.validators
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0015_threads"),
    ]

    operations = [
        migrations.AddField(
            model_name="domain",
            name="recoverable_days",
            field=models.PositiveSmallIntegerField(
                default=14,
                help_text="So long can deleted mail be brought back; 0: not at all.",
                validators=[django.core.validators.MaxValueValidator(3650)],
                verbose_name="days to undo",
            ),
        ),
        migrations.CreateModel(
            name="Recoverable",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("folder_name", models.CharField(max_length=1000, verbose_name="folder's name")),
                ("keywords", models.JSONField(default=list, verbose_name="keywords")),
                ("at", models.DateTimeField(verbose_name="deleted")),
                ("messages", models.IntegerField(verbose_name="messages")),
                ("octets", models.BigIntegerField(verbose_name="octets")),
                (
                    "folder",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="accounts.folder",
                        verbose_name="folder",
                    ),
                ),
                (
                    "mailbox",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="recoverable",
                        to="accounts.mailbox",
                        verbose_name="mailbox",
                    ),
                ),
            ],
            options={
                "verbose_name": "recoverable mail",
                "verbose_name_plural": "recoverable mail",
            },
        ),
        migrations.CreateModel(
            name="RecoverableEntry",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("flags", models.SmallIntegerField()),
                ("keywords", models.BigIntegerField()),
                (
                    "batch",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="entries",
                        to="accounts.recoverable",
                    ),
                ),
                (
                    "message",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.message",
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="recoverable",
            index=models.Index(fields=["mailbox", "at"], name="recoverable_mailbox_at"),
        ),
        migrations.AddIndex(
            model_name="recoverable",
            index=models.Index(fields=["at"], name="recoverable_at"),
        ),
    ]
