"""Where a body in chunks ends: https://www.rfc-editor.org/rfc/rfc9112.html#section-7.1."""

from __future__ import annotations


class Chunks:
    """Hears the bytes of a body, as they come, and tells which of them belong to it."""

    def __init__(self) -> None:
        self.over = False
        self._line = b""
        self._left = 0
        self._trailer = False

    def take(self, data: bytes) -> int:
        """How many of the bytes, from the first, are the body's. Raises ``ValueError`` if it is none."""
        at = 0
        while at < len(data) and not self.over:
            if self._left:
                step = min(self._left, len(data) - at)
                self._left -= step
                at += step
                continue
            end = data.find(b"\n", at)
            if end < 0:
                self._line += data[at:]
                return len(data)
            line, self._line, at = (self._line + data[at:end]).rstrip(b"\r"), b"", end + 1
            if self._trailer:
                self.over = not line
            else:
                size = int(line.partition(b";")[0], 16)
                # With the line's end behind a chunk.
                self._left, self._trailer = (size + 2, False) if size else (0, True)
        return at
