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
from ..model import Fault, Scan, SourceFile
from ..regular import open_regular, read_at_most
from .cache import Cache
from .lanes import Lanes
from .rewrite import Rewriting, rewriter_for
from .rewrite.encoding import text_of
from .rewrite.splice import positions

_NOTHING = Scan()


LARGE = 64 * 1024
"""To read and hash a smaller file is over before another thread has begun. Bytes."""


@dataclass(frozen=True, slots=True)
class Scanned:
    """A source file and what is in it."""

    source: SourceFile
    size: int
    digest: Digest
    media_type: str
    scan: Scan = _NOTHING


@dataclass(frozen=True, slots=True)
class Scanner:
    """What reads the source files of one build. Safe to use from several threads."""

    config: RewriteConfig
    media_types: Mapping[str, str] | None
    cache: Cache
    lanes: Lanes

    def read(self, source: SourceFile) -> Scanned:
        """Read ``source`` once, and scan it unless the cache knows its content. Raises `SourceError`."""
        type_ = media_type(source.logical, self.media_types)
        rewriting = self._rewriting(source.logical, type_)
        try:
            with open_regular(source.path) as file:
                if rewriting is None:
                    digest, size = digest_stream(file)
                    return Scanned(source, size, digest, type_)
                most = self.config.max_size
                # What is known to be too large need not be in memory to tell; a file may also grow while it is read.
                body = read_at_most(file, most + 1) if os.fstat(file.fileno()).st_size <= most else None
                if body is None or len(body) > most:
                    file.seek(0)
                    digest, size = digest_stream(file)
                    what = f"larger than rewrite.max_size ({self.config.max_size} bytes), published as it is"
                    return Scanned(source, size, digest, type_, Scan(fault=Fault(what, severe=True)))
        except OSError as error:
            raise SourceError(source.place, f"cannot be read: {os_reason(error)}") from error
        digest = digest_bytes(body)
        # The media type counts too: it decides which declarations of an encoding are read.
        key = f"{digest} {rewriting.language} {type_}"
        found = self.cache.scan(key, len(body))
        if found is None:
            found = _scan(body, rewriting, type_, self.lanes)
            self.cache.keep_scan(key, found)
        return Scanned(source, len(body), digest, type_, found)

    def _rewriting(self, logical: str, type_: str) -> Rewriting | None:
        rewriting = rewriter_for(logical, type_)
        if rewriting is None or not getattr(self.config, rewriting.option):
            return None
        if any(fnmatchcase(logical, pattern) for pattern in self.config.skip):
            return None
        return rewriting


def _scan(body: bytes, rewriting: Rewriting, type_: str, lanes: Lanes) -> Scan:
    text = text_of(body, type_)
    fault = None
    if text.fault:
        line, column = positions(body, [text.fault_at], text.codec)[0] if text.fault_at >= 0 else (0, 0)
        fault = Fault(text.fault, line, column, severe=not text.readable)
    if not text.readable:
        return Scan(fault=fault)
    # Any JSON may be called manifest.json, and so may what only looks like JSON: nothing is said of it.
    if rewriting.language == "import_map" or type_ == "application/manifest+json":
        fault = _json_fault(body) or fault
    return Scan(tuple(text.own_spans(lanes.references(rewriting.rewriter, text.utf8))), text.codec, fault)


def _json_fault(body: bytes) -> Fault | None:
    """What is wrong with a file that is of use as JSON only."""
    from .rewrite.json_strings import fault_in

    at = fault_in(body)
    if at < 0:
        return None
    what = "not JSON from here on" if at < len(body) else "the JSON is not finished where the file ends"
    line, column = positions(body, [at])[0]
    return Fault(f"{what}; browsers make nothing of it, and it is published as it is", line, column, severe=True)


def digest_file(source: SourceFile) -> tuple[Digest, int]:
    """The digest and the size of ``source``, streamed. Raises `SourceError`."""
    try:
        with open_regular(source.path) as file:
            return digest_stream(file)
    except OSError as error:
        raise SourceError(source.place, f"cannot be read: {os_reason(error)}") from error


def read_again(source: SourceFile, size: int, digest: Digest) -> bytes:
    """The bytes of ``source``, of which an earlier look found this ``size`` and ``digest``.

    Raises `SourceError` if it cannot be read, or if it has changed: what was found in other bytes is not in these.
    """
    try:
        with open_regular(source.path) as file:
            body = read_at_most(file, size + 1)
    except OSError as error:
        raise SourceError(source.place, f"cannot be read: {os_reason(error)}") from error
    if len(body) != size or digest_bytes(body) != digest:
        raise SourceError(source.place, "the file changed while it was collected; run again")
    return body
