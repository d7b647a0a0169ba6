"""Looks at the probe's keys as a browser does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from ..build.compress import compressors
from ..config import CompressConfig
from ..errors import ShipfilesError, fit_to_show
from ..records import read_current
from ..stores.store import Permissions, read_all
from .public import Fetch, NotReached, Page, cdn_of, public_fault, shown, url_of
from .question import Question
from .steps import Steps, Use

if TYPE_CHECKING:
    from ..config import Coding

_PAGES: tuple[Use, ...] = ("pages",)
_UNKNOWN_ORIGIN = "https://shipfiles.invalid"
_KEPT = 12.0  # seconds: CloudFront, which does no harm, keeps errors for ten
_REFUSED = frozenset({401, 403, 404, 405, 410, 451})
_NOT_FOUND = frozenset({404, 410})
_ADDRESS = "let custom_domain or base_url (or --public-url) be the address of the folder in which the keys are"
READ, FIELDS, CORS = "be read by everybody", "arrive with the header fields that were put", "be used by pages elsewhere"
ANSWER = "answer every request"
EARLY = "be found though asked for before it was there"
CODED, PACKED = "arrive in the coding in which they are stored", "be compressed on the way"


@dataclass(frozen=True, slots=True)
class Sent:
    """What was put, and how more can be."""

    module: str
    module_body: bytes
    font: str
    fresh: str
    """A key that nobody has asked for yet."""
    fields: Mapping[str, Mapping[str, str]]
    coded: str
    """The key for a file that is stored packed; empty if none are."""
    put_coded: Callable[[bytes], None]
    early: str
    """A key where nothing is yet."""
    put_early: Callable[[], None]


def visit(question: Question, steps: Steps, sent: Sent | None, ask: Fetch, pause: Callable[[float], None]) -> None:
    """Add the steps about what browsers get."""
    if not question.public_url:
        steps.add("public", READ, _PAGES, "not tried", "no public URL is known")
        return
    if fault := public_fault(question.public_url):
        steps.add("public", READ, _PAGES, "not tried", f"the public URL is of no use: {fault}")
        return
    try:
        _Visit(question, steps, ask, pause).run(sent)
    except NotReached as error:
        begun = any(step.name == "public" for step in steps.done)
        grant = "" if begun else f"{_ADDRESS}, and see that its name is known here (DNS) and that it answers"
        steps.add(*(("answer", ANSWER) if begun else ("public", READ)), _PAGES, "missing", str(error), grant)


class _Visit:
    def __init__(self, question: Question, steps: Steps, ask: Fetch, pause: Callable[[float], None]) -> None:
        self._question = question
        self._steps = steps
        self._ask = ask
        self._pause = pause

    def run(self, sent: Sent | None) -> None:
        if sent is None:
            if not self._release_is_public():
                why = "nothing was put, and there is no release of which a file can be read"
                self._steps.add("public", READ, _PAGES, "not tried", why)
            return
        page = self._get(sent.module)
        if not self._is_public(sent, page):
            return
        self._fields(sent, page)
        self._cross_origin(sent.module, sent.fresh)
        self._packed(sent)
        self._coded(sent)
        self._early(sent)

    def _url(self, key: str) -> str:
        return fit_to_show(url_of(self._question.public_url, key))

    def _get(self, key: str, **headers: str) -> Page:
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._ask(url_of(self._question.public_url, key), {"Accept-Encoding": "identity", **fields})

    def _is_public(self, sent: Sent, page: Page) -> bool:
        add = self._steps.add
        if page.status == 200 and page.body == sent.module_body:
            via = cdn_of(page)
            add("public", READ, _PAGES, "ok", f"through a cache ({via})" if via else "")
            return True
        if page.status == 200:
            why, grant = f"another file is there: {self._url(sent.module)}", _ADDRESS
            if "content-encoding" in page.headers:
                why, grant = "it comes compressed, though that was not asked for", ""
            add("public", READ, _PAGES, "missing", why, grant)
            return False
        grant = self._grant() if page.status in _REFUSED else ""
        if page.status in _NOT_FOUND:
            grant = f"{_ADDRESS}, and let a CDN's origin have the path of that folder. If all that is so, {grant}"
        if page.status in _REFUSED and self._release_is_public():
            return False
        why = f"the answer is {page.status}"
        if 300 <= page.status < 400:
            why += f", to {page.shown('location')}: say that address as the public URL"
        else:
            why += f": {self._url(sent.module)}"
        add("public", READ, _PAGES, "missing", why, grant)
        return False

    def _release_is_public(self) -> bool:
        """Whether files of the current release can be read, though what is in ``.shipfiles`` cannot."""
        store = self._question.store
        try:
            current = read_current(lambda key: read_all(store, key))
        except ShipfilesError:
            return False
        if current is None or not current[1].entries:
            return False
        entries = current[1].entries.values()
        entry = next((e for e in entries if e.name.endswith((".js", ".mjs", ".woff2"))), next(iter(entries)))
        page = self._get(entry.name)
        if page.status != 200:
            return False
        why = f"asked for {fit_to_show(entry.name)}, a file of the current release"
        self._steps.add("public", READ, _PAGES, "ok", why)
        self._cross_origin(entry.name, entry.name)
        return True

    def _grant(self) -> str:
        store = self._question.store
        if isinstance(store, Permissions):
            return f"grant {store.permission('public')}"
        return (
            "let the web server in front read the folder. If it is to refuse names that begin with a dot, publish "
            "something, and check again"
        )

    def _fields(self, sent: Sent, page: Page) -> None:
        changed = []
        for key, found in ((sent.module, page), (sent.font, self._get(sent.font))):
            for name, value in sent.fields[key].items():
                got = found.headers.get(name.lower())
                if got is None or _squeezed(got) != _squeezed(value):
                    changed.append(f"{name} is {'not there' if got is None else shown(got)!r} instead of {value!r}")
        why = "; ".join(changed)
        grant = ""
        if why:
            via = cdn_of(page)
            grant = f"let the CDN in front respect the origin's header fields ({via})" if via else ""
            if not isinstance(self._question.store, Permissions):
                grant = "let the web server in front send them"
        self._steps.add("headers", FIELDS, _PAGES, "missing" if why else "ok", why, grant)

    def _cross_origin(self, first: str, second: str) -> None:
        """Fetch section 3.2: fonts, modules and whatever has an ``integrity`` are refused without the field."""
        question, origin = self._question, self._question.origin or _UNKNOWN_ORIGIN
        if not question.origin and not question.serve.allow_all_origins:
            why = "serve.allow_all_origins is off. Say the origin of your pages, and they are tried"
            self._steps.add("cors", CORS, _PAGES, "not tried", why)
            return
        if _origin_of(question.public_url) == origin:
            self._steps.add("cors", CORS, _PAGES, "ok", "they have the same origin")
            return
        # A cache may have kept the answer of before, to which no origin was said, and give it to all.
        kept, fresh = self._get(first, Origin=origin), self._get(second, Origin=origin)
        faults = [_cors_fault(page, origin) for page in (kept, fresh)]
        grant = "let the store (CORS) or the CDN send 'Access-Control-Allow-Origin: *' for GET and HEAD"
        if not any(faults):
            self._steps.add("cors", CORS, _PAGES, "ok")
        elif faults[0] and not faults[1]:
            why = (
                "a cache gives what it kept from a request without an Origin, so Access-Control-Allow-Origin is missing"
            )
            self._steps.add(
                "cors", CORS, _PAGES, "missing", why, "let the CDN send it itself, or keep answers by Origin"
            )
        else:
            whose = shown(question.origin) if question.origin else "any other origin"
            self._steps.add("cors", CORS, _PAGES, "missing", f"for pages of {whose}: {faults[1]}", grant)

    def _packed(self, sent: Sent) -> None:
        if self._question.coding:
            return
        page = self._get(sent.module, Accept_Encoding="br, gzip")
        coding = page.shown("content-encoding")
        why = f"with {coding}" if coding else "texts arrive uncompressed. A CDN can do it, or publish.coding = 'gzip'"
        self._steps.add("compressed", PACKED, _PAGES, "ok" if coding else "missing", why, needed=False)

    def _coded(self, sent: Sent) -> None:
        coding = self._question.coding
        if not coding:
            return
        try:
            (compressor,) = compressors(CompressConfig(codings=(cast("Coding", coding),)), len(sent.module_body))
            body = compressor.compress(sent.module_body)
            sent.put_coded(body)
        except ShipfilesError as error:
            self._steps.add("coding", CODED, _PAGES, "not tried", fit_to_show(str(error)))
            return
        page = self._get(sent.coded, Accept_Encoding="br, gzip, zstd")
        why = ""
        if page.status != 200:
            why = f"the answer is {page.status}"
        elif page.headers.get("content-encoding") != coding:
            why = f"Content-Encoding is {page.shown('content-encoding') or 'not there'!r} instead of {coding!r}"
        elif page.body != body:
            why = "the bytes are not those that were put"
        self._steps.add("coding", CODED, _PAGES, "missing" if why else "ok", why)

    def _early(self, sent: Sent) -> None:
        """RFC 9111 section 4.2.2: a 404 may be kept by a cache that goes by a rule of its own."""
        page = self._get(sent.early)
        if page.status == 200:
            why = "what is not there is answered with 200, so that nobody notices that a file is missing"
            self._steps.add("early", EARLY, _PAGES, "missing", why, needed=False)
            return
        try:
            sent.put_early()
        except ShipfilesError as error:
            self._steps.add("early", EARLY, _PAGES, "not tried", fit_to_show(str(error)))
            return
        page = self._get(sent.early)
        if page.status != 200:
            self._pause(_KEPT)
            page = self._get(sent.early)
        why, grant = "", ""
        if page.status != 200:
            why = f"the answer is {page.status} still, {_KEPT:.0f} seconds after it was put: a cache keeps errors"
            grant = "let the CDN keep a 403 or 404 for 5 seconds at most"
        self._steps.add("early", EARLY, _PAGES, "missing" if why else "ok", why, grant, needed=False)


def _cors_fault(page: Page, origin: str) -> str:
    if page.status != 200:
        return f"with an Origin, the answer is {page.status}"
    allowed = page.headers.get("access-control-allow-origin")
    if allowed == "*":
        return ""
    if allowed is None:
        return "no Access-Control-Allow-Origin"
    if allowed != origin:
        return f"Access-Control-Allow-Origin is {shown(allowed)!r}"
    if "origin" not in page.headers.get("vary", "").lower():
        return "Access-Control-Allow-Origin names this origin, without 'Vary: Origin': caches give it to others"
    return ""


def _origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def _squeezed(value: str) -> str:
    """A field's value without what makes no difference in Content-Type and Cache-Control."""
    return value.replace(" ", "").replace('"', "").lower()
