"""Memory that was used once for something large goes back to the system."""

import subprocess
import sys

import pytest

SCRIPT = """
from accounts.hashers import hash_password
from protocols.servers.allocation import give_back_large_blocks

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

give_back_large_blocks()
before = resident()
for _ in range(3):
    hash_password("secret")
print(resident() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="steers glibc")
def test_large_blocks_are_given_back() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 8 << 20
