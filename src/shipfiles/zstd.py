"""Zstandard: Python's own module since 3.14, before that its backport."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

from .errors import ConfigError


@cache
def zstd_module() -> Any:
    """``compression.zstd`` or ``backports.zstd``, which are alike. Raises `ConfigError` if there is neither."""
    for name in ("compression.zstd", "backports.zstd"):
        try:
            return import_module(name)
        except ImportError:
            continue
    raise ConfigError(
        "OPTIONS['compress']['codings'] has 'zstd', for which this Python has no encoder. "
        "Run: pip install 'shipfiles[zstd]'. Python 3.14 has one of its own."
    )
