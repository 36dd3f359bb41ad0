"""What a watch reads and listens to: `watch` itself is pure and asks nobody (RFC 5465)."""

from collections.abc import Callable

from accounts.mailstore import changes
from accounts.mailstore.catalog import sight
from protocols.servers.imap.folder_view import FolderView
from protocols.servers.imap.watch import Manner, Watch


def news(watch: Watch, mailbox_id: int, selected_id: int, manner: Manner) -> bytes:
    """Take the client to what its mailbox sees now; what it must be told of it. Overflow."""
    with_others = watch.interest.is_about_others
    now = sight(mailbox_id, watch.told, with_others=with_others)
    lines = watch.news(now, selected_id, manner)
    follow_owners(watch)
    return lines


def follow_selected(watch: Watch, mailbox_id: int, view: FolderView) -> None:
    """Hear of the selected folder where it is in another's mailbox."""
    picture = view.told
    if picture.mailbox_id == mailbox_id:
        return
    watch.end_selected()
    watch.leave_selected = changes.subscribe(
        picture.folder_id, watch.notice, known_modseq=picture.highest_modseq
    )
    # What came before anybody listened.
    watch.wake()


def follow_owners(watch: Watch) -> None:
    """Hear of everybody whose folders are in sight."""

    def subscribe(mailbox_id: int, known: int) -> Callable[[], None]:
        return changes.subscribe_mailbox(mailbox_id, watch.notice, known_modseq=known)

    if watch.follow_owners(subscribe):
        # What came before anybody listened.
        watch.wake()
