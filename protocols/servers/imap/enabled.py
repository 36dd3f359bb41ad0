"""What a client has switched on for its connection: by ENABLE (RFC 5161), or by using it."""

from accounts.directory.switchboard import hides
from protocols.servers.imap.annotation_news import AnnotationNews
from protocols.servers.imap.client import Client, Enabled
from protocols.wire.imap import commands, responses
from protocols.wire.imap.responses import Tagged

# By its name in upper case: what it switches on, and its name in ENABLED.
_NAMES: dict[str, tuple[Enabled, str]] = {
    "CONDSTORE": (Enabled.CONDSTORE, "CONDSTORE"),
    # RFC 7162 §3.2.3: QRESYNC is a CONDSTORE-enabling command.
    "QRESYNC": (Enabled.QRESYNC | Enabled.CONDSTORE, "QRESYNC"),
    # RFC 5464 §4.1: who enables one of them takes METADATA responses that it did not ask for.
    "METADATA": (Enabled.METADATA, "METADATA"),
    "METADATA-SERVER": (Enabled.METADATA_SERVER, "METADATA-SERVER"),
    "UTF8=ACCEPT": (Enabled.UTF8, "UTF8=ACCEPT"),
    "UIDONLY": (Enabled.UIDONLY, "UIDONLY"),
    "IMAP4REV2": (Enabled.IMAP4REV2, "IMAP4rev2"),
}


def enable(client: Client, command: commands.Enable) -> Tagged:
    """ENABLE; what is unknown is passed over (RFC 5161 §3.1)."""
    names = []
    before = client.enabled
    for asked in command.capabilities:
        known = _NAMES.get(asked)
        if known is not None and not hides(client.masked, asked):
            client.enabled |= known[0]
            names.append(known[1])
    if client.enabled & ~before & (Enabled.METADATA | Enabled.METADATA_SERVER):
        hears_of_folders = Enabled.METADATA in client.enabled
        client.annotations = AnnotationNews(client.mailbox_id, hears_of_folders=hears_of_folders)
    lines = responses.enabled(names)
    if client.view is not None and Enabled.CONDSTORE in client.enabled & ~before:
        lines += client.highest_modseq_line()
    if Enabled.UIDONLY in client.enabled & ~before:
        lines += client.contexts.drop_numbers()
    if client.view is not None:
        client.view.wording = client.wording
        if client.is_rev2:
            client.view.forget_recent()
    return Tagged(command.tag, "OK", "Done.", b"", lines, dialect=client.dialect)


def note_condstore(client: Client) -> bytes:
    """The client has used CONDSTORE: from now on it hears of mod-sequences (RFC 7162 §3.1)."""
    if Enabled.CONDSTORE in client.enabled:
        return b""
    client.enabled |= Enabled.CONDSTORE
    return b"" if client.view is None else client.highest_modseq_line()
