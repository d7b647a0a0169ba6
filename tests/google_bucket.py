"""A bucket of Google Cloud Storage of our own, which can be told to fail: as much of the JSON API as is asked for.

Tokens are not looked at. What it answers is taken from https://docs.cloud.google.com/storage/docs/json_api.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import Message
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import google_crc32c

from .bucket import Answer, Asked, Bucket, serving

_OBJECTS = "/storage/v1/b/bucket/o"
_NOT_KEPT = ("name", "crc32c", "md5Hash")


@dataclass
class Held:
    """An object."""

    body: bytes
    told: dict[str, Any]
    generation: int
    made: datetime

    def resource(self, name: str) -> dict[str, Any]:
        """As it is told of: https://docs.cloud.google.com/storage/docs/json_api/v1/objects#resource."""
        return {
            **self.told, "name": name, "bucket": "bucket", "size": str(len(self.body)), "crc32c": crc32c(self.body),
            "md5Hash": md5(self.body), "generation": str(self.generation),
            "timeCreated": f"{self.made:%Y-%m-%dT%H:%M:%S.%fZ}",
        }  # fmt: skip


@dataclass
class Upload:
    """A resumable upload that is under way."""

    told: dict[str, Any]
    query: dict[str, str]
    body: bytearray = field(default_factory=bytearray)
    answer: Answer | None = None


def refused(status: int, reason: str = "", message: str = "no") -> Answer:
    """An error as Google words it."""
    told = {"code": status, "message": message, "errors": [{"reason": reason, "message": message, "domain": "global"}]}
    return Answer(status, json.dumps({"error": told}).encode(), {"Content-Type": "application/json"})


class GoogleBucket(Bucket):
    """The bucket ``bucket``, at `url`."""

    def __init__(self) -> None:
        super().__init__()
        self.held: dict[str, Held] = {}
        self.sessions: dict[str, Upload] = {}
        self.last = 1000

    def done(self, asked: Asked) -> Answer:
        with self._guard:
            return self._done(asked)

    def _done(self, asked: Asked) -> Answer:
        parts = urlsplit(asked.path)
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        path = parts.path
        if path == "/batch/storage/v1":
            return self._batch(asked)
        kind, found, rest = path.partition(_OBJECTS)
        if not found or kind not in ("", "/upload", "/download"):
            return refused(404, "notFound", "The specified bucket does not exist.")
        if kind == "/upload":
            return self._upload(query, asked)
        if not rest:
            return self._list(query)
        source, _, target = rest[1:].partition("/rewriteTo/b/bucket/o/")
        name = unquote(source)
        held = self.held.get(name)
        if held is None:
            return refused(404, "notFound", f"No such object: bucket/{name}")
        if not fits(held, query):
            return refused(412, "conditionNotMet")
        if target:
            # A request body replaces what the source is answered with.
            made = self._keep(unquote(target), held.body, json.loads(asked.body) or held.told)
            size = str(len(held.body))
            done = {"done": True, "totalBytesRewritten": size, "objectSize": size}
            return told({**done, "resource": made.resource(unquote(target))})
        if asked.method == "PATCH":
            # https://docs.cloud.google.com/storage/docs/json_api/v1/objects/patch: what is null goes, what is not named
            # stays, and the generation is the same.
            given = json.loads(asked.body)
            held.told.update({key: value for key, value in given.items() if key != "metadata"})
            held.told["metadata"] = {**held.told.get("metadata", {}), **(given.get("metadata") or {})}
            for told_ in (held.told, held.told["metadata"]):
                for key in [key for key, value in told_.items() if value is None]:
                    del told_[key]
            return told(held.resource(name))
        if asked.method == "DELETE":
            del self.held[name]
            return Answer(204)
        if query.get("alt") == "media":
            return media(held, asked)
        return told(held.resource(name))

    def _keep(self, name: str, body: bytes, given: dict[str, Any]) -> Held:
        self.last += 1
        kept = {key: value for key, value in given.items() if key not in _NOT_KEPT}
        self.held[name] = Held(body, kept, self.last, datetime.now(UTC))
        return self.held[name]

    def _put(self, query: dict[str, str], given: dict[str, Any], body: bytes) -> Answer:
        if given.get("crc32c", crc32c(body)) != crc32c(body) or given.get("md5Hash", md5(body)) != md5(body):
            return refused(400, "invalid", "Provided checksum does not match the calculated one")
        name = given["name"]
        if not fits(self.held.get(name), query):
            return refused(412, "conditionNotMet")
        return told(self._keep(name, body, given).resource(name))

    def _upload(self, query: dict[str, str], asked: Asked) -> Answer:
        if query.get("uploadType") == "multipart":
            boundary = asked.headers["content-type"].partition("boundary=")[2].strip('"').encode()
            (_, given), (head, body) = (part.split(b"\r\n\r\n", 1) for part in asked.body.split(b"--" + boundary)[1:3])
            kind = head.decode().partition("content-type: ")[2]
            return self._put(query, {"contentType": kind, **json.loads(given)}, body.removesuffix(b"\r\n"))
        if (number := query.get("upload_id")) is None:
            number = f"upload{len(self.sessions)}"
            kind = asked.headers["x-upload-content-type"]
            self.sessions[number] = Upload({"contentType": kind, **json.loads(asked.body)}, query)
            address = f"{self.url}/upload{_OBJECTS}?uploadType=resumable&upload_id={number}"
            return Answer(200, headers={"Location": address})
        upload = self.sessions[number]
        sent, _, whole = asked.headers["content-range"].removeprefix("bytes ").partition("/")
        start = int(sent.partition("-")[0]) if sent != "*" else len(upload.body)
        upload.body[start:] = asked.body
        if whole == "*":
            return Answer(308, headers={"Range": f"bytes=0-{len(upload.body) - 1}"})
        assert int(whole) == len(upload.body)
        if upload.answer is None:
            if asked.headers["x-goog-hash"] != f"crc32c={crc32c(upload.body)}":
                return refused(400, "invalid")
            upload.answer = self._put(upload.query, upload.told, bytes(upload.body))
        return upload.answer

    def _list(self, query: dict[str, str]) -> Answer:
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        names = sorted(name for name in self.held if name.startswith(prefix))
        if delimiter:  # a name that has it behind the prefix is told up to there, and once
            split = [name[len(prefix) :].partition(delimiter) for name in names]
            names = sorted({prefix + first + ended for first, ended, _ in split})
        start, most = int(query.get("pageToken", 0)), int(query.get("maxResults", 1000))
        page = names[start : start + most]
        below = [name for name in page if delimiter and name[len(prefix) :].endswith(delimiter)]
        found: dict[str, Any] = {"items": [self.held[name].resource(name) for name in page if name not in below]}
        if below:
            found["prefixes"] = below
        if start + most < len(names):
            found["nextPageToken"] = str(start + most)
        return told(found)

    def _batch(self, asked: Asked) -> Answer:
        answers = []
        for part in parsed(asked):
            first, _, _ = part.get_payload().partition("\n")
            method, address, _ = first.split(" ")
            where = urlsplit(address)
            inner = Asked(method, f"{where.path}?{where.query}", {}, b"")
            given = self.part(inner)
            answers.append(f"HTTP/1.1 {given.status} -\r\nContent-Type: application/json\r\n\r\n{given.body.decode()}")
        body = "".join(f"--b\r\nContent-Type: application/http\r\n\r\n{answer}\r\n" for answer in answers) + "--b--\r\n"
        return Answer(200, body.encode(), {"Content-Type": "multipart/mixed; boundary=b"})

    def part(self, asked: Asked) -> Answer:
        """The answer to one request of a batch."""
        return self._done(asked)


