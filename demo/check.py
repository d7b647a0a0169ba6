"""Fetch every file of a running site, as a browser would and in every content coding, and compare the bytes.

What is right is not asked of the server: the published files are read from the disk, the sources from the finders, and
what a rewritten file must be is found by putting the plain names back in place of the hashed ones.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPMessage
from pathlib import Path
from urllib.parse import quote, unquote, urldefrag, urlencode, urljoin, urlsplit

import brotli
import django

from crawl import Page, css_references, module_references
from shipfiles.manifest import reader_of
from shipfiles.model import Entry
from shipfiles.records import read_current

PAGES = ("/", "/ships/?q=sa", "/admin/login/", "/api/", "/api/ships/", "/api-auth/login/", "/swagger/", "/redoc/")
PAGES_AFTER_LOGIN = ("/admin/", "/admin/ships/ship/add/", "/admin/auth/user/", "/api/ships/1/")
MOST_PAGES = 150
"""The crawl follows links up to this many pages: the admin's filters alone would give thousands."""
BROWSER = "gzip, deflate, br, zstd"
CODINGS = {"gzip": (".gz", gzip.decompress), "br": (".br", brotli.decompress)}
TYPES = {
    "css": "text/css", "gif": "image/gif", "html": "text/html", "ico": "image/x-icon", "jpg": "image/jpeg",
    "js": "text/javascript", "json": "application/json", "map": "application/json", "mjs": "text/javascript",
    "png": "image/png", "svg": "image/svg+xml", "txt": "text/plain", "woff": "font/woff", "woff2": "font/woff2",
    "ttf": "font/ttf", "otf": "font/otf", "eot": "application/vnd.ms-fontobject", "md": "text/markdown",
}  # fmt: skip
"""Extension → media type, where there is no doubt."""
PARSERS = {"text/css": css_references, "text/javascript": module_references}
LINES = (
    ("files of the release equal to their source", "unchanged"),
    ("files equal to it once the hashed names in them are the plain ones again", "rewritten"),
    ("references that lead to the right file of the release", "references"),
    ("answers compared as they are", "identity"),
    ("answers compared in gzip", "gzip"),
    ("answers compared in brotli", "br"),
    ("answers without the coding that was asked for: the file is small or gains nothing", "not compressed"),
    ("answers of 304 to the file's own validator", "304"),
    ("different files that the pages need", "files on pages"),
    ("of those, under hashed names", "hashed"),
    ("of those, made by a view", "dynamic"),
)


@dataclass(frozen=True)
class Answer:
    """One answer of the server."""

    status: int
    headers: HTTPMessage
    body: bytes

    def header(self, name: str) -> str:
        """A header's value; empty if it is absent."""
        return str(self.headers.get(name, ""))


@dataclass
class Tally:
    """What was counted, and what was wrong."""

    failures: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def expect(self, right: object, where: str, what: str) -> bool:
        """Note a failure unless ``right``; give back whether it was."""
        if not right:
            with self.lock:
                self.failures.append(f"{where}: {what}")
        return bool(right)

    def count(self, what: str, number: int = 1) -> None:
        """Add to a count."""
        with self.lock:
            self.counts[what] += number


