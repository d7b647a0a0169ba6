from __future__ import annotations

import io
import os
import tempfile
from typing import Any, NamedTuple

from shipfiles.serve.opened import Span
from shipfiles.serve.respond import Request, respond
from shipfiles.serve.watch import WatchTable


class _Response(NamedTuple):
    status: int
    headers: list[tuple[str, str]]
    file: io.BufferedIOBase | None


class StaticFile:
    """One file, whatever the system says of it now: nobody remembers that here."""

    def __init__(self, path: str, headers: Any, stat_cache: Any = None) -> None:
        self._table = WatchTable(lambda _logical: path, "/")

    def get_response(self, method: str, environ: dict[str, str]) -> _Response:
        def header(name: str) -> str | None:
            return environ.get("HTTP_" + name.upper().replace("-", "_"))

        response = respond(self._table, Request(method, "/file", header))
        assert response is not None
        body = b"".join(response.body) if isinstance(response.body, Span) else response.body
        return _Response(response.status, response.headers, None if body is None else io.BytesIO(body))


class SlicedFile(Span):
    def __init__(self, file: Any, start: int, end: int) -> None:
        with tempfile.TemporaryFile() as copy:
            copy.write(file.getvalue())
            copy.flush()
            super().__init__(os.dup(copy.fileno()), start, end + 1, whole=False)
