"""What a new home begins with: the 28 before it in one, for a fifth of their time.

A home that has some of them goes on with those.
"""

import django.core.validators
import django.db.models.deletion
import django.db.models.functions.comparison
from django.apps.registry import Apps
from django.conf import settings
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

import accounts.models.overview


def add_rule(apps: Apps, _editor: BaseDatabaseSchemaEditor) -> None:
    """0027 says what is the matter with OfflineIMAP."""
    apps.get_model("accounts", "ClientRule").objects.create(
        name="OfflineIMAP and COMPRESS",
        field="name",
        value="OfflineIMAP",
        capabilities="COMPRESS=DEFLATE",
    )


class Migration(migrations.Migration):
    replaces = [
        ("accounts", "0001_initial"),
        ("accounts", "0002_directory_version_and_removal"),
        ("accounts", "0003_lean_indexes_and_retired_segments"),
        ("accounts", "0004_first_modseq"),
        ("accounts", "0005_name_vanished"),
        ("accounts", "0006_changes_name_their_uids"),
        ("accounts", "0007_app_passwords_and_tokens"),
        ("accounts", "0008_words_for_readers"),
        ("accounts", "0009_search_texts"),
        ("accounts", "0010_quotas_of_messages_and_folders"),
        ("accounts", "0011_client_rules"),
        ("accounts", "0012_previews"),
        ("accounts", "0013_annotations"),
        ("accounts", "0014_shared_folders"),
        ("accounts", "0015_threads"),
        ("accounts", "0016_recoverable_mail"),
        ("accounts", "0017_overviews"),
        ("accounts", "0018_shared_mailboxes"),
        ("accounts", "0019_search_index"),
        ("accounts", "0020_pruned_modseq"),
        ("accounts", "0021_pop_choices"),
        ("accounts", "0022_sort_keys"),
        ("accounts", "0023_quota_setters"),
        ("accounts", "0024_overviews_apart"),
        ("accounts", "0025_a_mark_a_committer"),
        ("accounts", "0026_flag_deeds"),
        ("accounts", "0027_a_rule_for_offlineimap"),
        ("accounts", "0028_first_uidvalidity"),
    ]

    initial = True

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        migrations.CreateModel(
            name="CommitMark",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("mark", models.UUIDField()),
                ("left_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="DirectoryVersion",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("token", models.BigIntegerField()),
                ("last_uidvalidity", models.BigIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name="Segment",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=120, unique=True, verbose_name="name")),
                ("is_sealed", models.BooleanField(default=False, verbose_name="sealed")),
                (
                    "size",
                    models.BigIntegerField(
                        default=0, help_text="Octets, known once sealed.", verbose_name="size"
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created")),
                (
                    "retired_at",
                    models.DateTimeField(
                        help_text="When nothing was left in it; the file goes a day later.",
                        null=True,
                        verbose_name="emptied",
                    ),
                ),
            ],
            options={
                "verbose_name": "segment",
                "verbose_name_plural": "segments",
            },
        ),
        migrations.CreateModel(
            name="Tenant",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=200, verbose_name="name")),
                ("slug", models.SlugField(max_length=64, unique=True, verbose_name="short name")),
                ("is_suspended", models.BooleanField(default=False, verbose_name="suspended")),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created")),
                (
                    "parent",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="children",
                        to="accounts.tenant",
                        verbose_name="reseller",
                    ),
                ),
            ],
            options={
                "verbose_name": "tenant",
                "verbose_name_plural": "tenants",
                "ordering": ["name"],
            },
        ),
        migrations.CreateModel(
            name="User",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("password", models.CharField(max_length=128, verbose_name="password")),
                (
                    "last_login",
                    models.DateTimeField(blank=True, null=True, verbose_name="last login"),
                ),
                (
                    "is_superuser",
                    models.BooleanField(
                        default=False,
                        help_text="Designates that this user has all permissions without explicitly assigning them.",
                        verbose_name="superuser status",
                    ),
                ),
                (
                    "username",
                    models.CharField(max_length=320, unique=True, verbose_name="name or address"),
                ),
                (
                    "full_name",
                    models.CharField(blank=True, max_length=200, verbose_name="full name"),
                ),
                ("is_staff", models.BooleanField(default=False, verbose_name="may use the admin")),
                ("is_active", models.BooleanField(default=True, verbose_name="active")),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created")),
                (
                    "groups",
                    models.ManyToManyField(
                        blank=True,
                        help_text="The groups this user belongs to. A user will get all permissions granted to each of their groups.",
                        related_name="user_set",
                        related_query_name="user",
                        to="auth.group",
                        verbose_name="groups",
                    ),
                ),
                (
                    "user_permissions",
                    models.ManyToManyField(
                        blank=True,
                        help_text="Specific permissions for this user.",
                        related_name="user_set",
                        related_query_name="user",
                        to="auth.permission",
                        verbose_name="user permissions",
                    ),
                ),
            ],
            options={
                "verbose_name": "user",
                "verbose_name_plural": "users",
                "ordering": ["username"],
            },
        ),
        migrations.CreateModel(
            name="Blob",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "offset",
                    models.BigIntegerField(
                        help_text="Of the record's payload, in octets.", verbose_name="offset"
                    ),
                ),
                (
                    "length",
                    models.BigIntegerField(
                        help_text="Octets of the payload as stored.", verbose_name="length"
                    ),
                ),
                ("created_at", models.DateTimeField(verbose_name="created")),
                (
                    "segment",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="blobs",
                        to="accounts.segment",
                        verbose_name="segment",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("segment", "offset"), name="blob_place")
                ],
                "verbose_name": "blob",
                "verbose_name_plural": "blobs",
            },
        ),
        migrations.CreateModel(
            name="Domain",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=255, unique=True, verbose_name="name")),
                (
                    "plus_separator",
                    models.CharField(
                        blank=True,
                        default="+",
                        help_text="anna+news@ reaches anna@. Empty switches it off.",
                        max_length=1,
                        verbose_name="detail separator",
                    ),
                ),
                ("is_suspended", models.BooleanField(default=False, verbose_name="suspended")),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created")),
                (
                    "alias_of",
                    models.ForeignKey(
                        blank=True,
                        help_text="Mail for any address here goes to the same address in that domain.",
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="alias_domains",
                        to="accounts.domain",
                        verbose_name="alias of",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="domains",
                        to="accounts.tenant",
                        verbose_name="tenant",
                    ),
                ),
                (
                    "recoverable_days",
                    models.PositiveSmallIntegerField(
                        default=14,
                        help_text="So long can deleted mail be brought back; 0: not at all.",
                        validators=[django.core.validators.MaxValueValidator(3650)],
                        verbose_name="days to undo",
                    ),
                ),
            ],
            options={
                "verbose_name": "domain",
                "verbose_name_plural": "domains",
                "ordering": ["name"],
            },
        ),
        migrations.CreateModel(
            name="Membership",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "role",
                    models.CharField(
                        choices=[
                            ("owner", "owner"),
                            ("admin", "administrator"),
                            ("support", "support"),
                        ],
                        default="admin",
                        max_length=16,
                        verbose_name="role",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="memberships",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="user",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="memberships",
                        to="accounts.tenant",
                        verbose_name="tenant",
                    ),
                ),
            ],
            options={
                "verbose_name": "membership",
                "verbose_name_plural": "memberships",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("user", "tenant"), name="membership_user_tenant"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Alias",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "local_part",
                    models.CharField(
                        blank=True,
                        help_text="In lower case. Empty: every address of the domain that is not taken.",
                        max_length=255,
                        verbose_name="local part",
                    ),
                ),
                ("is_enabled", models.BooleanField(default=True, verbose_name="enabled")),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created")),
                (
                    "domain",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="aliases",
                        to="accounts.domain",
                        verbose_name="domain",
                    ),
                ),
            ],
            options={
                "verbose_name": "alias",
                "verbose_name_plural": "aliases",
                "ordering": ["domain__name", "local_part"],
                "constraints": [
                    models.UniqueConstraint(fields=("domain", "local_part"), name="alias_address")
                ],
            },
        ),
        migrations.CreateModel(
            name="DkimKey",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("selector", models.CharField(max_length=63, verbose_name="selector")),
                (
                    "algorithm",
                    models.CharField(
                        choices=[("rsa-sha256", "RSA"), ("ed25519-sha256", "Ed25519")],
                        max_length=20,
                        verbose_name="algorithm",
                    ),
                ),
                ("private_key_sealed", models.BinaryField(verbose_name="private key")),
                (
                    "public_key",
                    models.TextField(
                        help_text="Base64, as in the p= tag.", verbose_name="public key"
                    ),
                ),
                ("is_active", models.BooleanField(default=True, verbose_name="signs")),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created")),
                (
                    "domain",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="dkim_keys",
                        to="accounts.domain",
                        verbose_name="domain",
                    ),
                ),
            ],
            options={
                "verbose_name": "DKIM key",
                "verbose_name_plural": "DKIM keys",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("domain", "selector"), name="dkimkey_domain_selector"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Mailbox",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "local_part",
                    models.CharField(
                        help_text="What stands before the @, in lower case.",
                        max_length=255,
                        verbose_name="local part",
                    ),
                ),
                ("name", models.CharField(blank=True, max_length=200, verbose_name="display name")),
                (
                    "quota_bytes",
                    models.BigIntegerField(
                        default=0, help_text="Octets; 0 means unlimited.", verbose_name="quota"
                    ),
                ),
                (
                    "used_bytes",
                    models.BigIntegerField(default=0, editable=False, verbose_name="used"),
                ),
                ("highest_modseq", models.BigIntegerField(default=1, editable=False)),
                ("next_uidvalidity", models.BigIntegerField(default=1, editable=False)),
                (
                    "full_since",
                    models.DateTimeField(
                        blank=True, editable=False, null=True, verbose_name="full since"
                    ),
                ),
                ("is_suspended", models.BooleanField(default=False, verbose_name="suspended")),
                ("credential_version", models.PositiveIntegerField(default=1, editable=False)),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created")),
                (
                    "domain",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="mailboxes",
                        to="accounts.domain",
                        verbose_name="domain",
                    ),
                ),
                (
                    "user",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="mailbox",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="user",
                    ),
                ),
                (
                    "removed_at",
                    models.DateTimeField(
                        blank=True,
                        db_index=True,
                        editable=False,
                        help_text="It takes no mail and no login; until it is purged it can be restored.",
                        null=True,
                        verbose_name="removed",
                    ),
                ),
                (
                    "app_passwords_only",
                    models.BooleanField(
                        default=False,
                        help_text="IMAP, POP3 and submission take app passwords and tokens, not the password.",
                        verbose_name="app passwords only",
                    ),
                ),
                (
                    "quota_folders",
                    models.PositiveIntegerField(
                        default=0,
                        help_text="0 means as many as anybody may have.",
                        verbose_name="folders allowed",
                    ),
                ),
                (
                    "quota_messages",
                    models.BigIntegerField(
                        default=0,
                        help_text="In all folders together; 0 means unlimited.",
                        verbose_name="messages allowed",
                    ),
                ),
                (
                    "used_messages",
                    models.BigIntegerField(default=0, editable=False, verbose_name="messages"),
                ),
                (
                    "is_shared",
                    models.BooleanField(
                        default=False,
                        help_text="Nobody logs in to it: those it is shared with use it from their own mailbox.",
                        verbose_name="shared mailbox",
                    ),
                ),
                ("pruned_modseq", models.BigIntegerField(default=0, editable=False)),
                (
                    "pop_deletion",
                    models.CharField(
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
                (
                    "pop_since",
                    models.DateField(
                        blank=True,
                        help_text="What came into the inbox before that day is not shown; empty: all of it.",
                        null=True,
                        verbose_name="POP3 shows mail since",
                    ),
                ),
                (
                    "sets_quotas",
                    models.BooleanField(
                        default=False,
                        help_text="Its mail program may set the quotas of all mailboxes of the domain (IMAP).",
                        verbose_name="sets quotas",
                    ),
                ),
            ],
            options={
                "verbose_name": "mailbox",
                "verbose_name_plural": "mailboxes",
                "ordering": ["domain__name", "local_part"],
                "constraints": [
                    models.UniqueConstraint(fields=("domain", "local_part"), name="mailbox_address")
                ],
            },
        ),
        migrations.CreateModel(
            name="AccessToken",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("digest", models.CharField(editable=False, max_length=64, unique=True)),
                ("scopes", models.CharField(max_length=100, verbose_name="for")),
                ("label", models.CharField(blank=True, max_length=100, verbose_name="label")),
                ("expires_at", models.DateTimeField(blank=True, null=True, verbose_name="expires")),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created")),
                (
                    "last_used_at",
                    models.DateTimeField(
                        blank=True, editable=False, null=True, verbose_name="last used"
                    ),
                ),
                (
                    "mailbox",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="access_tokens",
                        to="accounts.mailbox",
                        verbose_name="mailbox",
                    ),
                ),
            ],
            options={
                "verbose_name": "access token",
                "verbose_name_plural": "access tokens",
            },
        ),
        migrations.CreateModel(
            name="AliasTarget",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "forward_to",
                    models.CharField(blank=True, max_length=320, verbose_name="other address"),
                ),
                (
                    "alias",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="targets",
                        to="accounts.alias",
                        verbose_name="alias",
                    ),
                ),
                (
                    "mailbox",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="alias_targets",
                        to="accounts.mailbox",
                        verbose_name="mailbox",
                    ),
                ),
            ],
            options={
                "verbose_name": "target",
                "verbose_name_plural": "targets",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("forward_to", ""), ("mailbox__isnull", False)),
                            models.Q(
                                ("mailbox__isnull", True),
                                models.Q(("forward_to", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="aliastarget_one_of",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ClientRule",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "name",
                    models.CharField(
                        help_text="What is broken, for your colleagues.",
                        max_length=100,
                        unique=True,
                        verbose_name="name",
                    ),
                ),
                (
                    "field",
                    models.CharField(
                        blank=True,
                        default="name",
                        help_text="Such as name, version, vendor or os (RFC 2971). Empty: any field.",
                        max_length=30,
                        verbose_name="field of ID",
                    ),
                ),
                (
                    "value",
                    models.CharField(
                        blank=True,
                        help_text="Upper and lower case are the same. Empty: every program of the mailbox.",
                        max_length=200,
                        verbose_name="the program says",
                    ),
                ),
                (
                    "is_exact",
                    models.BooleanField(
                        default=False,
                        help_text="Otherwise this may be a part of it.",
                        verbose_name="exactly this",
                    ),
                ),
                (
                    "capabilities",
                    models.CharField(
                        help_text="Separated by spaces, such as COMPRESS=DEFLATE QRESYNC.",
                        max_length=500,
                        verbose_name="capabilities masked",
                    ),
                ),
                ("is_enabled", models.BooleanField(default=True, verbose_name="enabled")),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created")),
                (
                    "mailbox",
                    models.ForeignKey(
                        blank=True,
                        help_text="Empty: every mailbox.",
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="client_rules",
                        to="accounts.mailbox",
                        verbose_name="mailbox",
                    ),
                ),
            ],
            options={
                "verbose_name": "client rule",
                "verbose_name_plural": "client rules",
                "ordering": ["name"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("value", ""), _negated=True),
                            ("mailbox__isnull", False),
                            _connector="OR",
                        ),
                        name="clientrule_about_somebody",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Credential",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("password", "password"), ("app-password", "app password")],
                        default="password",
                        max_length=16,
                        verbose_name="kind",
                    ),
                ),
                (
                    "hash",
                    models.CharField(
                        editable=False,
                        help_text="argon2id in PHC form, or an imported {SCHEME}hash until the next login; of an app password its SHA-256.",
                        max_length=300,
                        verbose_name="hash",
                    ),
                ),
                ("label", models.CharField(blank=True, max_length=100, verbose_name="label")),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created")),
                (
                    "last_used_at",
                    models.DateTimeField(
                        blank=True, editable=False, null=True, verbose_name="last used"
                    ),
                ),
                (
                    "mailbox",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="credentials",
                        to="accounts.mailbox",
                        verbose_name="mailbox",
                    ),
                ),
                (
                    "scopes",
                    models.CharField(
                        blank=True,
                        help_text="Of an app password: the protocols it opens, with a comma between them.",
                        max_length=100,
                        verbose_name="for",
                    ),
                ),
                ("scram", models.CharField(blank=True, editable=False, max_length=200)),
            ],
            options={
                "verbose_name": "credential",
                "verbose_name_plural": "credentials",
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("kind", "password")),
                        fields=("mailbox",),
                        name="credential_one_password",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Folder",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=1000, verbose_name="name")),
                (
                    "special_use",
                    models.CharField(
                        blank=True,
                        help_text="RFC 6154, e.g. \\Sent.",
                        max_length=16,
                        verbose_name="special use",
                    ),
                ),
                ("is_selectable", models.BooleanField(default=True, verbose_name="holds messages")),
                ("uidvalidity", models.BigIntegerField(default=1, editable=False)),
                ("uidnext", models.BigIntegerField(default=1, editable=False)),
                ("highest_modseq", models.BigIntegerField(default=1, editable=False)),
                ("recent_from_uid", models.BigIntegerField(default=1, editable=False)),
                (
                    "exists_count",
                    models.BigIntegerField(default=0, editable=False, verbose_name="messages"),
                ),
                (
                    "unseen_count",
                    models.BigIntegerField(default=0, editable=False, verbose_name="unseen"),
                ),
                (
                    "octets",
                    models.BigIntegerField(default=0, editable=False, verbose_name="octets"),
                ),
                (
                    "keywords",
                    models.JSONField(
                        default=list,
                        editable=False,
                        help_text="Keyword names; the place is the bit in Entry.",
                        verbose_name="keywords",
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created")),
                (
                    "mailbox",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="folders",
                        to="accounts.mailbox",
                        verbose_name="mailbox",
                    ),
                ),
                ("pruned_modseq", models.BigIntegerField(default=0, editable=False)),
            ],
            options={
                "verbose_name": "folder",
                "verbose_name_plural": "folders",
                "ordering": ["name"],
                "constraints": [
                    models.UniqueConstraint(fields=("mailbox", "name"), name="folder_name")
                ],
            },
        ),
        migrations.CreateModel(
            name="MaildropLock",
            fields=[
                (
                    "mailbox",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="maildrop_lock",
                        serialize=False,
                        to="accounts.mailbox",
                    ),
                ),
                ("token", models.UUIDField()),
                ("expires_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="Message",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("prefix", models.BinaryField(default=b"")),
                (
                    "size",
                    models.BigIntegerField(
                        help_text="RFC822.SIZE: prefix and blob, octets.", verbose_name="size"
                    ),
                ),
                ("internal_date", models.BigIntegerField(help_text="Unix seconds, UTC.")),
                (
                    "zone_minutes",
                    models.SmallIntegerField(
                        default=0, help_text="Zone INTERNALDATE was given in."
                    ),
                ),
                ("envelope", models.BinaryField()),
                ("bodystructure", models.BinaryField()),
                (
                    "body",
                    models.BinaryField(help_text="BODY: the structure without extension data."),
                ),
                (
                    "headers",
                    models.BinaryField(help_text="The list view's header fields as received."),
                ),
                (
                    "sent_at",
                    models.BigIntegerField(
                        help_text="The Date field, Unix seconds UTC.", null=True
                    ),
                ),
                ("prepared_version", models.SmallIntegerField(default=1)),
                (
                    "blob",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="messages",
                        to="accounts.blob",
                        verbose_name="blob",
                    ),
                ),
                (
                    "mailbox",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="messages",
                        to="accounts.mailbox",
                        verbose_name="mailbox",
                    ),
                ),
                ("preview", models.TextField(null=True)),
            ],
            options={
                "verbose_name": "message",
                "verbose_name_plural": "messages",
                "indexes": [models.Index(fields=["mailbox", "id"], name="message_mailbox")],
            },
        ),
        migrations.CreateModel(
            name="SearchBlock",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("version", models.SmallIntegerField()),
                ("first", models.BigIntegerField()),
                ("last", models.BigIntegerField()),
                ("had", models.IntegerField()),
                ("keys", models.BinaryField()),
                (
                    "mailbox",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="search_blocks",
                        to="accounts.mailbox",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("mailbox", "last"), name="search_block_last")
                ],
            },
        ),
        migrations.CreateModel(
            name="SearchCursor",
            fields=[
                (
                    "mailbox",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="search_cursor",
                        serialize=False,
                        to="accounts.mailbox",
                    ),
                ),
                ("version", models.SmallIntegerField()),
                ("message_id", models.BigIntegerField(default=0)),
                ("modseq", models.BigIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name="SenderRight",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "grantee",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="accounts.mailbox",
                        verbose_name="given to",
                    ),
                ),
                (
                    "mailbox",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="senders",
                        to="accounts.mailbox",
                        verbose_name="mailbox",
                    ),
                ),
            ],
            options={
                "verbose_name": "right to send",
                "verbose_name_plural": "rights to send",
                "constraints": [
                    models.UniqueConstraint(fields=("mailbox", "grantee"), name="sender_right")
                ],
            },
        ),
        migrations.CreateModel(
            name="Subscription",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=1000)),
                (
                    "mailbox",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="subscriptions",
                        to="accounts.mailbox",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("mailbox", "name"), name="subscription_name")
                ],
            },
        ),
        migrations.CreateModel(
            name="ThreadCursor",
            fields=[
                (
                    "mailbox",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="accounts.mailbox",
                    ),
                ),
                ("last_message", models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="ThreadName",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("digest", models.BigIntegerField()),
                ("thread", models.BigIntegerField()),
                (
                    "mailbox",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="accounts.mailbox",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["thread"], name="thread_name_thread")],
                "constraints": [
                    models.UniqueConstraint(fields=("mailbox", "digest"), name="thread_name_digest")
                ],
            },
        ),
        migrations.CreateModel(
            name="Annotation",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=200)),
                ("value", models.BinaryField(null=True)),
                ("modseq", models.BigIntegerField()),
                (
                    "folder",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="accounts.folder",
                    ),
                ),
                (
                    "mailbox",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="accounts.mailbox",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["mailbox", "modseq"], name="annotation_mailbox_modseq"),
                    models.Index(fields=["folder"], name="annotation_folder"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("mailbox", "folder", "name"), name="annotation_of_folder"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("folder", None)),
                        fields=("mailbox", "name"),
                        name="annotation_of_server",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Change",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("appended", "Appended"),
                            ("flags", "Flags"),
                            ("vanished", "Vanished"),
                            ("folder", "Folder"),
                        ],
                        max_length=10,
                        verbose_name="kind",
                    ),
                ),
                ("modseq", models.BigIntegerField()),
                ("at", models.DateTimeField(verbose_name="time")),
                (
                    "folder",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="accounts.folder",
                        verbose_name="folder",
                    ),
                ),
                (
                    "mailbox",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="accounts.mailbox",
                        verbose_name="mailbox",
                    ),
                ),
                ("uids", models.TextField(default="", verbose_name="UIDs")),
            ],
            options={
                "indexes": [
                    models.Index(fields=["mailbox", "modseq"], name="change_mailbox_modseq"),
                    models.Index(fields=["folder", "modseq"], name="change_folder_modseq"),
                ],
                "verbose_name": "change",
                "verbose_name_plural": "changes",
            },
        ),
        migrations.CreateModel(
            name="Entry",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("uid", models.BigIntegerField()),
                ("flags", models.SmallIntegerField(default=0)),
                ("keywords", models.BigIntegerField(default=0, verbose_name="keywords")),
                ("modseq", models.BigIntegerField()),
                (
                    "saved_at",
                    models.BigIntegerField(
                        help_text="Unix seconds: when it came into this folder."
                    ),
                ),
                (
                    "folder",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="entries",
                        to="accounts.folder",
                        verbose_name="folder",
                    ),
                ),
                (
                    "message",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="entries",
                        to="accounts.message",
                        verbose_name="message",
                    ),
                ),
            ],
            options={
                "verbose_name": "entry",
                "verbose_name_plural": "entries",
                "constraints": [
                    models.UniqueConstraint(fields=("folder", "uid"), name="entry_uid")
                ],
            },
        ),
        migrations.CreateModel(
            name="FlagDeed",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("modseq", models.BigIntegerField()),
                ("uids", models.TextField()),
                ("kept", models.SmallIntegerField()),
                ("added", models.SmallIntegerField()),
                (
                    "folder",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="accounts.folder",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="FolderRight",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "is_negative",
                    models.BooleanField(
                        default=False,
                        help_text="These rights are denied, whoever gives them.",
                        verbose_name="taken away",
                    ),
                ),
                (
                    "letters",
                    models.CharField(
                        help_text="The letters of RFC 4314.", max_length=11, verbose_name="rights"
                    ),
                ),
                (
                    "folder",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="rights",
                        to="accounts.folder",
                        verbose_name="folder",
                    ),
                ),
                (
                    "grantee",
                    models.ForeignKey(
                        blank=True,
                        help_text="Nobody in particular: every mailbox of the tenant.",
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="held_rights",
                        to="accounts.mailbox",
                        verbose_name="given to",
                    ),
                ),
                (
                    "mailbox",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="given_rights",
                        to="accounts.mailbox",
                        verbose_name="mailbox",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="accounts.tenant",
                        verbose_name="tenant",
                    ),
                ),
            ],
            options={
                "verbose_name": "right in a folder",
                "verbose_name_plural": "rights in folders",
                "indexes": [
                    models.Index(
                        condition=models.Q(("grantee__isnull", True)),
                        fields=["tenant"],
                        name="folder_right_anyone",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        models.F("mailbox"),
                        django.db.models.functions.comparison.Coalesce("folder", 0),
                        django.db.models.functions.comparison.Coalesce("grantee", 0),
                        models.F("is_negative"),
                        name="folder_right_entry",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="FolderSnapshot",
            fields=[
                (
                    "folder",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="snapshot",
                        serialize=False,
                        to="accounts.folder",
                    ),
                ),
                ("modseq", models.BigIntegerField()),
                ("arrays", models.BinaryField()),
            ],
        ),
        migrations.CreateModel(
            name="Overview",
            fields=[
                (
                    "message",
                    accounts.models.overview.SharedKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        serialize=False,
                        to="accounts.message",
                    ),
                ),
                ("octets", models.BinaryField()),
            ],
        ),
        migrations.CreateModel(
            name="Recoverable",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("folder_name", models.CharField(max_length=1000, verbose_name="folder's name")),
                ("keywords", models.JSONField(default=list, verbose_name="keywords")),
                ("at", models.DateTimeField(verbose_name="deleted")),
                ("messages", models.IntegerField(verbose_name="messages")),
                ("octets", models.BigIntegerField(verbose_name="octets")),
                (
                    "folder",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="accounts.folder",
                        verbose_name="folder",
                    ),
                ),
                (
                    "mailbox",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="recoverable",
                        to="accounts.mailbox",
                        verbose_name="mailbox",
                    ),
                ),
            ],
            options={
                "verbose_name": "recoverable mail",
                "verbose_name_plural": "recoverable mail",
                "indexes": [
                    models.Index(fields=["mailbox", "at"], name="recoverable_mailbox_at"),
                    models.Index(fields=["at"], name="recoverable_at"),
                ],
            },
        ),
        migrations.CreateModel(
            name="SearchBits",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("part", models.SmallIntegerField()),
                ("rows", models.BinaryField()),
                (
                    "block",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="bits",
                        to="accounts.searchblock",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("block", "part"), name="search_bits_part")
                ],
            },
        ),
        migrations.CreateModel(
            name="SearchText",
            fields=[
                (
                    "message",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="search_text",
                        serialize=False,
                        to="accounts.message",
                    ),
                ),
                ("version", models.SmallIntegerField()),
                ("header", models.BinaryField()),
                ("body", models.BinaryField()),
            ],
        ),
        migrations.CreateModel(
            name="SortKeys",
            fields=[
                (
                    "message",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="sort_keys",
                        serialize=False,
                        to="accounts.message",
                    ),
                ),
                ("version", models.SmallIntegerField()),
                ("is_reply", models.BooleanField()),
                ("subject", models.BinaryField()),
                ("sender", models.BinaryField()),
                ("sender_name", models.BinaryField()),
                ("recipient", models.BinaryField()),
                ("recipient_name", models.BinaryField()),
                ("copied", models.BinaryField()),
                ("names", models.BinaryField()),
            ],
        ),
        migrations.CreateModel(
            name="ThreadedMessage",
            fields=[
                (
                    "message",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="threaded",
                        serialize=False,
                        to="accounts.message",
                    ),
                ),
                ("thread", models.BigIntegerField()),
            ],
            options={
                "indexes": [models.Index(fields=["thread"], name="threaded_message_thread")],
            },
        ),
        migrations.CreateModel(
            name="Vanished",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("modseq", models.BigIntegerField()),
                ("uids", models.TextField(verbose_name="UIDs")),
                (
                    "folder",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="vanished",
                        to="accounts.folder",
                        verbose_name="folder",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["folder", "modseq"], name="vanished_modseq")],
                "verbose_name": "vanished entries",
                "verbose_name_plural": "vanished entries",
            },
        ),
        migrations.CreateModel(
            name="RecoverableEntry",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("flags", models.SmallIntegerField()),
                ("keywords", models.BigIntegerField()),
                (
                    "batch",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="entries",
                        to="accounts.recoverable",
                    ),
                ),
                (
                    "message",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.message",
                    ),
                ),
            ],
        ),
        migrations.RunPython(add_rule, migrations.RunPython.noop),
    ]
