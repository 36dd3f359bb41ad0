"""A disk that takes its time over a sync, for Mailhost and Dovecot alike.

A virtual machine's disk may answer a sync from a cache, in some ten microseconds; then rows of
APPEND compare processors alone. The machine on which the bars were measured took 350.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).with_suffix(".c")
# Dovecot gives its processes the variables that it is told to.
_BEFORE = "base_dir = "
_KEPT = "import_environment = TZ LD_PRELOAD BENCH_SYNC_US\n"


def slow_down(microseconds: int, rod: Path, work: Path) -> None:
    """Have syncs take so long in all that is started from now on, with a copy of the rod in `work`.

    Postfix cleans its processes' environment: rows of SMTP and submission would mean nothing.
    """
    library = work / "slow_disk.so"
    subprocess.run(
        ["gcc", "-O2", "-shared", "-fPIC", "-o", str(library), str(SOURCE), "-ldl"], check=True
    )
    shutil.copytree(rod, work / "rod")
    script = work / "rod" / "peers" / "postfix_dovecot.sh"
    text = script.read_text()
    if _BEFORE not in text:
        sys.exit(f"bench: {script.name} writes no {_BEFORE.strip()}: Dovecot would not wait.")
    script.write_text(text.replace(_BEFORE, _KEPT + _BEFORE, 1))
    os.environ.update(LD_PRELOAD=str(library), BENCH_SYNC_US=str(microseconds))
