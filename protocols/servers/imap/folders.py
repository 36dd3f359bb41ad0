"""Authenticated state: SELECT, EXAMINE, and the commands on folders (RFC 3501 §6.3)."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from django.conf import settings

from accounts import stamps
from accounts.mailstore import folders, index, quota, special_uses, subscriptions
from accounts.mailstore.flags import Flag
from accounts.mailstore.folders import FolderInfo
from accounts.mailstore.names import canonical
from accounts.mailstore.object_ids import mailbox_id
from accounts.mailstore.picture import Picture
from accounts.mailstore.refusals import NoSuchFolder
from accounts.mailstore.rights import Right
from accounts.rows import FolderGone
from protocols.servers.imap import kept_lists, recent, rendering, watching
from protocols.servers.imap.acl import my_rights_line
from protocols.servers.imap.answers import bad, done, no, ok
from protocols.servers.imap.append import foresee
from protocols.servers.imap.client import Client
from protocols.servers.imap.enabled import note_condstore
from protocols.servers.imap.folder_view import FolderView
from protocols.servers.imap.listing import Listed, Tree, listed
from protocols.servers.imap.metadata import listed_lines
from protocols.servers.imap.resync import resync
from protocols.wire.imap import commands, responses
from protocols.wire.imap.options import StatusItem
from protocols.wire.imap.responses import Bye, Push, Reply, Tagged

# RFC 4314 §5.2: without any of them a folder is open for reading only.
CHANGING = Right.INSERT | Right.EXPUNGE | Right.SEEN | Right.WRITE | Right.MARK_DELETED


def select(client: Client, command: commands.Select) -> Iterator[Push | Reply]:
    """SELECT and EXAMINE (RFC 3501 §6.3.1, §6.3.2). One that fails leaves nothing selected."""
    if command.resync is not None and not client.resyncs:
        yield bad(command.tag, "Enable QRESYNC first.")
        return
    if closing := _leave(client, command):
        yield closing
    identity = client.identity
    assert identity is not None
    folder = folders.find_while_valid(
        identity.mailbox_id, identity.credential_version, command.name
    )
    if folder is None:
        client.is_leaving = True
        farewell = Bye("The login is no longer valid.").to_bytes()
        yield Tagged(command.tag, "NO", "Log in again.", b"", farewell, closes=True)
        return
    if not folder.is_selectable:
        yield no(command.tag, "The folder holds only other folders.", code=b"CANNOT")
        return
    view = _open(client, folder, is_read_only=_is_read_only(command, folder))
    view.wording = client.wording
    yield _opening(client, view)
    if client.is_rev2:
        # RFC 9051 §6.3.2: the name as it is kept, and as it was said where that differs.
        yield named_line(client, folder.name, said=command.name)
    if command.resync is not None:
        yield from resync(view, command.resync)
    entered = _entered(client, command, view)
    if client.watch is not None:
        watching.follow_selected(client.watch, client.mailbox_id, view)
    yield entered


def select_at_once(
    client: Client, command: commands.Select, folder: FolderInfo, picture: Picture
) -> Tagged:
    """The same of a folder in which nobody watches for more and no message is \\Recent."""
    lines = _leave(client, command)
    is_read_only = _is_read_only(command, folder)
    view = FolderView(picture, is_read_only=is_read_only, recent=range(0), rights=folder.rights)
    view.wording = client.wording
    return _entered(client, command, view, lines + _opening(client, view))


def leave(client: Client) -> bytes:
    """Leave the folder that was selected, if one was, for another; what is said of it."""
    if client.view is None:
        return b""
    client.leave_folder()
    # RFC 7162 §3.2.11: what was said before this was about the folder before.
    return responses.untagged("OK", "The folder is closed.", b"CLOSED")


def _leave(client: Client, command: commands.Select) -> bytes:
    lines = leave(client)
    if command.condstore:
        note_condstore(client)
    return lines


def _is_read_only(command: commands.Select, folder: FolderInfo) -> bool:
    return command.is_read_only or not folder.rights & CHANGING


def _entered(
    client: Client, command: commands.Select, view: FolderView, lines: bytes = b""
) -> Tagged:
    client.folder_id = view.told.folder_id
    client.view = view
    foresee(client, command.name)
    text = "Examined." if command.is_read_only else "Done."
    code = b"READ-ONLY" if view.is_read_only else b"READ-WRITE"
    return ok(command.tag, text, code=code, untagged=lines)


def _open(client: Client, folder: FolderInfo, *, is_read_only: bool) -> FolderView:
    try:
        picture = index.picture(folder.id, folder.counters, folder.stamp)
        if client.is_rev2:
            # RFC 9051 knows no \Recent: who speaks it leaves the flag to others.
            uids = range(0)
        elif is_read_only or Right.SEEN not in folder.rights:
            uids = recent.look(picture)
        else:
            uids = recent.take(picture)
            if uids:
                # In the database too, so that no other process shows them as \Recent.
                uids = range(max(uids.start, recent.claim(folder.id)), uids.stop)
    except FolderGone:
        raise NoSuchFolder("There is no such folder.") from None
    return FolderView(picture, is_read_only=is_read_only, recent=uids, rights=folder.rights)


def _opening(client: Client, view: FolderView) -> bytes:
    """What is said of a folder that is opened; kept with its picture, as programs ask again."""
    picture = view.told
    asked = (client.enabled, view.is_read_only, view.rights, view.recent_count)
    # A picture may hand its memory on to one that differs in these alone.
    question = (*asked, picture.uidnext, picture.highest_modseq)
    kept: tuple[object, bytes] = picture.memo.get("opening", (None, b""))
    if kept[0] != question:
        kept = picture.memo["opening"] = question, _told_of(client, view)
    return kept[1]


def _told_of(client: Client, view: FolderView) -> bytes:
    picture = view.told
    lines = [rendering.flags_known(view), responses.exists(len(picture))]
    if not client.is_rev2:
        lines.append(responses.recent(view.recent_count))
        unseen = view.first_unseen
        # RFC 9586 §3: it is a message number.
        if unseen is not None and not client.is_uid_only:
            lines.append(responses.untagged("OK", "First unseen.", b"UNSEEN %d" % unseen))
    lines += [
        responses.untagged("OK", "UIDs valid.", b"UIDVALIDITY %d" % picture.uidvalidity),
        responses.untagged("OK", "Predicted next UID.", b"UIDNEXT %d" % picture.uidnext),
        responses.untagged(
            "OK", "Highest mod-sequence.", responses.highest_modseq(picture.highest_modseq)
        ),
        responses.untagged(
            "OK", "Its own for ever.", _mailbox_id_code(picture.folder_id, picture.uidvalidity)
        ),
    ]
    return b"".join(lines)


def status(client: Client, command: commands.Status) -> Tagged:
    """RFC 3501 §6.3.10."""
    folder = folders.find_folder(client.mailbox_id, command.name)
    if not folder.is_selectable:
        return no(command.tag, "The folder holds only other folders.", code=b"CANNOT")
    items = [(item, _status_value(folder, item)) for item in command.items]
    enabling = note_condstore(client) if "HIGHESTMODSEQ" in command.items else b""
    untagged = enabling + client.news(may_expunge=True) + _status_of(client, folder, items)
    return ok(command.tag, "Done.", untagged=untagged)


# What a picture knows of a folder.
AT_HAND: frozenset[StatusItem] = frozenset(
    (
        *("MESSAGES", "UIDNEXT", "UIDVALIDITY", "UNSEEN", "DELETED", "RECENT"),
        *("HIGHESTMODSEQ", "APPENDLIMIT", "MAILBOXID"),
    )
)


def status_at_once(
    client: Client, command: commands.Status, folder: FolderInfo, picture: Picture
) -> Tagged:
    """The same from the folder's present picture, of items AT_HAND, for who hears no news."""
    now = replace(
        folder,
        uidnext=picture.uidnext,
        highest_modseq=picture.highest_modseq,
        recent_from_uid=picture.recent_from_uid,
        exists=len(picture),
        unseen=_unseen(picture),
    )
    items = [(item, _status_value(now, item, picture)) for item in command.items]
    enabling = note_condstore(client) if "HIGHESTMODSEQ" in command.items else b""
    return ok(command.tag, "Done.", untagged=enabling + _status_of(client, now, items))


