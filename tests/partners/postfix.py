"""A real Postfix with a queue and a virtual Maildir of its own."""

import atexit
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.partners.daemon import accepts, let_others_enter, wait_until
from tests.partners.presence import need, program

PORT = 2525


class Postfix:
    """SMTP at `address`:2525. Mail for `domains` lands in Maildirs; the rest follows `transports`.

    `transports` maps a domain to a next hop such as `[127.0.0.2]:2525`.
    """

    def __init__(
        self,
        address: str,
        domains: Sequence[str],
        transports: Mapping[str, str],
        settings: Mapping[str, str] | None = None,
    ) -> None:
        need("postfix", root=True)
        self.address = address
        # pytest's own directories may be too long for the names of sockets.
        self.directory = directory = Path(tempfile.mkdtemp(prefix="postfix-"))
        atexit.register(shutil.rmtree, directory, ignore_errors=True)
        etc, self.mail = directory / "etc", directory / "mail"
        for path in (etc, directory / "queue", directory / "data", self.mail):
            path.mkdir(parents=True)
        let_others_enter(directory)
        os.chown(directory / "data", pwd.getpwnam("postfix").pw_uid, -1)
        nobody = pwd.getpwnam("nobody")
        os.chown(self.mail, nobody.pw_uid, nobody.pw_gid)
        (etc / "transport").write_text(
            "".join(f"{domain} smtp:{hop}\n" for domain, hop in transports.items())
        )
        (etc / "boxes").write_text("".join(f"@{domain} {domain}/\n" for domain in domains))
        options = {
            "compatibility_level": "3.6",
            "queue_directory": f"{directory}/queue",
            "data_directory": f"{directory}/data",
            "mynetworks": "127.0.0.0/8",
            "mydestination": "",
            "myhostname": "postfix.strangers.test",
            # The listener names its address itself: Postfix knows only addresses of interfaces.
            "inet_interfaces": "loopback-only",
            "inet_protocols": "ipv4",
            "smtp_bind_address": address,
            "smtp_dns_support_level": "disabled",
            "virtual_mailbox_domains": ", ".join(domains),
            "virtual_mailbox_base": str(self.mail),
            "virtual_mailbox_maps": f"texthash:{etc}/boxes",
            "virtual_uid_maps": f"static:{nobody.pw_uid}",
            "virtual_gid_maps": f"static:{nobody.pw_gid}",
            "virtual_minimum_uid": "1",
            "transport_maps": f"texthash:{etc}/transport",
            "smtpd_relay_restrictions": "permit_mynetworks, reject_unauth_destination",
            "alias_maps": "",
            "alias_database": "",
            "maillog_file": f"{directory}/maillog",
            "maillog_file_prefixes": str(directory),
            "maximal_backoff_time": "5s",
            "minimal_backoff_time": "2s",
            "queue_run_delay": "2s",
            **(settings or {}),
        }
        (etc / "main.cf").write_text("".join(f"{k} = {v}\n" for k, v in options.items()))
        master = Path("/etc/postfix/master.cf.proto")
        if not master.exists():
            master = Path("/usr/share/postfix/master.cf.dist")
        lines = master.read_text().splitlines()
        text = "\n".join(
            f"{address}:{PORT} inet n - n - - smtpd"
            if line.startswith("smtp ") and "inet" in line
            else line
            for line in lines
        )
        # Without a chroot the suite needs no copies of system files.
        (etc / "master.cf").write_text(
            "\n".join(_unchrooted(line) for line in text.splitlines()) + "\n"
        )
        # It says that it failed where its master takes long to start, as on a busy machine.
        said = self._postfix("start")
        try:
            wait_until(lambda: accepts(address, PORT), f"Postfix at {address}: {said}", 40)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log}") from None

    def _postfix(self, verb: str) -> str:
        postfix = program("postfix")
        assert postfix
        return subprocess.run(
            [postfix, "-c", str(self.directory / "etc"), verb],
            capture_output=True,
            text=True,
            check=False,
        ).stderr

    @property
    def log(self) -> str:
        path = self.directory / "maillog"
        return path.read_text(errors="replace")[-4000:] if path.exists() else ""

    def messages(self, domain: str) -> list[bytes]:
        """The octets of everything delivered for `domain`, oldest first."""
        paths = sorted((self.mail / domain / "new").glob("*"), key=lambda p: p.stat().st_mtime_ns)
        return [path.read_bytes() for path in paths]

    def stop(self) -> None:
        self._postfix("stop")


def _unchrooted(line: str) -> str:
    fields = line.split()
    if line[:1].isspace() or line.startswith("#") or len(fields) < 8:
        return line
    if fields[4] in ("y", "-"):
        fields[4] = "n"
    return " ".join(fields)
