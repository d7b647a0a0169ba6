"""A folder with a release that never changes: what an implementation of `HttpContract` must serve."""

from __future__ import annotations

import gzip
import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .. import manifest, records
from ..digest import digest_bytes, hashed_name
from ..media_types import media_type
from ..model import Entry, Plain, Variant
from ..paths import url_quote

PREFIX = "/static/"


@dataclass(frozen=True, slots=True)
class SiteFile:
    """A file of a `Site`: its bytes under the hashed name, those in every coding, and those before rewriting."""

    body: bytes
    codings: Mapping[str, bytes] = field(default_factory=dict)
    plain: bytes | None = None
    plain_codings: Mapping[str, bytes] = field(default_factory=dict)


def _noise(size: int) -> bytes:
    """``size`` bytes that look random and are always the same."""
    return b"".join(hashlib.sha256(b"%d" % i).digest() for i in range(size // 32 + 1))[:size]


def _coded(body: bytes) -> dict[str, bytes]:
    # Nothing here decodes Brotli, so any bytes will do that are fewer than gzip's, as Brotli's are.
    packed = gzip.compress(body, mtime=0)
    return {"br": b"br" + packed[10 : -len(packed) // 10], "gzip": packed}


_TEXT = b"User-agent: *\nDisallow:\n" * 40
_HTML = b"<!doctype html>\n<title>page</title>\n" * 40
_CSS = b"".join(b".a%d { color: #%06x }\n" % (i, i * 4099) for i in range(120))
_JS = _noise(150_000).hex().encode()
FILES: dict[str, SiteFile] = {
    "css/site.css": SiteFile(_CSS, _coded(_CSS)),
    # Nothing here decodes Zstandard either.
    "css/three.css": SiteFile(_CSS, {**_coded(_CSS), "zstd": b"zs" + gzip.compress(_CSS, mtime=0)[:-4]}),
    "js/app.js": SiteFile(b"import './x.123456789abc.js'\n" * 30, _coded(b"import './x.123456789abc.js'\n" * 30),
                          b"import './x.js'\n" * 30, _coded(b"import './x.js'\n" * 30)),
    "js/large.js": SiteFile(_JS, _coded(_JS)),
    "img/dot.png": SiteFile(_noise(1000)), "img/photo.jpg": SiteFile(_noise(120_000)),
    "film.mp4": SiteFile(_noise(300_000)),
    # More than the sockets of both sides hold.
    "big.bin": SiteFile(_noise(1001) * 16_000),
    "empty.txt": SiteFile(b""),
    "odd/na\u00efve \u2603.txt": SiteFile(b"snow"),
    "odd/100% a+b #1?%20;'(x).txt": SiteFile(b"odd"),
    "page.0123456789ab.css": SiteFile(b"only looks hashed"),
    "map/app.js.map": SiteFile(b"{}"), "app.webmanifest": SiteFile(b"{ }"), "m.mjs": SiteFile(b"export {}"),
    "m.wasm": SiteFile(b"\0asm"), "font.woff2": SiteFile(b"wOF2"), "no-extension": SiteFile(b"?"),
    # For `OPTIONS`.
    "site-root/robots.txt": SiteFile(_TEXT, _coded(_TEXT)),
    "site-root/.well-known/security.txt": SiteFile(b"Contact: mailto:a@example.com\n"),
    "site-root/100% a+b #1?%20;'(x).txt": SiteFile(b"odd, at the root"),
    "site-root/docs/index.html": SiteFile(b"docs, at the root"), "docs/index.html": SiteFile(b"docs"),
    "site-root/a:b/na\u00efve \u2603/index.html": SiteFile(b"snow, at the root"),
    "site-root/app/index.html": SiteFile(_HTML, _coded(_HTML)),
    "img/icon.ico": SiteFile(b"\0\0\1\0"),
    "rules/a.css": SiteFile(_CSS + b"/* ruled */", _coded(_CSS + b"/* ruled */")), "rules/a.svg": SiteFile(b"<svg/>"),
    "rules/open.json": SiteFile(b"{}"), "rules/worker.js": SiteFile(b"onmessage = null"),
}  # fmt: skip
OPTIONS: Mapping[str, Any] = {
    "root_folder": "public",
    "index_file": "index.html",
    "single_page": "site-root/app/index.html",
    "root_files": {"/favicon.ico": "img/icon.ico", "/apple touch \u2603.ico": "img/icon.ico"},
    "headers": {
        "rules/*": ["cross-origin", "timing", {"X-Letters": "\xe9t\xe9", "X-Robots-Tag": "noindex"}],
        "rules/*.svg": "inert",
        "rules/open.json": {"Access-Control-Allow-Origin": "https://a.example", "X-Robots-Tag": None},
        "rules/*.js": ["same-origin", {"Cache-Control": "no-cache"}],
    },
}
"""``OPTIONS["serve"]`` with which `CONFIGURED_CASES` hold of a `Site`; all others hold with them too."""
# Each case that harms a file has one of its own, so that the cases can run in any order.
_HARMED = ("removed", "removed-later", "removed-variant", "shrunk", "shrunk-later", "shrunk-variant", "grown", "folder",
           "fifo", "device", "link",
           "large-shrunk", "plain-removed", "plain-replaced", "plain-large-replaced")  # fmt: skip
for _name in _HARMED:
    _body = _JS if "large" in _name else f"/* {_name} */\n".encode() * 40
    if _name.startswith("plain"):
        FILES[f"harm/{_name}.js"] = SiteFile(_body + b"// rewritten\n", {}, _body, _coded(_body))
    else:
        FILES[f"harm/{_name}.js"] = SiteFile(_body, _coded(_body))


class Site:
    """A folder with a release of `FILES`, with files beside it that are nobody's business.

    ``secret`` lies outside the folder; a link in the folder leads to it.
    """

    def __init__(self, folder: str) -> None:
        self.root = os.path.join(folder, "root")
        self.secret = b"a secret outside the root"
        os.makedirs(self.root)
        self._write(os.path.join(folder, "secret.txt"), self.secret)
        self.manifest = manifest.Manifest({logical: _entry(logical, file) for logical, file in FILES.items()})
        for logical, file in FILES.items():
            for key, body in _stored(self.manifest.entries[logical], file):
                self._write(self.path(key), body)
        body = manifest.dump(self.manifest)
        digest = digest_bytes(body)
        record = records.Record(records.content_id(digest), records.now(), digest)
        self._write(self.path(records.manifest_key(digest)), body)
        self._write(self.path(records.record_key(record.release)), records.dump_record(record))
        pointer = records.Pointer(()).moved(record.release, records.now(), digest)
        self._write(self.path(records.POINTER_KEY), records.dump_pointer(pointer))
        self._write(self.path("staticfiles.json"), manifest.dump_django(self.manifest.names()))
        for folder in ("", "site-root/"):
            self._write(self.path(folder + "stray.txt"), b"in no manifest")
            self._write(self.path(folder + ".env"), b"PASSWORD=1")
        if hasattr(os, "symlink"):
            os.symlink(os.path.join(folder, "secret.txt"), self.path("link.txt"))

    def path(self, key: str) -> str:
        """The file at ``key``."""
        return os.path.join(self.root, key)

    def url(self, logical: str) -> str:
        """The target of the plain URL of ``logical``."""
        return PREFIX + url_quote(logical)

    def hashed_url(self, logical: str) -> str:
        """The target of the hashed URL of ``logical``."""
        return PREFIX + url_quote(self.manifest.entries[logical].name)

    def replace(self, key: str, body: bytes) -> None:
        """Put ``body`` at ``key`` as a release does: in one step."""
        self._write(self.path(key) + ".new", body)
        os.replace(self.path(key) + ".new", self.path(key))

    @staticmethod
    def _write(path: str, body: bytes) -> None:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(body)


def _variants(codings: Mapping[str, bytes]) -> dict[str, Variant]:
    return {coding: Variant(len(body), digest_bytes(body)) for coding, body in codings.items()}


def _entry(logical: str, file: SiteFile) -> Entry:
    digest = digest_bytes(file.body)
    return Entry(
        logical, hashed_name(logical, digest), len(file.body), digest, media_type(logical), _variants(file.codings),
        plain=None if file.plain is None
        else Plain(len(file.plain), digest_bytes(file.plain), _variants(file.plain_codings)),
    )  # fmt: skip


def _stored(entry: Entry, file: SiteFile) -> Iterator[tuple[str, bytes]]:
    yield entry.name, file.body
    for coding, body in file.codings.items():
        yield entry.name + manifest.suffix(coding), body
    plain, codings = (file.body, file.codings) if file.plain is None else (file.plain, file.plain_codings)
    yield entry.logical, plain
    for coding, body in codings.items():
        yield entry.logical + manifest.suffix(coding), body
    if file.plain is not None:
        yield manifest.plain_key(digest_bytes(plain)), plain
        for coding, body in codings.items():
            yield manifest.plain_key(digest_bytes(plain)) + manifest.suffix(coding), body
