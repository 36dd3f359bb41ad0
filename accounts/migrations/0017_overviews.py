from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0016_recoverable_mail"),
    ]

    operations = [
        migrations.AddField(
            model_name="message",
            name="overview",
            field=models.BinaryField(null=True),
        ),
    ]
