import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    replaces = [("delivery", "0001_initial"), ("delivery", "0002_words_for_readers")]

    initial = True

    # Not the one that replaces it: a home that has some of those yet has all of ours.
    dependencies = [
        ("accounts", "0008_words_for_readers"),
    ]

    operations = [
        migrations.CreateModel(
            name="QueuedMessage",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("queue_id", models.CharField(max_length=24, unique=True, verbose_name="queue id")),
                ("prefix", models.BinaryField(default=b"")),
                ("size", models.BigIntegerField(verbose_name="size")),
                (
                    "return_path",
                    models.CharField(
                        blank=True,
                        help_text="Empty for bounces.",
                        max_length=320,
                        verbose_name="return path",
                    ),
                ),
                ("is_8bit", models.BooleanField(default=False, verbose_name="8-bit")),
                ("is_smtputf8", models.BooleanField(default=False, verbose_name="SMTPUTF8")),
                ("queued_at", models.DateTimeField(verbose_name="queued")),
                (
                    "blob",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="queued",
                        to="accounts.blob",
                    ),
                ),
                (
                    "sender",
                    models.ForeignKey(
                        help_text="The mailbox that submitted it, if one of ours did.",
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="queued",
                        to="accounts.mailbox",
                        verbose_name="sent by mailbox",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="queued",
                        to="accounts.tenant",
                        verbose_name="tenant",
                    ),
                ),
            ],
            options={
                "verbose_name": "queued message",
                "verbose_name_plural": "queued messages",
                "ordering": ["-queued_at"],
            },
        ),
        migrations.CreateModel(
            name="QueuedRecipient",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("address", models.CharField(max_length=320, verbose_name="recipient")),
                (
                    "original_address",
                    models.CharField(
                        blank=True,
                        help_text="What the sender wrote, where an alias led elsewhere.",
                        max_length=320,
                        verbose_name="original recipient",
                    ),
                ),
                (
                    "destination",
                    models.CharField(
                        help_text="Domain (A-labels) or address literal.",
                        max_length=255,
                        verbose_name="destination",
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("pending", "pending"),
                            ("held", "held"),
                            ("delivered", "delivered"),
                            ("failed", "failed"),
                            ("cancelled", "cancelled"),
                        ],
                        default="pending",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                ("next_attempt_at", models.DateTimeField(null=True, verbose_name="next try")),
                ("claimed_until", models.DateTimeField(null=True, verbose_name="claimed until")),
                ("attempt_no", models.PositiveIntegerField(default=0, verbose_name="tries")),
                (
                    "is_ambiguous",
                    models.BooleanField(
                        default=False,
                        help_text="A try ended after the final dot without an answer: it may arrive twice.",
                        verbose_name="ambiguous",
                    ),
                ),
                (
                    "is_delay_notified",
                    models.BooleanField(default=False, verbose_name="sender told of the delay"),
                ),
                ("last_reply", models.TextField(blank=True, verbose_name="last reply")),
                ("settled_at", models.DateTimeField(null=True, verbose_name="settled")),
                (
                    "message",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="recipients",
                        to="delivery.queuedmessage",
                        verbose_name="message",
                    ),
                ),
            ],
            options={
                "verbose_name": "queued recipient",
                "verbose_name_plural": "queued recipients",
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "pending")),
                        fields=["next_attempt_at"],
                        name="queuedrecipient_due",
                    ),
                    models.Index(fields=["destination", "state"], name="queuedrecipient_dest"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Attempt",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("attempt_no", models.PositiveIntegerField(verbose_name="try")),
                ("started_at", models.DateTimeField(verbose_name="started")),
                ("ended_at", models.DateTimeField(null=True, verbose_name="ended")),
                (
                    "result",
                    models.CharField(
                        choices=[
                            ("open", "under way"),
                            ("delivered", "delivered"),
                            ("deferred", "deferred"),
                            ("failed", "failed"),
                            ("ambiguous", "ambiguous"),
                        ],
                        default="open",
                        max_length=10,
                        verbose_name="result",
                    ),
                ),
                ("host", models.CharField(blank=True, max_length=300, verbose_name="host")),
                ("tls", models.CharField(blank=True, max_length=60, verbose_name="TLS")),
                ("reply", models.TextField(blank=True, verbose_name="reply")),
                (
                    "recipient",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="attempts",
                        to="delivery.queuedrecipient",
                        verbose_name="recipient",
                    ),
                ),
            ],
            options={
                "verbose_name": "attempt",
                "verbose_name_plural": "attempts",
                "ordering": ["recipient", "attempt_no"],
                "constraints": [
                    models.UniqueConstraint(fields=("recipient", "attempt_no"), name="attempt_no")
                ],
            },
        ),
    ]
