"""Requests that nobody means well with, and what may be answered to any request at all."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

from shipfiles.testing import APPLICATION, PREFIX, Answer, Site
from shipfiles.testing.site import FILES

NAMES = ("css/site.css", "js/app.js", "img/dot.png", "film.mp4", "empty.txt", "odd/na\u00efve \u2603.txt")
WHOLE = {
    body
    for file in FILES.values()
    for body in (file.body, file.plain, *file.codings.values(), *file.plain_codings.values())
    if body is not None
}
"""Every representation that a site has."""
# RFC 9110 section 10.2.2: a folder beside what was asked for, or the one that it is in; never another host.
_LOCATION = re.compile(r"\./(?:[^/\\?#\x00-\x20]+/)?(?:\?[!-~]*)?")
_CONTENT_RANGE = re.compile(r"bytes ([0-9]+)-([0-9]+)/([0-9]+)")

_PATH_PIECES = (
    b"..", b".", b"/", b"//", b"%2e", b"%2E%2e", b"%2f", b"%5c", b"\\", b"%00", b"%c0%ae", b"%c0%af", b"%e0%80%ae",
    b"%25",
    b"%252e", b"%", b"%zz", b"%ff", b"%ed%a0%80", b"%0d%0a", b"%0a", b";", b"?", b"~", b"secret.txt", b".shipfiles/",
    b"current.json", b"releases", b"manifests", b"plain", b".env", b"link.txt", b"stray.txt", b"staticfiles.json",
    b"css/site.css", b"css", b".br", b".gz", b"a" * 300, b"etc/passwd", b"root", b"%20", b"\xff", b"\xc3\xa9",
    b"+", b"*", b"site-root/", b"robots.txt", b"docs", b"docs/", b"index.html", b"a:b", b"na%c3%afve%20%e2%98%83",
    b"favicon.ico", b"?x=%0d%0a&y=",
)  # fmt: skip
_FIELDS = (
    "Accept-Encoding",
    "If-Match",
    "If-Modified-Since",
    "If-None-Match",
    "If-Range",
    "If-Unmodified-Since",
    "Range",
)
_VALUE_PIECES = (
    "bytes", "=", "-", ",", ", ", "0", "1", "9", "99", "999", "1000", "18446744073709551616", "-0", "0-", "bytes=0-0",
    "bytes=-1", "bytes=", "*", '"', "W/", '"x"', "{tag}", "{tag}", "{date}", "{date}", "Sun, 06 Nov 1994 08:49:37 GMT",
    "Sunday, 06-Nov-94 08:49:37 GMT", "gzip", "br", "zstd", "identity", ";q=", ";q=0", ";q=1", "0.5", ";", " ", "\t",
    "q", "bytes=999999-",
    "x" * 200, "+", "GMT", "Mon, ", "99999", "'", "%00", "\\", "/", ":",
)  # fmt: skip


def target(chance: random.Random) -> bytes:
    """A path that may be anything but has no space, CR or LF, so that the request line stays one."""
    return chance.choice((PREFIX.encode(), b"/")) + b"".join(chance.choices(_PATH_PIECES, k=chance.randint(1, 8)))


def fields(chance: random.Random, tag: str, date: str) -> dict[str, str]:
    """Some of the fields that decide about an answer, each of pieces that have a meaning in one of them."""
    found = {}
    for name in chance.sample(_FIELDS, chance.randint(0, 3)):
        value = "".join(chance.choices(_VALUE_PIECES, k=chance.randint(1, 7)))
        found[name] = value.replace("{tag}", tag).replace("{date}", date).strip(" \t")
    return found


def known_targets(site: Site) -> Iterator[str]:
    """Both URLs of some files."""
    for name in NAMES:
        yield site.hashed_url(name)
        yield site.url(name)


def judge(answer: Answer, site: Site) -> None:
    """Raise ``AssertionError`` unless ``answer`` may be the answer to some request: right in itself, and public."""
    assert answer.status < 500, answer
    if answer.status == 200:
        assert answer.body == b"" or answer.body == APPLICATION or answer.body in WHOLE, answer.body[:200]
    elif answer.status == 206:
        found = _CONTENT_RANGE.fullmatch(answer.get("content-range") or "")
        assert found, answer.fields
        first, last, size = (int(number) for number in found.groups())
        assert first <= last < size
        assert any(len(body) == size and body[first : last + 1] == answer.body for body in WHOLE)
    elif answer.status == 304:
        assert answer.body == b""
    elif answer.status == 302:
        assert _LOCATION.fullmatch(answer.get("location") or ""), answer.fields
    else:
        assert answer.status >= 400, answer
        assert len(answer.body) < 4096, answer.body[:200]
        for secret in (site.secret, b"PASSWORD", b"in no manifest", b'"schema"', b'"paths"', b"root:", b"Traceback"):
            assert secret not in answer.body, answer.body