def media(held: Held, asked: Asked) -> Answer:
    """The bytes, unpacked for whom does not take them packed: https://docs.cloud.google.com/storage/docs/transcoding."""
    body = held.body
    headers = {
        "X-Goog-Generation": str(held.generation), "X-Goog-Hash": f"crc32c={crc32c(held.body)},md5={md5(held.body)}",
    }  # fmt: skip
    headers |= {
        "X-Goog-Stored-Content-Length": str(len(body)), "Last-Modified": format_datetime(held.made, usegmt=True),
        "X-Goog-Stored-Content-Encoding": held.told.get("contentEncoding", "identity"),
    }  # fmt: skip
    headers |= {name: text for name in ("Content-Type",) if (text := held.told.get("contentType"))}
    headers |= {f"X-Goog-Meta-{name}": text for name, text in held.told.get("metadata", {}).items()}
    if held.told.get("contentEncoding") == "gzip":
        if "gzip" in asked.headers.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
        else:
            return Answer(200, gzip.decompress(body), headers)
    if (wanted := asked.headers.get("range")) is None:
        return Answer(200, body, headers)
    first, _, last = wanted.removeprefix("bytes=").partition("-")
    start, end = int(first), min(int(last or len(body)), len(body) - 1)
    if start >= len(body):
        return Answer(416)
    headers["Content-Range"] = f"bytes {start}-{end}/{len(body)}"
    return Answer(206, body[start : end + 1], headers)


def fits(held: Held | None, query: dict[str, str]) -> bool:
    """Whether the generation is the one that was asked for; 0 is that of nothing."""
    return "ifGenerationMatch" not in query or int(query["ifGenerationMatch"]) == (held.generation if held else 0)


def told(resource: dict[str, Any]) -> Answer:
    return Answer(200, json.dumps(resource).encode(), {"Content-Type": "application/json"})


def parsed(asked: Asked) -> list[Message]:
    """The parts of a body."""
    head = f"Content-Type: {asked.headers['content-type']}\r\n\r\n".encode()
    found = message_from_bytes(head + asked.body).get_payload()
    assert isinstance(found, list)
    return found


def crc32c(body: bytes | bytearray) -> str:
    return base64.b64encode(google_crc32c.value(bytes(body)).to_bytes(4, "big")).decode()


def md5(body: bytes) -> str:
    return base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()


@contextmanager
def running() -> Iterator[GoogleBucket]:
    """A bucket that answers."""
    with serving(GoogleBucket()) as bucket:
        yield bucket
