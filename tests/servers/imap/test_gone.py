"""The selected folder is gone: the session ends, and what a command has done is not told NO."""

from collections.abc import Callable
from typing import Any

import pytest

from accounts.mailstore import copy, folders, lately, subscriptions
from protocols.servers.imap import fetch
from tests.accounts.mail import append_many
from tests.servers.imap.asking import ask
from tests.transcripts.direct import DirectWire

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def wire(wire: DirectWire, mailbox_id: int) -> DirectWire:
    """With a folder of three messages selected."""
    append_many(mailbox_id, folders.create_folder(mailbox_id, "a").id, 3)
    ask(wire, b"SELECT a")
    return wire


def and_then_delete(mailbox_id: int, does: Callable[..., Any]) -> Callable[..., Any]:
    def done(*args: Any, **kwargs: Any) -> Any:
        result = does(*args, **kwargs)
        folders.delete_folder(mailbox_id, "a")
        return result

    return done


@pytest.mark.parametrize("command", [b"CREATE b", b"RENAME Archive b", b"SUBSCRIBE b"])
def test_what_was_done_is_told_ok(wire: DirectWire, mailbox_id: int, command: bytes) -> None:
    folders.delete_folder(mailbox_id, "a")
    said = ask(wire, command)
    assert said.startswith(b"* BYE [UNAVAILABLE] ")
    assert b"\r\nt OK " in said
    assert ask(wire, b"NOOP") == b""
    names = [folder.name for folder in folders.list_folders(mailbox_id)]
    assert "b" in {*names, *subscriptions.list_subscriptions(mailbox_id)}


@pytest.mark.parametrize("chunk", [1, 3])
def test_what_was_moved_is_told_ok_unless_some_was_not(
    wire: DirectWire, mailbox_id: int, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr("protocols.servers.imap.copy.MOVE_CHUNK", chunk)
    monkeypatch.setattr(copy, "move_uids", and_then_delete(mailbox_id, copy.move_uids))
    said = ask(wire, b"UID MOVE 1:3 INBOX")
    assert said.startswith(b"* OK [COPYUID ")
    assert (b"\r\nt OK " if chunk == 3 else b"\r\nt NO ") in said
    assert b"* BYE [UNAVAILABLE] " in said


def test_what_was_copied_is_told_ok(
    wire: DirectWire, mailbox_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copy, "start_copy", and_then_delete(mailbox_id, _copied))
    said = ask(wire, b"UID COPY 1:3 INBOX")
    assert b"* BYE [UNAVAILABLE] " in said
    assert b"\r\nt OK [COPYUID " in said


def test_a_folder_made_anew_is_not_told_for_the_one_before(
    wire: DirectWire, mailbox_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders.create_folder(mailbox_id, "a/b")
    from_memory = fetch.from_memory

    def made_anew(*args: Any) -> Any:
        monkeypatch.setattr(fetch, "from_memory", from_memory)
        folders.delete_folder(mailbox_id, "a")
        append_many(mailbox_id, folders.create_folder(mailbox_id, "a").id, 2)
        return from_memory(*args)

    monkeypatch.setattr(fetch, "from_memory", made_anew)
    lately.forget()
    said = ask(wire, b"UID FETCH 1:3 (BODY.PEEK[])")
    assert b"BODY[]" not in said


def _copied(*args: Any, **kwargs: Any) -> Any:
    future = _start(*args, **kwargs)
    future.result()
    return future


_start = copy.start_copy
