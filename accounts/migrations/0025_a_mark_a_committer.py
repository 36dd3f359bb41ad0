from django.db import migrations, models


class Migration(migrations.Migration):
    """Marks of running processes alone mean something: none is taken over."""

    dependencies = [
        ("accounts", "0024_overviews_apart"),
    ]

    operations = [
        migrations.DeleteModel(name="CommitMark"),
        migrations.CreateModel(
            name="CommitMark",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("mark", models.UUIDField()),
                ("left_at", models.DateTimeField()),
            ],
        ),
    ]
