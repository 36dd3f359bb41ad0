"""The search index: it may rule nothing out that a text has."""

from collections.abc import Iterator

from accounts.fsck.findings import CHUNK, Finding, Progress
from accounts.mailstore import search_blocks, search_index, search_tailer
from accounts.models import SearchBlock


def check_search(progress: Progress, *, is_repairing: bool) -> Iterator[Finding]:
    """The index of a mailbox may rule nothing out that a text has; repaired, it is made anew."""
    progress("search index")
    wrong: dict[int, int] = {}
    blocks = SearchBlock.objects.filter(version=search_index.VERSION).order_by("mailbox_id", "last")
    for number, block in enumerate(blocks.iterator(CHUNK), 1):
        if missed := search_blocks.missed(block):
            wrong[block.mailbox_id] = wrong.get(block.mailbox_id, 0) + missed
        if number % 100 == 0:
            progress(f"{number} blocks of the search index proved")
    for mailbox_id, missed in wrong.items():
        if is_repairing:
            search_tailer.start_again(mailbox_id)
        text = f"The search index of mailbox {mailbox_id} misses {missed} messages."
        yield Finding("search", text, is_repaired=is_repairing)