def _unseen(picture: Picture) -> int:
    return picture.remembered("unseen", lambda: picture.count_without(Flag.SEEN))


def _status_of(
    client: Client, folder: FolderInfo, items: Sequence[tuple[StatusItem, int | str]]
) -> bytes:
    return responses.status(folder.name, items, is_utf8=client.tells_utf8)


def _status_value(
    folder: FolderInfo, item: StatusItem, picture: Picture | None = None
) -> int | str:
    """`picture`: the folder's, where it is at hand."""
    match item:
        case "MESSAGES":
            return folder.exists
        case "UIDNEXT":
            return folder.uidnext
        case "UIDVALIDITY":
            return folder.uidvalidity
        case "UNSEEN":
            return folder.unseen
        case "SIZE":
            return folder.octets
        case "DELETED":
            return _deleted(folder, picture)
        case "DELETED-STORAGE":
            return _deleted_storage(folder)
        case "APPENDLIMIT":
            return settings.MAILHOST.max_message_size
        case "MAILBOXID":
            return f"({mailbox_id(folder.id, folder.uidvalidity)})"
        case "HIGHESTMODSEQ":
            return folder.highest_modseq
        case "RECENT":
            if folder.recent_from_uid == folder.uidnext:
                return 0
            picture = index.picture(folder.id) if picture is None else picture
            uids = recent.look(picture)
            return sum(1 for uid in reversed(picture.uids) if uid in uids)


