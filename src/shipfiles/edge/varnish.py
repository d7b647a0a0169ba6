"""Varnish: each server is asked with PURGE and BAN, which its VCL must know (`ship config varnish` writes one).

https://varnish-cache.org/docs/trunk/users-guide/purging.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ..errors import ConfigError, PurgeError
from .asking import Asker, check_installed, is_http, parted
from .batches import Done, Refused, check_left, each_batch, sliced
from .patience import Patience, check_limit
from .purger import Purged

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
_TAG = re.compile(r"[A-Za-z0-9/._~!$*+=:@%-]+")
"""As `shipfiles.http.tags` makes them: nothing that would end an expression, or begin another."""
_OURS = frozenset({"host", "ban-tags", "ban-all", "content-length", "transfer-encoding", "connection"})
_AT_ONCE = 8
"""Requests at a time to one server."""
_TAGS = 20
"""Tags in a request: a field may have 8 KB (http_req_hdr_len), and one of our tags 200 bytes."""
_BESIDES = "[^--~!-+]"
"""What is between two tags: a comma or a space, since they have none. Written without a space, which would end the
expression of a ban."""


@dataclass(frozen=True)
class Varnish:
    """All servers that keep the site's answers."""

    servers: tuple[str, ...]
    """Their addresses, ``http://10.0.0.5:6081``: each Varnish itself, not what is before it. No proxy of the
    environment is asked."""
    headers: object = field(default_factory=dict, repr=False)
    """Header fields of every request: a dict, such as one with the secret that the VCL wants to see."""
    time_limit: float = 60.0
    """Seconds that a purge may take, with all that is repeated."""

    def __post_init__(self) -> None:
        check_installed("urllib3", "varnish", "Varnish")
        check_limit(self.time_limit)
        if not self.servers:
            raise ConfigError("servers must name a Varnish, such as 'http://127.0.0.1:6081'.")
        for server in self.servers:
            try:
                parts = urlsplit(server)
                _ = parts.port
            except ValueError:
                raise ConfigError("servers: one of them is no URL.") from None
            if parts.username or parts.password:
                raise ConfigError("servers must not hold credentials.")
            if not is_http(server) or parts.path.strip("/") or parts.query or parts.fragment:
                raise ConfigError(f"servers: {server!r} must be a scheme and a host, such as 'http://127.0.0.1:6081'.")
        if not isinstance(self.headers or {}, Mapping):
            raise ConfigError("headers must be a dict.")
        fields: Mapping[Any, Any] = self._fields
        for name, value in fields.items():
            if not isinstance(name, str) or not _NAME.fullmatch(name) or name.lower() in _OURS:
                raise ConfigError(f"headers: {name!r} cannot be the name of a field here.")
            if not isinstance(value, str) or not _VALUE.fullmatch(value):
                raise ConfigError(f"headers[{name!r}] must be a string of printable ASCII.")

    def __str__(self) -> str:
        return f"varnish {', '.join(urlsplit(server).netloc for server in self.servers)}"

    def purge(self, urls: Sequence[str], *, reference: str) -> Purged:  # noqa: ARG002
        """As `shipfiles.edge.purger.Purger` says: PURGE for each URL, to each server. Asked twice, it purges twice."""

        def purge_url(asker: Asker, server: str, some: Sequence[str]) -> Done:
            (url,) = some
            host, target = parted(url)
            return _ask(asker, "PURGE", f"{server}{target}", {"Host": host})

        return self._everywhere(urls, 1, purge_url, "URLs")

    def purge_tags(self, tags: Sequence[str], *, reference: str) -> Purged:  # noqa: ARG002
        """As `shipfiles.edge.purger.PurgesTags` says: BAN with an expression that fits the field with the tags."""

        def ban(asker: Asker, server: str, some: Sequence[str]) -> Done:
            return _ask(asker, "BAN", f"{server}/", {"Ban-Tags": expression(some)})

        if wrong := [tag for tag in tags if not _TAG.fullmatch(tag)]:
            check_left(self, tags, dict.fromkeys(tags, f"{wrong[0]!r} is no tag that a ban can be made of"), "tags")
        return self._everywhere(tags, _TAGS, ban, "tags")

    def purge_all(self, *, reference: str) -> Purged:  # noqa: ARG002
        """Everything that the servers keep, whatever host it has."""

        def ban(asker: Asker, server: str, _some: Sequence[str]) -> Done:
            return _ask(asker, "BAN", f"{server}/", {"Ban-All": "1"})

        requests, found = self._each(["everything"], 1, ban)
        if found.left:
            raise PurgeError(str(self), f"{'; '.join(found.left.values())}. It may still have some of it")
        return Purged(requests)

    @property
    def _fields(self) -> Mapping[str, str]:
        return dict(self.headers) if self.headers else {}  # type: ignore[call-overload]

    def _everywhere(self, items: Sequence[str], size: int, do: _Do, noun: str) -> Purged:
        if not items:
            return Purged()
        requests, found = self._each(items, size, do)
        check_left(self, items, found.left, noun)
        return Purged(requests)

    def _each(self, items: Sequence[str], size: int, do: _Do) -> tuple[int, Done]:
        """How many requests were made, and what came of ``do`` for all ``items`` at all of the servers, which are asked
        at one time: what one of them refuses, or is too slow for, is done by the others all the same."""
        patience = Patience(self.time_limit)
        ended: dict[str, Done] = {}
        with Asker(patience, self._fields, [*self._fields.values()], connections=_AT_ONCE, proxied=False) as asker:

            def at(servers: Sequence[str]) -> Done:
                (server,) = servers
                address = server.rstrip("/")
                ended[server] = each_batch(
                    sliced(items, size), lambda some: do(asker, address, some), patience, _AT_ONCE
                )
                return Done()

            # Each ends in time by itself, and then tells what it has done.
            each_batch(sliced(self.servers, 1), at, Patience(self.time_limit + 5), len(self.servers))
            requests = asker.requests
        found = Done()
        for server in self.servers:
            done = ended.get(server) or Done(left=dict.fromkeys(items, patience.over))
            for item, why in done.left.items():
                found.left[item] = f"{found.left[item]}; {why}" if item in found.left else why
        return requests, found


_Do = Callable[[Asker, str, Sequence[str]], Done]
"""Asks the server at an address for the purge of some items."""


def _ask(asker: Asker, method: str, url: str, headers: Mapping[str, str]) -> Done:
    """Raises `Refused` unless Varnish itself says that it did it: an application behind it may answer anything with
    200, and does so where the VCL passes on what it does not know."""
    reply = asker.ask(method, url, headers=headers)
    server = urlsplit(url).netloc
    own = "X-Varnish" in reply.headers and (reply.headers.get("Server") or "").strip().lower() == "varnish"
    if own and 200 <= reply.status < 300:
        return Done()
    if not own:
        what = (
            f"{server} answered {method} with {asker.said(reply)}, which is not from Varnish itself: its VCL must "
            f"answer {method} (ship config varnish writes one that does)"
        )
    else:
        what = f"{server} answered {method} with {asker.said(reply)}: its VCL must allow it to this machine"
    raise Refused(what, status=reply.status, for_all=True)


def expression(tags: Sequence[str]) -> str:
    """The regular expression of the fields with one of ``tags``. It has no space, no quote and no backslash, which the
    expression of a ban would take for its own."""
    found = ("".join(char if char not in _SPECIAL else f"[{char}]" for char in tag) for tag in tags)
    return f"(^|{_BESIDES})({'|'.join(found)})({_BESIDES}|$)"


_SPECIAL = frozenset(".*+?$()[{|")
