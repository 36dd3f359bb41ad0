"""Measure Mailhost and Postfix with Dovecot side by side, in turns, in one run.

    make bench                         every row (about half an hour)
    make bench ARGS="--rows smtp"      only those of one group: smtp, submission, imap, idle
    make bench ARGS="--defaults"       the logins of Dovecot as it is packaged, too
    make bench ARGS="--rows imap --sync 350"   with a disk that takes 350 us to sync

The measuring rod (load generator, peers' configuration) is the directory that
MAILHOST_BENCH_ROD names, `../shared/bench` otherwise. Root is needed for the peers. Everything
listens on loopback; every server is stopped at the end.
"""

import argparse
import csv
import json
import os
import secrets
import shlex
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.rows import ROWS, Row
from bench.slow_disk import slow_down

ROOT = Path(__file__).resolve().parents[1]
ROD = Path(os.environ.get("MAILHOST_BENCH_ROD", ROOT.parent / "shared" / "bench"))
OURS, PEER, DEFAULTS = "Mailhost", "Postfix+Dovecot", "Dovecot's defaults"
GROUPS = ("smtp", "submission", "imap", "idle")
SINK_PORT = 2626


@dataclass
class Server:
    """Something to measure: where it listens and which process trees are its."""

    name: str
    host: str
    pids: str

    def environment(self, work: Path, **more: str) -> dict[str, str]:
        return {
            **os.environ,
            "HOST": self.host,
            "PIDS": self.pids,
            "PEER": self.name,
            "SMTP_PORT": "2525",
            "SUBM_PORT": "2587",
            "IMAP_PORT": "2143",
            "POP3_PORT": "2110",
            "PROTOLOAD": str(work / "protoload"),
            "RESULTS": str(work / f"{self.name}.jsonl"),
            "PYTHON": sys.executable,
            "PYTHONDONTWRITEBYTECODE": "1",
            **more,
        }


@contextmanager
def mailhost(work: Path, host: str = "127.0.0.4") -> Iterator[Server]:
    """Ours on the embedded default, with the users the rod expects."""
    home = work / "home"
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("MAILHOST_")},
        "MAILHOST_HOME": str(home),
        "MAILHOST_BIND": host,
        "MAILHOST_DEMO": "0",
        "MAILHOST_OUTBOUND_PORT": str(SINK_PORT),
        "MAILHOST_RELAYHOST": f"[{host}]:{SINK_PORT}",
    }
    home.mkdir()
    with (work / "up.log").open("wb") as log:
        up = subprocess.Popen(
            [sys.executable, str(ROOT / "manage.py"), "up", "--home", str(home)],
            env=environment,
            cwd=ROOT,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        _await_ready(f"http://{host}:8080/readyz", up, work / "up.log")
        users = work / "users.csv"
        with users.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["address", "password", "quota", "name"])
            writer.writerows(
                [f"u{n}@example.test", "secret", "", f"User {n}"] for n in range(1, 25)
            )
        for command in (
            ["domain", "add", "example.test"],
            ["mailbox", "import", str(users)],
            # The rod's messages are from load@bench.test, and we ask who may say so.
            ["domain", "add", "bench.test"],
            ["alias", "add", "load@bench.test", "u1@example.test"],
        ):
            subprocess.run(
                [sys.executable, str(ROOT / "manage.py"), *command],
                env=environment,
                cwd=ROOT,
                check=True,
                stdout=subprocess.DEVNULL,
            )
        yield Server(OURS, host, str(up.pid))
    finally:
        up.send_signal(signal.SIGTERM)
        up.wait(60)


def _await_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.1)
    sys.exit(f"bench: Mailhost did not come up:\n{log.read_text(errors='replace')[-3000:]}")


@contextmanager
def postfix_dovecot(work: Path, name: str = PEER) -> Iterator[Server]:
    """The peers in their fastest fair set-up: mdbox, pre-forked logins, 127.0.0.1.

    Called DEFAULTS, they log in as the package does: two new processes a session.
    """
    script = str(work / "rod" / "peers" / "postfix_dovecot.sh")
    environment = {
        **os.environ,
        "PEERS_DIR": str(work),
        "MAIL_FORMAT": "mdbox",
        "LOGIN_MODE": "secure" if name == DEFAULTS else "performance",
        "SINK_PORT": str(SINK_PORT),
    }

    def peers(verb: str) -> str:
        return subprocess.run(
            [script, verb],
            env=environment,
            text=True,
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ).stdout

    peers("start")
    time.sleep(2)
    try:
        yield Server(name, "127.0.0.1", peers("pids").strip())
    finally:
        peers("stop")


def measure(server: Server, work: Path, script: str, **environment: str) -> None:
    print(f"  {server.name}: {script} {environment}", flush=True)
    subprocess.run(
        [str(work / "rod" / script)],
        env=server.environment(work, **environment),
        check=False,
        stdout=subprocess.DEVNULL,
    )


def one_user(work: Path) -> Path:
    """The load generator as it is when all its connections are of one user."""
    path = work / "protoload-one-user"
    path.write_text(f'#!/bin/sh\nexec {shlex.quote(str(work / "protoload"))} -u 1 "$@"\n')
    path.chmod(0o755)
    return path


