"""Know without asking the database that no name or right in a mailbox has changed since a stamp.

A stamp (`accounts.stamps`) is over with each message that comes. Of what this process committed
itself it knows whether more than messages changed: such steps, one behind the other, keep what was
read of the names before the first of them as good as it was.
"""

from accounts import stamps
from accounts.stamps import Step

# By mailbox, from the first of such steps to the last.
_walked: dict[int, Step] = {}
CAPACITY = 10_000


def walked(mailbox_id: int, step: Step, changes_names: bool) -> None:
    """This process has committed something in the mailbox; in the committer thread."""
    known = _walked.get(mailbox_id)
    if changes_names:
        _walked.pop(mailbox_id, None)
    elif known is not None and known.after == step.before:
        _walked[mailbox_id] = Step(known.before, step.after)
    else:
        if len(_walked) >= CAPACITY:
            _walked.clear()
        _walked[mailbox_id] = step


def are_current(mailbox_id: int, stamp: int) -> bool:
    """Whether no name of the mailbox has changed since the stamp was taken; asks nobody."""
    if stamps.is_current(mailbox_id, stamp):
        return True
    known = _walked.get(mailbox_id)
    if known is None or not known.before <= stamp <= known.after:
        return False
    return stamps.is_current(mailbox_id, known.after)


def forget() -> None:
    """Lose the memory of what was committed."""
    _walked.clear()
