"""A client that shows answers as they come over the wire, and notices every byte too many."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Iterable, Mapping

from shipfiles.testing import Answer

# RFC 9112 section 4: the reason may be missing, the space before it may not.
_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3}) [\t -~\x80-\xff]*")
# Sections 5 and 5.1: a token, a colon without a space before it, and nothing folded.
_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t -~\x80-\xff]*?)[ \t]*")


class Wire:
    """One client of the server at ``port``. Its connection is kept alive as long as the server will."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None
        self._held = b""

    def ask(self, method: str, target: str, fields: Mapping[str, str]) -> Answer:
        """The answer to a request."""
        answer = self.ask_raw(method, target.encode(), _lines(fields))
        assert answer is not None, f"{method} {target[:80]}: the connection was closed without an answer"
        return answer

    def ask_raw(
        self, method: str, target: bytes, fields: Iterable[tuple[bytes, bytes]] = (), version: bytes = b"HTTP/1.1"
    ) -> Answer | None:
        """The answer to a request of any bytes; ``None`` if the connection was closed without one.

        Raises ``AssertionError`` if the answer is no HTTP.
        """
        request = _request(method, target, fields, version)
        used_before = self._socket is not None
        try:
            answer = self._exchange(method, request)
        except ConnectionError:
            answer = None
        if answer is None:
            self.close()
            # RFC 9112 section 9.3.1: a kept connection may be closed at any time, and these requests may be repeated.
            if used_before:
                return self.ask_raw(method, target, fields, version)
        return answer

    def ask_all(self, requests: Iterable[tuple[str, str, Mapping[str, str]]]) -> list[Answer]:
        """The answers to requests (method, target, fields) that are sent at once (RFC 9112 section 9.3.2).

        There are fewer if the server closes the connection after one of them. Raises as `ask`.
        """
        self.close()
        asked = list(requests)
        answers: list[Answer] = []
        self._send(b"".join(_request(method, target.encode(), _lines(fields)) for method, target, fields in asked))
        for method, _, _ in asked:
            answer = self._answer(method)
            if answer is None:
                break
            answers.append(answer)
            if self._socket is None:
                return answers
        assert not self._held, f"after the end of the answers: {self._held[:80]!r}"
        self.close()
        return answers

    def close(self) -> None:
        """Close the connection. The next request opens another one."""
        if self._socket is not None:
            self._socket.close()
        self._socket, self._held = None, b""

    def _exchange(self, method: str, request: bytes) -> Answer | None:
        self._send(request)
        answer = self._answer(method)
        assert not self._held, f"after the end of the answer: {self._held[:80]!r}"
        return answer

    def _send(self, requests: bytes) -> None:
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=20)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # A server may answer, and close, before it has read all of a request that is too long for it.
        with contextlib.suppress(ConnectionError):
            self._socket.sendall(requests)

    def _answer(self, method: str) -> Answer | None:
        """The next answer; ``None`` if the connection was closed instead. It is closed here where that is said."""
        while b"\r\n\r\n" not in self._held:
            if not self._receive():
                assert not self._held, f"half a head: {self._held[:200]!r}"
                return None
        head, _, self._held = self._held.partition(b"\r\n\r\n")
        first, *lines = head.split(b"\r\n")
        status = _STATUS.fullmatch(first)
        assert status, f"no status line: {first[:200]!r}"
        fields = [_FIELD.fullmatch(line) for line in lines]
        assert all(fields), f"no fields: {lines!r}"
        named = tuple((f[1].decode(), f[2].decode("latin-1")) for f in fields if f)
        answer = Answer(int(status[1]), named, b"")
        # Section 6.3: what tells where the body ends, in this order.
        if method == "HEAD" or answer.status in (204, 304):
            body = b""
        elif (coding := answer.get("transfer-encoding")) is not None:
            assert coding == "chunked", coding
            body = self._chunks()
        elif (length := answer.get("content-length")) is not None:
            body = self._exactly(int(length))
        else:
            while self._receive():
                pass
            body, self._held = self._held, b""
        if "close" in (answer.get("connection") or "").lower() or first.startswith(b"HTTP/1.0"):
            while self._receive():
                pass
            surplus = self._held
            self.close()
            assert not surplus, f"after the end of the answer: {surplus[:80]!r}"
        return Answer(answer.status, named, body)

    def _receive(self) -> bool:
        assert self._socket is not None
        try:
            more = self._socket.recv(1 << 20)
        except ConnectionError:
            # It was closed while we were still sending: what had come before is there all the same.
            return False
        self._held += more
        return bool(more)

    def _exactly(self, size: int) -> bytes:
        parts, missing = [self._held], size - len(self._held)
        while missing > 0:
            assert self._socket is not None
            more = self._socket.recv(min(missing, 1 << 20))
            assert more, f"the body was cut: {missing} bytes of {size} are missing"
            parts.append(more)
            missing -= len(more)
        whole = b"".join(parts)
        self._held = whole[size:]
        return whole[:size]

    def _chunks(self) -> bytes:
        body = b""
        while True:
            while b"\r\n" not in self._held:
                assert self._receive(), "the body was cut"
            size, _, self._held = self._held.partition(b"\r\n")
            chunk = self._exactly(int(size, 16))
            assert self._exactly(2) == b"\r\n"
            if not chunk:
                return body
            body += chunk


def _lines(fields: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode("latin-1")) for name, value in fields.items()]


def _request(method: str, target: bytes, fields: Iterable[tuple[bytes, bytes]], version: bytes = b"HTTP/1.1") -> bytes:
    lines = b"".join(name + b": " + value + b"\r\n" for name, value in fields)
    return method.encode() + b" " + target + b" " + version + b"\r\nHost: localhost\r\n" + lines + b"\r\n"