def run_group(group: str, servers: list[Server], work: Path, runs: int) -> None:
    """One group of rows, the servers in turn for every measure, so that drift hits both."""
    groups: dict[str, list[tuple[str, dict[str, str]]]] = {
        "smtp": [
            ("run_smtp.sh", {"SIZES": "4096", "CONCS": "50", "MODES": "one many"}),
            ("run_smtp.sh", {"SIZES": "4096", "CONCS": "1", "MODES": "one"}),
            ("run_smtp.sh", {"SIZES": "102400", "CONCS": "50", "MODES": "one"}),
        ],
        # The rod changes the sender within a connection; we let nobody be another: one user each.
        "submission": [("run_subm.sh", {"PROTOLOAD": str(one_user(work))})],
        "imap": [
            ("run_imap.sh", {"PARTS": "populate"}),
            *(
                ("run_imap.sh", {"PARTS": "imap", "ONLY": only})
                for only in ("select", "fetch", "body", "store", "search", "expunge")
            ),
            ("run_imap.sh", {"PARTS": "pop"}),
            ("run_imap.sh", {"PARTS": "login"}),
            ("run_imap.sh", {"PARTS": "append"}),
        ],
        "idle": [("run_imap.sh", {"PARTS": "idle", "IDLE_N": "500"})],
    }
    for script, environment in groups[group]:
        for server in servers:
            measure(server, work, script, RUNS=str(runs), **environment)


def figures(path: Path, row: Row) -> list[dict[str, float]]:
    if not path.exists():
        return []
    lines = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
    found = [line for line in lines if line["label"] == row.label and row.field in line]
    return found[:: row.every]


def show(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def cell(found: list[dict[str, float]], row: Row) -> str:
    """Median and range of a row, as far as the rod kept the range."""
    value = statistics.median(line[row.field] for line in found)
    low, high = (
        [line[f"{row.field}_{end}"] for line in found if f"{row.field}_{end}" in line]
        for end in ("min", "max")
    )
    span = f" ({show(min(low))}–{show(max(high))})" if low and high else ""
    return f"{show(value)} {row.unit}{span}"


def report(work: Path) -> bool:
    """Print the table; False when a "must" or a bound is missed."""
    print(f"\n| row | {OURS} | {PEER} | ratio | must | aim | |")
    print("|---|---|---|---|---|---|---|")
    holds = True
    for row in ROWS:
        ours = figures(work / f"{OURS}.jsonl", row)
        theirs = figures(work / f"{PEER}.jsonl", row)
        if not ours or not theirs:
            continue
        mine = statistics.median(line[row.field] for line in ours)
        other = statistics.median(line[row.field] for line in theirs)
        ratio = mine / other if row.is_rate else other / mine if mine else float("inf")
        verdict = "aim" if ratio >= row.aim else "must" if ratio >= row.must else "MISSED"
        if row.bound is not None and mine > row.bound:
            verdict = f"MISSED (bound {row.bound:g} {row.unit})"
        holds = holds and "MISSED" not in verdict
        print(
            f"| {row.title} | {cell(ours, row)} | {cell(theirs, row)} | {ratio:.2f} "
            f"| {row.must:g} | {row.aim:g} | {verdict} |"
        )
    return holds


def report_defaults(work: Path) -> None:
    """The peers as they are packaged, beside the table: no ratio is held against them."""
    print(f"\n| row | {DEFAULTS} |")
    print("|---|---|")
    for row in ROWS:
        if found := figures(work / f"{DEFAULTS}.jsonl", row):
            print(f"| {row.title} | {cell(found, row)} |")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", default=",".join(GROUPS), help=f"of {', '.join(GROUPS)}")
    parser.add_argument("--runs", type=int, default=5, help="runs of each measure (5)")
    parser.add_argument("--defaults", action="store_true", help="Dovecot's own login mode, too")
    parser.add_argument(
        "--sync", type=int, metavar="US", help="microseconds of a sync of the disk (imap alone)"
    )
    parser.add_argument("--keep", type=Path, help="directory for the raw result lines")
    options = parser.parse_args()
    if not (ROD / "protoload.c").exists():
        sys.exit(f"bench: no measuring rod at {ROD}. Set MAILHOST_BENCH_ROD to its directory.")
    if os.geteuid() != 0:
        sys.exit("bench: Postfix needs root. Run `sudo make bench`.")
    if options.sync and options.rows != "imap":
        sys.exit("bench: Postfix does not wait as --sync says; add --rows imap.")
    work = Path(tempfile.mkdtemp(prefix=f"mailhost-bench-{secrets.token_hex(2)}-"))
    work.chmod(0o755)
    if options.sync:
        slow_down(options.sync, ROD, work)
    else:
        (work / "rod").symlink_to(ROD)
    subprocess.run(
        ["gcc", "-O2", "-o", str(work / "protoload"), str(ROD / "protoload.c")], check=True
    )
    with postfix_dovecot(work) as peer, mailhost(work) as ours:
        for group in options.rows.split(","):
            print(f"{group}:", flush=True)
            run_group(group, [ours, peer], work, options.runs)
    if options.defaults:
        with postfix_dovecot(work, DEFAULTS) as packaged:
            measure(packaged, work, "run_imap.sh", PARTS="login", RUNS=str(options.runs))
    holds = report(work)
    if options.defaults:
        report_defaults(work)
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
        for path in work.glob("*.jsonl"):
            (options.keep / path.name).write_bytes(path.read_bytes())
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
