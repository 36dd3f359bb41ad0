-- One role a process kind, each with what its job needs. Run it as PostgreSQL's superuser after
-- each `manage.py migrate`, as tables may be new:  psql -v ON_ERROR_STOP=1 -f roles.sql mailhost
-- The first time, give each process its own role in database_url, each role a password (\password).
-- The mx and the worker never see password hashes; the mx and access never see signing keys.

BEGIN;

DO $$
DECLARE
    kind text;
BEGIN
    FOREACH kind IN ARRAY ARRAY['mx', 'access', 'worker', 'web'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'mailhost_' || kind) THEN
            EXECUTE 'CREATE ROLE mailhost_' || kind || ' LOGIN';
        END IF;
    END LOOP;
END $$;

-- What an earlier version gave and this one does not.
REVOKE ALL ON ALL TABLES IN SCHEMA public
    FROM mailhost_mx, mailhost_access, mailhost_worker, mailhost_web;

GRANT USAGE ON SCHEMA public
    TO mailhost_mx, mailhost_access, mailhost_worker, mailhost_web;

-- Storing mail: every kind appends (the worker stores bounces, the web restores messages).
GRANT SELECT, INSERT, UPDATE, DELETE ON
    accounts_segment, accounts_blob, accounts_commitmark, accounts_message, accounts_entry,
    accounts_flagdeed,
    accounts_overview, accounts_vanished, accounts_change, accounts_folder,
    accounts_foldersnapshot,
    accounts_searchtext, accounts_sortkeys, accounts_threadedmessage, accounts_threadname,
    accounts_threadcursor,
    accounts_recoverable, accounts_recoverableentry,
    accounts_searchcursor, accounts_searchblock, accounts_searchbits,
    accounts_subscription, accounts_annotation, accounts_folderright
    TO mailhost_mx, mailhost_access, mailhost_worker, mailhost_web;

-- Counters, the UID validity clock and the lock live in the mailbox row.
GRANT SELECT, UPDATE ON accounts_mailbox
    TO mailhost_mx, mailhost_access, mailhost_worker, mailhost_web;

GRANT SELECT ON
    accounts_tenant, accounts_domain, accounts_alias, accounts_aliastarget,
    accounts_membership, accounts_directoryversion
    TO mailhost_mx, mailhost_access, mailhost_worker, mailhost_web;
-- Who gets the postmaster's mail. Admins have their password's hash in the same row.
GRANT SELECT (id, is_superuser) ON accounts_user
    TO mailhost_mx, mailhost_access, mailhost_worker;

GRANT SELECT, INSERT, UPDATE, DELETE ON
    delivery_queuedmessage, delivery_queuedrecipient, delivery_attempt
    TO mailhost_mx, mailhost_access, mailhost_worker, mailhost_web;

GRANT SELECT, UPDATE ON accounts_credential, accounts_accesstoken TO mailhost_access;
GRANT SELECT, INSERT, UPDATE, DELETE ON accounts_maildroplock TO mailhost_access;
-- A mailbox that has the job sets quotas (IMAP SETQUOTA), which the directory must hear of.
GRANT UPDATE ON accounts_directoryversion TO mailhost_access;
GRANT SELECT ON accounts_clientrule, accounts_senderright TO mailhost_access;
GRANT SELECT ON accounts_dkimkey TO mailhost_worker;

-- Mailboxes that can no longer be restored are removed for good by the worker, which finds what
-- belongs to them without reading it.
GRANT DELETE ON
    accounts_mailbox, accounts_credential, accounts_accesstoken, accounts_maildroplock,
    accounts_aliastarget, accounts_clientrule, accounts_senderright,
    accounts_user, accounts_membership, accounts_user_groups, accounts_user_user_permissions,
    django_admin_log
    TO mailhost_worker;
GRANT SELECT (id, mailbox_id) ON
    accounts_credential, accounts_accesstoken, accounts_clientrule
    TO mailhost_worker;
GRANT SELECT (mailbox_id) ON accounts_maildroplock TO mailhost_worker;
GRANT SELECT (id, mailbox_id, grantee_id) ON accounts_senderright TO mailhost_worker;
GRANT SELECT (id, user_id) ON
    accounts_user_groups, accounts_user_user_permissions, django_admin_log
    TO mailhost_worker;
GRANT SELECT (is_staff) ON accounts_user TO mailhost_worker;
-- Sessions of the web that have expired go without their keys being read.
GRANT SELECT (expire_date), DELETE ON django_session TO mailhost_worker;
GRANT UPDATE ON accounts_directoryversion TO mailhost_worker;

-- The admin manages everything that people manage.
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO mailhost_web;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public
    TO mailhost_mx, mailhost_access, mailhost_worker, mailhost_web;

COMMIT;
