"""Requests of every kind, each with what its answer must be."""

from __future__ import annotations

import gzip
import html
import random
import re
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

import brotli

from shipfiles.testing import Answer

from .known import FILM, File, Known
from .tally import Trouble

CODINGS = {
    "": (), "identity": (), "gzip": ("gzip",), "br": ("br",), "gzip, deflate, br, zstd": ("br", "gzip"),
    "br;q=0.5, gzip;q=0.8": ("br", "gzip"), "*;q=0.1, gzip;q=0": ("br",),
}  # fmt: skip
"""Values of Accept-Encoding, and which codings of those that there are each allows beside none."""
HOSTILE = (
    "/static/../settings.py", "/static/%2e%2e/%2e%2e/etc/passwd", "/static/css/..%2f..%2f..%2fetc/passwd",
    "/static/.shipfiles/current.json", "/static/staticfiles.json", "/static/css/", "/static/%00.css",
    "/static//etc/passwd", "/static/css\\page0.css", "/static/" + "a" * 3000 + ".css",
)  # fmt: skip


@dataclass(frozen=True)
class Question:
    """A request."""

    kind: str
    target: str
    check: Callable[[Answer], None]
    """Raises `Trouble` if the answer is not right."""
    fields: dict[str, str] = field(default_factory=dict)
    method: str = "GET"


