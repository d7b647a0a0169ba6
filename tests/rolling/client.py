"""A crowd of browsers: each loads a page and, some time later, all files that the page needs; and compares.

The files may be elsewhere, if the page says so, as with a CDN.
"""

from __future__ import annotations

import gzip
import hashlib
import heapq
import http.client
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit, urlunsplit

import brotli

from .trees import Text, Tree

CODINGS = ("", "gzip", "br", "gzip, deflate, br, zstd")


@dataclass(frozen=True)
class Page:
    """A page as it was answered."""

    tree: Tree
    began: float
    """When it was asked for, by the monotonic clock. Seconds."""
    names: tuple[tuple[str, str], ...]
    """``(URL, logical path)`` of what it names."""


@dataclass(frozen=True)
class Delays:
    """How long pages wait for their files. Seconds."""

    usual: float = 1.5
    long: float = 12.0
    """Of one page in ten."""

    def any(self, chance: random.Random) -> float:
        """One of them."""
        return chance.uniform(0, self.long if chance.random() < 0.1 else self.usual)


def digest_of(body: bytes) -> str:
    """What two files have in common if their content is the same."""
    return hashlib.sha256(body).hexdigest()


class Connections:
    """The connections of one thread: to 127.0.0.1:``port``, and to where else it is sent."""

    def __init__(self, port: int) -> None:
        self._default = f"127.0.0.1:{port}"
        self._open: dict[str, http.client.HTTPConnection] = {}

    def get(self, url: str, accepted: str) -> tuple[int, bytes]:
        """Status and content, decoded, of a path or a URL; 0 and the reason if there was no whole answer."""
        scheme, host, *rest = urlsplit(url)
        assert scheme in ("", "http")
        host = host or self._default
        connection = self._open.get(host)
        if connection is None:
            connection = self._open[host] = http.client.HTTPConnection(host, timeout=60)
        try:
            connection.putrequest("GET", urlunsplit(("", "", *rest)), skip_accept_encoding=True)
            if accepted:
                connection.putheader("Accept-Encoding", accepted)
            connection.endheaders()
            response = connection.getresponse()
            body = response.read()
            match response.headers.get("Content-Encoding"):
                case "br":
                    body = brotli.decompress(body)
                case "gzip":
                    body = gzip.decompress(body)
        except (OSError, EOFError, http.client.HTTPException, brotli.error) as error:
            connection.close()
            return 0, repr(error).encode()
        return response.status, body

    def close(self) -> None:
        """Close all of them."""
        for connection in self._open.values():
            connection.close()


class Clients:
    """Threads that load pages of 127.0.0.1:``port``, whose releases come from ``trees``, until they are told to end."""

    def __init__(
        self, port: int, trees: Sequence[Tree], seed: int, *, threads: int = 8, most_open: int = 80,
        delays: Delays | None = None,
    ) -> None:  # fmt: skip
        self._port = port
        self._trees = trees
        self._delays = delays or Delays()
        self._chances = [random.Random(f"{seed} {number}") for number in range(threads)]
        self._most_open = most_open
        self._changed = threading.Condition()
        self._waiting: list[tuple[float, int, Page]] = []
        self._since: list[float] = []
        self._ending = False
        self.counts: Counter[str] = Counter()
        """pages; files; and what was wrong with either: missing, wrong, error; broken: pages with any of these."""
        self.seen: dict[str, str] = {}
        """URL, as a page or a file names it, of each file that was right → digest of its content."""
        self.troubles: list[str] = []
        """The first of them in words."""

    @property
    def pages(self) -> int:
        """Pages that were loaded with their files."""
        return self.counts["pages"]

    def oldest(self) -> float:
        """When the oldest page was asked for that has not got all its files, by the monotonic clock; else now."""
        with self._changed:
            return min([*self._since, time.monotonic()])

    @contextmanager
    def loading(self) -> Iterator[Clients]:
        """Load pages as long as the context lasts; at its end those that are open get their files."""
        workers = [threading.Thread(target=self._work, args=(chance,)) for chance in self._chances]
        for worker in workers:
            worker.start()
        try:
            yield self
        finally:
            with self._changed:
                self._ending = True
                self._changed.notify_all()
            for worker in workers:
                worker.join()

    def summary(self) -> str:
        """What was seen, and what was wrong first."""
        return "\n".join([", ".join(f"{n} {what}" for what, n in sorted(self.counts.items())), *self.troubles])

    def _work(self, chance: random.Random) -> None:
        connections = Connections(self._port)
        try:
            while True:
                due = self._next()
                if due is None:
                    return
                if isinstance(due, Page):
                    self._finish(connections, due, chance)
                else:
                    self._begin(connections, chance)
        except BaseException as error:
            self._trouble("error", f"the client itself: {error!r}")
            raise
        finally:
            connections.close()

    def _next(self) -> Page | bool | None:
        """A page that is due for its files, ``True`` for a new page, ``None`` at the end."""
        with self._changed:
            while True:
                now = time.monotonic()
                if self._waiting and self._waiting[0][0] <= now:
                    return heapq.heappop(self._waiting)[2]
                if self._ending and not self._waiting:
                    return None
                if not self._ending and len(self._since) < self._most_open:
                    return True
                self._changed.wait(self._waiting[0][0] - now if self._waiting else 0.1)

    def _begin(self, connections: Connections, chance: random.Random) -> None:
        number = chance.randrange(min(len(tree.pages) for tree in self._trees))
        began = time.monotonic()
        with self._changed:
            self._since.append(began)
        place = f"/page/{number}"
        status, body = connections.get(place, "")
        found = re.search(r"<title>(\d+)</title>", body.decode("utf-8", "replace")) if status == 200 else None
        if found is None:
            self._trouble("missing" if status == 404 else "error", f"{place}: {status} {body[:200]!r}")
            self._count(began, 0, fine=False)
            return
        tree = self._trees[int(found[1])]
        urls = re.findall(r'href="([^"]*)"', body.decode())
        page = Page(tree, began, tuple(zip(urls, tree.pages[number], strict=True)))
        with self._changed:
            heapq.heappush(self._waiting, (began + self._delays.any(chance), id(page), page))
            self._changed.notify()

    def _finish(self, connections: Connections, page: Page, chance: random.Random) -> None:
        accepted = chance.choice(CODINGS)
        pending, asked = list(page.names), set()
        fine = True
        while pending:
            url, logical = pending.pop()
            if (url, logical) in asked:
                continue
            asked.add((url, logical))
            where = (
                f"{logical} as {url}, for a page of {page.tree.generation}, {time.monotonic() - page.began:.1f} s old"
            )
            status, body = connections.get(url, accepted)
            wanted = page.tree.files[logical]
            if status == 200:
                names = wanted.references(body) if isinstance(wanted, Text) else [] if body == wanted else None
                if names is None:
                    self._trouble("wrong", f"{where}: {body[:60]!r}")
                else:
                    self.seen[url] = digest_of(body)
                    pending += [(urljoin(url, name), target) for name, target in names]
            else:
                names = None
                self._trouble("missing" if status == 404 else "error", f"{where}: {status} {body[:200]!r}")
            fine = fine and names is not None
        self._count(page.began, len(asked), fine=fine)

    def _count(self, began: float, files: int, *, fine: bool) -> None:
        with self._changed:
            self.counts["pages"] += 1
            self.counts["files"] += files
            self.counts["broken"] += not fine
            self._since.remove(began)
            self._changed.notify()

    def _trouble(self, kind: str, words: str) -> None:
        with self._changed:
            self.counts[kind] += 1
            if len(self.troubles) < 20:
                self.troubles.append(f"{kind}: {words}")
