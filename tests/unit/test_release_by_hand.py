"""A release written down by hand: every Python, machine and order must make these very bytes.

The names and formats here are worked out anew from what is written of them: docs/guide.md ("How it works"), decision
0001 (one digest), 0002 (where manifests live) and Django's own ``staticfiles.json``, version 1.1. The bytes of
compressed files depend on the encoders' versions; test_compress.py pins those.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest

from shipfiles.build.compress import settings_of
from shipfiles.build.find import ignore_matcher, walk
from shipfiles.build.pipeline import build
from shipfiles.config import CompressConfig, RewriteConfig
from shipfiles.model import SourceFile
from shipfiles.release.publish import publish
from shipfiles.stores.memory import MemoryStore

NO_CODINGS = CompressConfig(codings=())


def sri(body: bytes) -> str:
    """Integrity metadata, https://www.w3.org/TR/SRI/#the-integrity-attribute."""
    return "sha384-" + base64.b64encode(hashlib.sha384(body).digest()).decode()


def twelve(body: bytes) -> str:
    return hashlib.sha384(body).hexdigest()[:12]


X = b"\x89PNG\r\n\x1a\n"
X_NAME = f"x.{twelve(X)}.png"
THEME = b"body { background: url(../img/x.png) }\r\n/* ../img/x.png */"
THEME_MADE = THEME.replace(b"url(../img/x.png)", f"url(../img/{X_NAME})".encode())
THEME_NAME = f"theme.{twelve(THEME_MADE)}.css"
LATIN = "@charset 'iso-8859-1'; @import 'theme.css'; /* \u00e9 */".encode("latin-1")
LATIN_MADE = LATIN.replace(b"theme.css", THEME_NAME.encode())
# Two that refer to each other share the digest of what their bytes are made from but their own names: each file with
# its digest and number of references, each reference with where it stands, whom it leads to and what is put there.
A = b"import './b.js'; import './b.js';"
B = b"import './a.js'; new URL('../img/x.png', import.meta.url);"
CIRCLE = "\0".join((
    "js/a.js", sri(A), "2", "8", "14", "js/b.js", "./b.js", "25", "31", "js/b.js", "./b.js",
    "js/b.js", sri(B), "2", "8", "14", "js/a.js", "./a.js", "26", "38", "img/x.png", f"../img/{X_NAME}", "",
)).encode()  # fmt: skip
A_MADE = A.replace(b"b.js", f"b.{twelve(CIRCLE)}.js".encode())
B_MADE = B.replace(b"a.js", f"a.{twelve(CIRCLE)}.js".encode()).replace(b"x.png", X_NAME.encode())
PAGE = b'<!doctype html><script src="js/a.js" integrity="sha384-old"></script>'
PAGE_MADE = PAGE.replace(b"js/a.js", f"js/a.{twelve(CIRCLE)}.js".encode()).replace(b"sha384-old", sri(A_MADE).encode())
KEPT = b"kept();"
KEPT_NAME = "main.11593f3b9364a7cd8292.js"

# Logical path, hashed name, source, published bytes, media type, references: sorted.
FILES: list[tuple[str, str, bytes, bytes, str, list[str]]] = [
    ("css/latin.css", f"css/latin.{twelve(LATIN_MADE)}.css", LATIN, LATIN_MADE, "text/css", ["css/theme.css"]),
    ("css/theme.css", f"css/{THEME_NAME}", THEME, THEME_MADE, "text/css", ["img/x.png"]),
    ("img/x.png", f"img/{X_NAME}", X, X, "image/png", []),
    ("js/a.js", f"js/a.{twelve(CIRCLE)}.js", A, A_MADE, "text/javascript", ["js/b.js"]),
    ("js/b.js", f"js/b.{twelve(CIRCLE)}.js", B, B_MADE, "text/javascript", ["img/x.png", "js/a.js"]),
    (KEPT_NAME, KEPT_NAME, KEPT, KEPT, "text/javascript", []),
    ("page.html", f"page.{twelve(PAGE_MADE)}.html", PAGE, PAGE_MADE, "text/html", ["js/a.js"]),
    ("zwei/\u00fc.png", f"zwei/\u00fc.{twelve(X)}.png", X, X, "image/png", []),
]


def line(logical: str, name: str, source: bytes, made: bytes, media_type: str, references: list[str]) -> str:
    parts = [f'"name":{json.dumps(name)}', f'"size":{len(made)}', f'"digest":"{sri(made)}"', f'"type":"{media_type}"']
    if references:
        parts.append('"references":[' + ",".join(f'"{name}"' for name in references) + "]")
    if source != made:
        parts.append(f'"plain":{{"size":{len(source)},"digest":"{sri(source)}"}}')
    return f"{json.dumps(logical)}: {{{','.join(parts)}}}"


def expected() -> dict[str, bytes]:
    """Every key and its bytes."""
    found = {}
    for logical, name, source, made, _, _ in FILES:
        found[logical], found[name] = source, made
        if source != made:
            found[f".shipfiles/plain/{hashlib.sha384(source).hexdigest()[:64]}"] = source
    # Of the settings one thing is not to be had by hand: which sizes the package takes for small and large.
    head = f'{{"schema": 1, "compress": "{settings_of(NO_CODINGS)}", "files": {{\n'
    manifest = (head + ",\n".join(line(*file) for file in FILES) + "\n}}\n").encode()
    plain_names = {logical for logical, *_ in FILES} - {KEPT_NAME}
    stored = sum(len(body) for name, body in found.items() if name not in plain_names)
    found[f".shipfiles/manifests/{hashlib.sha384(manifest).hexdigest()[:32]}.json"] = manifest
    release = hashlib.sha384(manifest).hexdigest()[:16]
    record = {
        "schema": 1, "release": release, "made": "MADE", "manifest": sri(manifest), "files": len(FILES),
        "bytes": sum(len(made) for _, _, _, made, _, _ in FILES), "codings": {},
        "new_bytes": stored,
    }  # fmt: skip
    found[f".shipfiles/releases/{release}.json"] = (json.dumps(record, indent=1) + "\n").encode()
    pointer = {"schema": 1, "release": release, "history": [[release, "MADE"]], "manifest": sri(manifest)}
    found[".shipfiles/current.json"] = (json.dumps(pointer, indent=1) + "\n").encode()
    names = {logical: name for logical, name, *_ in FILES}
    names_hash = twelve(json.dumps([[logical, name] for logical, name in names.items()]).encode())
    found["staticfiles.json"] = json.dumps({"paths": names, "version": "1.1", "hash": names_hash}).encode()
    return found


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("order", [1, -1])
def test_the_bytes_of_a_release(tmp_path: Path, workers: int, order: int) -> None:
    for logical, _, source, *_ in FILES[::order]:
        path = tmp_path / logical
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(source)
    sources = [SourceFile(logical, path) for logical, path in walk(str(tmp_path), ignore_matcher([]))][::order]
    store = MemoryStore()
    publish(build(sources, RewriteConfig(), workers=workers), store, NO_CODINGS, workers=workers)
    made = {stored.key: b"".join(store.read(stored.key)) for stored in store.list()}
    # The only thing that another run would write otherwise: when it was.
    for key in made:
        if key.startswith(".shipfiles/") and "manifests" not in key and "plain" not in key:
            made[key] = re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", b"MADE", made[key])
    assert made == expected()
