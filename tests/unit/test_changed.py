"""Which URLs are purged: those, and only those, at which the site answers with something else than before."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shipfiles.config import ServeConfig
from shipfiles.digest import digest_bytes, hashed_name
from shipfiles.edge.changed import Addresses, Stale, addresses_of, changed
from shipfiles.http.tags import tag_of
from shipfiles.manifest import Manifest, dump
from shipfiles.model import Entry, Plain
from shipfiles.serve.opened import Span
from shipfiles.serve.respond import Request, respond
from shipfiles.serve.table import FileTable

SITE = "https://www.example.com"
KEPT = "dist/app.11593f3b9364a7cd8292.js"
NAMES = (
    "a.css", "docs/index.html", "index.html", "docs", "img/it's (1) é%2F.png", KEPT, "site-root/robots.txt",
    "site-root/index.html", "site-root/docs/index.html", "site-root/static/a.css", "site-root/a.css", "q?#.js",
)  # fmt: skip
FILE = st.tuples(st.sampled_from((b"1", b"2", b"3")), st.sampled_from((None, b"p", b"q")), st.sampled_from("ab"))
FILES = st.dictionaries(st.sampled_from(NAMES), FILE, max_size=8)
ROOT_FILES = st.dictionaries(
    st.sampled_from(("/favicon.ico", "/robots.txt", "/docs", "/static/a.css")), st.sampled_from(NAMES), max_size=2
)
SERVE = st.builds(
    ServeConfig, root_folder=st.sampled_from((None, "public")), root_files=ROOT_FILES,
    index_file=st.sampled_from(("", "index.html")), memory=st.just(0),
)  # fmt: skip
Files = Mapping[str, tuple[bytes, bytes | None, str]]


def manifest(files: Files) -> Manifest:
    """Of files whose source is the second of their bodies, if that is another."""
    entries = {}
    for logical, (body, source, kind) in files.items():
        kept = logical == KEPT
        digest = digest_bytes(body)
        plain = None if source is None or kept else Plain(len(source), digest_bytes(source))
        name = logical if kept else hashed_name(logical, digest)
        entries[logical] = Entry(logical, name, len(body), digest, f"text/{kind}", plain=plain)
    return Manifest(entries)


def put(folder: Path, files: Files) -> None:
    for entry in manifest(files).entries.values():
        body, source, _ = files[entry.logical]
        for name, there in {entry.logical: body if entry.plain is None else source, entry.name: body}.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(there or b"")


def answers(
    files: Files, prefix: str, serve: ServeConfig, paths: set[str]
) -> dict[str, tuple[tuple[str, bytes | None], bool]]:
    """What is answered at each path that has an answer: its bytes and type, and whether it is immutable."""
    with tempfile.TemporaryDirectory() as folder:
        found = {}
        put(Path(folder), files)
        table = FileTable(manifest(files), folder, prefix, serve)
        for path in paths:
            response = respond(table, Request("GET", path, lambda _: None))
            if response is not None and response.status == 200:
                body = response.body
                assert not isinstance(body, Span)
                headers = dict(response.headers)
                found[path] = (headers["Content-Type"], body), "immutable" in headers["Cache-Control"]
        return found


def no_folder_twice(files: Files) -> bool:
    return not ("docs" in files and "docs/index.html" in files)


PAIRS = st.tuples(FILES.filter(no_folder_twice), FILES.filter(no_folder_twice))


@settings(max_examples=120, deadline=None)
@given(PAIRS, SERVE, st.sampled_from(("/static/", "/", "/my é/")))
@example(({}, {}), ServeConfig(), "/static/")
@example(({"a.css": (b"1", None, "a")}, {"a.css": (b"1", b"p", "a")}), ServeConfig(), "/static/")
@example(({KEPT: (b"1", None, "a")}, {}), ServeConfig(), "/static/")
@example(({KEPT: (b"1", None, "a")}, {KEPT: (b"2", None, "a")}), ServeConfig(), "/static/")
def test_urls_are_those_with_another_answer(pair: tuple[Files, Files], serve: ServeConfig, prefix: str) -> None:
    before, after = pair
    both = {**manifest(before).entries, **manifest(after).entries}
    names = {
        name
        for one in (manifest(before), manifest(after))
        for e in one.entries.values()
        for name in (e.logical, e.name)
    }
    paths = {start + name for name in names for start in (prefix, "/")}
    paths |= {
        start + name[len("site-root/") :] for name in names for start in (prefix, "/") if name.startswith("site-root/")
    }
    paths |= {path.removesuffix("index.html") for path in paths} | {*serve.root_files}
    was, will = answers(before, prefix, serve, paths), answers(after, prefix, serve, paths)
    differing = {
        path
        for path, (answer, immutable) in was.items()
        # A hashed name stays what it is, if only its bytes do.
        if (will.get(path) is None and not immutable)
        or (path in will and will[path][0][immutable:] != answer[immutable:])
    }
    found = changed(dump(manifest(before)), dump(manifest(after)), Addresses(SITE + _quoted(prefix), SITE, serve))
    assert {unquote(urlsplit(url).path) for url in found.urls} == differing
    assert all(url.startswith(SITE + "/") and url.isascii() and not {*'?# "<>'} & {*url} for url in found.urls)
    assert len(found.tags) <= len(both)
    assert bool(found.tags) == bool(found.urls)


def _quoted(prefix: str) -> str:
    return prefix.replace(" ", "%20").replace("é", "%C3%A9")


def one(**files: bytes) -> bytes:
    return dump(manifest({name.replace("_", "."): (body, None, "a") for name, body in files.items()}))


def test_as_browsers_write_them() -> None:
    """As our own URLs have them, and as a browser sends what people have written: both may be in a cache."""
    name = "it's (1) é%#?[a]|^.css"
    found = addresses_of([name], Addresses("https://cdn.example.com/s/", "", ServeConfig()))
    assert found.urls == (
        "https://cdn.example.com/s/it%27s%20%281%29%20%C3%A9%25%23%3F%5Ba%5D%7C%5E.css",
        "https://cdn.example.com/s/it's%20(1)%20%C3%A9%25%23%3F[a]|%5E.css",
    )
    assert found.tags == (tag_of(name),)


def test_files_and_the_site_on_two_hosts() -> None:
    """What is at the root is at the site, below the place where it is mounted."""
    serve = ServeConfig(root_files={"/favicon.ico": "a.ico"}, index_file="index.html")
    before, after = one(a_ico=b"1", index_html=b"1"), one(a_ico=b"2")
    cdn = "https://cdn.example.com/static/"
    found = changed(before, after, Addresses(cdn, f"{SITE}/app", serve))
    assert found.urls == (cdn, f"{cdn}a.ico", f"{SITE}/app/favicon.ico")
    found = changed(before, after, Addresses(cdn, "", serve, redirects=False))
    assert found.urls == (cdn, f"{cdn}a.ico", f"{cdn}index.html")


@pytest.mark.parametrize("flags", [{"linked": True}, {"spares": False}, {"hashed_only": True}])
def test_other_forms_of_releases(flags: dict[str, bool]) -> None:
    """Symbolic links are plain names, too; where there are no plain names, only those of the root are there."""
    files: list[Files] = [{"a.ico": (body, None, "a"), "b.css": (body, None, "a")} for body in (b"1", b"2")]
    before, after = (dump(Manifest(manifest(each).entries, **flags)) for each in files)  # type: ignore[arg-type]
    serve = ServeConfig(root_files={"/favicon.ico": "a.ico"})
    found = changed(before, after, Addresses(f"{SITE}/static/", SITE, serve))
    plain = () if flags.get("hashed_only") else (f"{SITE}/static/a.ico", f"{SITE}/static/b.css")
    assert found.urls == (f"{SITE}/favicon.ico", *plain)


def test_plain_names_that_are_sent_no_longer() -> None:
    """They are gone, though no file of the release has changed."""
    entries = manifest({"a.css": (b"1", None, "a")}).entries
    where = Addresses(f"{SITE}/static/", "", ServeConfig())
    found = changed(dump(Manifest(entries)), dump(Manifest(entries, hashed_only=True)), where)
    assert found.urls == (f"{SITE}/static/a.css",)
    assert not changed(dump(Manifest(entries, hashed_only=True)), dump(Manifest(entries)), where)


def test_together() -> None:
    assert Stale(("b",), ("t",)) | Stale(("a", "b"), ()) == Stale(("a", "b"), ("t",))
    assert not Stale()
