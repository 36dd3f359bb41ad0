"""Let many random clients loose on one mailbox, and hold what each believes against the server.

They run in rounds: after each all rest, hear out what is new and compare with a client that has
only just come.
"""

import threading
import time
import traceback
from collections.abc import Callable

from tests.journeys.imap_reader import ImapReader
from tests.partners.instance import PASSWORD, Instance
from tests.proof.folder_model import flags_of
from tests.proof.random_client import FOLDERS, RandomClient
from tests.proof.truth import Deviation, Flags, Truth

# What one server must bear, not how fast it is.
PAUSE = 0.02


class Stress:
    """`clients` of one mailbox for `rounds` of `seconds` each. Raises Deviation, with the story."""

    def __init__(self, host: Instance, user: str, seed: str, clients: int) -> None:
        self._address = (host.address, host.IMAP)
        self._login = (user, PASSWORD)
        self._seed = seed
        self._truth = Truth()
        self._clients = [
            RandomClient(number, seed, self._truth, self._address, self._login)
            for number in range(clients)
        ]
        self._stories: list[str] = []
        self._is_over = threading.Event()

    def run(self, rounds: int, seconds: float) -> str:
        self._all(RandomClient.connect)
        for _ in range(rounds):
            until = time.monotonic() + seconds
            self._all(lambda client, until=until: self._work(client, until))
            self._all(RandomClient.rest)
            self._compare()
        for client in self._clients:
            client.close()
        return f"{self._truth.commands} commands, {len(self._truth.came)} messages"

    def _work(self, client: RandomClient, until: float) -> None:
        while time.monotonic() < until and not self._is_over.is_set():
            client.act()
            time.sleep(client.chance.uniform(0, 2 * PAUSE))

    def _all(self, job: Callable[[RandomClient], None]) -> None:
        """All clients at once; none goes on before the last is done."""
        threads = [
            threading.Thread(target=self._try, args=(job, client), daemon=True)
            for client in self._clients
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(180)
            assert not thread.is_alive(), f"a client hangs; seed {self._seed}"
        if self._stories:
            raise Deviation(f"seed {self._seed}\n" + "\n\n".join(self._stories[:2]))

    def _try(self, job: Callable[[RandomClient], None], client: RandomClient) -> None:
        try:
            job(client)
        except Exception as error:
            self._is_over.set()
            self._tell(client, error)

    def _tell(self, client: RandomClient, error: BaseException) -> None:
        said = "\n".join(line.decode(errors="replace") for line in client.transcript)
        where = "" if isinstance(error, Deviation) else traceback.format_exc()
        self._stories.append(f"{client.kind}: {error!r}\n{said}\n{where}")

    def _compare(self) -> None:
        flags: dict[str, dict[int, Flags]] = {}
        modseqs: dict[str, dict[int, int]] = {}
        for folder in FOLDERS:
            flags[folder], modseqs[folder], names = self._look(folder)
            self._truth.judge(folder, names)
        for client in self._clients:
            folder, believed, known = client.believed()
            if list(believed) != list(flags[folder]):
                self._tell(client, Deviation(f"UIDs {list(believed)}, not {list(flags[folder])}"))
            for uid, said in believed.items():
                if said != flags[folder].get(uid):
                    truth = flags[folder].get(uid)
                    self._tell(client, Deviation(f"UID {uid} has {said}, and not {truth}"))
                elif known.get(uid, modseqs[folder][uid]) != modseqs[folder][uid]:
                    truth = modseqs[folder][uid]
                    self._tell(client, Deviation(f"UID {uid} at {known[uid]}, and not {truth}"))
        if self._stories:
            raise Deviation(f"seed {self._seed}\n" + "\n\n".join(self._stories[:2]))

    def _look(self, folder: str) -> tuple[dict[int, Flags], dict[int, int], dict[int, str]]:
        """The folder as a client sees it that has only just come."""
        flags: dict[int, Flags] = {}
        modseqs: dict[int, int] = {}
        names: dict[int, str] = {}
        reader = ImapReader(*self._address)
        user, password = self._login
        items = "UID FLAGS MODSEQ BODY.PEEK[HEADER.FIELDS (SUBJECT)]"
        reader.send(
            f'a LOGIN {user} "{password}"\r\nb EXAMINE {folder}\r\n'
            f"c UID FETCH 1:* ({items})\r\n".encode()
        )
        while (response := reader.read()) and response.tag != b"c":
            if response.kind == b"FETCH":
                said = response.items
                uid = int(said[b"UID"])
                flags[uid] = flags_of(said[b"FLAGS"])
                modseqs[uid] = int(said[b"MODSEQ"][0])
                header = said[b"BODY[HEADER.FIELDS (SUBJECT)]"]
                names[uid] = header.partition(b":")[2].strip().decode()
        reader.close()
        return flags, modseqs, names
