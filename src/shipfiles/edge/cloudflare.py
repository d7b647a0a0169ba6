"""Cloudflare: by URL, by tag, or everything, one zone at a time.

https://developers.cloudflare.com/cache/how-to/purge-cache/ and https://developers.cloudflare.com/api/resources/cache/
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import ConfigError
from .asking import Asker, Reply, check_api, check_installed, everything, from_environment
from .batches import Done, Refused, check_left, each_batch, halved, sliced
from .patience import Patience, check_limit
from .purger import Purged

_ZONE = re.compile(r"[0-9A-Za-z]{1,64}")
_ORIGIN = re.compile(r"https?://[^/?#\s]+")
_TOKENS = ("CLOUDFLARE_API_TOKEN",)
_MOST = 500


@dataclass(frozen=True)
class Cloudflare:
    """A zone, and the token that may purge it."""

    zone_id: str
    """The zone: 32 hexadecimal digits, on its Overview page."""
    api_token: str | None = field(default=None, repr=False)
    """A token with the permission "Cache Purge" for this zone. Default: ``CLOUDFLARE_API_TOKEN`` in the environment."""
    origins: tuple[str, ...] = ()
    """Origins whose pages ask for files by CORS, ``https://www.example.com``: Cloudflare keeps what it answered to each
    of them apart from the rest, and forgets it only where it is told the origin too."""
    per_request: int = 100
    """URLs or tags in a request: 100, and 500 URLs for Enterprise."""
    endpoint_url: str = "https://api.cloudflare.com/client/v4"
    """The address of the API."""
    time_limit: float = 60.0
    """Seconds that a purge may take, with all that is repeated."""

    def __post_init__(self) -> None:
        check_installed("urllib3", "cloudflare", "Cloudflare")
        check_limit(self.time_limit)
        if not _ZONE.fullmatch(self.zone_id):
            raise ConfigError("zone_id must be that of a zone, 32 hexadecimal digits, and not its name.")
        if not 1 <= self.per_request <= _MOST:
            raise ConfigError(f"per_request must be from 1 to {_MOST}, not {self.per_request}.")
        if wrong := [origin for origin in self.origins if not _ORIGIN.fullmatch(origin)]:
            raise ConfigError(f"origins: {wrong[0]!r} must be a scheme and a host, such as 'https://www.example.com'.")
        if len(self.origins) >= self.per_request:
            raise ConfigError("origins: there are more than one request takes.")
        check_api(self.endpoint_url)

    def __str__(self) -> str:
        return f"cloudflare {self.zone_id}"

    def purge(self, urls: Sequence[str], *, reference: str) -> Purged:  # noqa: ARG002
        """As `shipfiles.edge.purger.Purger` says; it takes effect at once. Asked twice, it purges twice."""
        size = self.per_request // (1 + len(self.origins))
        return self._batches(urls, size, lambda some: {"files": [*self._files(some)]}, "URLs")

    def purge_tags(self, tags: Sequence[str], *, reference: str) -> Purged:  # noqa: ARG002
        """As `shipfiles.edge.purger.PurgesTags` says: tags of the field Cache-Tag."""
        return self._batches(tags, min(self.per_request, 100), lambda some: {"tags": [*some]}, "tags")

    def purge_all(self, *, reference: str) -> Purged:  # noqa: ARG002
        """Everything in the zone, whatever host it has."""
        patience = Patience(self.time_limit)
        return everything(self, patience, lambda: self._asker(patience), self._ask_all)

    def _ask_all(self, asker: Asker) -> Done:
        return self._ask(asker, {"purge_everything": True})

    def _files(self, urls: Sequence[str]) -> list[Any]:
        by_origin = [{"url": url, "headers": {"Origin": origin}} for origin in self.origins for url in urls]
        return [*urls, *by_origin]

    def _batches(
        self, items: Sequence[str], size: int, body: Callable[[Sequence[str]], dict[str, Any]], noun: str
    ) -> Purged:
        if not items:
            return Purged()
        patience = Patience(self.time_limit)
        try:
            asker = self._asker(patience)
        except Refused as error:
            check_left(self, items, dict.fromkeys(items, error.what), noun)
            raise
        with asker:
            found = each_batch(
                sliced(items, size), lambda batch: halved(batch, lambda some: self._ask(asker, body(some))), patience
            )
        check_left(self, items, found.left, noun)
        return Purged(asker.requests, tuple(found.ids))

    def _asker(self, patience: Patience) -> Asker:
        token = from_environment(self.api_token, _TOKENS, "api_token")
        return Asker(
            patience,
            {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "Accept": "application/json"},
            [token],
        )

    def _ask(self, asker: Asker, body: dict[str, Any]) -> Done:
        url = f"{self.endpoint_url.rstrip('/')}/zones/{self.zone_id}/purge_cache"
        reply = asker.ask("POST", url, body=json.dumps(body).encode())
        told = reply.json()
        # An error may come with the status 200.
        if reply.status == 200 and isinstance(told, dict) and told.get("success") is True:
            result = told.get("result")
            name = result.get("id") if isinstance(result, dict) else None
            return Done(ids=[asker.hidden(name)] if isinstance(name, str) else [])
        what = f"Cloudflare answered {asker.said(reply, _errors(told))}"
        if reply.status in (401, 403):
            what += '. The token must have the permission "Cache Purge" for this zone'
        raise Refused(what, status=_status(reply, told), for_all=_status(reply, told) not in (400, 413))


def _status(reply: Reply, told: Any) -> int:
    """What the answer amounts to: an error that is told with 200 may concern one URL, as one that is told with 400."""
    return 400 if reply.status == 200 and isinstance(told, dict) and told.get("success") is False else reply.status


def _errors(told: Any) -> str:
    """What the answer says of errors: https://developers.cloudflare.com/fundamentals/api/reference/"""
    errors = told.get("errors") if isinstance(told, dict) else None
    if not isinstance(errors, list):
        return "no answer of its API" if told is None else ""
    found = [f"{error.get('message')} (code {error.get('code')})" for error in errors if isinstance(error, dict)]
    return ", ".join(found[:3])
