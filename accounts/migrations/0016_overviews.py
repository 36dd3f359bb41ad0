from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0015_threads"),
    ]

    operations = [
        migrations.AddField(
            model_name="message",
            name="overview",
            field=models.BinaryField(null=True),
        ),
    ]
