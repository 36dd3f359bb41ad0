"""What fsck says: findings are values."""

from collections.abc import Callable
from dataclasses import dataclass

Progress = Callable[[str], None]

# Rows read at once.
CHUNK = 500


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found: what kind, a sentence for the operator, and whether it was repaired."""

    kind: str
    text: str
    is_fault: bool = True
    is_repaired: bool = False
