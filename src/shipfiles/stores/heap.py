"""How the C library keeps memory that nobody uses any more."""

from __future__ import annotations

import sys

_LARGE = 1 << 20  # bytes; what bodies are read and sent in is larger
_M_MMAP_THRESHOLD = -3  # mallopt(3)


def give_back_large() -> bool:
    """From now on let large pieces of memory go back to the system when they are free; whether it could be told so.

    glibc learns from the sizes of pieces that became free to keep such, for each of its arenas, and threads that send
    large bodies then hold several times what they use. This process only: for commands, not for those who serve.
    """
    if sys.platform != "linux":
        return False
    import ctypes

    # Not in other C libraries.
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    return bool(set_option and set_option(_M_MMAP_THRESHOLD, _LARGE))