class Questions:
    """Requests that one client sends, as ``chance`` has it."""

    def __init__(self, known: Known, chance: random.Random) -> None:
        self._known = known
        self._chance = chance
        self._next: list[Question] = []
        weights = {
            self._whole: 30, self._head: 8, self._unchanged: 14, self._changed: 3, self._part: 10, self._parts: 3,
            self._beyond: 2, self._if_range: 3, self._root: 5, self._plain: 6, self._page: 6, self._lost: 6,
            self._hostile: 2, self._retired: 3, self._refused: 1,
        }  # fmt: skip
        self._makers, self._weights = list(weights), list(weights.values())

    def any(self) -> Question:
        """The next one."""
        if self._next:
            return self._next.pop()
        (maker,) = self._chance.choices(self._makers, self._weights)
        return maker()

    def any_small(self) -> Question:
        """One whose answer is no large body."""
        while True:
            question = self.any()
            if question.kind not in ("large", "206"):
                return question

    def _accepted(self) -> str:
        return self._chance.choice(list(CODINGS))

    def _whole(self) -> Question:
        return self._ask_for(self._known.any_file(self._chance))

    def _ask_for(self, file: File) -> Question:
        accepted = self._accepted()
        return Question(
            "200" if len(file.body) < FILM else "large", file.url,
            lambda answer: self._check_whole(answer, file, accepted), _accepting(accepted),
        )  # fmt: skip

    def _check_whole(self, answer: Answer, file: File, accepted: str) -> None:
        if not self._has_status(answer, file, 200):
            return
        self._check_fields(answer, file, accepted)
        if content(answer, file.url) != file.body:
            raise Trouble("wrong", f"{file.url}, {len(answer.body)} bytes: {answer.body[:60]!r}")
        self._known.check_tag(file, coding_of(answer), answer.get("etag") or "", len(answer.body))

    def _has_status(self, answer: Answer, file: File, right: int) -> bool:
        """Whether it has; if not, the file must be gone."""
        if answer.status == right:
            return True
        words = f"{file.url}: {answer.status} {answer.body[:100]!r}"
        if answer.status == 404:
            if self._known.is_certain(file):
                raise Trouble("missing", words)
            check_lost(answer, file.url)
            return False
        raise Trouble(_kind(answer), words)

    def _check_fields(self, answer: Answer, file: File, accepted: str) -> None:
        """Those that a whole answer and HEAD have in common."""
        coding = coding_of(answer)
        if coding and coding not in CODINGS[accepted]:
            raise Trouble("wrong", f"{file.url}: {coding!r} to who accepts {accepted!r}")
        if "immutable" not in (answer.get("cache-control") or ""):
            raise Trouble("wrong", f"{file.url}: Cache-Control is {answer.get('cache-control')!r}")
        if not coding and answer.get("content-length") != str(len(file.body)):
            raise Trouble("wrong", f"{file.url}: Content-Length is {answer.get('content-length')}")

    def _head(self) -> Question:
        file, accepted = self._known.any_file(self._chance), self._accepted()

        def check(answer: Answer) -> None:
            if not self._has_status(answer, file, 200):
                return
            self._check_fields(answer, file, accepted)
            length = int(answer.get("content-length") or -1)
            self._known.check_tag(file, coding_of(answer), answer.get("etag") or "", length)

        return Question("HEAD", file.url, check, _accepting(accepted), "HEAD")

    def _unchanged(self) -> Question:
        """RFC 9110 section 13.1.2."""
        file, coding = self._known.any_file(self._chance), self._chance.choice(("", "gzip", "br"))
        tag = self._known.tag(file, coding)
        if not tag:
            return self._ask_for(file)
        sent = self._chance.choice((tag, tag, tag, f'"other", W/{tag}', "*"))

        def check(answer: Answer) -> None:
            if self._has_status(answer, file, 304) and answer.get("etag") != tag:
                raise Trouble("wrong", f"{file.url} {coding}: {answer.get('etag')} in a 304 instead of {tag}")

        method = self._chance.choice(("GET", "GET", "GET", "HEAD"))
        return Question("304", file.url, check, {**_accepting(coding or "identity"), "If-None-Match": sent}, method)

    def _changed(self) -> Question:
        file = self._chance.choice(self._known.small)
        return Question(
            "200", file.url, lambda answer: self._check_whole(answer, file, "br"),
            {"Accept-Encoding": "br", "If-None-Match": '"other"'},
        )  # fmt: skip

    def _part(self) -> Question:
        """RFC 9110 section 14.2."""
        file = self._known.any_file(self._chance)
        first, last, asked = self._any_range(len(file.body))

        def check(answer: Answer) -> None:
            if self._has_status(answer, file, 206):
                check_slice(answer.get("content-range") or "", answer.body, file, (first, last))

        return Question("206", file.url, check, {"Range": f"bytes={asked}", "Accept-Encoding": "identity"})

    def _any_range(self, size: int) -> tuple[int, int, str]:
        """First and last byte, and how they are asked for: at most 2 MB."""
        length = min(size, int(2 ** self._chance.uniform(0, 21)))
        match self._chance.randrange(3):
            case 0:
                first = self._chance.randrange(size - length + 1)
                return first, first + length - 1, f"{first}-{first + length - 1}"
            case 1:
                return size - length, size - 1, f"{size - length}-"
        return size - length, size - 1, f"-{length}"

    def _parts(self) -> Question:
        """Section 14.6: several, which a server may put together, or answer with all."""
        file = self._known.any_file(self._chance)
        first = self._chance.randrange(len(file.body))
        asked = f"bytes=0-9,{first}-{first + 99},-5"

        def check(answer: Answer) -> None:
            if answer.status == 200:
                self._check_whole(answer, file, "identity")
                return
            if self._has_status(answer, file, 206):
                check_slices(answer, file)

        return Question("206", file.url, check, {"Range": asked, "Accept-Encoding": "identity"})

    def _beyond(self) -> Question:
        """Section 15.5.17."""
        file = self._known.any_file(self._chance)

        def check(answer: Answer) -> None:
            if self._has_status(answer, file, 416) and answer.get("content-range") != f"bytes */{len(file.body)}":
                raise Trouble("wrong", f"{file.url}: Content-Range is {answer.get('content-range')}")

        return Question("416", file.url, check, {"Range": f"bytes={len(file.body)}-", "Accept-Encoding": "identity"})

    def _if_range(self) -> Question:
        """Section 13.1.5: the part of what the tag names, or all."""
        file = self._chance.choice((*self._known.large, *self._known.small))
        tag = self._known.tag(file, "")
        right = bool(tag) and self._chance.random() < 0.7
        first, last, asked = self._any_range(len(file.body))

        def check(answer: Answer) -> None:
            if not right:
                self._check_whole(answer, file, "identity")
                return
            if self._has_status(answer, file, 206):
                check_slice(answer.get("content-range") or "", answer.body, file, (first, last))

        fields = {"Range": f"bytes={asked}", "If-Range": tag if right else '"other"', "Accept-Encoding": "identity"}
        return Question("206" if right else "200", file.url, check, fields)

    def _root(self) -> Question:
        target, logical = self._chance.choice(list(self._known.root_files.items()))
        return self._current("root", target, logical)

    def _plain(self) -> Question:
        logical = self._chance.choice(self._known.small).logical
        return self._current("plain", f"/static/{logical}", logical)

    def _current(self, kind: str, target: str, logical: str) -> Question:
        """What has the bytes of the current release, or none if that lacks it."""
        since, accepted = time.monotonic(), self._accepted()

        def check(answer: Answer) -> None:
            if answer.status not in (200, 404):
                raise Trouble(_kind(answer), f"{target}: {answer.status} {answer.body[:100]!r}")
            body = content(answer, target) if answer.status == 200 else None
            for release in self._known.current(since):
                file = release.get(logical)
                # The plain name of a file that only releases before have stays, for pages that are open.
                if body is None:
                    right = file is None
                else:
                    files = self._known.ever(logical) if file is None else [file]
                    right = body in [file.body if kind == "root" else file.source for file in files]
                if right:
                    return
            raise Trouble("missing" if body is None else "stale", f"{target}: {answer.status} {answer.body[:60]!r}")

        return Question(kind, target, check, _accepting(accepted))

    def _page(self) -> Question:
        """A page names files of one release, the current one; they are asked for next."""
        number, since = self._chance.randrange(len(self._known.pages)), time.monotonic()

        def check(answer: Answer) -> None:
            if answer.status != 200:
                raise Trouble(_kind(answer), f"/page/{number}: {answer.status} {answer.body[:100]!r}")
            names = [html.unescape(name) for name in re.findall(r'href="([^"]*)"', answer.body.decode())]
            for files in self._known.current(since):
                wanted = [files[logical] for logical in self._known.pages[number]]
                if [file.url for file in wanted] == names:
                    self._next += [self._ask_for(file) for file in wanted]
                    return
            raise Trouble("stale", f"/page/{number} names {names}")

        return Question("pages", f"/page/{number}", check)

    def _lost(self) -> Question:
        """A hashed name that no release has: nobody may keep that answer."""
        file = self._chance.choice(self._known.small)
        stem, _, rest = file.url.rpartition("/")
        name = rest.partition(".")[0]
        target = f"{stem}/{name}.{self._chance.randrange(16**12):012x}.{file.logical.rpartition('.')[2]}"
        return Question("404", target, lambda answer: check_lost(answer, target), _accepting(self._accepted()))

    def _hostile(self) -> Question:
        target = self._chance.choice(HOSTILE)

        def check(answer: Answer) -> None:
            if not 300 <= answer.status < 500 or b"root:" in answer.body:
                raise Trouble(_kind(answer), f"{target[:80]}: {answer.status} {answer.body[:100]!r}")

        return Question("hostile", target, check)

    def _retired(self) -> Question:
        """What a prune may have taken away: its own bytes, or a 404."""
        if not self._known.retired:
            return self._whole()
        file, accepted = self._chance.choice(self._known.retired), self._accepted()

        def check(answer: Answer) -> None:
            if answer.status == 200:
                self._check_whole(answer, file, accepted)
            else:
                # One that is gone, or that another release has brought back meanwhile.
                if answer.status != 404:
                    raise Trouble(_kind(answer), f"{file.url}: {answer.status} {answer.body[:100]!r}")
                check_lost(answer, file.url)

        return Question("retired", file.url, check, _accepting(accepted))

    def _refused(self) -> Question:
        file = self._chance.choice(self._known.small)

        def check(answer: Answer) -> None:
            if answer.status != 405 or "GET" not in (answer.get("allow") or ""):
                raise Trouble(_kind(answer), f"POST {file.url}: {answer.status} Allow: {answer.get('allow')}")

        return Question("405", file.url, check, {"Content-Length": "0"}, "POST")