class Client:
    """Asks one site; a kept-alive connection for each thread."""

    def __init__(self, site: str, tally: Tally) -> None:
        self.host = urlsplit(site).netloc
        self.tally = tally
        self.local = threading.local()
        self.cookies: dict[str, str] = {}

    def ask(self, path: str, method: str = "GET", body: str = "", **headers: str) -> Answer:
        """The answer; underscores in the names of headers stand for dashes."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        for attempt in (1, 2):
            connection: HTTPConnection | None = getattr(self.local, "connection", None)
            if connection is None:
                connection = self.local.connection = HTTPConnection(self.host, timeout=30)
            try:
                connection.request(method, path, body or None, sent)
                response = connection.getresponse()
                answer = Answer(response.status, response.headers, response.read())
                break
            except (OSError, HTTPException):
                connection.close()
                self.local.connection = None
                if attempt == 2:  # the first time, the server may have closed a connection that was idle
                    raise
        self.tally.count("requests")
        self.tally.count("bytes", len(answer.body))
        for cookie in answer.headers.get_all("Set-Cookie") or ():
            name, _, value = cookie.split(";")[0].partition("=")
            self.cookies[name] = value
        return answer


def check(site: str, user: str, password: str) -> int:
    """0 if everything at ``site`` is right, else 1. Prints the failures and the counts."""
    django.setup()
    from django.conf import settings

    began = time.monotonic()
    tally = Tally()
    root = Path(settings.STATIC_ROOT or "")
    current = read_current(reader_of(str(root)))
    if current is None:
        print(f"{root} has no release.")
        return 1
    release, manifest = current
    files = Files(Client(site, tally), tally, settings.STATIC_URL, root, manifest.entries)
    each(files.check_entry, manifest.entries.values(), tally)
    files.check_refusals()
    Crawl(site, settings.STATIC_URL, manifest.entries, tally).run(user, password)

    for failure in sorted(set(tally.failures)):
        print(f"FAILED {failure}")
    counts = tally.counts
    print(f"Release {release}: {len(manifest.entries)} files\nPages: {counts['pages']}")
    for what, key in LINES:
        print(f"  {counts[key]:>6,}  {what}")
    seconds = time.monotonic() - began
    traffic = f"{counts['requests']:,} requests, {counts['bytes'] / 1e6:.1f} MB, {seconds:.1f} s"
    print(f"{traffic}: {len(set(tally.failures))} failures")
    return 1 if tally.failures else 0


class Files:
    """Compares the files of a release with what the server sends for them."""

    def __init__(self, client: Client, tally: Tally, base: str, root: Path, entries: Mapping[str, Entry]) -> None:
        self.client, self.tally, self.base, self.root = client, tally, base, root
        self.entries = entries
        self.sources = sources()
        self.plain = {quote(_last(e.name)).encode(): quote(_last(e.logical)).encode() for e in entries.values()}
        names = b"|".join(map(re.escape, sorted(self.plain, reverse=True)))
        self.hashed = re.compile(rb"(?<![\w.-])(?:" + names + rb")")
        for logical in self.sources.keys() ^ entries.keys():
            tally.expect(False, logical, "in the sources but not in the release, or the other way round")

    def check_entry(self, entry: Entry) -> None:
        """All that can be asked about one file."""
        source = self.sources.get(entry.logical)
        if source is None:
            return
        body = (self.root / entry.name).read_bytes()
        digest = base64.b64encode(hashlib.sha384(body).digest()).decode()
        self.tally.expect(entry.digest == f"sha384-{digest}", entry.name, "the manifest has another digest")
        if body == source:
            self.tally.count("unchanged")
        elif self.tally.expect(self.with_plain_names(body) == source, entry.name, "is not its source with other names"):
            self.tally.count("rewritten")
        self.check_references(entry, source.decode("utf-8", "replace"), body.decode("utf-8", "replace"))
        self.check_address(entry.name, body, entry.codings, immutable=True)
        plain = entry.plain
        self.check_address(entry.logical, source, entry.codings if plain is None else plain.codings, immutable=False)

    def check_references(self, entry: Entry, source: str, body: str) -> None:
        """Every reference leads to the release's copy of the file that the source refers to."""
        find = PARSERS.get(entry.media_type)
        if find is None:
            return
        before, after = list(find(source)), list(find(body))
        self.tally.expect(len(before) == len(after), entry.name, "has not as many references as its source")
        for old, new in zip(before, after, strict=False):
            target, tail = split_reference(self.base + quote(entry.logical), old)
            known = self.entries.get(unquote(target.removeprefix(self.base))) if target.startswith(self.base) else None
            if known is None:
                self.tally.expect(old == new, entry.name, f"{old} leads to no file of the release, but became {new}")
                continue
            found = split_reference(self.base + quote(entry.name), new)
            self.tally.expect(found == (self.base + quote(known.name), tail), entry.name, f"{old} became {new}")
            self.tally.count("references")

    def check_address(self, key: str, body: bytes, codings: Iterable[str], *, immutable: bool) -> None:
        """One address in every coding, again with its validator, and its head alone."""
        expect, path = self.tally.expect, self.base + quote(key)
        for token in ("identity", *CODINGS):
            answer = self.client.ask(path, Accept_Encoding=token)
            where = f"{path} ({token})"
            if not expect(answer.status == 200, where, f"status {answer.status}"):
                return
            if token in codings:
                suffix, decompress = CODINGS[token]
                expect(answer.header("Content-Encoding") == token, where, "comes without its Content-Encoding")
                expect(answer.body == (self.root / (key + suffix)).read_bytes(), where, "not the published bytes")
                expect(decompress(answer.body) == body, where, "decompressed, not the file's bytes")
                self.tally.count(token)
            else:
                expect(not answer.header("Content-Encoding"), where, "has a Content-Encoding")
                expect(answer.body == body, where, "not the file's bytes")
                self.tally.count("identity" if token == "identity" else "not compressed")
            self.check_headers(answer, where, key, immutable=immutable, varies=bool(list(codings)))
            again = self.client.ask(path, Accept_Encoding=token, If_None_Match=answer.header("ETag"))
            if expect(again.status == 304 and not again.body, where, f"{again.status} for its own ETag, not 304"):
                expect(again.header("ETag") == answer.header("ETag"), where, "304 with another ETag")
                self.tally.count("304")

    def check_headers(self, answer: Answer, where: str, key: str, *, immutable: bool, varies: bool) -> None:
        """The headers of a 200."""
        expect = self.tally.expect
        media_type = answer.header("Content-Type").partition(";")[0]
        wanted = TYPES.get(key.rpartition(".")[2]) if "." in _last(key) else None
        expect(media_type and wanted in (None, media_type), where, f"Content-Type {media_type}, expected {wanted}")
        expect(answer.header("ETag"), where, "no ETag")
        expect(answer.header("Content-Length") == str(len(answer.body)), where, "wrong Content-Length")
        expect(not varies or "accept-encoding" in answer.header("Vary").lower(), where, "no Vary: Accept-Encoding")
        expect(answer.header("X-Content-Type-Options") == "nosniff", where, "no X-Content-Type-Options: nosniff")
        caching = answer.header("Cache-Control")
        age = re.search(r"max-age=(\d+)", caching)
        if immutable:
            expect("immutable" in caching and age and int(age[1]) >= 31_536_000, where, f"Cache-Control: {caching}")
        else:
            expect("immutable" not in caching and age and int(age[1]) < 86_400, where, f"Cache-Control: {caching}")

    def check_refusals(self) -> None:
        """What there is not, and what must not be done."""
        expect = self.tally.expect
        path = f"{self.base}css/site.000000000000.css"
        missing = self.client.ask(path)
        expect(missing.status == 404, path, f"status {missing.status} for a file that there is not")
        expect("no-store" in missing.header("Cache-Control"), path, "a missing hashed name that caches may keep")
        path = f"{self.base}css/site.css"
        posted = self.client.ask(path, "POST", "x")
        expect(posted.status == 405 and "GET" in posted.header("Allow"), path, f"status {posted.status} for a POST")
        got, head = self.client.ask(path), self.client.ask(path, "HEAD")
        expect(head.status == 200 and not head.body, path, "HEAD is not answered with 200 and no body")
        for name in ("Content-Length", "Content-Type", "ETag", "Cache-Control", "Vary"):
            expect(head.header(name) == got.header(name), path, f"HEAD and GET differ in {name}")
        path = f"{self.base}../db.sqlite3"
        expect(self.client.ask(path).status in (400, 404), path, "a path out of the folder is not refused")

    def with_plain_names(self, body: bytes) -> bytes:
        """``body`` with the plain name in place of each hashed one."""
        return self.hashed.sub(lambda match: self.plain[match[0]], body)


