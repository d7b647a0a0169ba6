"""What a proxy reads of a request for a store, and what it can do to it."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

_LENGTH = re.compile(rb"(?i)\r\ncontent-length:[ \t]*(\d+)")
_CHUNKED = re.compile(rb"(?i)\r\ntransfer-encoding:[^\r\n]*chunked")
_EXPECTS = re.compile(rb"(?i)\r\nexpect:[ \t]*100-continue")
_COPIES = re.compile(rb"(?i)\r\nx-(?:amz|ms)-copy-source:")


@dataclass(slots=True)
class Asked:
    """One request, and what became of it."""

    number: int
    """From 1 on, in the order in which their heads came in."""
    method: str
    target: str
    """Path and query, as they were sent."""
    kind: str
    """What it does to a store, see `kind_of`."""
    attempt: int
    """How many with the same method and path there have been, with this one."""
    length: int
    """Bytes of the body as far as the head tells; -1 for one in chunks."""
    expects: bool = False
    """Whether the client waits with the body until it is told to go on."""
    status: int = 0
    """Of the answer; 0 as long as there is none."""
    answered: int = 0
    """Bytes that have come of it from the store, with its head."""
    fault: str = ""
    """What was done to it."""
    began: float = 0.0
    """When its head came in, and when its answer began. Seconds by the clock of the proxy's loop."""
    ended: float = 0.0

    @property
    def path(self) -> str:
        """Without the query."""
        return self.target.partition("?")[0]


@dataclass(frozen=True, slots=True)
class Fault:
    """What is done to a request instead of passing it on.

    - ``answer``: it is not passed on but answered with `status` and, as S3 words it, `code`;
    - ``refuse``: the connection is reset as soon as the head is there;
    - ``break``: it is reset in the middle of the body, of which the store has got half;
    - ``lose``: the store does what it is asked; instead of the answer comes a reset;
    - ``cut``: it is reset in the middle of the answer's body, or before the answer if there is hardly any;
    - ``stall``: the store hears nothing of it, and the client nothing at all;
    - ``mute``: the store does what it is asked, and the client hears nothing at all.
    """

    kind: str
    status: int = 0
    code: str = ""

    def answer(self, asked: Asked) -> bytes:
        """The bytes of the answer of kind ``answer``."""
        said = f"<Error><Code>{self.code}</Code><Message>by the proxy</Message></Error>" if self.code else ""
        body = b"" if asked.method == "HEAD" else said.encode()
        close = "Connection: close\r\n" if asked.expects else ""
        head = (
            f"HTTP/1.1 {self.status} Faulty\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n{close}"
        )
        return head.encode() + b"\r\n" + body


SLOW_DOWN = Fault("answer", 503, "SlowDown")
TOO_MANY = Fault("answer", 429, "TooManyRequests")
INTERNAL = Fault("answer", 500, "InternalError")
# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
SKEWED = Fault("answer", 403, "RequestTimeTooSkewed")
REVOKED = Fault("answer", 403, "InvalidAccessKeyId")
REFUSE, BREAK, LOSE, CUT, STALL, MUTE = map(Fault, ("refuse", "break", "lose", "cut", "stall", "mute"))

Plan = Callable[[Asked], Fault | None]
"""What is done to a request; ``None`` passes it on."""


@dataclass(frozen=True)
class Share:
    """The plan that does something to a share of the requests, drawn by their numbers.

    Not by what they ask for: keys have parts at random, and a run could come that draws none. As many requests always
    get as many faults, whichever they are.
    """

    faults: Mapping[Fault, float]
    """Each with its share of 1."""
    seed: int = 1
    most: int = 1_000_000
    """Attempts at the same thing after which it is let be."""

    def __call__(self, asked: Asked) -> Fault | None:
        if asked.attempt > self.most:
            return None
        drawn = random.Random(f"{self.seed} {asked.number}").random()
        for fault, share in self.faults.items():
            drawn -= share
            if drawn < 0:
                return fault
        return None


@dataclass(frozen=True)
class From:
    """The plan that does the same to all requests from one on."""

    fault: Fault
    number: int = 1

    def __call__(self, asked: Asked) -> Fault | None:
        return self.fault if asked.number >= self.number else None


@dataclass
class Next:
    """The plan that does something to the next `left` requests with a `method`."""

    fault: Fault
    method: str = "PUT"
    left: int = 0

    def __call__(self, asked: Asked) -> Fault | None:
        if asked.method != self.method:
            return None
        self.left -= 1
        return self.fault if self.left >= 0 else None


def read_head(head: bytes, number: int) -> Asked:
    """The request with this ``head``, which ends before the empty line. Raises ``ValueError``."""
    line, _, _ = head.partition(b"\r\n")
    method, target, _ = line.decode("latin-1").split(" ")
    length = int(found[1]) if (found := _LENGTH.search(head)) else 0
    return Asked(
        number,
        method,
        target,
        kind_of(method, target, copies=_COPIES.search(head) is not None),
        1,
        -1 if _CHUNKED.search(head) else length,
        _EXPECTS.search(head) is not None,
    )


def kind_of(method: str, target: str, *, copies: bool = False) -> str:
    """What a request does: get, head, put, copy, list, delete, start, part, finish, abort (of uploads in parts), other.

    S3: https://docs.aws.amazon.com/AmazonS3/latest/API/; Azure: https://learn.microsoft.com/en-us/rest/api/storageservices/;
    Google: https://docs.cloud.google.com/storage/docs/json_api/v1/.
    """
    parts = urlsplit(target)
    asks = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
    if parts.path.startswith(("/upload/storage/v1/", "/storage/v1/", "/download/storage/v1/")):
        return _kind_of_google(method, parts.path, asks)
    if "comp" in asks:
        return {"list": "list", "block": "part", "blocklist": "finish", "batch": "delete"}.get(asks["comp"], "other")
    if copies:
        return "copy"
    if "uploadId" in asks:
        return {"PUT": "part", "POST": "finish", "DELETE": "abort"}.get(method, "other")
    if method == "POST":
        return "start" if "uploads" in asks else "delete" if "delete" in asks else "other"
    if method == "GET" and ("list-type" in asks or "prefix" in asks or "delimiter" in asks):
        return "list"
    return method.lower() if method in ("GET", "HEAD", "PUT", "DELETE") else "other"


def _kind_of_google(method: str, path: str, asks: Mapping[str, str]) -> str:
    if path.startswith("/upload/"):
        if asks.get("uploadType") != "resumable":
            return "put"
        return "part" if "upload_id" in asks else "start"
    if "/rewriteTo/" in path or "/copyTo/" in path:
        return "copy"
    if method == "GET":
        return "list" if path.endswith("/o") else "get" if asks.get("alt") == "media" else "head"
    return "delete" if method == "DELETE" else "put"
