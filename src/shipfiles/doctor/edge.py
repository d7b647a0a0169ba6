"""Asks a live address for a few files of the current release, and compares the answers with those of the application.

What is expected is what `serve.respond` says to the same request, less what no configuration can say. Tags and dates
are those of each server, which are only asked for again. Nothing is changed there.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Literal, Protocol
from urllib.parse import quote, urlsplit

from ..config import ROOT_PREFIX, ServeConfig
from ..edge.policy import EdgePolicy, StaticPolicy
from ..errors import ManifestError, ShipfilesError, fit_to_show
from ..manifest import Manifest, suffix
from ..model import Entry
from ..paths import url_unquote
from ..records import POINTER_KEY, manifest_key, read_current, read_pointer, read_record, record_key
from ..serve.respond import Request, Response, respond
from ..serve.table import FileTable
from ..stores.store import Store, read_all
from .edge_faults import faults_of, shown_fields
from .public import NotReached, Page, cdn_of, fetch, shown

State = Literal["ok", "wrong", "not tried"]
_PATIENCE = 90.0  # seconds, for all requests together
_LARGEST = 256 * 1024
_ORIGIN = "https://shipfiles.invalid"
_MISSING = "shipfiles-check.0123456789ab.js"
_PATH_SAFE = "/-._~!$&'()*+,;=:@"
_NOT_KEPT = "let what is not there be answered with 'Cache-Control: no-store', and let the cache keep no errors"
_HIDE = "answer 404 to names that begin with a dot, and to the manifest: they name every file of every release"


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


@dataclass(frozen=True, slots=True)
class EdgeQuestion:
    """What is to be asked."""

    url: str
    """Where the host answers; its path, if it has one, is that of the static files."""
    store: Store
    """Where the current release is read."""
    policy: EdgePolicy
    host: str = ""
    """The Host field, if it is not that of the URL: of a server that is not yet in the DNS."""
    manifest_name: str = "staticfiles.json"


@dataclass(frozen=True, slots=True)
class _Sample:
    """Files of the release that say most, each ``None`` if there is none such."""

    text: Entry | None
    """With variants."""
    other: Entry | None
    """Without."""
    root: tuple[str, Entry] | None
    """At the root of the site: URL path, file."""


def examine_edge(
    question: EdgeQuestion, ask: Ask = fetch, clock: Callable[[], float] = time.monotonic
) -> tuple[Finding, ...]:
    """Ask everything. What is wrong is told in the findings.

    Raises `ShipfilesError` if the release cannot be read with which the answers are compared.
    """
    static = question.policy.static
    if static is None:
        raise ManifestError("there are no static files of ours to ask for")
    found = read_current(lambda key: read_all(question.store, key))
    if found is None:
        raise ManifestError(f"there is no release in {question.store} to compare with: run collectstatic")
    _, manifest = found
    with tempfile.TemporaryDirectory(prefix="shipfiles-edge-") as folder:
        sample = _sample(manifest, static)
        for entry in {entry.name: entry for entry in _entries(sample)}.values():
            _fetch(question.store, entry, static, folder)
        return _Visit(question, static, manifest, sample, folder, ask, clock).run()


def _sample(manifest: Manifest, static: StaticPolicy) -> _Sample:
    """Which files to ask for, with those variants that are there."""
    text = other = root = None
    best = (0, 0)
    aliases = {logical: path for path, logical in static.serve.root_files.items()}
    for entry in manifest.entries.values():
        if not 16 <= entry.size <= _LARGEST or entry.stored:
            continue
        has = [coding for coding in static.codings if coding in entry.codings]
        if (path := _path_at_root(entry, static, aliases)) and root is None:
            root = path, entry
        if entry.kept or entry.logical.startswith(ROOT_PREFIX) or "/." in f"/{entry.logical}":
            continue
        if has and (text is None or (len(has), -entry.size) > best):
            text, best = entry, (len(has), -entry.size)
        elif not has and (other is None or entry.name.endswith(".woff2")):
            other = entry
    return _Sample(
        text and _with_variants(text, static),
        other and _with_variants(other, static),
        root and (root[0], _with_variants(root[1], static)),
    )


def _path_at_root(entry: Entry, static: StaticPolicy, aliases: Mapping[str, str]) -> str:
    """Where ``entry`` is at the root of the site; empty if it is not there."""
    if entry.logical in aliases:
        return aliases[entry.logical]
    path = "/" + entry.logical.removeprefix(ROOT_PREFIX)
    is_there = static.serve.root_folder is not None and entry.logical.startswith(ROOT_PREFIX) and "/." not in path
    is_index = path.rpartition("/")[2] == static.serve.index_file
    return path if is_there and not is_index else ""


def _with_variants(entry: Entry, static: StaticPolicy) -> Entry:
    """``entry`` with those variants alone that are sent to the web server."""
    plain = entry.plain
    if plain is not None:
        plain = replace(plain, codings={c: plain.codings[c] for c in plain.codings if c in static.codings})
    return replace(entry, codings={c: entry.codings[c] for c in entry.codings if c in static.codings}, plain=plain)


def _entries(sample: _Sample) -> Iterator[Entry]:
    yield from (entry for entry in (sample.text, sample.other, sample.root and sample.root[1]) if entry)


def _fetch(store: Store, entry: Entry, static: StaticPolicy, folder: str) -> None:
    """The files of ``entry`` from the store, put where the table finds them."""
    for name in {entry.name, entry.logical}:
        for end in ("", *(suffix(coding) for coding in static.codings)):
            if (body := read_all(store, name + end)) is not None:
                path = os.path.join(folder, name + end)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "wb") as file:
                    file.write(body)


class _Visit:
    def __init__(
        self,
        question: EdgeQuestion,
        static: StaticPolicy,
        manifest: Manifest,
        sample: _Sample,
        folder: str,
        ask: Ask,
        clock: Callable[[], float],
    ) -> None:
        self._question, self._static, self._sample = question, static, sample
        self._manifest, self._ask, self._clock = manifest, ask, clock
        self._until = clock() + _PATIENCE
        parts = urlsplit(question.url)
        self._base = f"{parts.scheme}://{parts.netloc}"
        path = url_unquote(parts.path) or ""
        self._prefix = static.prefix if path in ("", "/") else f"{path.rstrip('/')}/"
        # What no configuration says; and nothing of this is to be kept or fetched.
        self._config: ServeConfig = replace(
            static.serve, add_headers=None, release_header="", pull_from=None, cache_tags="", memory=0
        )
        entries = {entry.logical: entry for entry in _entries(sample)}
        self._table = FileTable(Manifest(entries), folder, self._prefix, self._config)
        self.findings: list[Finding] = []

    def run(self) -> tuple[Finding, ...]:
        try:
            self._run()
        except NotReached as error:
            what = "answer every request" if self.findings else "answer"
            self._add("answer", what, "wrong", why=(str(error),), todo=("see that it runs, and is reached from here",))
        return tuple(self.findings)

    def _run(self) -> None:
        text, other = self._sample.text, self._sample.other
        asked = text or other
        if asked is None:
            why = "the release has no file under a hashed name of ours that is small enough to be asked for"
            self._add("hashed", "a file under its hashed name", "not tried", why=(why,))
        else:
            self._files(asked, other)
            self._once_more(asked)
            self._pages_elsewhere(asked)
        self._missing()
        self._hidden(asked)
        if asked is not None:
            self._outside(asked)
        if self._sample.root is not None and self._question.policy.mode != "dedicated":
            path, _ = self._sample.root
            self._compare("root", "a file at the root of the site", path)

    # Files.

    def _files(self, asked: Entry, other: Entry | None) -> None:
        # The coding first: a cache that does not tell them apart then gives it to those who did not ask for it.
        path = self._prefix + asked.name
        codings = [coding for coding in self._static.codings if coding in asked.codings]
        for coding in codings:
            self._compare(f"hashed-{coding}", f"a hashed name as {coding}", path, {"Accept-Encoding": coding})
        self._compare("hashed", "a hashed name, uncompressed", path, {"Accept-Encoding": "identity"})
        if len(codings) > 1:
            fields = {"Accept-Encoding": f"{codings[0]};q=0, {codings[1]}"}
            self._compare("refused", f"a hashed name for who refuses {codings[0]}", path, fields)
        self._compare("head", "its head alone", path, {"Accept-Encoding": "identity"}, "HEAD")
        if not self._manifest.hashed_only:
            fields = {"Accept-Encoding": "identity"}
            self._compare("plain", "a plain name", self._prefix + asked.logical, fields)
        if other is not None and other is not asked:
            fields = {"Accept-Encoding": "gzip, br, zstd"}
            self._compare("packed", "a file that is not worth compressing", self._prefix + other.name, fields)

    def _once_more(self, asked: Entry) -> None:
        """Parts, and what has not changed: RFC 9110 sections 13 and 14."""
        path, identity = self._prefix + asked.name, {"Accept-Encoding": "identity"}
        needed = False  # who answers with all of it is right, and slow
        self._compare("part", "a part of a file", path, {**identity, "Range": "bytes=2-9"}, needed=needed)
        last = asked.size + 10
        beyond = {**identity, "Range": f"bytes={last}-"}
        self._compare("beyond", "a part behind the end", path, beyond, needed=needed)
        stale = {**identity, "Range": "bytes=2-9", "If-Range": '"another"'}
        self._compare("if-range", "a part of another version", path, stale)
        whole = self._get(path, identity)
        for name, field in (("If-None-Match", "etag"), ("If-Modified-Since", "last-modified")):
            if field not in whole.headers:
                continue
            fields = {**identity, name: whole.headers[field]}
            page = self._get(path, fields)
            right = page.status == 304 and not page.body
            self._add(
                name.lower(),
                f"what has not changed, by {name}",
                "ok" if right else "wrong",
                request=self._request(path, fields, "GET"),
                answer=shown_fields(page.status, page.headers),
                expected="304",
                why=() if right else (f"the answer is {page.status} instead of 304: it is sent again each time",),
                todo=() if right else ("let conditional requests through, and ETag and Last-Modified as they are",),
                needed=False,
            )

    def _pages_elsewhere(self, asked: Entry) -> None:
        """Fetch section 3.2: fonts, modules, and what has an ``integrity``; and the preflight, section 4.8."""
        path = self._prefix + asked.name
        fields = {"Accept-Encoding": "identity", "Origin": _ORIGIN}
        self._compare("cors", "a file for pages of another host", path, fields)
        preflight = {
            "Origin": _ORIGIN,
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "x-shipfiles",
        }
        self._compare("preflight", "the preflight of such a page", path, preflight, "OPTIONS", needed=False)

    # What is not there.

    def _missing(self) -> None:
        path = self._prefix + _MISSING
        first, page = self._get(path, {}), self._get(path, {})
        why, todo = [], []
        if page.status not in (404, 410):
            why.append(f"the answer is {page.status} instead of 404: nobody notices that a file is missing")
            todo.append("answer 404 below the path of static files, with no page instead")
        if "no-store" not in page.headers.get("cache-control", "").lower():
            control = page.shown("cache-control")
            why.append(
                f"Cache-Control is {control!r} instead of 'no-store'" if control else "no Cache-Control: no-store"
            )
            todo.append(_NOT_KEPT)
        if _is_kept(page):
            why.append(f"a cache has kept it ({cdn_of(page)}): a file that comes later is not found")
            todo.append(_NOT_KEPT)
        del first
        self._add(
            "missing",
            "a hashed name that no release has",
            "wrong" if why else "ok",
            request=f"{self._request(path, {}, 'GET')}, twice",
            answer=shown_fields(page.status, page.headers),
            expected="404, Cache-Control: no-store",
            why=tuple(why),
            todo=tuple(dict.fromkeys(todo)),
        )

    def _hidden(self, asked: Entry | None) -> None:
        """What is in the folder and is nobody's."""
        keys = [("pointer", POINTER_KEY), ("manifest", self._question.manifest_name)]
        with suppress(ShipfilesError):
            if pointer := read_pointer(self._read):
                keys.append(("record", record_key(pointer.release)))
                if record := read_record(self._read, pointer.release):
                    keys.append(("release-manifest", manifest_key(record.manifest)))
        for name, key in keys:
            self._not_there(name, f"{key.rpartition('/')[2]}, which is not for browsers", self._prefix + key, _HIDE)
        if asked is not None:
            for coding in self._static.codings:
                if coding in asked.codings:
                    path = self._prefix + asked.name + suffix(coding)
                    todo = "answer 404: it comes without its Content-Encoding under that name"
                    self._not_there("variant", f"a compressed file by its own name, {coding}", path, todo, needed=False)
                    break

    def _outside(self, asked: Entry) -> None:
        """A web server whose folder and path do not both end with a slash leaves the folder."""
        if not (folder := os.path.basename(self._static.root.rstrip("/"))) or self._prefix == "/":
            return
        path = f"{self._prefix.rstrip('/')}../{folder}/{asked.name}"
        todo = "let the path and the folder of static files both end with a slash: other folders beside it are open"
        self._not_there("outside", "a path that leads out of the folder", path, todo)

    def _not_there(self, name: str, what: str, path: str, todo: str, *, needed: bool = True) -> None:
        page = self._get(path, {"Accept-Encoding": "identity"})
        # A redirect or a page of the application gives nothing away.
        wrong = page.status in (200, 206) and not page.headers.get("content-type", "").startswith("text/html")
        self._add(
            name,
            what,
            "wrong" if wrong else "ok",
            request=self._request(path, {}, "GET"),
            answer=shown_fields(page.status, page.headers),
            expected="404",
            why=(f"the answer is {page.status}: everybody can read it",) if wrong else (),
            todo=(todo,) if wrong else (),
            needed=needed,
        )

    # How it is asked.

    def _read(self, key: str) -> bytes | None:
        return read_all(self._question.store, key)

    def _compare(
        self,
        name: str,
        what: str,
        path: str,
        fields: Mapping[str, str] = {},
        method: str = "GET",
        *,
        needed: bool = True,
    ) -> None:
        lower = {field.lower(): value for field, value in fields.items()}
        wanted = respond(self._table, Request(method, path, lower.get))
        if wanted is None:
            return
        body = _body_of(wanted)
        page = self._get(path, fields, method)
        faults = faults_of(page, wanted, body, lower.get("accept-encoding", "identity"))
        wrong = [fault for fault in faults if fault.needed]
        self._add(
            name,
            what,
            "wrong" if faults else "ok",
            request=self._request(path, fields, method),
            answer=shown_fields(page.status, page.headers),
            expected=shown_fields(wanted.status, {field.lower(): value for field, value in wanted.headers}),
            why=tuple(fault.why for fault in faults),
            todo=tuple(dict.fromkeys(fault.todo for fault in faults if fault.todo)),
            needed=needed and bool(wrong or not faults),
        )

    def _get(self, path: str, fields: Mapping[str, str], method: str = "GET") -> Page:
        if self._clock() > self._until:
            raise NotReached(f"{self._base} is too slow: it took more than {_PATIENCE:.0f} seconds by now")
        host = {"Host": self._question.host} if self._question.host else {}
        return self._ask(self._base + quote(path, safe=_PATH_SAFE), {**host, **fields}, method)

    def _request(self, path: str, fields: Mapping[str, str], method: str) -> str:
        said = ", ".join(f"{name}: {shown(value)}" for name, value in fields.items())
        url = fit_to_show(self._base + quote(path, safe=_PATH_SAFE))
        return f"{method} {url}{f' with {said}' if said else ''}"

    def _add(self, name: str, what: str, state: State, **more: object) -> None:
        made: Callable[..., Finding] = Finding
        self.findings.append(made(name, what, state, **more))


def _is_kept(page: Page) -> bool:
    """Whether a cache says that it had the answer."""
    age = page.headers.get("age", "0").strip()
    said = " ".join(page.headers.get(name, "") for name in ("x-cache", "cf-cache-status", "x-cache-status")).lower()
    return (age.isdecimal() and len(age) < 10 and int(age) > 0) or "hit" in said.replace("-", " ").split()


def _body_of(response: Response) -> bytes:
    body = response.body
    if body is None or isinstance(body, bytes):
        return body or b""
    try:
        return b"".join(body)
    finally:
        body.close()
