"""A terminal for programs made for people: tmux holds it, the test presses keys and looks."""

import subprocess
from pathlib import Path

from tests.partners.daemon import wait_until
from tests.partners.presence import need


class Terminal:
    """One program in one window of 100×30, at home in `directory`."""

    def __init__(self, directory: Path) -> None:
        need("tmux")
        self._directory = directory
        self._socket = str(directory / "tmux")

    def start(self, *words: str) -> None:
        self._tmux(
            "-f", "/dev/null", "new-session", "-d", "-x", "100", "-y", "30",
            "-e", f"HOME={self._directory}", "-e", "TERM=screen", "-e", "LANG=C.UTF-8",
            *words,
        )  # fmt: skip

    def press(self, *keys: str) -> None:
        """Keys by tmux's names; what is none is typed as it stands."""
        for key in keys:
            self._tmux("send-keys", key)

    @property
    def screen(self) -> str:
        return self._tmux("capture-pane", "-p")

    def see(self, text: str, seconds: float = 10) -> None:
        """Wait until the text is on the screen."""
        try:
            wait_until(lambda: text in self.screen, text, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.screen}") from None

    def end(self, seconds: float = 10) -> None:
        """Wait until the program has ended."""
        try:
            wait_until(lambda: not self._is_running(), "the program ends", seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.screen}") from None

    def close(self) -> None:
        subprocess.run(self._words("kill-server"), capture_output=True, check=False)

    def _is_running(self) -> bool:
        done = subprocess.run(self._words("has-session"), capture_output=True, check=False)
        return done.returncode == 0

    def _tmux(self, *words: str) -> str:
        done = subprocess.run(self._words(*words), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _words(self, *words: str) -> list[str]:
        return ["tmux", "-S", self._socket, *words]
