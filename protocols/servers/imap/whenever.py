"""What needs no folder of its own: NOOP, CAPABILITY, LOGOUT, ID, NAMESPACE, COMPRESS, UNSELECT."""

from dataclasses import replace

from django.conf import settings

from accounts.mailstore.names import SEPARATOR
from accounts.mailstore.shared_names import PREFIX
from protocols.servers.imap import folders, login, masking
from protocols.servers.imap.answers import no, ok
from protocols.servers.imap.client import Client
from protocols.wire.imap import commands as c
from protocols.wire.imap import responses
from protocols.wire.imap.responses import Bye, Tagged


def refuse(client: Client, command: c.Invalid) -> Tagged:
    """What could not be read: the grammar has the answer ready."""
    if command.empties_saved and client.view is not None:
        client.view.save([])
    if command.leaves_folder:
        return replace(command.reply, untagged=folders.leave(client))
    return command.reply


def capability(client: Client, command: c.Capability) -> Tagged:
    """RFC 3501 §6.1.1."""
    return ok(command.tag, "Done.", untagged=responses.capability(login.capabilities(client)))


def noop(client: Client, command: c.Noop | c.Check) -> Tagged:
    """RFC 3501 §6.1.2, §6.4.1: a checkpoint is nothing to us, all that was answered is durable."""
    return ok(command.tag, "Done.", untagged=client.news(may_expunge=True))


def log_out(client: Client, command: c.Logout) -> Tagged:
    """RFC 3501 §6.1.3."""
    client.stop_watch()
    client.leave_folder()
    client.is_leaving = True
    return Tagged(command.tag, "OK", "Done.", b"", Bye("Goodbye.").to_bytes(), closes=True)


def identify(client: Client, command: c.Id) -> Tagged:
    """RFC 2971: what is said is safe for strangers, so never a version (§5).

    What the client says tells which of our capabilities it cannot cope with.
    """
    masking.introduced(client, {key.lower(): value or "" for key, value in command.parameters})
    said = {"name": "Mailhost", "vendor": "Mailhost"}
    if settings.MAILHOST.support_url:
        said["support-url"] = settings.MAILHOST.support_url
    return ok(command.tag, "Done.", untagged=responses.identity(said))


def namespace(client: Client, command: c.Namespace) -> Tagged:
    """RFC 2342."""
    return ok(command.tag, "Done.", untagged=responses.namespace(PREFIX + SEPARATOR))


def compress(client: Client, command: c.Compress) -> Tagged:
    """RFC 4978."""
    if command.mechanism != "DEFLATE":
        return no(command.tag, "There is no such mechanism.", code=b"CANNOT")
    return ok(command.tag, "Compressed from here on.")


def unselect(client: Client, command: c.Unselect) -> Tagged:
    """RFC 3691."""
    client.leave_folder()
    return ok(command.tag, "Done.")
