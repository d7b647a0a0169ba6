"""Asks a live address for a few files of the current release, and compares the answers with those of the application.

What is expected is what `serve.respond` says to the same request, less what no configuration can say. Tags and dates
are those of each server, which are only asked for again. Nothing is changed there.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from ..edge.policy import EdgePolicy, StaticPolicy
from ..errors import ReleaseError, ShipfilesError
from ..manifest import Manifest, suffix
from ..model import Entry
from ..paths import url_unquote
from ..records import POINTER_KEY, manifest_key, read_current, read_pointer, read_record, record_key
from ..serve.respond import Request, respond
from ..serve.table import FileTable
from ..stores.store import Store, read_all
from .edge_asking import Ask, Asker, Finding
from .edge_faults import shown_fields
from .edge_sample import Sample, entries_of, fetch_entry, sample_of
from .edge_uploads import ask_for_uploads
from .public import NotReached, Page, cdn_of, fetch

_ORIGIN = "https://shipfiles.invalid"
_MISSING = "shipfiles-check.0123456789ab.js"
_NOT_KEPT = "let what is not there be answered with 'Cache-Control: no-store', and let the cache keep no errors"
NO_ANSWER = "answer"
"""The name of the finding that there is none."""
_HIDE = "answer 404 to names that begin with a dot, and to the manifest: they name every file of every release"


@dataclass(frozen=True, slots=True)
class EdgeQuestion:
    """What is to be asked."""

    url: str
    """Where the host answers; its path, if it has one, is that of the static files."""
    store: Store | None
    """Where the current release is read; ``None`` where only uploads are asked for."""
    policy: EdgePolicy
    host: str = ""
    """The Host field, if it is not that of the URL: of a server that is not yet in the DNS."""
    manifest_name: str = "staticfiles.json"


def examine_edge(
    question: EdgeQuestion, ask: Ask = fetch, clock: Callable[[], float] = time.monotonic
) -> tuple[Finding, ...]:
    """Ask everything. What is wrong is told in the findings.

    Raises `ShipfilesError` if the release cannot be read with which the answers are compared.
    """
    asker = Asker(question.url, question.host, ask, clock)
    with tempfile.TemporaryDirectory(prefix="shipfiles-edge-") as folder:
        static, store = question.policy.static, question.store
        visit = _visit(question, static, store, folder, asker) if static is not None and store is not None else None
        try:
            if visit is not None:
                visit.run()
            ask_for_uploads(question.policy, asker)
        except NotReached as error:
            what = "the next request" if asker.findings else "the first request"
            asker.add(NO_ANSWER, what, "wrong", why=(str(error),), todo=(error.todo,))
    return tuple(asker.findings)


def _visit(question: EdgeQuestion, static: StaticPolicy, store: Store, folder: str, asker: Asker) -> _Visit:
    """Ready to begin, with the files of the current release that it asks for in ``folder``."""
    found = read_current(lambda key: read_all(store, key))
    if found is None:
        raise ReleaseError(f"There is no release in {store} to compare with: run collectstatic.")
    _, manifest = found
    sample = sample_of(manifest, static)
    for entry in {entry.name: entry for entry in entries_of(sample)}.values():
        fetch_entry(store, entry, static, folder)
    return _Visit(question, static, store, manifest, sample, folder, asker)


class _Visit:
    def __init__(
        self,
        question: EdgeQuestion,
        static: StaticPolicy,
        store: Store,
        manifest: Manifest,
        sample: Sample,
        folder: str,
        asker: Asker,
    ) -> None:
        self._question, self._static, self._sample = question, static, sample
        self._store, self._manifest, self._asker = store, manifest, asker
        path = url_unquote(urlsplit(question.url).path) or ""
        self._prefix = static.prefix if path in ("", "/") else f"{path.rstrip('/')}/"
        # What no configuration says; and nothing of this is to be kept or fetched.
        config = replace(static.serve, add_headers=None, release_header="", pull_from=None, cache_tags="", memory=0)
        entries = {entry.logical: entry for entry in entries_of(sample)}
        self._table = FileTable(Manifest(entries), folder, self._prefix, config)

    def run(self) -> None:
        """Raises `NotReached`."""
        text, other = self._sample.text, self._sample.other
        asked = text or other
        if asked is None:
            why = "the release has no file under a hashed name of ours that is small enough to be asked for"
            self._asker.add("hashed", "a file under its hashed name", "not tried", why=(why,))
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
        self._compare("part", "a part of a file", path, {**identity, "Range": "bytes=2-9"})
        last = asked.size + 10
        beyond = {**identity, "Range": f"bytes={last}-"}
        self._compare("beyond", "a part behind the end", path, beyond)
        stale = {**identity, "Range": "bytes=2-9", "If-Range": '"another"'}
        self._compare("if-range", "a part of another version", path, stale)
        whole = self._asker.get(path, identity)
        for name, field in (("If-None-Match", "etag"), ("If-Modified-Since", "last-modified")):
            if field not in whole.headers:
                continue
            fields = {**identity, name: whole.headers[field]}
            page = self._asker.get(path, fields)
            right = page.status == 304 and not page.body
            self._asker.add(
                name.lower(),
                f"what has not changed, by {name}",
                "ok" if right else "wrong",
                request=self._asker.request(path, fields, "GET"),
                answer=shown_fields(page.status, page.headers),
                expected="304",
                why=() if right else (f"the answer is {page.status} instead of 304: it is sent again each time",),
                todo=() if right else ("let conditional requests through, and ETag and Last-Modified as they are",),
                needed=page.status not in (200, 304),
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
        self._asker.get(path, {})
        page = self._asker.get(path, {})
        # A bucket says 403 to who may not list it, and how long a CDN keeps that is the CDN's own affair.
        of_bucket = bool(self._question.policy.bucket)
        # At the root of the site it may be a page of the application, which says what it likes of a 404.
        may_be_page = self._static.prefix == "/" and self._question.policy.mode != "dedicated"
        why, todo = [], []
        if page.status not in ((403, 404, 410) if of_bucket else (404, 410)):
            why.append(f"the answer is {page.status} instead of 404: nobody notices that a file is missing")
            todo.append("answer 404 below the path of static files, with no page instead")
        if "no-store" not in page.headers.get("cache-control", "").lower() and not (of_bucket or may_be_page):
            control = page.shown("cache-control")
            why.append(
                f"Cache-Control is {control!r} instead of 'no-store'" if control else "no Cache-Control: no-store"
            )
            todo.append(_NOT_KEPT)
        if _is_kept(page):
            why.append(f"a cache has kept it ({cdn_of(page)}): a file that comes later is not found")
            todo.append(_NOT_KEPT)
        self._asker.add(
            "missing",
            "a hashed name that no release has",
            "wrong" if why else "ok",
            request=f"{self._asker.request(path)}, twice",
            answer=shown_fields(page.status, page.headers),
            expected="404" if of_bucket or may_be_page else "404, Cache-Control: no-store",
            why=tuple(why),
            todo=tuple(dict.fromkeys(todo)),
            needed=not may_be_page,
        )

    def _hidden(self, asked: Entry | None) -> None:
        """What is in the folder and is nobody's."""
        keys = [("pointer", POINTER_KEY), ("manifest", self._question.manifest_name)]
        with suppress(ShipfilesError):
            if pointer := read_pointer(self._read):
                keys.append(("record", record_key(pointer.release)))
                if record := read_record(self._read, pointer.release):
                    keys.append(("release-manifest", manifest_key(record.manifest)))
        needed = not self._question.policy.bucket  # which may be readable as a whole
        for name, key in keys:
            what = f"{key.rpartition('/')[2]}, which is not for browsers"
            self._asker.not_there(name, what, self._prefix + key, _HIDE, needed=needed)
        if asked is not None:
            for coding in self._static.codings:
                if coding in asked.codings:
                    path = self._prefix + asked.name + suffix(coding)
                    todo = "answer 404: it comes without its Content-Encoding under that name"
                    self._asker.not_there(
                        "variant", f"a compressed file by its own name, {coding}", path, todo, needed=False
                    )
                    break

    def _outside(self, asked: Entry) -> None:
        """A web server whose folder and path do not both end with a slash leaves the folder."""
        if not (folder := os.path.basename(self._static.root.rstrip("/"))) or self._prefix == "/":
            return
        path = f"{self._prefix.rstrip('/')}../{folder}/{asked.name}"
        todo = "let the path and the folder of static files both end with a slash: other folders beside it are open"
        self._asker.not_there("outside", "a path that leads out of the folder", path, todo)

    def _read(self, key: str) -> bytes | None:
        return read_all(self._store, key)

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
        """Compare with what the application answers."""
        lower = {field.lower(): value for field, value in fields.items()}
        wanted = respond(self._table, Request(method, path, lower.get))
        if wanted is not None:
            self._asker.compare(name, what, path, wanted, fields, method, needed=needed)


def _is_kept(page: Page) -> bool:
    """Whether a cache says that it had the answer."""
    age = page.headers.get("age", "0").strip()
    said = " ".join(page.headers.get(name, "") for name in ("x-cache", "cf-cache-status", "x-cache-status")).lower()
    return (age.isdecimal() and len(age) < 10 and int(age) > 0) or "hit" in said.replace("-", " ").split()
