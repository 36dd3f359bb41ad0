"""A real Dovecot that holds Maildirs for virtual users."""

import atexit
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.partners.daemon import Daemon, accepts, let_others_enter
from tests.partners.presence import need, program


class Dovecot:
    """IMAP at `address`:2143 and POP3 at :2110, plain text, users given as address → password."""

    def __init__(
        self, directory: Path, address: str, users: Mapping[str, str], more: str = ""
    ) -> None:
        """`more` is added to its configuration."""
        need("dovecot", root=True)
        self.address = address
        directory.mkdir(parents=True, exist_ok=True)
        mail = directory / "mail"
        mail.mkdir()
        # Everything runs as one plain user: Dovecot never reads mail as root.
        mail.chmod(0o777)
        let_others_enter(directory)
        # pytest's own directories may be too long for the names of sockets.
        run = tempfile.mkdtemp(prefix="dovecot-")
        atexit.register(shutil.rmtree, run, ignore_errors=True)
        let_others_enter(Path(run))
        (directory / "passwd").write_text(
            "".join(f"{user}:{{PLAIN}}{password}\n" for user, password in users.items())
        )
        (directory / "dovecot.conf").write_text(
            f"""
base_dir = {run}
state_dir = {directory}/state
log_path = {directory}/dovecot.log
protocols = imap pop3
listen = {address}
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login
mail_location = maildir:~/Maildir
mail_home = {mail}/%n
mail_uid = nobody
mail_gid = nogroup
first_valid_uid = 1
mailbox_list_index = no
namespace inbox {{
  inbox = yes
  separator = /
}}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {directory}/passwd
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={mail}/%n
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = 2143
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = 2110
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service anvil {{
  chroot =
}}
{more}"""
        )
        dovecot = program("dovecot")
        assert dovecot
        self.daemon = Daemon(
            [dovecot, "-F", "-c", str(directory / "dovecot.conf")], directory / "daemon.log"
        )
        self.daemon.wait_for(lambda: accepts(address, 2143), "Dovecot")

    def stop(self) -> None:
        self.daemon.stop()
