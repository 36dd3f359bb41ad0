"""Ruby's own IMAP library, whose parser takes nothing that it does not know."""

import subprocess
from pathlib import Path

from tests.journeys.house import USER, House
from tests.partners.presence import need

SCRIPT = Path(__file__).parents[1] / "partners/net_imap.rb"
MESSAGES = Path(__file__).parents[1] / "transcripts/messages"


def test_net_imap(house: House) -> None:
    need("ruby")
    mail = [path.read_bytes() for path in sorted(MESSAGES.iterdir()) if path.is_file()]
    assert len(mail) > 10
    house.put(*mail)
    done = subprocess.run(
        ["ruby", str(SCRIPT), *map(str, house.imap), USER, house.password, "INBOX"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    # Copied, then moved.
    assert list(house.look("Archive").values()) == [{"\\Seen", "\\Flagged", "$Kept"}]
