"""The APIs of Cloudflare and Fastly, as their descriptions have them, on this machine, with the cache behind each.

What is asked is refused where theirs would refuse it. A fault can stand in for any answer, as in `tests.bucket`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import urlsplit

from tests.bucket import Answer, Asked, Bucket, serving

TOKEN = "token-not-to-be-shown_0123456789"
ZONE = "023e105f4ecef8ad9ca31a8372d0c353"
SERVICE = "SU1Z0isxPaozGVKXdv0eY"
SITE = "https://www.example.com"


class Api(Bucket):
    """What both have: a cache that is told what it keeps, and requests that are answered with JSON."""

    def __init__(self, certificate: Any = None) -> None:
        super().__init__(certificate)
        self.cached: dict[tuple[str, str], frozenset[str]] = {}
        """URL and Origin of what was asked → the tags of what was answered."""
        self.is_refusing = False
        self.most = 0
        """Items that a request may have."""

    def keep(self, url: str, tags: Sequence[str] = (), origin: str = "") -> None:
        """As `shipfiles.testing.purger.Front` has it."""
        self.cached[url, origin] = frozenset(tags)

    def has(self, url: str, origin: str = "") -> bool:
        """As `shipfiles.testing.purger.Front` has it."""
        return (url, origin) in self.cached

    def refuse(self, yes: bool) -> None:
        """As `shipfiles.testing.purger.Front` has it."""
        self.is_refusing = yes

    def done(self, asked: Asked) -> Answer:
        """The answer, after it has been done."""
        with self._guard:
            return self.told(asked)

    def told(self, asked: Asked) -> Answer:
        """The same; nobody else changes anything meanwhile."""
        raise NotImplementedError


A = TypeVar("A", bound=Api)


@contextmanager
def running(api: A) -> Iterator[A]:
    """The ``api`` answers."""
    with serving(api) as found:
        yield found


def told(status: int, found: object, **headers: str) -> Answer:
    """An answer with JSON."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, json.dumps(found).encode(), {"Content-Type": "application/json", **named})


def cloudflare_error(status: int, code: int, message: str, **headers: str) -> Answer:
    """https://developers.cloudflare.com/fundamentals/api/reference/: errors have a code and a message."""
    errors = [{"code": code, "message": message}]
    return told(status, {"success": False, "errors": errors, "messages": [], "result": None}, **headers)


class CloudflareApi(Api):
    """https://developers.cloudflare.com/api/resources/cache/methods/purge/, for the zone of example.com.

    Limits: https://developers.cloudflare.com/cache/how-to/purge-cache/#purge-limits
    """

    def __init__(self, certificate: Any = None) -> None:
        super().__init__(certificate)
        self.most = 100

    @property
    def endpoint(self) -> str:
        return f"{self.url}/client/v4"

    def told(self, asked: Asked) -> Answer:
        if "authorization" not in asked.headers:
            return cloudflare_error(400, 9106, "Missing X-Auth-Key, X-Auth-Email or Authorization headers")
        if asked.headers["authorization"] != f"Bearer {TOKEN}" or self.is_refusing:
            return cloudflare_error(403, 10000, "Authentication error")
        if asked.path != f"/client/v4/zones/{ZONE}/purge_cache":
            return cloudflare_error(
                404, 7003, "Could not route to the path, perhaps your object identifier is invalid?"
            )
        if asked.method != "POST" or asked.headers.get("content-type") != "application/json":
            return cloudflare_error(405, 10405, "Method not allowed")
        return self._purged(json.loads(asked.body))

    def _purged(self, body: dict[str, Any]) -> Answer:
        if body == {"purge_everything": True}:
            self.cached.clear()
        elif [*body] == ["files"]:
            files = [(one, {}) if isinstance(one, str) else (one["url"], one["headers"]) for one in body["files"]]
            if not 1 <= len(files) <= self.most:
                return cloudflare_error(400, 1016, f"Please use at most {self.most} URLs")
            # One that is wrong spoils the request.
            for url, _ in files:
                host = urlsplit(url).hostname or ""
                if not url.startswith(("http://", "https://")) or not f".{host}".endswith(".example.com"):
                    return cloudflare_error(400, 1016, f"Unable to purge {url}, which is an invalid URL")
            for url, headers in files:
                self.cached.pop((url, headers.get("Origin", "")), None)
        elif [*body] == ["tags"]:
            tags = body["tags"]
            if not 1 <= len(tags) <= min(self.most, 100):
                return cloudflare_error(400, 1018, "Please use at most 100 tags")
            if any(len(tag) > 1024 or " " in tag or "," in tag for tag in tags):
                return cloudflare_error(400, 1018, "Invalid tag")
            # "Case is not sensitive": https://developers.cloudflare.com/cache/how-to/purge-cache/purge-by-tags/
            gone = {tag.lower() for tag in tags}
            self.cached = {key: kept for key, kept in self.cached.items() if not gone & {tag.lower() for tag in kept}}
        else:
            return cloudflare_error(400, 1012, 'Request must contain one of "purge_everything", "files", "tags"')
        return told(200, {"success": True, "errors": [], "messages": [], "result": {"id": f"purge{len(self.asked)}"}})


class FastlyApi(Api):
    """https://www.fastly.com/documentation/reference/api/purging/"""

    def __init__(self, certificate: Any = None) -> None:
        super().__init__(certificate)
        self.most = 256
        self.softly: list[bool] = []
        """Of each purge whether it was a soft one."""

    def limit(self, seconds: int) -> Answer:
        """https://www.fastly.com/documentation/reference/api/#rate-limiting: the end of the hour in a field."""
        reset = str(int(time.time()) + seconds)
        return told(
            429, {"msg": "You have exceeded your hourly rate limit"},
            Fastly_RateLimit_Remaining="0", Fastly_RateLimit_Reset=reset,
        )  # fmt: skip

    def told(self, asked: Asked) -> Answer:
        if asked.headers.get("fastly-key") != TOKEN:
            return told(401, {"msg": "Provided credentials are missing or invalid"})
        if self.is_refusing:
            return told(403, {"msg": "You are not authorized to perform this action"})
        if asked.method != "POST":
            return told(405, {"msg": "Method not allowed"})
        self.softly.append("fastly-soft-purge" in asked.headers)
        name = f"108-1391560174-{len(self.asked)}"
        if asked.path.startswith("/purge/"):
            known_as = asked.path.removeprefix("/purge/")
            self.cached = {key: kept for key, kept in self.cached.items() if key[0].partition("://")[2] != known_as}
            return told(200, {"status": "ok", "id": name})
        if asked.path == f"/service/{SERVICE}/purge_all":
            self.cached.clear()
            return told(200, {"status": "ok"})
        if asked.path == f"/service/{SERVICE}/purge":
            keys = json.loads(asked.body)["surrogate_keys"]
            if not 1 <= len(keys) <= self.most:
                return told(400, {"msg": "Bad request", "detail": "Too many surrogate keys"})
            self.cached = {key: kept for key, kept in self.cached.items() if not kept & {*keys}}
            return told(200, {key: f"{name}-{number}" for number, key in enumerate(keys)})
        return told(404, {"msg": "Record not found", "detail": "Cannot load service"})
