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


SLICES = """
import resource, threading
from protocols.servers.allocation import give_back_large_blocks

give_back_large_blocks()

def pass_on_slices():
    for _ in range(20):
        slices = [bytes(1 << 20) for _ in range(4)]
        del slices

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    thread = threading.Thread(target=pass_on_slices)
    thread.start()
    thread.join()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

print(faults())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="steers glibc")
def test_the_memory_of_slices_is_used_again() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SLICES], capture_output=True, text=True, check=True
    )
    # In pages: four slices once, not twenty times.
    assert int(done.stdout) < 2 * 4 * 256
