"""Bodies of Google Cloud Storage, read as they come in.

Google's client can give a body whole or write it into a file; to read on only as far as somebody asks, its session is
asked here: https://docs.cloud.google.com/storage/docs/json_api/v1/objects/get, with ``alt=media``.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

from ..errors import NoAnswer
from .google_connection import GoogleConnection
from .object_connection import Service
from .object_faults import OtherVersion
from .object_fields import TOKEN, tokens_of
from .object_reading import Opened
from .parts import Pieces
from .store import Stored

_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})")
_CRC32C = re.compile(r"\bcrc32c=([A-Za-z0-9+/]{6}==)")


def opened(
    connection: GoogleConnection, service: Service, bucket: str, key: str, path: str, start: int, stop: int | None,
    version: str,
) -> Opened:  # fmt: skip
    """The stored bytes of ``key`` from ``start`` to ``stop``, of the generation ``version`` if one is given.

    With one request. Raises what the client raises, and `NoAnswer` for an answer that cannot be understood.
    """
    engine, client = connection.module, connection.client()
    query = {"alt": "media", **({"ifGenerationMatch": version} if version else {})}
    url = client._connection.build_api_url(f"/b/{quote(bucket, safe='')}/o/{quote(path, safe='')}", query_params=query)
    # Who takes it packed gets it as it is stored: https://docs.cloud.google.com/storage/docs/transcoding.
    fields = {"Accept-Encoding": "gzip"}
    if start or stop is not None:
        fields["Range"] = f"bytes={start}-{'' if stop is None else stop - 1}"
    answer = client._http.request(
        "GET", url, headers=fields, stream=True, timeout=(service.limits.connect, service.limits.request)
    )
    engine.heard()  # it is no answer to hang up on when another request fails
    if answer.status_code not in (200, 206):
        try:
            raise engine.api_errors.from_http_response(answer)
        finally:
            answer.close()
    generation = answer.headers.get("X-Goog-Generation", "")
    if version and generation != version:  # there are servers that heed no conditions
        answer.close()
        raise OtherVersion(key, f"changed meanwhile in {service.name}")
    found = _RANGE.fullmatch(answer.headers.get("Content-Range", "")) if answer.status_code == 206 else None
    length = answer.headers.get("Content-Length", "")
    if found is not None:
        first, end, size = int(found[1]), int(found[2]) + 1, int(found[3])
    elif answer.status_code == 200 and length.isdecimal():
        first, end, size = 0, int(length), int(length)
    else:
        answer.close()
        raise NoAnswer(key, f"the answer of the store cannot be understood ({service.name})")

    end = end if stop is None else min(end, stop)

    def read(_: int, most: int) -> bytes:
        data: bytes = connection.ask_once(key, answer.raw.read, most, decode_content=False)
        if not data:
            raise NoAnswer(key, f"the connection to the store broke ({service.name})")
        return data

    token = answer.headers.get(service.own + TOKEN)
    checksum = _CRC32C.search(answer.headers.get("X-Goog-Hash", ""))
    stream: Iterator[bytes] = Pieces(key, first, end, read, answer.close)
    if first < start:  # the range was not heeded
        stream, first = _behind(stream, start - first), min(start, end)
    return Opened(
        Stored(key, size, _time(answer.headers), fields=_fields(answer.headers)),
        generation, tokens_of({TOKEN: token}) if token else (),
        first, end, stream, checksum[1] if checksum else "",
    )  # fmt: skip


def _behind(stream: Iterator[bytes], skipped: int) -> Iterator[bytes]:
    """What comes behind the first ``skipped`` bytes."""
    for chunk in stream:
        if rest := chunk[skipped:]:
            yield rest
        skipped = max(0, skipped - len(chunk))


def _time(headers: Mapping[str, str]) -> float:
    """When it was put there, 0 if that is not told. Seconds since the epoch."""
    try:
        return parsedate_to_datetime(headers["Last-Modified"]).timestamp()
    except (KeyError, ValueError, TypeError, OverflowError):
        return 0.0


def _fields(headers: Mapping[str, str]) -> dict[str, str]:
    """What the object answers with, as far as the store does not make it up where the object has none."""
    found = {name: headers.get(name, "") for name in ("Content-Type", "Content-Language")}
    found["Content-Encoding"] = headers.get("X-Goog-Stored-Content-Encoding", headers.get("Content-Encoding", ""))
    return {name: value for name, value in found.items() if value not in ("", "identity")}


def checked(
    chunks: Iterator[bytes], key: str, found: Opened, connection: GoogleConnection, service: Service
) -> Iterator[bytes]:
    """``chunks``, all of what was ``found``; raises `NoAnswer` before the last if they are other bytes."""
    checksum: Any = connection.module.crc32c.Checksum()
    size = 0
    for chunk in chunks:
        size += len(chunk)
        checksum.update(chunk)
        if size == found.stored.size and base64.b64encode(checksum.digest()).decode() != found.checksum:
            raise NoAnswer(key, f"the bytes that arrived are not those that the store has; run again ({service.name})")
        yield chunk