def _deleted(folder: FolderInfo, picture: Picture | None = None) -> int:
    """RFC 9051 §6.3.11: how many messages have \\Deleted set."""
    if not folder.exists:
        return 0
    now = index.picture(folder.id) if picture is None else picture
    return now.remembered("deleted", lambda: len(now) - now.count_without(Flag.DELETED))


def _deleted_storage(folder: FolderInfo) -> int:
    """RFC 9208 §4.1.4: how many octets an EXPUNGE would free."""
    if not _deleted(folder):
        return 0
    picture = index.picture(folder.id)
    return picture.remembered("deleted octets", lambda: quota.deleted_octets(folder.id))


def _mailbox_id_code(folder_id: int, uidvalidity: int) -> bytes:
    """The MAILBOXID response code (RFC 8474 §4.2)."""
    return b"MAILBOXID (%b)" % mailbox_id(folder_id, uidvalidity).encode()


def create(client: Client, command: commands.Create) -> Tagged:
    """CREATE (RFC 3501 §6.3.3), with a special use where one is asked for (RFC 6154 §3)."""
    use = special_uses.spelt(" ".join(command.special_use))
    made = folders.create_folder(client.mailbox_id, command.name, use)
    code = _mailbox_id_code(made.id, made.uidvalidity)
    lines = b""
    if client.is_rev2 and made.name != command.name:
        lines = named_line(client, made.name, said=command.name)
    return done(client, command.tag, code=code, untagged=lines)


def delete(client: Client, command: commands.Delete) -> Tagged:
    """RFC 3501 §6.3.4."""
    folder = folders.find_folder(client.mailbox_id, command.name, Right.DELETE)
    folders.delete_folder(client.mailbox_id, command.name)
    if folder.id == client.folder_id:
        # What was \Recent in it is gone with it.
        client.took_recent = False
        client.leave_folder()
    return done(client, command.tag)


def rename(client: Client, command: commands.Rename) -> Tagged:
    """RFC 3501 §6.3.5."""
    folders.rename_folder(client.mailbox_id, command.old, command.new)
    lines = b""
    if client.is_rev2:
        # RFC 9051 §6.3.6, §6.3.9.7.
        lines = named_line(client, canonical(command.new), said=canonical(command.old))
    return done(client, command.tag, untagged=lines)


