"""Who commits: one thread of one process, known to the database by the row of its marks."""

import uuid
from dataclasses import dataclass, field

from accounts.kept_counters import KeptCounters


@dataclass(frozen=True, slots=True)
class Writer:
    """`id` is whose mark its batches leave; `kept` what they need not read again."""

    id: uuid.UUID = field(default_factory=uuid.uuid4)
    kept: KeptCounters = field(default_factory=KeptCounters)
