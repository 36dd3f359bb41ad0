from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0020_pruned_modseq"),
    ]

    operations = [
        migrations.AddField(
            model_name="mailbox",
            name="pop_deletion",
            field=models.CharField(
                choices=[
                    ("remove", "it is removed"),
                    ("read", "it stays, is marked as read and no longer shown over POP3"),
                    ("trash", "it goes to Trash"),
                ],
                default="remove",
                help_text="POP3 programs see the inbox, and most delete what they have fetched.",
                max_length=6,
                verbose_name="deleted over POP3",
            ),
        ),
        migrations.AddField(
            model_name="mailbox",
            name="pop_since",
            field=models.DateField(
                blank=True,
                help_text="What came into the inbox before that day is not shown; empty: all of it.",
                null=True,
                verbose_name="POP3 shows mail since",
            ),
        ),
    ]
