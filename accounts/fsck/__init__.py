"""Prove the mail store: every row's octets, every key, every counter, every file.

A fault is something a crash cannot explain; a leftover is what a crash (or a removal) leaves behind
by design, and the collector frees it. The server may run meanwhile: what looks wrong is looked at
again under the mailbox's lock.
"""

from collections.abc import Iterator
from itertools import chain

from accounts.fsck.counters import check_folders, check_mailboxes, check_recoverable
from accounts.fsck.findings import Finding, Progress
from accounts.fsck.index import check_search
from accounts.fsck.keys import check_inboxes, check_keys, check_keywords, check_owners
from accounts.fsck.octets import check_blobs, check_leftovers, check_segments, check_sizes
from accounts.fsck.preparing import prepare_again

__all__ = ["Finding", "Progress", "check", "prepare_again"]


def check(progress: Progress, *, is_repairing: bool = False) -> Iterator[Finding]:
    """Look at everything; counters and the search index are put right with `is_repairing`."""
    return chain(
        check_segments(progress),
        check_blobs(progress),
        check_keys(progress),
        check_owners(progress),
        check_sizes(progress),
        check_inboxes(progress, is_repairing=is_repairing),
        check_folders(progress, is_repairing=is_repairing),
        check_keywords(progress),
        check_mailboxes(progress, is_repairing=is_repairing),
        check_recoverable(progress, is_repairing=is_repairing),
        check_search(progress, is_repairing=is_repairing),
        check_leftovers(progress),
    )
