"""Nobody waits for another's bulk work: 100,000 messages are copied, moved and deleted, and trees
of folders renamed, while others get mail and read theirs.

`MAILHOST_PROOF_BULK` (100000) sets how many messages.
"""

import os
import time
from collections.abc import Callable

from tests.journeys.conftest import MakeInstance
from tests.partners.instance import PASSWORD, Instance
from tests.proof.bystanders import Bystanders, Waits
from tests.proof.plain_imap import PlainImap

MESSAGES = int(os.environ.get("MAILHOST_PROOF_BULK", "100000"))
APPENDED = 500
# Folders of a tree of twelve levels: its root, and so many chains of eleven below it.
CHAINS, BELOW = 182, 11
RENAMES = 10
AFTER = 1.0
# Seconds. What is done in bounded batches keeps nobody for longer, not even where others compute
# beside it. What the disk itself takes is measured and comes on top.
BOUND = 2.0
# A delivery waits for the batch under way and for its own: octets, then rows, of each.
SYNCS = 4

USERS = tuple(f"u{number}@here.test" for number in range(4))
BUSY = "busy@here.test"


def test_bulk_work_keeps_nobody_waiting(make_instance: MakeInstance, figures: list[str]) -> None:
    host = make_instance("bulk", SERVER_PROCESSES="2")
    for user in (*USERS, BUSY):
        host.add_mailbox(user)
    client = _logged_in(host)
    _fill(client, "Archive", MESSAGES)
    _grow(client)

    bystanders = Bystanders(host, USERS, BUSY, "Archive")
    bystanders.start()
    time.sleep(3)
    bystanders.take()
    time.sleep(10)
    found: dict[str, tuple[float, Waits]] = {"nothing": (10.0, bystanders.take())}
    for name, work in _work(client).items():
        begun = time.monotonic()
        work()
        lasted = time.monotonic() - begun
        # Who still waits is counted here.
        time.sleep(AFTER)
        found[name] = lasted, bystanders.take()
        print(f"{name} took {found[name][0]:.1f} s", flush=True)
    bystanders.stop()
    client.close()

    for name, (lasted, waits) in found.items():
        figures.append(f"longest wait beside {name} ({lasted:.1f} s):")
        figures += [f"  {line}" for line in waits.told()]
    checked = host.manage("fsck", check=False)
    assert checked.returncode == 0, checked.stdout
    slow = {
        name: f"{waits.longest:.1f} s, the machine {waits.of_machine:.1f} s"
        for name, (_, waits) in found.items()
        if waits.longest > BOUND + SYNCS * waits.of_machine
    }
    assert slow == {}


def _work(client: PlainImap) -> dict[str, Callable[[], object]]:
    """What is done beside the others, in this order; each leaves what the next needs."""

    def ask(*lines: str) -> Callable[[], object]:
        return lambda: [client.ask(line) for line in lines]

    return {
        f"COPY of {MESSAGES}": ask("SELECT Archive", "COPY 1:* Big"),
        f"STORE of {MESSAGES}": ask("STORE 1:* +FLAGS.SILENT (\\Seen)"),
        f"MOVE of {MESSAGES}": ask("MOVE 1:* Trash"),
        f"MOVE of {MESSAGES} back": ask("SELECT Trash", "MOVE 1:* Archive"),
        f"STORE and EXPUNGE of {MESSAGES}": ask(
            "SELECT Archive", "STORE 1:* +FLAGS.SILENT (\\Deleted)", "EXPUNGE"
        ),
        f"{RENAMES} RENAMEs of {CHAINS * BELOW + 1} folders": ask(
            *["RENAME top moved", "RENAME moved top"] * (RENAMES // 2)
        ),
        f"DELETE of a folder of {MESSAGES}": ask("UNSELECT", "DELETE Big"),
    }


def _logged_in(host: Instance) -> PlainImap:
    client = PlainImap(host.address, host.IMAP)
    client.ask(f'LOGIN {BUSY} "{PASSWORD}"')
    return client


def _fill(client: PlainImap, folder: str, count: int) -> None:
    """Messages of their own first, then copies of them."""
    messages = [
        b"From: a@b.test\r\nSubject: number %d\r\n\r\nhello\r\n" % number
        for number in range(min(count, APPENDED))
    ]
    client.append(folder, messages)
    client.ask(f"SELECT {folder}")
    held = len(messages)
    while held < count:
        some = min(held, count - held)
        client.ask(f"COPY 1:{some} {folder}")
        held += some
    client.ask("CREATE Big")


def _grow(client: PlainImap) -> None:
    """A tree; the parents that a name lacks are made with it."""
    below = "/".join(f"level{level}" for level in range(2, BELOW + 1))
    client.ask_all([f"CREATE top/chain{number}/{below}" for number in range(CHAINS)])
