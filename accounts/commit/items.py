"""A unit on its way through the group commit: its octets, where they lie, what became of it."""

from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from accounts.blobs import Adopted, Place, Storing
from accounts.commit.units import Unit


@dataclass(slots=True)
class Item:
    unit: Unit[Any]
    future: Future[Any] = field(default_factory=Future)
    payload: bytes | None = None
    adopted: Adopted | None = None
    place: Place | None = None
    storing: Storing | None = None
    result: Any = None
    error: BaseException | None = None

    def settle(self) -> None:
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)
