"""OfflineIMAP asks for COMPRESS where its user wants that, and then waits for ever.

It takes 32 KiB out of its inflater and looks at the socket for more, whoever the server is.
"""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from accounts import limits

NAME = "OfflineIMAP and COMPRESS"


def add_rule(apps: Apps, _editor: BaseDatabaseSchemaEditor) -> None:
    ClientRule = apps.get_model("accounts", "ClientRule")
    # Sessions keep all rules, and would not see one too many.
    if ClientRule.objects.count() >= limits.CLIENT_RULES:
        return
    ClientRule.objects.get_or_create(
        name=NAME,
        defaults={"field": "name", "value": "OfflineIMAP", "capabilities": "COMPRESS=DEFLATE"},
    )


class Migration(migrations.Migration):
    dependencies = [("accounts", "0026_flag_deeds")]

    operations = [migrations.RunPython(add_rule, migrations.RunPython.noop)]
