"""What tells this version of the package from every other, also where two have one number."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from functools import lru_cache


@lru_cache
def code_id() -> str:
    """Names the code of this package: what other code found out or made may be wrong for this one. 16 hex digits."""
    return id_of_code(os.path.dirname(os.path.abspath(__file__)))


def id_of_code(folder: str) -> str:
    """Names the code in the package ``folder``, wherever that is. If it is in an archive, names the archive."""
    digester = hashlib.sha256()
    # Without sources there is bytecode in their place.
    for path, relative in _modules(folder, ""):
        with open(path, "rb", buffering=0) as file:
            body = file.readall()
        digester.update(f"{relative}\0{len(body)}\0".encode("utf-8", "surrogatepass"))
        digester.update(body)
    while not os.path.exists(folder):
        folder = os.path.dirname(folder)
    if not os.path.isdir(folder):
        status = os.stat(folder)
        digester.update(f"{status.st_size} {status.st_mtime_ns}".encode())
    return digester.hexdigest()[:16]


def _modules(folder: str, prefix: str) -> Iterator[tuple[str, str]]:
    """The path of each module below ``folder``, and its path from there, sorted."""
    try:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in found:
        if entry.name.endswith((".py", ".pyc")):
            yield entry.path, prefix + entry.name
        elif entry.name != "__pycache__" and entry.is_dir():
            yield from _modules(entry.path, f"{prefix}{entry.name}/")
