"""A bucket of our own, which can be told to fail: as much of S3 as `ObjectStore` asks for, and what it was asked.

Signatures are not looked at. What it answers is taken from https://docs.aws.amazon.com/AmazonS3/latest/API/.
"""

from __future__ import annotations

import base64
import hashlib
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

KEPT = ("cache-control", "content-disposition", "content-encoding", "content-language", "content-type")


@dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """What is said to one."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


B = TypeVar("B", bound="Bucket")
Fault = Callable[[Asked, Callable[[], Answer]], Answer | None]
"""What to answer instead; it may let the request be done. ``None`` hangs up without an answer."""


def refused(status: int, code: str) -> Answer:
    """An error as S3 words it, with what it tells of a wrong signature."""
    told = "<AWSAccessKeyId>id-of-the-key</AWSAccessKeyId><StringToSign>AWS4-HMAC-SHA256 ...</StringToSign>"
    return Answer(status, f"<Error><Code>{code}</Code><Message>no</Message>{told}</Error>".encode())


class Bucket:
    """The bucket ``bucket``, at `url`; with encryption if there is a certificate."""

    def __init__(self, certificate: Path | None = None) -> None:
        self.objects: dict[str, tuple[bytes, dict[str, str]]] = {}
        self.times: dict[str, datetime] = {}
        self.uploads: dict[str, dict[int, bytes]] = {}
        self.kept: dict[str, dict[str, str]] = {}
        self.asked: list[Asked] = []
        self.fault: Fault | None = None
        self.heeds_conditions = True
        self.copies_heed_conditions = True
        self.denied: set[str] = set()
        """Actions of S3's policies that are refused to whoever signs."""
        self.is_public = True
        """Whether objects can be read without a signature."""
        self.allowed_origin = ""
        """What is answered to a request with an Origin."""
        self._guard = threading.RLock()
        bucket = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # else an answer in two pieces waits for 40 ms

            def log_message(self, *arguments: Any) -> None:
                """Say nothing."""

            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                if len(body) < length:  # the connection broke
                    self.close_connection = True
                    return
                headers = {name.lower(): value for name, value in self.headers.items()}
                asked = Asked(self.command, self.path, headers, body)
                bucket.asked.append(asked)
                given = bucket.done(asked) if bucket.fault is None else bucket.fault(asked, lambda: bucket.done(asked))
                if given is None:
                    self.close_connection = True
                    return
                self.send_response(given.status)
                for name, value in ({"Content-Length": str(len(given.body))} | given.headers).items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(given.body)
                    # A body that is shorter than it was said to be has been cut.
                    self.close_connection |= int(given.headers.get("Content-Length", 0)) > len(given.body)

            do_GET = do_HEAD = do_PUT = do_PATCH = do_POST = do_DELETE = answer

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128  # else one of many that connect at once may be cut off

            def handle_error(self, *arguments: Any) -> None:
                """A client that has gone away is part of the tests."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
            self.url = self.url.replace("http:", "https:")

    @property
    def methods(self) -> list[str]:
        """Those of all requests, in their order."""
        return [asked.method for asked in self.asked]

    def done(self, asked: Asked) -> Answer:
        """The answer to what was asked, after it has been done."""
        with self._guard:
            parts = urlsplit(asked.path)
            query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
            bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
            if bucket != "bucket":
                return refused(404, "NoSuchBucket")
            action = self._action(query, asked)
            if action in self.denied and "authorization" in asked.headers and "delete" not in query:
                return refused(403, "AccessDenied")
            if not self.is_public and "authorization" not in asked.headers:
                return refused(403, "AccessDenied")
            there = key in self.objects
            if action == "s3:GetObject" and "s3:ListBucket" in self.denied and not there:
                return refused(403, "AccessDenied")  # as its page on GetObject has it
            if asked.method == "PUT":
                return self._put(key, query, asked)
            if asked.method == "POST":
                return self._post(key, query, asked)
            if asked.method == "DELETE":
                if (upload := query.get("uploadId")) is None:
                    self.objects.pop(key, None)
                elif self.uploads.pop(upload, None) is None:
                    return refused(404, "NoSuchUpload")
                return Answer(204)
            if "list-type" in query:
                return self._list(query.get("prefix", ""), query.get("delimiter", ""))
            return self._get(key, asked)

    @staticmethod
    def _action(query: dict[str, str], asked: Asked) -> str:
        """https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html."""
        if asked.method == "DELETE":
            return "s3:AbortMultipartUpload" if "uploadId" in query else "s3:DeleteObject"
        if asked.method in ("PUT", "POST"):
            return "s3:DeleteObject" if "delete" in query else "s3:PutObject"
        return "s3:ListBucket" if "list-type" in query else "s3:GetObject"

    def _keep(self, key: str, body: bytes, kept: dict[str, str]) -> None:
        self.objects[key] = (body, kept)
        self.times[key] = datetime.now(UTC).replace(microsecond=0)

    def _put(self, key: str, query: dict[str, str], asked: Asked) -> Answer:
        headers, body = asked.headers, asked.body
        if "uploadId" in query:
            copied = headers.get("x-amz-copy-source")
            if copied is not None:
                found = self.objects.get(unquote(copied).removeprefix("bucket/"))
                if found is None:
                    return refused(404, "NoSuchKey")
                body = found[0]
            self.uploads[query["uploadId"]][int(query["partNumber"])] = body
            if copied is not None:
                return Answer(200, f"<CopyPartResult><ETag>{etag(body)}</ETag></CopyPartResult>".encode())
            return Answer(200, headers={"ETag": etag(body)})
        wanted = headers.get("x-amz-checksum-sha256")
        if wanted is not None and base64.b64decode(wanted) != hashlib.sha256(body).digest():
            return refused(400, "BadDigest")
        there = self.objects.get(key)
        heeds = self.heeds_conditions and (self.copies_heed_conditions or "x-amz-copy-source" not in headers)
        if heeds and headers.get("if-none-match") == "*" and there is not None:
            return refused(412, "PreconditionFailed")
        if self.heeds_conditions and (version := headers.get("if-match")) is not None:
            if there is None:
                return refused(404, "NoSuchKey")
            if version != etag(there[0]):
                return refused(412, "PreconditionFailed")
        kept = {name: value for name, value in headers.items() if name in KEPT or name.startswith("x-amz-meta-")}
        if (source := headers.get("x-amz-copy-source")) is not None:
            found = self.objects.get(unquote(source).removeprefix("bucket/"))
            if found is None:
                return refused(404, "NoSuchKey")
            replaced = headers.get("x-amz-metadata-directive") == "REPLACE"
            self._keep(key, found[0], kept if replaced else found[1])
            return Answer(200, f"<CopyObjectResult><ETag>{etag(found[0])}</ETag></CopyObjectResult>".encode())
        self._keep(key, body, kept)
        return Answer(200, headers={"ETag": etag(body)})

    def _post(self, key: str, query: dict[str, str], asked: Asked) -> Answer:
        if "delete" in query:
            root = ET.fromstring(asked.body)
            gone = [found.text or "" for found in root.iter() if found.tag.rpartition("}")[2] == "Key"]
            if "s3:DeleteObject" in self.denied:
                # Each key is refused, the request is not: https://docs.aws.amazon.com/AmazonS3/latest/API/API_Error.html
                why = "<Code>AccessDenied</Code><Message>no</Message>"
                told = "".join(f"<Error><Key>{escape(name)}</Key>{why}</Error>" for name in gone)
                return Answer(200, f"<DeleteResult>{told}</DeleteResult>".encode())
            for name in gone:
                self.objects.pop(name, None)
            told = "".join(f"<Deleted><Key>{escape(name)}</Key></Deleted>" for name in gone)
            return Answer(200, f"<DeleteResult>{told}</DeleteResult>".encode())
        if "uploads" in query:
            kept = {n: v for n, v in asked.headers.items() if n in KEPT or n.startswith("x-amz-meta-")}
            name = f"upload{len(self.kept)}"
            self.uploads[name] = {}
            self.kept[name] = kept
            told = f"<Bucket>bucket</Bucket><Key>{escape(key)}</Key><UploadId>{name}</UploadId>"
            return Answer(200, f"<InitiateMultipartUploadResult>{told}</InitiateMultipartUploadResult>".encode())
        parts = self.uploads.get(query["uploadId"])
        if parts is None:
            return refused(404, "NoSuchUpload")
        if self.heeds_conditions and asked.headers.get("if-none-match") == "*" and key in self.objects:
            return refused(412, "PreconditionFailed")
        del self.uploads[query["uploadId"]]
        body = b"".join(parts[number] for number in sorted(parts))
        self._keep(key, body, self.kept[query["uploadId"]])
        told = f"<Key>{escape(key)}</Key><ETag>{etag(body)}</ETag>"
        return Answer(200, f"<CompleteMultipartUploadResult>{told}</CompleteMultipartUploadResult>".encode())

    def _get(self, key: str, asked: Asked) -> Answer:
        there = self.objects.get(key)
        if there is None:
            return refused(404, "NoSuchKey")
        body, kept = there
        cors = {"Access-Control-Allow-Origin": self.allowed_origin}
        if "origin" in asked.headers and self.allowed_origin:
            kept = {**kept, **cors}
        headers = {**kept, "ETag": etag(body), "Last-Modified": format_datetime(self.times[key], usegmt=True)}
        if (version := asked.headers.get("if-match")) is not None and version != etag(body):
            return refused(412, "PreconditionFailed")
        if (wanted := asked.headers.get("range")) is not None:
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            start, end = int(first), min(int(last or len(body)), len(body) - 1)
            if start >= len(body):
                return Answer(416, refused(416, "InvalidRange").body, {"Content-Range": f"bytes */{len(body)}"})
            headers["Content-Range"] = f"bytes {start}-{end}/{len(body)}"
            return Answer(206, body[start : end + 1], headers)
        if asked.method == "HEAD":
            headers["Content-Length"] = str(len(body))
        return Answer(200, body, headers)

    def _list(self, prefix: str, delimiter: str) -> Answer:
        keys = sorted(key for key in self.objects if key.startswith(prefix))
        common = []
        if delimiter:
            deeper = {key: key[len(prefix) :].partition(delimiter) for key in keys}
            keys = [key for key in keys if not deeper[key][1]]
            common = sorted({f"{prefix}{first}{found}" for first, found, _ in deeper.values() if found})
        told = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>{self.times[key]:%Y-%m-%dT%H:%M:%S}.000Z</LastModified>"
            f"<ETag>{etag(self.objects[key][0])}</ETag><Size>{len(self.objects[key][0])}</Size></Contents>"
            for key in keys
        )
        told += "".join(f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>" for name in common)
        return Answer(200, f"<ListBucketResult><IsTruncated>false</IsTruncated>{told}</ListBucketResult>".encode())


def etag(body: bytes) -> str:
    """As S3 makes them of what was put at once and is not encrypted with a key of its own."""
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'


@contextmanager
def running(certificate: Path | None = None) -> Iterator[Bucket]:
    """A bucket that answers."""
    with serving(Bucket(certificate)) as bucket:
        yield bucket


@contextmanager
def serving(bucket: B) -> Iterator[B]:
    """The ``bucket`` answers."""
    threading.Thread(target=bucket.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield bucket
    finally:
        bucket.server.shutdown()
        bucket.server.server_close()


def stalls(seconds: float) -> Fault:
    """No answer for so long."""

    def stall(asked: Asked, do: Callable[[], Answer]) -> Answer | None:
        time.sleep(seconds)
        return None

    return stall
