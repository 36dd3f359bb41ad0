from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0028_first_uidvalidity"),
    ]

    operations = [
        migrations.AddField(
            model_name="mailbox",
            name="purge_asked_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
    ]
