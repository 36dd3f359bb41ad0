"""Whose statement it is that a guard sees: the nearest file on the stack that is ours tells."""

import sys
from collections.abc import Collection
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).parents[1]
_PRODUCT = tuple(f"{ROOT / name}/" for name in ("accounts", "delivery", "protocols", "mailhost"))
_TESTS = f"{ROOT / 'tests'}/"
_GUARDS = f"{_TESTS}authorship.py", f"{_TESTS}deed_guard.py", f"{_TESTS}stamp_guard.py"


def author(*, passed_over: Collection[str | None] = ()) -> str:
    """The file of the product or of the tests that is at work, "" where there is none.

    Guards are no authors, nor are migrations, nor the files `passed_over`.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        is_ours = is_product(name) or (name.startswith(_TESTS) and name not in _GUARDS)
        if is_ours and name not in passed_over:
            return name
        frame = frame.f_back
    return ""


def is_at_work(file: str | None) -> bool:
    """Whether a file has called what is running, however far above."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_filename == file:
            return True
        frame = frame.f_back
    return False


def is_product(name: str) -> bool:
    """Whether a file is the product's, migrations aside."""
    return name.startswith(_PRODUCT) and "/migrations/" not in name
