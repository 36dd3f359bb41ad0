from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0019_search_index"),
    ]

    operations = [
        migrations.AddField(
            model_name="folder",
            name="pruned_modseq",
            field=models.BigIntegerField(default=0, editable=False),
        ),
        migrations.AddField(
            model_name="mailbox",
            name="pruned_modseq",
            field=models.BigIntegerField(default=0, editable=False),
        ),
    ]
