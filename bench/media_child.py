"""One large save or read in a process of its own: what it takes, and what it holds.

    media_child.py '{"contender": ..., "operation": "save", "url": ..., "name": ..., "size": ..., "home": ...}'

When it is ready it prints a line and waits for one; then it does it, and prints a JSON object: ``seconds``, and
``base`` and ``peak``, resident bytes before it and the most meanwhile.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import time
from pathlib import Path
from typing import Any

from media_contenders import bucket_at, in_buckets, set_up
from media_rows import CHUNK, fresh, pieces, save_small, uploaded


def memory(field: str) -> int:
    """Bytes of a field of proc_pid_status(5): VmRSS, or VmHWM, the most there has been."""
    found = re.search(rf"^{field}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found
    return int(found[1]) * 1024


def main() -> None:
    """Do it."""
    task: dict[str, Any] = json.loads(sys.argv[1])
    set_up(Path(task["home"]))
    storage = in_buckets()[task["contender"]].storage(bucket_at(task["url"]))
    name, size = task["name"], task["size"]
    digest = hashlib.sha256()
    for chunk in pieces(size):
        digest.update(chunk)
    expected = digest.hexdigest()
    # What is loaded at the first use is no part of the file.
    saved = save_small(storage, fresh(storage))
    with storage.open(saved) as file:
        file.read()
    storage.delete(saved)
    given = uploaded(size) if task["operation"] == "save" else None
    print("ready", flush=True)
    sys.stdin.readline()
    base = memory("VmRSS")
    # The most so far begins anew: proc_pid_clear_refs(5).
    Path("/proc/self/clear_refs").write_text("5")
    began = time.perf_counter()
    if given is not None:
        with given:
            storage.save(name, given)
    else:
        digest = hashlib.sha256()
        with storage.open(name) as file:
            for chunk in file.chunks(CHUNK):
                digest.update(chunk)
        assert digest.hexdigest() == expected, f"{name} has other bytes"
    seconds = time.perf_counter() - began
    print(json.dumps({"seconds": seconds, "base": base, "peak": memory("VmHWM")}))


if __name__ == "__main__":
    main()