def subscribe(client: Client, command: commands.Subscribe) -> Tagged:
    """RFC 3501 §6.3.6."""
    subscriptions.subscribe(client.mailbox_id, command.name)
    return done(client, command.tag)


def unsubscribe(client: Client, command: commands.Unsubscribe) -> Tagged:
    """RFC 3501 §6.3.7."""
    subscriptions.unsubscribe(client.mailbox_id, command.name)
    return done(client, command.tag)


def list_folders(client: Client, command: commands.List) -> Iterator[Push | Reply]:
    """LIST and LSUB (RFC 3501 §6.3.8, §6.3.9, RFC 5258)."""
    if command.patterns == ("",) and not command.is_extended:
        yield ok(command.tag, "Done.", untagged=responses.delimiter_only())
        return
    if "RECURSIVEMATCH" in command.select_options and not command.select_options & {
        "SUBSCRIBED",
        "SPECIAL-USE",
    }:
        # RFC 5258 §3.1: it only widens another selection.
        yield bad(command.tag, "RECURSIVEMATCH needs another selection option.")
        return
    needs_subscriptions = command.is_lsub or "SUBSCRIBED" in (
        command.select_options | command.return_options
    )
    stamp = stamps.take(client.mailbox_id)
    subscribed = subscriptions.list_subscriptions(client.mailbox_id) if needs_subscriptions else ()
    existing = folders.list_all_seen(client.mailbox_id)
    lines = []
    if "HIGHESTMODSEQ" in command.status_items:
        lines.append(note_condstore(client))
    by_name = {folder.name: folder for folder in existing}
    rows = yield from listed(command, existing, subscribed, tells_uses=client.tells_uses)
    noted = listed_lines(
        client, command.entries, [by_name[row.name] for row in rows if row.name in by_name]
    )
    for row in rows:
        lines.append(_line(row, is_lsub=command.is_lsub, is_utf8=client.tells_utf8))
        lines.append(noted.get(row.name, b""))
        folder = by_name.get(row.name)
        if folder is None:
            continue
        if command.status_items and folder.is_selectable and Right.READ in folder.rights:
            lines.append(_status_line(client, folder, command.status_items))
        if "MYRIGHTS" in command.return_options:
            lines.append(my_rights_line(client, folder))
    told = b"".join(lines)
    kept_lists.keep(client, command, stamp, existing, told)
    yield ok(command.tag, "Done.", untagged=told + client.news(may_expunge=True))


def _status_line(client: Client, folder: FolderInfo, items: Sequence[StatusItem]) -> bytes:
    try:
        return _status_of(client, folder, [(item, _status_value(folder, item)) for item in items])
    except FolderGone:
        # Deleted this instant: RFC 5819 §2 lets its STATUS be left out.
        return b""


def _line(row: Listed, *, is_lsub: bool = False, is_utf8: bool) -> bytes:
    line = responses.listed(row.name, row.attributes, is_lsub=is_lsub, is_utf8=is_utf8)
    if row.has_subscribed_below:
        return line.removesuffix(b"\r\n") + b' ("CHILDINFO" ("SUBSCRIBED"))\r\n'
    return line


def named_line(client: Client, name: str, *, said: str) -> bytes:
    """The LIST response for one folder; with OLDNAME where it was said in another way.

    RFC 9051 §6.3.9.7. Nothing where the folder is gone this instant.
    """
    tree = Tree(folders.list_all_seen(client.mailbox_id), (), tells_uses=client.tells_uses)
    if name not in tree.folders:
        return b""
    lines = _line(Listed(name, tuple(tree.attributes(name))), is_utf8=client.tells_utf8)
    if said != name:
        old = responses.folder_name(said, is_utf8=client.tells_utf8)
        return lines.removesuffix(b"\r\n") + b' ("OLDNAME" (%b))\r\n' % old
    return lines
