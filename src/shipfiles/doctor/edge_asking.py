"""How a live address is asked, and what is noted of each answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol
from urllib.parse import quote, urlsplit

from ..errors import fit_to_show
from ..serve.respond import Response
from .edge_faults import faults_of, shown_fields
from .public import NotReached, Page, fetch, shown

State = Literal["ok", "wrong", "not tried"]
_PATIENCE = 90.0  # seconds, for all requests together
_OWN = frozenset({"etag", "last-modified"})
_PATH_SAFE = "/-._~!$&'()*+,;=:@"


class Ask(Protocol):
    """Ask for a URL with header fields. Raises `NotReached`."""

    def __call__(self, url: str, headers: Mapping[str, str], method: str = "GET", /) -> Page: ...


@dataclass(frozen=True, slots=True)
class Finding:
    """One request, and what came of it."""

    name: str
    """For programs: ``hashed-br``."""
    what: str
    """For people."""
    state: State
    request: str = ""
    answer: str = ""
    expected: str = ""
    why: tuple[str, ...] = ()
    todo: tuple[str, ...] = ()
    needed: bool = True
    """Whether the site is wrong without it; else it is only worse."""

    @property
    def failed(self) -> bool:
        """Whether something that is needed is wrong."""
        return self.needed and self.state == "wrong"


class Asker:
    """Asks the host of ``url``, as ``host`` if that is not empty, and keeps what was found.

    Raises `NotReached` where nobody answers, and when all requests together have taken too long.
    """

    def __init__(self, url: str, host: str = "", ask: Ask = fetch, clock: Callable[[], float] = time.monotonic) -> None:
        parts = urlsplit(url)
        self._base = f"{parts.scheme}://{parts.netloc}"
        self._host, self._ask, self._clock = host, ask, clock
        self._until = clock() + _PATIENCE
        self.findings: list[Finding] = []

    def compare(
        self,
        name: str,
        what: str,
        path: str,
        wanted: Response,
        fields: Mapping[str, str] = {},
        method: str = "GET",
        *,
        needed: bool = True,
    ) -> None:
        """Ask for the decoded ``path``, and note in what the answer differs from the one that is ``wanted``."""
        accepted = {field.lower(): value for field, value in fields.items()}.get("accept-encoding", "identity")
        body = _body_of(wanted)
        page = self.get(path, fields, method)
        faults = faults_of(page, wanted, body, accepted)
        wrong = [fault for fault in faults if fault.needed]
        # Tags and dates are each server's own.
        fields_wanted = {field.lower(): value for field, value in wanted.headers if field.lower() not in _OWN}
        self.add(
            name,
            what,
            "wrong" if faults else "ok",
            request=self.request(path, fields, method),
            answer=shown_fields(page.status, page.headers),
            expected=shown_fields(wanted.status, fields_wanted),
            why=tuple(fault.why for fault in faults),
            todo=tuple(dict.fromkeys(fault.todo for fault in faults if fault.todo)),
            needed=needed and bool(wrong or not faults),
        )

    def not_there(self, name: str, what: str, path: str, todo: str, *, needed: bool = True) -> None:
        """Note whether there is something at the decoded ``path``, where nothing is to be."""
        page = self.get(path, {"Accept-Encoding": "identity"})
        # A redirect or a page of the application gives nothing away.
        wrong = page.status in (200, 206) and not page.headers.get("content-type", "").startswith("text/html")
        self.add(
            name,
            what,
            "wrong" if wrong else "ok",
            request=self.request(path, {}, "GET"),
            answer=shown_fields(page.status, page.headers),
            expected="404",
            why=(f"the answer is {page.status}: everybody can read it",) if wrong else (),
            todo=(todo,) if wrong else (),
            needed=needed,
        )

    def get(self, path: str, fields: Mapping[str, str] = {}, method: str = "GET") -> Page:
        """The answer for the decoded ``path``."""
        if self._clock() > self._until:
            raise NotReached(f"{self._base} is too slow: it took more than {_PATIENCE:.0f} seconds by now")
        host = {"Host": self._host} if self._host else {}
        return self._ask(self._base + quote(path, safe=_PATH_SAFE), {**host, **fields}, method)

    def request(self, path: str, fields: Mapping[str, str] = {}, method: str = "GET") -> str:
        """A request as it is shown."""
        said = ", ".join(f"{name}: {shown(value)}" for name, value in fields.items())
        url = fit_to_show(self._base + quote(path, safe=_PATH_SAFE))
        return f"{method} {url}{f' with {said}' if said else ''}"

    def add(self, name: str, what: str, state: State, **more: object) -> None:
        """Note a `Finding`."""
        made: Callable[..., Finding] = Finding
        self.findings.append(made(name, what, state, **more))


def _body_of(response: Response) -> bytes:
    body = response.body
    if body is None or isinstance(body, bytes):
        return body or b""
    try:
        return b"".join(body)
    finally:
        body.close()
