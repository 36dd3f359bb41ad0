"""Thunderbird without a screen: a profile of its own, its window driven by scripts."""

import json
import re
from pathlib import Path
from typing import Any

from tests.partners.daemon import Daemon, wait_until
from tests.partners.marionette import Marionette
from tests.partners.presence import program

_REFUSAL = re.compile(r":CreateNewLineFromSocket: (\d+ (NO|BAD) |\* BYE )")
_OPTIONS = ("--headless", "--no-remote", "--marionette", "--remote-allow-system-access")
_WORDS = (Path(__file__).parent / "thunderbird.js").read_text()


class Thunderbird:
    """One running Thunderbird, with one IMAP account over TLS.

    It looks at its mail only when told to or woken: it neither asks by itself nor keeps messages
    for when it is offline.
    """

    def __init__(self, directory: Path, imaps: tuple[str, int], user: str, password: str) -> None:
        profile = directory / "profile"
        profile.mkdir()
        host, port = imaps
        lines = (
            f"user_pref({json.dumps(name)}, {json.dumps(value)});\n"
            for name, value in _preferences(host, port, user).items()
        )
        (profile / "user.js").write_text("".join(lines))
        path = program("thunderbird")
        assert path
        self._protocol = directory / "imap.moz_log"
        self._daemon = Daemon(
            [path, "--profile", str(profile), *_OPTIONS],
            directory / "thunderbird.log",
            env={
                "HOME": str(directory),
                "PATH": "/usr/bin:/bin",
                "LANG": "C.UTF-8",
                "MOZ_LOG": "IMAP:4,sync",
                "MOZ_LOG_FILE": str(self._protocol.with_suffix("")),
            },
            clean=True,
        )
        active = profile / "MarionetteActivePort"
        self._daemon.wait_for(lambda: active.exists() and active.read_text() != "", "Thunderbird")
        try:
            self._marionette = Marionette(int(active.read_text()))
            self.run("await remember(...arguments)", f"imap://{host}", user, password)
        except BaseException:
            self._daemon.stop()
            raise

    def run(self, script: str, *arguments: Any) -> Any:
        """What the script returns; it may use what thunderbird.js defines."""
        return self._marionette.run(f"{_WORDS}\nreturn (async () => {{ {script} }})();", *arguments)

    def see(self, script: str, wanted: Any, seconds: float = 15) -> None:
        """Wait until the script returns what is wanted."""
        seen: list[Any] = [None]

        def look() -> bool:
            seen[0] = self.run(script)
            return bool(seen[0] == wanted)

        try:
            wait_until(look, script, seconds, 0.1)
        except AssertionError as error:
            said = f"{error}: {seen[0]!r} is not {wanted!r}\n{self.said()}"
            raise AssertionError(said) from None

    def said(self) -> str:
        """The end of the dialogue with the server."""
        return "\n".join(self._log[-80:])

    def idles_in(self, folder: str) -> bool:
        """Whether it waits for news of the folder.

        What arrives together with the answer to IDLE it does not see before the next news.
        """
        last = ""
        for line in self._log:
            if f":S-{folder}:SendData: " in line or f":S-{folder}:HandleIdleResponses: " in line:
                last = line
        return last.endswith("idle mode async waiting")

    def refusals(self) -> list[str]:
        """The lines by which the server refused anything."""
        return [line for line in self._log if _REFUSAL.search(line)]

    @property
    def _log(self) -> list[str]:
        return self._protocol.read_text(errors="replace").splitlines()

    def close(self) -> None:
        self._marionette.close()
        self._daemon.stop()


def _preferences(host: str, port: int, user: str) -> dict[str, str | int | bool]:
    server, identity = "mail.server.server1", "mail.identity.id1"
    root = f"imap://{user.replace('@', '%40')}@{host}"
    return {
        "mail.accountmanager.accounts": "account1",
        "mail.accountmanager.defaultaccount": "account1",
        "mail.account.account1.server": "server1",
        "mail.account.account1.identities": "id1",
        f"{server}.type": "imap",
        f"{server}.name": user,
        f"{server}.hostname": host,
        f"{server}.port": port,
        f"{server}.userName": user,
        f"{server}.socketType": 3,  # TLS from the first octet
        f"{server}.authMethod": 3,  # a password as it is
        f"{server}.use_idle": True,
        f"{server}.login_at_startup": False,
        f"{server}.check_new_mail": False,
        f"{server}.offline_download": False,
        f"{server}.autosync_offline_stores": False,
        f"{identity}.fullName": "Alice",
        f"{identity}.useremail": user,
        f"{identity}.valid": True,
        f"{identity}.draft_folder": f"{root}/Drafts",
        "marionette.port": 0,  # a free one
        # Names are not asked for, so it reaches nothing but the server's address.
        "network.dns.disabled": True,
        "app.update.enabled": False,
        "datareporting.policy.dataSubmissionEnabled": False,
        "mail.provider.suppress_dialog_on_startup": True,
        "mail.spotlight.firstRunDone": True,
        "mailnews.start_page.enabled": False,
        "mailnews.start_page_override.mstone": "ignore",
    }
