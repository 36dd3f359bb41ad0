from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0011_client_rules"),
    ]

    operations = [
        migrations.AddField(
            model_name="message",
            name="preview",
            field=models.TextField(null=True),
        ),
    ]