def _accepting(codings: str) -> dict[str, str]:
    return {"Accept-Encoding": codings} if codings else {}


def _kind(answer: Answer) -> str:
    return "5xx" if answer.status >= 500 else "status"


def coding_of(answer: Answer) -> str:
    """The content coding; empty if there is none."""
    return answer.get("content-encoding") or ""


def content(answer: Answer, target: str) -> bytes:
    """The body, decoded."""
    coding = coding_of(answer)
    try:
        match coding:
            case "":
                return answer.body
            case "br":
                return bytes(brotli.decompress(answer.body))
            case "gzip":
                return gzip.decompress(answer.body)
    except (OSError, EOFError, zlib.error, brotli.error) as error:
        raise Trouble("wrong", f"{target}: {len(answer.body)} bytes are no {coding}: {error!r}") from None
    raise Trouble("wrong", f"{target}: Content-Encoding {coding!r}")


def check_lost(answer: Answer, target: str) -> None:
    """It must be a 404 that no cache keeps."""
    if answer.status != 404 or answer.get("cache-control") != "no-store":
        kept = answer.get("cache-control")
        raise Trouble(_kind(answer), f"{target}: {answer.status}, Cache-Control {kept!r}, instead of 404, 'no-store'")


def check_slice(content_range: str, body: bytes, file: File, wanted: tuple[int, int] | None = None) -> None:
    """``body`` must be what ``content_range`` says it is of ``file``; from the first byte ``wanted`` to the last."""
    found = re.fullmatch(r"bytes ([0-9]+)-([0-9]+)/([0-9]+)", content_range)
    first, last, size = map(int, found.groups()) if found else (-1, -1, -1)
    if size != len(file.body) or (wanted is not None and (first, last) != wanted):
        raise Trouble("wrong", f"{file.url}: Content-Range {content_range!r} instead of {wanted} of {len(file.body)}")
    if body != file.body[first : last + 1]:
        raise Trouble("wrong", f"{file.url}: {len(body)} bytes are not those of {content_range!r}: {body[:60]!r}")


def check_slices(answer: Answer, file: File) -> None:
    """As `check_slice`, for each part of what may be a ``multipart/byteranges``."""
    found = re.fullmatch(r"multipart/byteranges; *boundary=\"?([^\"]+)\"?", answer.get("content-type") or "")
    if not found:
        check_slice(answer.get("content-range") or "", answer.body, file)
        return
    first, *parts, end = answer.body.split(b"--" + found[1].encode())
    if first.strip() or end.strip() != b"--" or not parts:
        raise Trouble("wrong", f"{file.url}: multipart {answer.body[:60]!r} to {answer.body[-60:]!r}")
    for part in parts:
        head, _, body = part.partition(b"\r\n\r\n")
        line = re.search(rb"content-range: *([^\r]*)", head, re.IGNORECASE)
        if line is None:
            raise Trouble("wrong", f"{file.url}: a part without Content-Range: {head!r}")
        check_slice(line[1].decode("latin-1"), body.removesuffix(b"\r\n"), file)
