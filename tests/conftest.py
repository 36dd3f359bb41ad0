"""What every test stands on: a home of its own, and the database under test.

`MAILHOST_DATABASE_URL` chooses PostgreSQL for a run; SQLite in the test home otherwise.
"""

import os
import tempfile
from pathlib import Path

_home = Path(tempfile.mkdtemp(prefix="mailhost-test-"))
os.environ["MAILHOST_HOME"] = str(_home)
os.environ.setdefault("MAILHOST_SECRET_KEY", "test key, of no use to anybody")
os.environ.setdefault("MAILHOST_HOSTNAME", "mx.example.test")
os.environ.setdefault("MAILHOST_OUTBOUND_ALLOW_NETS", "127.0.0.0/8")
os.environ.setdefault("MAILHOST_ALLOW_PLAINTEXT_LOOPBACK", "1")
