"""Fastly: by URL, by surrogate key, or everything of a service.

https://www.fastly.com/documentation/reference/api/purging/
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import ConfigError
from .asking import Asker, Reply, check_api, check_installed, everything, from_environment, parted
from .batches import Done, Refused, check_left, each_batch, halved, sliced
from .patience import Patience, check_limit
from .purger import Purged

_SERVICE = re.compile(r"[0-9A-Za-z]{1,64}")
_TOKENS = ("FASTLY_API_KEY", "FASTLY_API_TOKEN")
_KEYS = 256
"""Surrogate keys in a request."""
_AT_ONCE = 8
"""Requests at a time: each URL takes one."""


@dataclass(frozen=True)
class Fastly:
    """A service, and the token that may purge it."""

    service_id: str
    """The service: 22 letters and digits."""
    api_token: str | None = field(default=None, repr=False)
    """A token with the scopes ``purge_select``, and ``purge_all`` for everything. Default: ``FASTLY_API_KEY`` or
    ``FASTLY_API_TOKEN`` in the environment."""
    soft: bool = True
    """Whether what is purged is asked for anew, and may still be given where the origin cannot be reached; else it is
    gone at once. Everything is always gone at once."""
    endpoint_url: str = "https://api.fastly.com"
    """The address of the API."""
    time_limit: float = 60.0
    """Seconds that a purge may take, with all that is repeated."""

    def __post_init__(self) -> None:
        check_installed("urllib3", "fastly", "Fastly")
        check_limit(self.time_limit)
        if not _SERVICE.fullmatch(self.service_id):
            raise ConfigError("service_id must be that of a service: letters and digits.")
        check_api(self.endpoint_url)

    def __str__(self) -> str:
        return f"fastly {self.service_id}"

    def purge(self, urls: Sequence[str], *, reference: str) -> Purged:  # noqa: ARG002
        """As `shipfiles.edge.purger.Purger` says: one request for each URL. Asked twice, it purges twice."""
        return self._batches(urls, 1, _AT_ONCE, self._purge_url, "URLs")

    def purge_tags(self, tags: Sequence[str], *, reference: str) -> Purged:  # noqa: ARG002
        """As `shipfiles.edge.purger.PurgesTags` says: keys of the field Surrogate-Key."""

        def purge_keys(asker: Asker, some: Sequence[str]) -> Done:
            return halved(some, lambda keys: self._purge_keys(asker, keys))

        return self._batches(tags, _KEYS, 1, purge_keys, "tags")

    def purge_all(self, *, reference: str) -> Purged:  # noqa: ARG002
        """Everything of the service, never softly."""
        patience = Patience(self.time_limit)
        return everything(self, patience, lambda: self._asker(patience, 1), self._ask_all)

    def _ask_all(self, asker: Asker) -> Done:
        reply = asker.ask("POST", f"{self._service()}/purge_all")
        told = reply.json()
        if reply.status != 200 or not isinstance(told, dict) or told.get("status") != "ok":
            raise self._refused(asker, reply, "purge_all")
        return Done()

    def _batches(
        self, items: Sequence[str], size: int, workers: int, do: Callable[[Asker, Sequence[str]], Done], noun: str
    ) -> Purged:
        if not items:
            return Purged()
        patience = Patience(self.time_limit)
        try:
            asker = self._asker(patience, workers)
        except Refused as error:
            check_left(self, items, dict.fromkeys(items, error.what), noun)
            raise
        with asker:
            found = each_batch(sliced(items, size), lambda some: do(asker, some), patience, workers)
        check_left(self, items, found.left, noun)
        return Purged(asker.requests, tuple(found.ids))

    def _asker(self, patience: Patience, connections: int) -> Asker:
        token = from_environment(self.api_token, _TOKENS, "api_token")
        headers = {"Fastly-Key": token, "Accept": "application/json"}
        return Asker(patience, headers, [token], connections=connections)

    def _service(self) -> str:
        return f"{self.endpoint_url.rstrip('/')}/service/{self.service_id}"

    @property
    def _softly(self) -> dict[str, str]:
        return {"Fastly-Soft-Purge": "1"} if self.soft else {}

    def _purge_url(self, asker: Asker, urls: Sequence[str]) -> Done:
        (url,) = urls
        # It is known by host, path and query alone.
        reply = asker.ask("POST", f"{self.endpoint_url.rstrip('/')}/purge/{''.join(parted(url))}", headers=self._softly)
        told = reply.json()
        if reply.status != 200 or not isinstance(told, dict) or told.get("status") != "ok":
            raise self._refused(asker, reply, "purge_select")
        return Done(ids=_ids(asker, [told.get("id")]))

    def _purge_keys(self, asker: Asker, keys: Sequence[str]) -> Done:
        reply = asker.ask(
            "POST", f"{self._service()}/purge", body=json.dumps({"surrogate_keys": [*keys]}).encode(),
            headers={"Content-Type": "application/json", **self._softly},
        )  # fmt: skip
        told = reply.json()
        if reply.status != 200 or not isinstance(told, dict):
            raise self._refused(asker, reply, "purge_select")
        # The answer has an id for each key that is purged.
        purged = [key for key in keys if isinstance(told.get(key), str)]
        left = {key: "Fastly answered without an id for some" for key in keys if key not in purged}
        return Done(ids=_ids(asker, [told[key] for key in purged]), left=left)

    def _refused(self, asker: Asker, reply: Reply, scope: str) -> Refused:
        told = reply.json()
        text = told.get("detail") or told.get("msg") if isinstance(told, dict) else "no answer of its API"
        what = f"Fastly answered {asker.said(reply, text if isinstance(text, str) else '')}"
        if reply.status in (401, 403):
            what += f". The token must have the scope {scope} for this service"
        return Refused(what, status=reply.status, for_all=reply.status not in (200, 400, 413))


def _ids(asker: Asker, found: Sequence[Any]) -> list[str]:
    return [asker.hidden(one) for one in found if isinstance(one, str)]
