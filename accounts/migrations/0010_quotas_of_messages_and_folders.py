from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce


def count_messages(apps: Apps, _editor: BaseDatabaseSchemaEditor) -> None:
    Folder = apps.get_model("accounts", "Folder")
    counted = (
        Folder.objects.filter(mailbox_id=OuterRef("pk"))
        .order_by()
        .values("mailbox_id")
        .annotate(count=Sum("exists_count"))
        .values("count")
    )
    Mailbox = apps.get_model("accounts", "Mailbox")
    Mailbox.objects.update(used_messages=Coalesce(Subquery(counted), 0))


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0009_search_texts"),
    ]

    operations = [
        migrations.AddField(
            model_name="mailbox",
            name="quota_folders",
            field=models.PositiveIntegerField(
                default=0,
                help_text="0 means as many as anybody may have.",
                verbose_name="folders allowed",
            ),
        ),
        migrations.AddField(
            model_name="mailbox",
            name="quota_messages",
            field=models.BigIntegerField(
                default=0,
                help_text="In all folders together; 0 means unlimited.",
                verbose_name="messages allowed",
            ),
        ),
        migrations.AddField(
            model_name="mailbox",
            name="used_messages",
            field=models.BigIntegerField(default=0, editable=False, verbose_name="messages"),
        ),
        migrations.RunPython(count_messages, migrations.RunPython.noop),
    ]
