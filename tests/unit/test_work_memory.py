"""Memory that is free goes back to the system: looked at in a process of its own, which alone it is for."""

from __future__ import annotations

import platform
import subprocess
import sys
import textwrap

import pytest

# Threads free pieces of 5 MB, and keep a small one that came after each. What of that the process still has, in MB:
HELD = """
    import ctypes, sys, threading
    from pathlib import Path
    from shipfiles.work import give_back_memory

    if sys.argv[1] == "told":
        give_back_memory()
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    libc.malloc.argtypes = [ctypes.c_size_t]
    libc.free.argtypes = [ctypes.c_void_p]
    libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
    MB = 1 << 20

    def use():
        for _ in range(5):
            piece = libc.malloc(5 * MB)
            libc.memset(piece, 1, 5 * MB)
            libc.malloc(1000)
            libc.free(piece)

    def held():
        lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("Anonymous:"))

    libc.free(libc.malloc(30 * MB))
    before = held()
    everybody = threading.Barrier(12)
    done = threading.Barrier(13)

    def work():
        everybody.wait()
        use()
        done.wait()
        done.wait()

    for _ in range(12):
        threading.Thread(target=work, daemon=True).start()
    done.wait()
    print(held() - before)
    done.wait()
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps such pieces, and can be told")
def test_large_pieces_go_back() -> None:
    told, not_told = (
        int(subprocess.run([sys.executable, "-c", textwrap.dedent(HELD), word], capture_output=True, check=True).stdout)
        for word in ("told", "not told")
    )
    assert told <= 5
    # Else there would be nothing to tell.
    assert not_told >= 15
