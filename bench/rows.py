"""The rows that are compared, with the ratio we must hold and the one we aim at.

Ratio is ours/peer for rates and peer/ours for times, CPU and memory: above 1 we are ahead.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: where it stands in the rod's result lines and how to read it."""

    title: str
    label: str
    field: str
    unit: str
    must: float
    aim: float
    is_rate: bool = False
    # An absolute bound of ours, in the row's unit (a floor for rates, a ceiling otherwise).
    bound: float | None = None
    # The rod gives some labels to several measures in turn; the row is the first of so many.
    every: int = 1


SMTP = "smtp-in size={size} mode={mode} c={c}"
# The maildrops of the rod's three POP3 measures: the first has 10,000 messages, the others 1,000.
MAILDROPS = 3
ROWS = [
    Row(
        "SMTP in 4 KiB, visible, c=50, one a connection",
        SMTP.format(size=4096, mode="one", c=50),
        "visible_rate",
        "/s",
        4,
        10,
        is_rate=True,
    ),
    Row(
        "SMTP in 4 KiB, accepted, c=50, one a connection",
        SMTP.format(size=4096, mode="one", c=50),
        "rate",
        "/s",
        0.8,
        1.2,
        is_rate=True,
    ),
    Row(
        "SMTP in 4 KiB, accepted, c=50, many a connection",
        SMTP.format(size=4096, mode="many", c=50),
        "rate",
        "/s",
        1.0,
        1.5,
        is_rate=True,
    ),
    Row(
        "SMTP in 4 KiB, accepted, c=1",
        SMTP.format(size=4096, mode="one", c=1),
        "rate",
        "/s",
        0.8,
        1.2,
        is_rate=True,
    ),
    Row(
        "SMTP in 100 KiB, visible, c=50",
        SMTP.format(size=102400, mode="one", c=50),
        "visible_rate",
        "/s",
        1.5,
        2.5,
        is_rate=True,
    ),
    Row(
        "server CPU per 4 KiB message, c=50",
        SMTP.format(size=4096, mode="one", c=50),
        "cpu_per_unit_ms",
        "ms",
        1.5,
        2.5,
        bound=1.5,
    ),
    Row(
        "submission and relay, c=50",
        "submission+relay 4KiB c=50 20 msgs/conn",
        "relay_rate",
        "/s",
        0.8,
        1.3,
        is_rate=True,
    ),
    Row(
        "IMAP login and logout, c=10",
        "imap login+logout c=10",
        "rate",
        "/s",
        0.7,
        1.0,
        is_rate=True,
    ),
    Row("SELECT 10,000 warm", "SELECT 10k warm, same connection", "ms", "ms", 0.5, 1.0),
    Row("SELECT 100,000 warm", "SELECT 100k warm, same connection", "ms", "ms", 0.5, 1.0),
    Row("SELECT 100,000, cold page cache", "SELECT 100k cold page cache", "ms", "ms", 0.8, 1.5),
    Row("FETCH FLAGS of 10,000", "FETCH 1:* FLAGS 10k", "ms", "ms", 0.8, 2),
    Row("FETCH FLAGS of 100,000", "FETCH 1:* FLAGS 100k", "ms", "ms", 0.8, 2),
    Row("FETCH ENVELOPE of 10,000, warm", "FETCH 1:* ENVELOPE 10k", "ms", "ms", 2, 4),
    Row("FETCH ENVELOPE of 10,000, first", "FETCH 1:* ENVELOPE 10k [first]", "ms", "ms", 2, 4),
    Row("FETCH list view of 10,000, warm", "FETCH 1:* FULL-LIST 10k", "ms", "ms", 2, 4),
    Row("FETCH list view of 10,000, first", "FETCH 1:* FULL-LIST 10k [first]", "ms", "ms", 8, 15),
    Row(
        "FETCH list view, last 50 of 100,000",
        "FETCH last 50 FULL-LIST of 100k",
        "ms",
        "ms",
        0.5,
        1.0,
    ),
    Row("FETCH BODY[] 1,000 x 20 KiB", "FETCH BODY.PEEK[] 1000x20KiB", "ms", "ms", 0.5, 0.9),
    Row("STORE +FLAGS 10,000", "STORE 1:* +FLAGS 10k", "ms", "ms", 0.8, 1.3),
    Row("COPY 10,000", "COPY 10k", "ms", "ms", 1.0, 2),
    Row("EXPUNGE 10,000", "EXPUNGE 10k", "ms", "ms", 0.5, 1.0),
    Row("SEARCH SUBJECT in 10,000", "SEARCH SUBJECT 10k", "ms", "ms", 3, 8),
    Row("SEARCH FROM in 10,000", "SEARCH FROM 10k", "ms", "ms", 3, 8),
    Row("SEARCH BODY in 10,000", "SEARCH BODY 10k", "ms", "ms", 4, 15),
    Row("SEARCH TEXT in 10,000", "SEARCH TEXT 10k", "ms", "ms", 4, 15),
    Row("APPEND 4 KiB, c=1", "imap append 4KiB c=1", "rate", "/s", 0.8, 1.2, is_rate=True),
    Row("APPEND 4 KiB, c=10", "imap append 4KiB c=10", "rate", "/s", 0.8, 1.2, is_rate=True),
    Row(
        "IDLE: final dot to EXISTS, median",
        "IDLE latency DATA end -> EXISTS",
        "p50_ms",
        "ms",
        50,
        100,
        bound=10,
    ),
    Row(
        "memory of an idle IMAP connection",
        "idle IMAP connections x500",
        "pss_kb_per_conn",
        "KiB",
        8,
        15,
        bound=20,
    ),
    Row("POP3 LIST of 10,000", "POP3 LIST", "ms", "ms", 0.8, 1.0, every=MAILDROPS),
    Row("POP3 UIDL of 10,000", "POP3 UIDL", "ms", "ms", 2, 4, every=MAILDROPS),
    Row("POP3 RETR 1,000 x 4 KiB", "POP3 RETR x1000", "per_s", "/s", 0.6, 1.0, is_rate=True),
    Row(
        "POP3 RETR 1,000 x 4 KiB, pipelined",
        "POP3 RETR x1000 pipelined",
        "per_s",
        "/s",
        0.4,
        0.8,
        is_rate=True,
    ),
    Row("POP3 session, c=10", "pop3 login+STAT+QUIT c=10", "rate", "/s", 1.0, 1.5, is_rate=True),
]