class Crawl:
    """Goes through the pages like a browser and fetches what they refer to."""

    def __init__(self, site: str, base: str, entries: Mapping[str, Entry], tally: Tally) -> None:
        self.site, self.base, self.tally = site, base, tally
        self.client = Client(site, tally)
        self.hashed = {base + quote(entry.name) for entry in entries.values()}
        self.plain = {base + quote(entry.logical) for entry in entries.values()}
        self.modules: set[str] = set()
        self.seen: set[str] = set()
        self.links: dict[str, None] = {}

    def run(self, user: str, password: str) -> None:
        """Crawl as a visitor, then as a user of the admin."""
        self.visit(PAGES)
        self.log_in(user, password)
        self.visit((*PAGES_AFTER_LOGIN, *PAGES))
        while len(self.seen) < MOST_PAGES and self.links:
            link = next(iter(self.links))
            del self.links[link]
            if link not in self.seen:
                self.visit([link])

    def log_in(self, user: str, password: str) -> None:
        """Log in at the admin's own form."""
        path = "/admin/login/?next=/admin/"
        fields = Page(self.client.ask(path).body.decode()).fields
        fields |= {"username": user, "password": password}
        kind = "application/x-www-form-urlencoded"
        answer = self.client.ask(path, "POST", urlencode(fields), Content_Type=kind)
        self.tally.expect(answer.status == 302, path, f"status {answer.status}: could not log in")

    def visit(self, paths: Iterable[str]) -> None:
        """Fetch pages and all that they refer to."""
        for path in paths:
            self.seen.add(path)
            answer = self.client.ask(path, Accept="text/html,*/*;q=0.8", Accept_Encoding="identity")
            if answer.status in (301, 302) and (target := self.local(path, answer.header("Location"), link=True)):
                self.links[target] = None
                continue
            if not self.tally.expect(answer.status == 200, path, f"status {answer.status}"):
                continue
            if not answer.header("Content-Type").startswith("text/html"):
                continue
            self.tally.count("pages")
            page = Page(answer.body.decode())
            self.modules |= {urljoin(path, url) for url in page.modules}
            for url in page.links:
                if target := self.local(path, url, link=True):
                    self.links[target] = None
            for url in page.assets:
                self.fetch(path, url)

    def fetch(self, referrer: str, url: str) -> None:
        """Fetch a file and all that it refers to."""
        path = self.local(referrer, url)
        if path is None or path in self.seen:
            return
        self.seen.add(path)
        answer = self.client.ask(path, Accept_Encoding=BROWSER)
        if not self.tally.expect(answer.status == 200, path, f"status {answer.status}, but {referrer} refers to it"):
            return
        self.tally.count("files on pages")
        kind = "hashed" if path in self.hashed else "plain" if path in self.plain else "dynamic"
        self.tally.expect(kind != "dynamic" or not path.startswith(self.base), path, "served, but not of the release")
        self.tally.expect(kind != "plain", path, f"{referrer} refers to it by its plain name")
        self.tally.count(kind)
        media_type = answer.header("Content-Type").partition(";")[0]
        if media_type == "text/css":
            for found in css_references(decoded(answer)):
                self.fetch(path, found)
        elif media_type == "text/javascript" and path in self.modules:
            for found in module_references(decoded(answer)):
                self.modules.add(urljoin(path, found))
                self.fetch(path, found)

    def local(self, referrer: str, url: str, *, link: bool = False) -> str | None:
        """The path and query of ``url`` on this site; ``None`` if it has none: a failure, unless it is a mere link."""
        if url.lower().startswith(("data:", "mailto:", "javascript:", "blob:", "about:", "#")):
            return None
        parts = urlsplit(urldefrag(urljoin(self.site + referrer, url)).url)
        if f"{parts.scheme}://{parts.netloc}" != self.site:
            self.tally.expect(link, referrer, f"refers to a file of another site: {url}")
            return None
        return parts.path + (f"?{parts.query}" if parts.query else "")


