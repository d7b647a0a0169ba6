"""A disk that changes while the server runs: no answer is cut, or of other bytes than its headers say."""

from __future__ import annotations

import os
from collections.abc import Callable

from ..http import Ask, Case
from ..site import FILES, Site
from .judge import ALL_CODINGS, Check, adder, coded, etag_of, same, tag

_cases: list[Case] = []
case = adder(_cases)


def _harmed(name: str, harm: Callable[[str], None]) -> Check:
    """Harm the identity file: a coding that is whole may still be sent, identity is not found."""

    def check(ask: Ask, site: Site) -> None:
        logical = f"harm/{name}.js"
        url = site.hashed_url(logical)
        # Not asked for before: what a server has in memory of a name whose bytes never change, it may go on sending.
        harm(site.path(site.manifest.entries[logical].name))
        for target in (url, site.url(logical)):
            for method in ("GET", "HEAD"):
                answer = ask(method, target, {})
                same("status", answer.status, 404)
                same("Cache-Control", answer.get("cache-control"), "no-store")
            coded(ask("GET", target, {"Accept-Encoding": "gzip"}), logical, "gzip")

    return check


def _harmed_variant(name: str, harm: Callable[[str], None]) -> Check:
    """Harm one variant: the next acceptable representation is sent."""

    def check(ask: Ask, site: Site) -> None:
        logical = f"harm/{name}.js"
        url = site.hashed_url(logical)
        harm(site.path(site.manifest.entries[logical].name + ".br"))
        coded(ask("GET", url, ALL_CODINGS), logical, "gzip")
        same("Vary", coded(ask("GET", url, {"Accept-Encoding": "br"}), logical, None).get("vary"), "Accept-Encoding")

    return check


def _harmed_later(name: str, harm: Callable[[str], None]) -> Check:
    """Harm a file that was sent: from memory it comes whole, from the disk not at all."""

    def check(ask: Ask, site: Site) -> None:
        logical = f"harm/{name}.js"
        url = site.hashed_url(logical)
        for method in ("GET", "HEAD"):
            same("status", ask(method, url, {}).status, 200)
        harm(site.path(site.manifest.entries[logical].name))
        for method in ("GET", "HEAD"):
            answer = ask(method, url, {})
            if answer.status != 404:
                same("status", answer.status, 200)
                same("Content-Length", answer.get("content-length"), str(len(FILES[logical].body)))
        if (answer := ask("GET", url, {})).status != 404:
            coded(answer, logical, None)

    return check


def _shrink(path: str) -> None:
    os.truncate(path, os.path.getsize(path) // 2)


def _grow(path: str) -> None:
    with open(path, "ab") as file:
        file.write(b"more")


def _to_folder(path: str) -> None:
    os.unlink(path)
    os.mkdir(path)


def _to_device(path: str) -> None:
    os.unlink(path)
    os.symlink("/dev/zero", path)


def _to_link(path: str) -> None:
    """A link to a file beside the root: what `Site.secret` is in."""
    root = path[: path.index("harm") - 1]
    os.unlink(path)
    os.symlink(os.path.join(os.path.dirname(root), "secret.txt"), path)


def _to_fifo(path: str) -> None:
    os.unlink(path)
    os.mkfifo(path)


_cases += [
    Case("disk: removed", "RFC 9110 15.5.5", _harmed("removed", os.unlink)),
    Case("disk: shrunk", "RFC 9110 8.6", _harmed("shrunk", _shrink)),
    Case("disk: grown", "RFC 9110 8.6", _harmed("grown", _grow)),
    Case("disk: a large file shrunk", "RFC 9110 8.6", _harmed("large-shrunk", _shrink)),
    Case("disk: a folder in its place", "RFC 9110 15.5.5", _harmed("folder", _to_folder)),
    Case("disk: removed after it was sent", "RFC 9110 8.6", _harmed_later("removed-later", os.unlink)),
    Case("disk: shrunk after it was sent", "RFC 9110 8.6", _harmed_later("shrunk-later", _shrink)),
    Case("disk: variant removed", "RFC 9110 12.5.3", _harmed_variant("removed-variant", os.unlink)),
    Case("disk: variant shrunk", "RFC 9110 8.6", _harmed_variant("shrunk-variant", _shrink)),
]
if hasattr(os, "mkfifo"):
    _cases.append(Case("disk: a pipe in its place", "RFC 9110 15.5.5", _harmed("fifo", _to_fifo)))
if os.path.exists("/dev/zero"):
    _cases += [
        Case("disk: a device in its place", "RFC 9110 15.5.5", _harmed("device", _to_device)),
        Case("disk: a link out of the root in its place", "RFC 9110 15.5.5", _harmed("link", _to_link)),
    ]


def _replaced(name: str, new: bytes) -> Check:
    """A later release overwrites the plain copy: the new bytes come, and never under the old tag."""

    def check(ask: Ask, site: Site) -> None:
        logical = f"harm/{name}.js"
        url = site.url(logical)
        old = etag_of(ask, url)
        site.replace(logical, new)
        answer = ask("GET", url, {"If-None-Match": old})
        same("status", answer.status, 200)
        same("body", answer.body, new)
        if answer.get("etag") == old:
            raise AssertionError("the tag is that of other bytes")
        same("status", ask("GET", url, {"If-None-Match": tag(answer)}).status, 304)
        part = ask("GET", url, {"Range": "bytes=0-9", "If-Range": old})
        same("body", part.body, new)
        # The hashed name is what it was.
        coded(ask("GET", site.hashed_url(logical), {}), logical, None)

    return check


_cases += [
    Case("disk: plain copy replaced, same size", "RFC 9110 8.8.1",
         _replaced("plain-replaced", (FILES["harm/plain-replaced.js"].plain or b"").upper())),
    Case("disk: large plain copy replaced", "RFC 9110 8.8.1",
         _replaced("plain-large-replaced", (FILES["harm/plain-large-replaced.js"].plain or b"").upper() + b"//")),
]  # fmt: skip


@case("RFC 9110 15.5.5", "disk: plain copy removed")
def _(ask: Ask, site: Site) -> None:
    logical = "harm/plain-removed.js"
    os.unlink(site.path(logical))
    same("status", ask("GET", site.url(logical), {}).status, 404)
    coded(ask("GET", site.hashed_url(logical), {}), logical, None)


CASES = tuple(_cases)
