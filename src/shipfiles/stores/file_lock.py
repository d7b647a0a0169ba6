"""A lock on an open file, which the system lets go when its holder ends, however it ends."""

from __future__ import annotations

import sys

if sys.platform == "win32":
    import msvcrt
    import os
    import time

    def lock_file(descriptor: int, *, wait: bool) -> bool:
        """Lock the open file. False if another holds it and this was not to ``wait``."""
        # The locked byte lies far beyond the end, where it does not hinder the byte that marks a holder.
        while True:
            os.lseek(descriptor, 1 << 30, os.SEEK_SET)
            try:
                msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            except OSError:
                if not wait:
                    return False
                time.sleep(0.1)
            else:
                os.lseek(descriptor, 0, os.SEEK_SET)
                return True
else:
    import fcntl

    def lock_file(descriptor: int, *, wait: bool) -> bool:
        """Lock the open file. False if another holds it and this was not to ``wait``."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        return True
