"""Thunderbird over TLS: what it shows is what the server holds, whoever changed it last."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.house import LUNCH, SUPPER, USER, House
from tests.partners.daemon import wait_until
from tests.partners.presence import need
from tests.partners.thunderbird import Thunderbird


@pytest.fixture
def bird(house: House, tmp_path: Path) -> Iterator[Thunderbird]:
    need("thunderbird")
    bird = Thunderbird(tmp_path, house.imaps, USER, house.password)
    yield bird
    bird.close()


def test_thunderbird(house: House, bird: Thunderbird) -> None:
    def has(folder: str, wanted: dict[str, set[str]], idle: str = "INBOX") -> None:
        """Wait until the server's folder holds that, and Thunderbird has no more to say."""
        try:
            wait_until(lambda: house.look(folder) == wanted, "")
        except AssertionError:
            assert house.look(folder) == wanted, bird.said()
        wait_until(lambda: bird.idles_in(idle), f"Thunderbird idles in {idle}")

    house.put(LUNCH)
    bird.run("go('INBOX')")
    bird.see("return cards()", {"Lunch": ["unread"]})
    # Its own names for what special uses tell it: Archives is our Archive, Spam our Junk.
    bird.see("return folders()", ["Inbox", "Drafts", "Sent", "Archives", "Spam", "Trash"])
    bird.run("choose('Lunch')")
    bird.see("return reading().endsWith('At noon?')", True)
    bird.see("return cards()", {"Lunch": []})
    has("INBOX", {"Lunch": {"\\Seen"}})

    # It idles now.
    house.put(SUPPER)
    bird.see("return cards()", {"Lunch": [], "Supper": ["unread"]})
    has("INBOX", {"Lunch": {"\\Seen"}, "Supper": set()})
    house.flag("Supper", "\\Flagged")
    bird.see("return cards()", {"Lunch": [], "Supper": ["flagged", "unread"]})

    assert bird.run("return search('INBOX', 'Body', 'NOON')") == ["Lunch"]
    assert bird.run("return search('INBOX', 'Sender', 'c.test')") == ["Supper"]
    assert bird.run("return search('INBOX', 'Subject', 'Breakfast')") == []

    bird.run("command('cmd_markAsFlagged')")
    bird.see("return cards()", {"Lunch": ["flagged"], "Supper": ["flagged", "unread"]})
    has("INBOX", {"Lunch": {"\\Seen", "\\Flagged"}, "Supper": {"\\Flagged"}})
    bird.run("command('cmd_copyMessage', folder('Sent'))")
    has("Sent", {"Lunch": {"\\Seen", "\\Flagged"}})
    bird.run("command('cmd_moveMessage', folder('Archive'))")
    has("Archive", {"Lunch": {"\\Seen", "\\Flagged"}})
    # It opens the next one by itself.
    bird.see("return cards()", {"Supper": ["flagged"]})
    bird.see("return reading().endsWith('At eight?')", True)
    has("INBOX", {"Supper": {"\\Seen", "\\Flagged"}})
    bird.run("go('Archive')")
    bird.see("return cards()", {"Lunch": ["flagged"]})

    bird.run("write('bob@b.test', 'Breakfast', 'At six?')")
    bird.see("return writing()?.composeEditorReady", True)
    bird.run("writing().goDoCommand('cmd_saveAsDraft')")
    has("Drafts", {"Breakfast": {"\\Draft"}}, idle="Drafts")
    bird.run("go('Drafts')")
    bird.see("return Object.keys(cards())", ["Breakfast"])
    bird.run("choose('Breakfast')")
    bird.see("return reading().endsWith('At six?')", True)
    assert bird.refusals() == []
