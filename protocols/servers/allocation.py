"""Give large blocks of memory back to the system as soon as they are free, and small ones late.

glibc raises its threshold for blocks of their own to the largest one it has seen freed. Then the
19 MiB that a password hash works in, and the buffers of large messages, stay with the process for
ever, cut up by small blocks. A threshold once set stays where it is.
"""

import ctypes
import sys

# glibc's <malloc.h>.
M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
# Octets: more than a slice of an answer, less than the message buffers of a few connections.
LARGE_BLOCK = 4 << 20
# What is free at the end of a thread's memory, and stays there: the slices of an answer that are on
# their way. To give them back and have them again costs as much as to read what is in them.
KEPT = 8 << 20


def give_back_large_blocks() -> None:
    """Steer glibc's malloc for this process; nothing happens where there is another."""
    if not sys.platform.startswith("linux"):
        return
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        set_option(M_MMAP_THRESHOLD, LARGE_BLOCK)
        set_option(M_TRIM_THRESHOLD, KEPT)
