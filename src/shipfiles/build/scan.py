"""One source file read: its digest, and the references in it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ..config import RewriteConfig
from ..digest import Digest, digest_bytes, digest_stream
from ..errors import SourceError, os_reason
from ..media_types import media_type
from ..model import Problem, Reference, SourceFile
from .rewrite import Rewriter, rewriter_for
from .rewrite.encoding import text_of
from .rewrite.splice import positions


@dataclass(frozen=True, slots=True)
class Scanned:
    """A source file and what is in it."""

    source: SourceFile
    size: int
    digest: Digest
    media_type: str
    references: tuple[Reference, ...] = ()
    codec: str = ""
    """Python's name of the encoding that edits must be written in; empty for UTF-8."""
    warning: Problem | None = None
    """Why the file is published as it is, if it should not be."""
    note: Problem | None = None


def scan(source: SourceFile, config: RewriteConfig, media_types: Mapping[str, str] | None) -> Scanned:
    """Read ``source`` once. Raises `SourceError`."""
    type_ = media_type(source.logical, media_types)
    rewriter = wanted_rewriter(source.logical, type_, config)
    try:
        with open(source.path, "rb", buffering=0) as file:
            if rewriter is None:
                digest, size = digest_stream(file)
                return Scanned(source, size, digest, type_)
            if os.fstat(file.fileno()).st_size > config.max_size:
                digest, size = digest_stream(file)
                what = f"larger than rewrite.max_size ({config.max_size} bytes), published as it is"
                return Scanned(source, size, digest, type_, warning=_problem(source, b"", -1, what))
            body = file.readall()
    except OSError as error:
        raise SourceError(source.place, f"cannot be read: {os_reason(error)}") from error
    digest = digest_bytes(body)
    text = text_of(body, type_)
    fault = _problem(source, body, text.fault_at, text.fault) if text.fault else None
    if not text.readable:
        return Scanned(source, len(body), digest, type_, warning=fault)
    references = tuple(text.own_spans(rewriter.references(text.utf8)))
    return Scanned(source, len(body), digest, type_, references, text.codec, note=fault)


def wanted_rewriter(logical: str, type_: str, config: RewriteConfig) -> Rewriter | None:
    """What finds the references of the file at ``logical``; ``None`` if it has none to find or ``config`` says so."""
    rewriter = rewriter_for(logical, type_)
    if rewriter is None or not getattr(config, rewriter.option):
        return None
    if any(fnmatchcase(logical, pattern) for pattern in config.skip):
        return None
    return rewriter.rewriter


def read(source: SourceFile) -> bytes:
    """The bytes of ``source``. Raises `SourceError`."""
    try:
        with open(source.path, "rb", buffering=0) as file:
            return file.readall()
    except OSError as error:
        raise SourceError(source.place, f"cannot be read: {os_reason(error)}") from error


def _problem(source: SourceFile, body: bytes, at: int, what: str) -> Problem:
    line, column = positions(body, [at])[0] if at >= 0 else (0, 0)
    return Problem(source.place, line, column, "", what, (), source.logical)