def split_reference(base: str, reference: str) -> tuple[str, str]:
    """The path that ``reference`` means in the file ``base``, and its query and fragment."""
    parts = urlsplit(urljoin("http://site" + base, reference))
    path = parts.path if parts.netloc == "site" else ""
    return path, reference[len(re.split("[?#]", reference)[0]) :]


def sources() -> dict[str, bytes]:
    """Logical path → bytes, as the finders give them; the first found wins."""
    from django.contrib.staticfiles.finders import get_finders

    found: dict[str, bytes] = {}
    for finder in get_finders():
        for path, storage in finder.list(["CVS", ".*", "*~"]):
            prefix = getattr(storage, "prefix", None)
            logical = f"{prefix}/{path}" if prefix else path
            if logical not in found:
                with storage.open(path) as file:
                    found[logical] = file.read()
    return found


def each(check_one: Callable[[Entry], None], entries: Iterable[Entry], tally: Tally) -> None:
    """Check entries four at a time; an error of the connection is a failure of that entry."""

    def guarded(entry: Entry) -> None:
        try:
            check_one(entry)
        except (OSError, HTTPException, ValueError, brotli.error) as error:
            tally.expect(False, entry.name, f"{type(error).__name__}: {error}")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(guarded, entries))


def decoded(answer: Answer) -> str:
    """The text of an answer, its coding undone."""
    coding = answer.header("Content-Encoding")
    return (CODINGS[coding][1](answer.body) if coding else answer.body).decode("utf-8", "replace")


def _last(path: str) -> str:
    return path.rpartition("/")[2]
