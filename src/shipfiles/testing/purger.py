"""The contract of a purger.

::

    class TestOurs(PurgerContract):
        secrets = ("the token",)

        @pytest.fixture
        def front(self):
            with our_server() as server:   # an API like the provider's, or a real cache
                yield server

        @pytest.fixture
        def purger(self, front):
            return Ours(api=front.url, token="the token")
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import pytest

from ..edge.purger import Purged, Purger, PurgesTags
from ..errors import PurgeError

_SITE = "https://www.example.com"


class Front(Protocol):
    """The cache that a purger speaks to, or what stands for it: who is told what it keeps, and can say what is left.

    Where only requests can be seen, it draws from them what the provider would forget.
    """

    def keep(self, url: str, tags: Sequence[str] = ()) -> None:
        """Have an answer for ``url``, with these tags."""

    def has(self, url: str) -> bool:
        """Whether there is still an answer for ``url``."""

    def refuse(self, yes: bool) -> None:
        """Answer all requests with an error from now on, one that asking again does not mend; or no longer."""


class PurgerContract:
    """What every purger must do. Subclass it, and give fixtures named ``front``, a `Front`, and ``purger``."""

    secrets: Sequence[str] = ()
    """Credentials that the purger was made with, which nobody may be shown."""
    many = 3_300
    """So many URLs are purged at once: more than a request may have."""
    site = _SITE
    """What all URLs begin with."""
    paths: Sequence[str] = (
        "/", "/static/", "/robots.txt", "/static/css/app.css", "/static/a%20b.css", "/static/%C3%A9t%C3%A9.svg",
        "/static/%F0%9F%8E%88.png", "/static/it's(1).js", "/static/it%27s%281%29.js", "/static/a%25b%3F%23.css",
        "/static/a+b&c=d,e;f.css", "/static/~$!:@.css", "/static/st*r.css", "/static/%22%3C%3E%7B%7D%5C.css",
        "/static/%5Ba%5D%7C%5E%60.css", "/static/[slug]|.js", "/static/caf%c3%a9.css", "//twice.css",
        "/about/?page=2&x=[a]|b", "/static/" + "long/" * 40 + "name.css",
    )  # fmt: skip
    """Of URLs, with all that names of files may have."""
    neighbours: Sequence[str] = (
        "/static/css/app.css.map", "/static/css/app", "/static/css/", "/static/star.css", "/static/CSS/app.css",
        "/static/a", "/robots.tx", "/about/", "/about/?page=3",
        "/twice.css", "/static/css/app.0123456789abcdef0123.css",
    )  # fmt: skip
    """Paths that are like some of those, and are kept."""

    def purged(self, done: Purged) -> None:
        """Assert that something was done, and is told in words that can be shown."""
        assert done.requests >= 1
        for text in (*done.ids, *done.notes):
            assert text.isprintable()
            self.shows_no_secret(text)

    def shows_no_secret(self, text: str) -> None:
        """Assert that nobody learns credentials from ``text``."""
        assert not [secret for secret in self.secrets if secret in text]

    def keep(self, front: Front, paths: Sequence[str]) -> list[str]:
        """Let the cache have answers for all ``paths``; their URLs."""
        urls = [self.site + path for path in paths]
        for url in urls:
            front.keep(url)
        assert all(map(front.has, urls))
        return urls

    def test_is_known_by_a_name(self, purger: Purger) -> None:
        """In one line, and without credentials."""
        assert str(purger).isprintable()
        assert not str(purger).startswith("<")
        self.shows_no_secret(str(purger))
        self.shows_no_secret(repr(purger))

    def test_forgets_what_it_is_told(self, purger: Purger, front: Front) -> None:
        """And nothing else, however alike."""
        urls, others = self.keep(front, self.paths), self.keep(front, self.neighbours)
        self.purged(purger.purge(urls, reference="release-1"))
        assert [url for url in urls if front.has(url)] == []
        assert [url for url in others if not front.has(url)] == []

    def test_nothing_to_forget(self, purger: Purger, front: Front) -> None:
        """Takes no request: the cache may be out of order."""
        front.refuse(True)
        assert purger.purge([], reference="release-1").requests == 0
        if isinstance(purger, PurgesTags):
            assert purger.purge_tags([], reference="release-1").requests == 0

    def test_twice_does_no_harm(self, purger: Purger, front: Front) -> None:
        """Neither by the same reference nor by another; what the cache never had is forgotten as well."""
        (url, other) = self.keep(front, ["/static/a.css", "/static/b.css"])
        for reference in ("release-1", "release-1", "2", "x" * 64):
            self.purged(purger.purge([url, self.site + "/static/never.css"], reference=reference))
            assert not front.has(url)
        assert front.has(other)

    def test_another_purge_is_another(self, purger: Purger, front: Front) -> None:
        """What came into the cache again after a purge is forgotten by the next one."""
        for reference in ("release-1", "release-2"):
            (url,) = self.keep(front, ["/static/a.css"])
            self.purged(purger.purge([url], reference=reference))
            assert not front.has(url)

    def test_many(self, purger: Purger, front: Front) -> None:
        """In as many requests as the provider's limits make of them."""
        (other,) = self.keep(front, ["/static/other.css"])
        urls = self.keep(front, [f"/static/many/{number}.css" for number in range(self.many)])
        self.purged(purger.purge(urls, reference="release-1"))
        assert sum(map(front.has, urls)) == 0
        assert front.has(other)

    def test_everything(self, purger: Purger, front: Front) -> None:
        """Whatever it is called."""
        urls = self.keep(front, [*self.paths, *self.neighbours])
        self.purged(purger.purge_all(reference="release-1"))
        assert [url for url in urls if front.has(url)] == []

    def test_tags(self, purger: Purger, front: Front) -> None:
        """What has any of the tags is forgotten, and nothing else."""
        if not isinstance(purger, PurgesTags):
            pytest.skip("it knows no tags")
        front.keep(self.site + "/static/a.css", ["static", "static:a.css"])
        front.keep(self.site + "/static/b.css", ["static", "static:b.css"])
        front.keep(self.site + "/static/b.0123456789abcdef0123.css", ["static"])
        front.keep(self.site + "/")
        self.purged(purger.purge_tags(["static:a.css", "static:never.css"], reference="release-1"))
        left = [front.has(self.site + path) for path in self._tagged]
        assert left == [False, True, True, True]
        self.purged(purger.purge_tags(["static"], reference="release-2"))
        assert [front.has(self.site + path) for path in self._tagged] == [False, False, False, True]

    _tagged = ("/static/a.css", "/static/b.css", "/static/b.0123456789abcdef0123.css", "/")

    def test_many_tags(self, purger: Purger, front: Front) -> None:
        """As many URLs."""
        if not isinstance(purger, PurgesTags):
            pytest.skip("it knows no tags")
        for number in range(self.many):
            front.keep(f"{self.site}/static/{number}.css", [f"static:{number}.css"])
        tags = [f"static:{number}.css" for number in range(1, self.many)]
        self.purged(purger.purge_tags(tags, reference="release-1"))
        assert [n for n in range(self.many) if front.has(f"{self.site}/static/{n}.css")] == [0]

    def test_what_fails_says_what_may_be_left(self, purger: Purger, front: Front) -> None:
        """All that the cache may still have, and who it is; never credentials. Asked again, it goes on."""
        urls = self.keep(front, ["/static/a.css", "/static/b%20c.css", "/"])
        front.refuse(True)
        with pytest.raises(PurgeError) as refused:
            purger.purge(urls, reference="release-1")
        assert sorted(refused.value.left) == sorted(urls)
        assert refused.value.purger == str(purger)
        self.shows_no_secret(f"{refused.value} {refused.value!r}")
        assert all(map(front.has, urls))
        front.refuse(False)
        self.purged(purger.purge(urls, reference="release-1"))
        assert not any(map(front.has, urls))

    def test_everything_fails(self, purger: Purger, front: Front) -> None:
        """Then there is no list of what may be left."""
        front.refuse(True)
        with pytest.raises(PurgeError) as refused:
            purger.purge_all(reference="release-1")
        assert refused.value.left == ()
        self.shows_no_secret(f"{refused.value} {refused.value!r}")

    def test_tags_fail(self, purger: Purger, front: Front) -> None:
        """What may be left is told by its tags."""
        if not isinstance(purger, PurgesTags):
            pytest.skip("it knows no tags")
        front.refuse(True)
        with pytest.raises(PurgeError) as refused:
            purger.purge_tags(["static:a.css", "static:b.css"], reference="release-1")
        assert sorted(refused.value.left) == ["static:a.css", "static:b.css"]
        self.shows_no_secret(f"{refused.value} {refused.value!r}")
