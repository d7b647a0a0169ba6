"""The one place that knows obstore, which speaks with object stores.

It is loaded when a store is first used. Its calls block and let other threads run; they never start an event loop, as
its asynchronous calls do, with which short processes end badly.

- **After a fork** obstore's threads are gone, and a call in the child would wait for them for ever. A child whose
  parent has used it (gunicorn with ``--preload``, uWSGI without ``lazy-apps``) therefore loads a second copy, which has
  threads of its own.
- **Under gevent** a call that waits would stop every greenlet of its thread: where gevent has patched ``socket``, calls
  run in its thread pool.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from typing import Any, TypeVar, cast

from ..errors import ConfigError, StoreError

_T = TypeVar("_T")

_NAME = "obstore._obstore"
_OTHER_NAMES = ("obstore._store", "obstore.exceptions")


class _Process:
    """What this process knows of obstore."""

    def __init__(self, *, parent_used_it: bool) -> None:
        self.guard = threading.Lock()
        self.module: Any = None
        self.parent_used_it = parent_used_it


_this = _Process(parent_used_it=False)
# What a parent used is kept: to let go of it would wait for its threads.
_of_parents: list[_Process] = []


def _in_child() -> None:
    global _this
    _of_parents.append(_this)
    # Others may have used it as well.
    _this = _Process(parent_used_it=_this.parent_used_it or _NAME in sys.modules)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)


def engine(extra: str) -> Any:
    """The module of obstore that this process can use.

    Raises `ConfigError` if it is not installed: ``extra`` is what brings it. Raises `StoreError` if this process was
    forked from one that has used it, and no second copy of it can be loaded.
    """
    this = _this
    if this.module is None:
        with this.guard:
            if this.module is None:
                try:
                    original = import_module(_NAME)
                except ModuleNotFoundError:
                    raise ConfigError(
                        f"Object stores need obstore, which is not installed. Run: pip install 'shipfiles[{extra}]'."
                    ) from None
                except ImportError as error:
                    raise ConfigError(f"Object stores need obstore, which cannot be loaded: {error}.") from None
                this.module = _second_copy(str(original.__file__)) if this.parent_used_it else original
    return this.module


def call(function: Callable[..., _T], *arguments: Any, **options: Any) -> _T:
    """What ``function`` gives; meanwhile other greenlets run, where there are any."""
    patched = sys.modules.get("gevent.monkey")
    if patched is None or not patched.is_module_patched("socket"):
        return function(*arguments, **options)

    def caught() -> tuple[_T | None, Exception | None]:
        # Errors are handed over: gevent would print them, with all that the store has answered.
        try:
            return function(*arguments, **options), None
        except Exception as error:  # noqa: BLE001
            return None, error

    result, error = import_module("gevent").get_hub().threadpool.apply(caught)
    if error is not None:
        raise error
    return cast("_T", result)


def _second_copy(path: str) -> Any:
    """The extension module at ``path`` once more: a library under another name has variables of its own."""
    try:
        with _copied(path) as copy, _kept_names():
            loader = ExtensionFileLoader(_NAME, copy)
            spec = spec_from_file_location(_NAME, copy, loader=loader)
            assert spec is not None
            module = module_from_spec(spec)
            loader.exec_module(module)
            return module
    except (OSError, ImportError) as error:
        raise StoreError(
            path,
            f"this process was forked from one that has used it, and it cannot be loaded again: {error}. Start the "
            "server without preloading the application.",
        ) from error


@contextmanager
def _copied(path: str) -> Iterator[str]:
    """The path of a copy of the file ``path``; in memory, where the system can, as folders may forbid programs."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("obstore")
        try:
            with open(path, "rb") as source, open(descriptor, "wb", closefd=False) as target:
                while chunk := source.read(1 << 20):
                    target.write(chunk)
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = os.path.join(folder, os.path.basename(path))
        with open(path, "rb") as source, open(copy, "wb") as target:
            while chunk := source.read(1 << 20):
                target.write(chunk)
        yield copy


@contextmanager
def _kept_names() -> Iterator[None]:
    """What loading enters into ``sys.modules`` is taken back: for everybody else there is one obstore."""
    before = {name: sys.modules.get(name) for name in _OTHER_NAMES}
    try:
        yield
    finally:
        for name, module in before.items():
            if module is not None:
                sys.modules[name] = module
