"""The long ones: collected only for `make proof` (MAILHOST_PROOF=1)."""

import os

from tests.journeys.conftest import address, make_instance

__all__ = ["address", "make_instance"]

if os.environ.get("MAILHOST_PROOF") != "1":
    collect_ignore_glob = ["test_*.py"]
