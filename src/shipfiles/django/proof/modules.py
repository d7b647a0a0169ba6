"""Names of static files in the Python of the project and of the installed applications."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Collection, Iterator
from contextlib import suppress
from importlib.util import find_spec

from django.apps import apps
from django.conf import settings

from ...build.cache import NO_CACHE, Cache
from ...digest import digest_bytes
from ...errors import os_reason
from ...own_code import code_id
from ...regular import open_regular, read_at_most
from ..sources import in_package_folder, ownership
from .code import may_name_files, uses_in
from .names import NameUse, Scan, plain_uses, uses_of

_skipped = re.compile(
    r"\..*|__pycache__|build|dist|jinja2|locale|media|migrations|node_modules|static|templates|tests?(_.*)?|testing|venv"
).fullmatch
"""Folders without code that answers requests. A folder that the settings name is read whatever it is called."""
_MAX_SIZE = 4 << 20


def scan_modules(scan: Scan, aliases: Collection[str] = (), *, packages: bool = True, cache: Cache = NO_CACHE) -> None:
    """Add what modules name: those of the project and, with ``packages``, of all installed applications."""
    own_folder = ownership()
    roots = _roots()
    words = [alias.encode() for alias in aliases]
    seen: set[str] = set()
    for root in roots:
        own = own_folder(root)
        if not own and not packages:
            continue
        for path in _modules(root, roots):
            mine = own and not in_package_folder(path[len(root) :])
            if path not in seen and (mine or packages):
                seen.add(path)
                _read(path, mine, scan, aliases, words, cache)


def _roots() -> list[str]:
    """The folders and files that the settings name: the project's package, the applications."""
    roots = [os.path.realpath(config.path) for config in apps.get_app_configs() if config.path]
    for module in (getattr(settings, "SETTINGS_MODULE", None), getattr(settings, "ROOT_URLCONF", None)):
        if isinstance(module, str) and module:
            roots += _top(module)
    return sorted(set(roots))


def _top(module: str) -> list[str]:
    """The folders of the topmost package of ``module``, or its file if it is in none."""
    try:
        spec = find_spec(module.partition(".")[0])
    except (ImportError, ValueError):
        return []
    if spec is None:
        return []
    places = spec.submodule_search_locations or [spec.origin or ""]
    return [os.path.realpath(place) for place in places if place and os.path.exists(place)]


def _modules(root: str, roots: Collection[str]) -> Iterator[str]:
    """The modules below the folder ``root``, sorted, or ``root`` itself if it is a file.

    Not those of an application that is not installed: it has no static files here.
    """
    if os.path.isfile(root):
        yield root
        return
    stack = [root]
    roots = set(roots)
    while stack:
        folder = stack.pop()
        try:
            with os.scandir(folder) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError:
            continue  # a folder that this user may not read holds nothing that the site could run
        names = {entry.name for entry in listed}
        if "pyvenv.cfg" in names or ("apps.py" in names and folder not in roots):
            continue
        folders = []
        for entry in listed:
            name = entry.name
            if entry.is_dir(follow_symlinks=False):
                if not _skipped(name):
                    folders.append(entry.path)
            elif name.endswith(".py") and not name.startswith("test_") and name not in ("tests.py", "conftest.py"):
                yield entry.path
        stack += reversed(folders)


def _read(path: str, own: bool, scan: Scan, aliases: Collection[str], words: Collection[bytes], cache: Cache) -> None:
    try:
        with open_regular(path) as file:
            body = read_at_most(file, _MAX_SIZE + 1)
        if len(body) > _MAX_SIZE:
            return
        scan.modules += 1
        if may_name_files(body, words):
            scan.uses += _remembered_uses(body, path, own, aliases, cache)
    except OSError as error:
        scan.leave_out(path, f"cannot be read: {os_reason(error)}")
    except SyntaxError as error:
        scan.leave_out(path, f"not read as Python: {error.msg}", error.lineno or 0)
    except (ValueError, LookupError, RecursionError, MemoryError) as error:
        scan.leave_out(path, f"not read as Python: {type(error).__name__}: {error}")


def _remembered_uses(body: bytes, path: str, own: bool, aliases: Collection[str], cache: Cache) -> list[NameUse]:
    """As `uses_in`, which takes milliseconds a module."""
    # What Python can parse, and where it finds an error, changes with its version.
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    key = " ".join((digest_bytes(body), python, code_id(), *sorted(aliases)))
    raw = cache.finding(key)
    if raw is not None:
        with suppress(ValueError):
            return uses_of(raw, path, own)
    uses = uses_in(body, path, own, aliases)
    cache.keep_finding(key, plain_uses(uses))
    return uses
