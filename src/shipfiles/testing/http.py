"""The contract of whatever serves static files over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .site import Site

APPLICATION = b"application"
"""The body with which the application behind the files must answer every request that reaches it: with status 200, and
with 404 where ``/lost/`` is in the path."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response as it came, nothing decoded."""

    status: int
    fields: tuple[tuple[str, str], ...]
    body: bytes

    def get(self, name: str) -> str | None:
        """The value of the field ``name``, in any case; several lines are joined."""
        found = [value for key, value in self.fields if key.lower() == name.lower()]
        return ", ".join(found) if found else None


Ask = Callable[[str, str, Mapping[str, str]], Answer]
"""Method, target (path as it stands in the request line) and request fields → answer."""


@dataclass(frozen=True, slots=True)
class Case:
    """One rule: what it is about, where it stands, and how to see whether it is kept (else ``AssertionError``)."""

    name: str
    clause: str
    check: Callable[[Ask, Site], None]


class HttpContract:
    """Every rule, to be checked against ``ask``, which must serve ``site``: with its default configuration, or with
    `OPTIONS`, which `CONFIGURED_CASES` need.

    Cases harm files of the site, each its own ones, so a site serves for one run only.
    """

    def __init__(self, ask: Ask, site: Site) -> None:
        self._ask = ask
        self._site = site

    def check(self, case: Case) -> None:
        """Raise ``AssertionError`` with the name and the clause of ``case`` if its rule is broken."""
        try:
            case.check(self._checked_ask, self._site)
        except AssertionError as error:
            raise AssertionError(f"{case.name} ({case.clause}): {error}") from None

    def _checked_ask(self, method: str, target: str, fields: Mapping[str, str]) -> Answer:
        """Ask, and check what holds for every answer."""
        answer = self._ask(method, target, fields)
        where = f"{method} {target[:80]} {dict(fields)} → {answer.status}"
        length = answer.get("content-length")
        if answer.status == 304 or method == "HEAD":
            assert answer.body == b"", f"{where}: RFC 9110 section 6.4.1: no content, but {len(answer.body)} bytes"
        # What a server's parser refuses it may answer by closing the connection after whatever it has to say.
        elif answer.body != APPLICATION and answer.status not in (400, 414, 431):
            assert length == str(len(answer.body)), f"{where}: Content-Length {length}, {len(answer.body)} bytes came"
            assert answer.get("transfer-encoding") is None, f"{where}: chunked"
        assert answer.status < 500, f"{where}: an error of the server"
        return answer
