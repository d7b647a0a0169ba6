"""Whether a folder of releases is whole, and stays so to those who ask; it uses none of Shipfiles' own readers."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import random
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import brotli

from shipfiles.config import ServeConfig
from shipfiles.serve.wsgi import StaticApp

SUFFIXES = {"br": ".br", "gzip": ".gz"}


def digest(body: bytes) -> str:
    """As manifests have it: SHA-384, as the W3C's integrity metadata write it."""
    return "sha384-" + base64.b64encode(hashlib.sha384(body).digest()).decode()


def current(root: Path) -> str:
    """The id of the current release."""
    return json.loads((root / ".shipfiles/current.json").read_bytes())["release"]


def before(root: Path) -> str:
    """The id of the release that was current before it."""
    pointer = json.loads((root / ".shipfiles/current.json").read_bytes())
    return [release for release, _ in pointer["history"] if release != pointer["release"]][-1]


def recorded(root: Path) -> set[str]:
    """The ids of all releases that are recorded."""
    return {path.stem for path in (root / ".shipfiles/releases").glob("*.json")}


def releases(root: Path) -> dict[str, dict[str, Any]]:
    """Id → files by logical path, of every release that is recorded."""
    found = {}
    for path in (root / ".shipfiles/releases").glob("*.json"):
        record = json.loads(path.read_bytes())
        body = (root / ".shipfiles/manifests" / f"{_hex(record['manifest'])[:32]}.json").read_bytes()
        assert digest(body) == record["manifest"], path
        found[record["release"]] = json.loads(body)["files"]
    return found


def check_whole(root: Path) -> None:
    """Every file of every recorded release is there with its bytes, and one of the releases is current."""
    recorded = releases(root)
    assert current(root) in recorded
    wrong = []
    for release, files in recorded.items():
        for path, wanted in _paths(files):
            place = root / path
            if not place.is_file() or digest(place.read_bytes()) != wanted:
                wrong.append(f"{release}: {path} {'is other bytes' if place.exists() else 'is missing'}")
    assert not wrong, wrong[:10]


def check_plain(root: Path) -> None:
    """The plain names have the sources of the current release: what holds when no run was cut short."""
    for logical, entry in releases(root)[current(root)].items():
        wanted = entry.get("plain") or entry
        assert digest((root / logical).read_bytes()) == wanted["digest"], logical
        for coding, variant in wanted.get("codings", {}).items():
            assert digest((root / (logical + SUFFIXES[coding])).read_bytes()) == variant["digest"], logical


def _paths(files: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """``(path, digest)`` of what a release consists of that later releases do not overwrite."""
    for entry in files.values():
        yield entry["name"], entry["digest"]
        for coding, variant in entry.get("codings", {}).items():
            yield entry["name"] + SUFFIXES[coding], variant["digest"]
        if plain := entry.get("plain"):
            kept = f".shipfiles/plain/{_hex(plain['digest'])[:64]}"
            yield kept, plain["digest"]
            for coding, variant in plain.get("codings", {}).items():
                yield kept + SUFFIXES[coding], variant["digest"]


def _hex(value: str) -> str:
    return base64.b64decode(value.removeprefix("sha384-")).hex()


def not_ours(environ, start_response):
    start_response("404 Not Found", [])
    return [b""]


def answer(app: StaticApp, name: str, coding: str = "identity") -> tuple[int, bytes]:
    """Status and content, decoded, of one request to ``app``."""
    seen: list[Any] = []
    environ = {
        "REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": f"/static/{name}", "HTTP_ACCEPT_ENCODING": coding,
        "SERVER_NAME": "x", "SERVER_PORT": "80", "wsgi.url_scheme": "http",
    }  # fmt: skip
    parts = app(environ, lambda status, headers, *_: seen.extend([status, dict(headers)]))
    try:
        body = b"".join(parts)
    finally:
        getattr(parts, "close", lambda: None)()
    decode = {"br": brotli.decompress, "gzip": gzip.decompress}.get(seen[1].get("Content-Encoding"), bytes)
    return int(seen[0][:3]), decode(body)


class Visitors:
    """A thread that asks processes, which started at different times, for the names of releases that must be there."""

    def __init__(self, root: Path, seed: int) -> None:
        self._root = root
        self._chance = random.Random(seed)
        self._apps: list[StaticApp] = []
        self._wanted: dict[str, dict[str, str]] = {}
        self._changing = threading.Lock()
        self._over = threading.Event()
        self.asked = 0
        self.troubles: list[str] = []

    def look(self) -> None:
        """Start a process that uses the current release, and expect all that is recorded from now on."""
        app = StaticApp(not_ours, root=str(self._root), prefix="/static/", config=ServeConfig())
        found = {
            release: {entry["name"]: entry["digest"] for entry in files.values()}
            for release, files in releases(self._root).items()
        }
        with self._changing:
            self._apps = [*self._apps[-2:], app]
            self._wanted = found

    def expect_only(self, kept: set[str]) -> None:
        """From now on a prune may take away all but ``kept``."""
        with self._changing:
            self._wanted = {release: names for release, names in self._wanted.items() if release in kept}

    @contextmanager
    def asking(self) -> Iterator[Visitors]:
        """Ask as long as the context lasts, then say what was wrong."""
        thread = threading.Thread(target=self._ask)
        thread.start()
        try:
            yield self
        finally:
            self._over.set()
            thread.join()
        assert not self.troubles, self.troubles
        assert self.asked > 1000

    def _ask(self) -> None:
        while not self._over.is_set():
            with self._changing:
                app = self._chance.choice(self._apps)
                release = self._chance.choice(sorted(self._wanted))
                name, wanted = self._chance.choice(sorted(self._wanted[release].items()))
                coding = self._chance.choice(["identity", "gzip", "br"])
                # Within the lock: what is allowed to go does not go before this answer.
                status, body = answer(app, name, coding)
            self.asked += 1
            if (status != 200 or digest(body) != wanted) and len(self.troubles) < 10:
                self.troubles.append(f"{name} of {release}, {coding}: {status}, {len(body)} bytes")
            self._over.wait(0.001)
