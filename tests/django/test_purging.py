"""What is purged when the pointer has moved, by whichever command; and ``ship purge``."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles.management.commands.collectstatic import Command as DjangoCommand
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.test import override_settings

from shipfiles.django.purging import Purging
from shipfiles.edge.memory import MemoryPurger
from shipfiles.edge.purger import Purged
from shipfiles.errors import ReleaseError, StoreError
from shipfiles.http.tags import tag_of
from shipfiles.release.catalog import pointer_of
from shipfiles.release.pointing import Pointing
from shipfiles.release.target import Target
from shipfiles.stores.memory import MemoryStore
from tests.bucket import Bucket, running

from .shipping import refused, ship
from .test_collectstatic import collect
from .test_publishing import built, failing, s3
from .test_ship_prune import with_options

HOST = "https://www.example.com"
SITE: dict[str, str | bytes] = {
    "css/app.css": "a { background: url(../img/x.png) }", "img/x.png": b"\x89PNG", "a.txt": "one", "b.txt": "one",
}  # fmt: skip


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    with running() as found:
        yield found


class Broken:
    """Keeps to no contract at all."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __str__(self) -> str:
        return "broken"

    def purge(self, urls: Sequence[str], *, reference: str) -> Purged:
        raise self.error

    def purge_all(self, *, reference: str) -> Purged:
        raise self.error


@pytest.fixture
def cache() -> MemoryPurger:
    return MemoryPurger("cache")


@pytest.fixture
def site(project: Path, write, cache: MemoryPurger) -> Iterator[Path]:
    write(SITE)
    with options(cache):
        yield project


def options(*caches: object, more: Mapping[str, object] | None = None, **purge: object) -> override_settings:
    given = {"caches": list(caches), "site_url": HOST, **purge}
    return with_options(purge={k: v for k, v in given.items() if v is not None}, **(more or {}))


def urls(cache: MemoryPurger) -> list[str]:
    """The paths of what was purged since it was last asked, in one request; nothing without a request."""
    asked, cache.asked[:] = cache.asked[:], []
    assert len(asked) <= 1
    return sorted(url.removeprefix(HOST) for one in asked for url in one.of)


def test_collectstatic(site: Path, write, cache: MemoryPurger) -> None:
    """Nothing for a first release, nor where nothing has changed; else what lies under plain names, and no more."""
    out, _ = collect()
    assert "Purge: nothing has changed that caches keep." in out
    collect()
    assert urls(cache) == []
    write({"a.txt": "two", "new.txt": "new"})
    (site / "src/b.txt").unlink()
    out, err = collect()
    assert out.splitlines()[-1].startswith("cache: purged 2 URLs in 1 request, ")
    assert err == ""
    assert urls(cache) == ["/static/a.txt", "/static/b.txt"]
    # The style sheet names the picture by another name now: under its plain name it is what it was.
    write({"img/x.png": b"\x89PNG2"})
    facts = json.loads(collect("--json")[0])
    assert facts["purge"]["urls"] == [f"{HOST}/static/img/x.png"]
    assert facts["purge"]["tags"] == [tag_of("img/x.png")]
    (told,) = facts["purge"]["caches"]
    assert told == told | {
        "cache": "cache", "ok": True, "urls": 1, "tags": 0, "requests": 1, "left": [], "error": None, "by_tag": False,
    }  # fmt: skip
    assert urls(cache) == ["/static/img/x.png"]
    collect("--dry-run")
    collect("--build-only")
    assert urls(cache) == []


def test_all_ways_to_collect(site: Path, write, cache: MemoryPurger) -> None:
    """Whether the old release stays, or is there at all, or only files are copied."""
    collect("--link")
    write({"a.txt": "two"})
    collect("--link", "--clear")
    assert urls(cache) == ["/static/a.txt"]
    write({"a.txt": "three"})
    collect("--clear")
    # Since a link has what the source has, its bytes were told by no manifest; what the manifest knew is purged.
    assert urls(cache) == ["/static/a.txt"]
    write({"b.txt": "two"})
    collect("--no-post-process")
    assert urls(cache) == ["/static/b.txt"]


def test_the_root_of_the_site(site: Path, write, cache: MemoryPurger) -> None:
    """Files there are at their own addresses; pages are purged with each release."""
    (site / "public").mkdir()
    (site / "public/index.html").write_text("<p>one")
    serve = {"root_folder": "public", "root_files": {"/favicon.ico": "img/x.png"}, "index_file": "index.html"}
    with options(cache, pages=["/about/", "https://Other.example.com"], more={"serve": serve}):
        collect()
        (site / "public/index.html").write_text("<p>two")
        write({"img/x.png": b"\x89PNG2"})
        collect()
        assert urls(cache) == [
            "/", "/about/", "/favicon.ico", "/static/img/x.png", "/static/site-root/", "https://other.example.com/",
        ]  # fmt: skip
        write({"new.txt": "new"})
        collect()
        assert urls(cache) == ["/about/", "https://other.example.com/"]
        collect()
        assert urls(cache) == []


def test_activate_and_rollback(site: Path, write, cache: MemoryPurger) -> None:
    """Back and forth: each is another purge."""
    collect()
    first = built()
    write({"a.txt": "two"})
    collect()
    second = built()
    references = {cache.asked[0].reference}
    urls(cache)
    assert ship("activate", first)[0].splitlines()[1].startswith("cache: purged 1 URL in 1 request, ")
    references.add(cache.asked[0].reference)
    assert urls(cache) == ["/static/a.txt"]
    assert "nothing has changed" in ship("activate", first)[0]
    assert urls(cache) == []
    told = json.loads(ship("rollback", "--json")[0])
    assert (told["release"], told["purge"]["urls"]) == (second, [f"{HOST}/static/a.txt"])
    references.add(cache.asked[0].reference)
    assert len(references) == 3
    assert all(len(one) <= 64 and set(one) <= set("-0123456789abcdefghijklmnopqrstuvwxyz") for one in references)


def test_what_fails_is_told_and_repeated(site: Path, write, cache: MemoryPurger) -> None:
    """The release stays live. The next run purges what is left, from all releases that caches may have files of."""
    collect()
    first = built()
    write({"a.txt": "two"})
    cache.refuse(True)
    out, text = failing()
    second = built()
    assert second != first
    assert "1 static file copied" in out
    assert text == (
        f"The release {second} is live, and stays so; but caches were not all purged, and may answer with old files.\n"
        f"cache: it refuses all requests.\n  {HOST}/static/a.txt\n'manage.py ship purge' repeats it."
    )
    again = cache.asked[0].reference
    urls(cache)
    # Now what caches may have are files of both.
    write({"b.txt": "two"})
    failing()
    assert urls(cache) == ["/static/a.txt", "/static/b.txt"]
    cache.refuse(False)
    ship("activate", first)
    assert urls(cache) == ["/static/a.txt", "/static/b.txt"]
    ship("activate", second)
    assert cache.asked[0].reference != again
    assert urls(cache) == ["/static/a.txt"]
    collect()
    assert urls(cache) == ["/static/b.txt"]
    collect()
    assert urls(cache) == []


@pytest.mark.parametrize("way", ["collect", "purge"])
def test_a_run_that_is_cut_off(site: Path, write, cache: MemoryPurger, way: str) -> None:
    """Between the pointer and the purge: whoever comes next purges."""
    collect()
    write({"a.txt": "two"})
    with options(Broken(KeyboardInterrupt())), pytest.raises(CommandError, match="Interrupted"):
        call_command("collectstatic", "--noinput", verbosity=0)
    with options(cache):
        collect() if way == "collect" else ship("purge")
        assert urls(cache) == ["/static/a.txt"]
        collect()
        assert urls(cache) == []
        assert [*(site / ".cache/shipfiles/purge").iterdir()] == []


def in_between(monkeypatch: pytest.MonkeyPatch, do: Callable[[], object]) -> None:
    """Let another run do that, from its beginning to its end, when the next one has looked at what is current."""
    watch = Purging.watch

    def watched(self: Purging, targets: Iterable[Target]) -> None:
        watch(self, targets)
        monkeypatch.setattr(Purging, "watch", watch)
        do()

    monkeypatch.setattr(Purging, "watch", watched)


@pytest.mark.parametrize("way", ["collect", "activate"])
def test_two_runs_at_once(site: Path, write, cache: MemoryPurger, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    """Who goes back to where it began purges what the other has made current in between, and purged."""
    collect()
    first = built()
    write({"a.txt": "two"})
    if way == "activate":
        collect()
        second = built()
        ship("activate", first)
        cache.asked.clear()

    def other() -> None:
        collect() if way == "collect" else ship("activate", second)
        assert urls(cache) == ["/static/a.txt"]
        cache.keep(f"{HOST}/static/a.txt")
        write({"a.txt": "one"})

    in_between(monkeypatch, other)
    collect() if way == "collect" else ship("activate", first)
    assert built() == first
    assert urls(cache) == ["/static/a.txt"]
    assert not cache.has(f"{HOST}/static/a.txt")
    collect()
    assert urls(cache) == []


def test_what_was_in_between_is_gone(site: Path, write, cache: MemoryPurger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then nobody knows what caches have, and it does not pass for nothing."""
    collect()
    write({"a.txt": "two"})

    def other() -> None:
        collect()
        between = built()
        (site / f"root/.shipfiles/releases/{between}.json").unlink()
        write({"a.txt": "one"})

    in_between(monkeypatch, other)
    _, text = failing()
    assert "which was current in between, is not there any more. 'manage.py ship purge --all'" in text
    ship("purge", "--all")
    cache.asked.clear()
    collect()
    assert urls(cache) == []


_KILLED = """
import os, signal, sys
import django
from django.conf import settings
from django.core.management import call_command
from shipfiles.django.purging import Purging
from shipfiles.edge.memory import MemoryPurger

class Killer(MemoryPurger):
    def purge(self, urls, *, reference):
        os.kill(os.getpid(), signal.SIGKILL)

root, source = sys.argv[1:]
options = {"purge": {"caches": Killer(), "site_url": "https://www.example.com"}, "workers": 1}
settings.configure(
    BASE_DIR=os.path.dirname(root), STATIC_URL="/static/", STATIC_ROOT=root, STATICFILES_DIRS=[source],
    INSTALLED_APPS=["shipfiles", "django.contrib.staticfiles"],
    STORAGES={"staticfiles": {"BACKEND": "shipfiles.django.storage.StaticStorage", "OPTIONS": options}},
)
django.setup()
call_command("collectstatic", "--noinput", verbosity=0)
"""


def test_a_run_that_is_killed(site: Path, write, cache: MemoryPurger) -> None:
    """By the system, between the pointer and the purge: another process, and the next one purges."""
    collect()
    first = built()
    write({"a.txt": "two"})
    arguments = [sys.executable, "-c", _KILLED, str(site / "root"), str(site / "src")]
    done = subprocess.run(arguments, check=False, cwd=site, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert built() != first
    collect()
    assert urls(cache) == ["/static/a.txt"]


@pytest.mark.parametrize("way", ["collect", "activate"])
def test_a_run_that_ends_before_the_pointer(
    site: Path, write, cache: MemoryPurger, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """Plain names had its bytes for a while, and caches may: whoever puts them right purges."""
    collect()
    first = built()
    write({"a.txt": "two"})

    def point(*_: object) -> None:
        raise StoreError("current.json", "no")

    with monkeypatch.context() as patched:
        patched.setattr(Pointing, "point", point)
        failing()
    assert ((site / "root/a.txt").read_text(), built()) == ("two", first)
    write({"a.txt": "one"})
    collect() if way == "collect" else ship("activate", first)
    assert ((site / "root/a.txt").read_text(), built()) == ("one", first)
    assert urls(cache) == ["/static/a.txt"]
    collect()
    assert urls(cache) == []


def test_one_fails_the_others_do_not(site: Path, write, cache: MemoryPurger) -> None:
    """Whatever it raises; and nothing is shown that may be a secret."""
    collect()
    write({"a.txt": "two"})
    with options(Broken(ValueError("the token is 123")), cache):
        facts, text = failing("--json")
        assert "123" not in facts + text
        assert "broken: it raised ValueError, where a purger raises PurgeError." in text
        told = json.loads(facts)
        assert told["error"] == text
        assert [(one["cache"], one["ok"]) for one in told["purge"]["caches"]] == [("broken", False), ("cache", True)]
        assert told["purge"]["caches"][0]["left"] == [f"{HOST}/static/a.txt"]
        assert urls(cache) == ["/static/a.txt"]


@pytest.mark.parametrize("way", ["nothing", "exit"])
def test_a_class_of_ones_own_that_is_wrong(site: Path, write, cache: MemoryPurger, way: str) -> None:
    """It has purged nothing, as far as anybody knows."""
    collect()
    write({"a.txt": "two"})
    broken = Broken(SystemExit(0) if way == "exit" else ValueError())
    if way == "nothing":
        broken.__class__ = type("Silent", (Broken,), {"purge": lambda self, urls, reference: None})
    with options(broken, cache):
        facts, text = failing("--json")
    what = {"exit": "it raised SystemExit, where", "nothing": "it returned NoneType, where"}[way]
    assert f"broken: {what} a purger" in text
    assert [one["left"] for one in json.loads(facts)["purge"]["caches"]] == [[f"{HOST}/static/a.txt"], []]
    assert urls(cache) == ["/static/a.txt"]


def test_each_purge_is_another(site: Path, write, cache: MemoryPurger) -> None:
    """Where no pointer moves, too: CloudFront takes a reference that it knows for what it has done."""
    collect()
    for text in ("two", "three", "four"):
        write({"a.txt": text})
        collect("--no-post-process")
    assert [one.of for one in cache.asked] == [{f"{HOST}/static/a.txt"}] * 3
    assert len({one.reference for one in cache.asked}) == 3


def test_a_note_that_cannot_be_read(site: Path, write, cache: MemoryPurger) -> None:
    """Does not pass for one that says nothing."""
    collect()
    write({"a.txt": "two"})
    cache.refuse(True)
    failing()
    cache.refuse(False)
    (note,) = (site / ".cache/shipfiles/purge").glob("*.note.json")
    note.write_bytes(note.read_bytes()[:-5])
    _, text = failing()
    assert "cannot be read. 'manage.py ship purge --all'" in text
    assert "cannot be read. 'manage.py ship purge --all'" in refused("purge")
    ship("purge", "--all")
    cache.asked.clear()
    collect()
    assert urls(cache) == []


def test_stores_elsewhere(site: Path, write, cache: MemoryPurger) -> None:
    """All that caches may have from any of them, once, when the last has been moved."""
    one, two = MemoryStore(), MemoryStore()
    two.__class__ = type("Other", (MemoryStore,), {"__str__": lambda self: "other"})
    with options(cache, more={"publish": {"to": [one, two]}}):
        collect()
        first = built()
        write({"a.txt": "two"})
        collect("--build-only")
        assert urls(cache) == []
        ship("publish")
        assert urls(cache) == ["/static/a.txt"]
        ship("publish")
        assert urls(cache) == []
        ship("activate", first, "--everywhere")
        assert urls(cache) == ["/static/a.txt"]
        assert {pointer_of(store).release for store in (one, two)} == {first}  # type: ignore[union-attr]
        ship("publish", "--to", "memory://")
        assert urls(cache) == []


def test_a_store_that_a_run_does_not_look_at(site: Path, write, cache: MemoryPurger) -> None:
    """What is left to purge of it stays so, though that run has purged all of its own."""
    one, two = str(site / "one"), str(site / "two")
    with options(cache, more={"publish": {"to": [one, two]}}):
        collect()
        write({"a.txt": "two"})
        collect("--build-only")
        ship("publish", "--to", two)
        write({"a.txt": "one", "b.txt": "two"})
        collect("--build-only")
        cache.refuse(True)
        with pytest.raises(CommandError, match=r"(?s)static/a\.txt.*static/b\.txt"):
            ship("publish")
        cache.refuse(False)
        cache.asked.clear()
        ship("publish", "--to", one)
        assert urls(cache) == ["/static/b.txt"]
        ship("publish", "--to", two)
        assert urls(cache) == ["/static/a.txt", "/static/b.txt"]
        ship("publish")
        assert urls(cache) == []


def test_a_store_that_has_another_name_now(site: Path, write, cache: MemoryPurger) -> None:
    """Its files have the same URLs, by whatever name it goes."""
    with options(cache, more={"publish": {"to": [str(site / "one")]}}):
        collect()
        write({"a.txt": "two"})
        cache.refuse(True)
        with pytest.raises(CommandError):
            collect()
        cache.refuse(False)
    cache.asked.clear()
    (site / "one").rename(site / "two")
    with options(cache, more={"publish": {"to": [str(site / "two")]}}):
        collect()
        assert urls(cache) == ["/static/a.txt"]
        collect()
        assert urls(cache) == []


def test_by_tag(site: Path, write, cache: MemoryPurger) -> None:
    """Pages have none."""
    with options(cache, by_tag=True, pages=["/"], more={"serve": {"cache_tags": "Surrogate-Key"}}):
        collect()
        write({"a.txt": "two"})
        out, _ = collect()
        assert "cache: purged 1 URL and 1 tag in 2 requests, " in out
        assert [(one.what, *one.of) for one in cache.asked] == [("tags", tag_of("a.txt")), ("urls", f"{HOST}/")]


def test_left_to_people(site: Path, write, cache: MemoryPurger) -> None:
    with options(cache, automatic=False):
        collect()
        write({"b.txt": "two"})
        collect()
        write({"a.txt": "two"})
        assert "purge" not in json.loads(collect("--json")[0])
        assert "nothing has changed" not in ship("activate", "current")[0]
        assert urls(cache) == []
        # All that was published since the last purge, by whoever has this build cache.
        ship("purge")
        assert urls(cache) == ["/static/a.txt", "/static/b.txt"]
        assert ship("purge", "--dry-run")[0].splitlines() == [
            f"{HOST}/static/a.txt", "1 URL would be purged from cache."
        ]  # fmt: skip
        assert urls(cache) == []
        ship("purge")
        assert urls(cache) == ["/static/a.txt"]
        ship("purge")  # by hand it is done again
        assert urls(cache) == ["/static/a.txt"]


def test_a_wrong_option_stops_a_run_before_it_begins(site: Path) -> None:
    for wrong in (options({"purger": "clodflare"}), options(MemoryPurger(), site_url=None)):
        with wrong:
            _, text = failing()
            assert "OPTIONS['purge']" in text
            assert not (site / "root").exists()


def test_named(site: Path, cache: MemoryPurger, write) -> None:
    write({"it's.txt": "x", "css/old.css": "x"})
    collect()
    (site / "src/css/old.css").unlink()
    collect()
    urls(cache)
    for named, expected in {
        "a.txt": ["/static/a.txt"],
        "css/*": ["/static/css/app.css", "/static/css/old.css"],
        "it's.txt": ["/static/it%27s.txt", "/static/it's.txt"],
        "/about/?q=ä b#top": ["/about/?q=%C3%A4%20b"],
        "/static/a.txt": ["/static/a.txt"],
        "https://other.example.com": ["https://other.example.com/"],
        "https://Münster.example:443/A%20ü?b|ü": ["https://xn--mnster-3ya.example/A%20%C3%BC?b|%C3%BC"],
        "/a/../b/./c/%2e%2E/d/..": ["/b/"],
        "/../..//[x]|y": ["//[x]|y"],
        "/a\\b": ["/a/b"],
    }.items():
        ship("purge", named)
        assert urls(cache) == expected
    ship("purge", "a.txt", "/static/a.txt", "b.txt")
    assert urls(cache) == ["/static/a.txt", "/static/b.txt"]
    told = json.loads(ship("purge", "--all", "--json")[0])
    assert (told["everything"], told["urls"], told["caches"][0]["ok"]) == (True, [], True)
    assert [one.what for one in cache.asked] == ["all"]


def test_what_cannot_be_named(site: Path, cache: MemoryPurger) -> None:
    collect()
    assert "'a.tx' is no static file" in refused("purge", "a.tx")
    assert "Did you mean 'a.txt'?" in refused("purge", "a.tx")
    assert "write %2A" in refused("purge", "/static/*")
    for wrong in ("https:///a", "https://[a/", "//", "//h/x", "/a\nb", "https://u:secret@h/", "https://h\u202e/"):
        assert "is no URL" in refused("purge", wrong)
    with pytest.raises(CommandError, match="no PATH goes with it"):
        ship("purge", "--all", "a.txt")
    with options():
        assert "names no CDN or cache" in refused("purge")
    cache.refuse(True)
    with pytest.raises(CommandError, match=r"may answer with old files.\ncache: it refuses all requests."):
        ship("purge", "--all")
    assert cache.asked.pop().what == "all"


def test_without_what_was_before(site: Path, write, cache: MemoryPurger) -> None:
    """Where nobody knows, nothing passes for purged."""
    collect()
    write({"a.txt": "two"})
    with options(cache, automatic=False, more={"cache": {"enabled": False}}):
        collect("--clear")
    assert "is not there any more, so that nobody can tell" in refused("purge")
    assert "ship purge --all" in refused("purge")
    assert urls(cache) == []


def checked(deploy: bool = True) -> dict[str, str]:
    found = run_checks(tags=["staticfiles"], include_deployment_checks=deploy)
    return {str(one.id)[-4:]: f"{one.msg} {one.hint}" for one in found}


def test_checks(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = {"E049", "W050", "W051", "W052"}
    with options(MemoryPurger()):
        assert not ours & checked().keys()
    with options(MemoryPurger(), site_url=None):
        assert "static files are at '/static/', which names no host" in checked()["E049"]
    with options(MemoryPurger(), more={"base_url": "https://u:s3cret@cdn.example.com/"}):
        assert "holds a name or a password" in checked()["E049"]
        assert "s3cret" not in checked()["E049"]
    with options({"purger": "varnsh"}):
        assert "Did you mean 'varnish'?" in checked()["E049"]
    with override_settings(MIDDLEWARE=["shipfiles.django.middleware.ShipfilesMiddleware"]):
        with options(MemoryPurger()):
            assert "before its restart" in checked()["W053"]
            assert "W053" not in checked(deploy=False)
        fine: tuple[dict[str, Any], ...] = (
            {"automatic": False}, {"caches": []}, {"more": {"serve": {"follow_current": True}}},
            {"more": {"publish": {"to": [str(project / "web")]}}},
        )  # fmt: skip
        with options(MemoryPurger()), override_settings(MIDDLEWARE=[]):
            assert "W053" not in checked()
        for given in fine:
            with options(*given.pop("caches", [MemoryPurger()]), **given):
                assert "W053" not in checked()
    with options(MemoryPurger(), by_tag=True):
        assert "cache_tags" in checked()["W050"]
    with options(MemoryPurger(), by_tag=True, more={"serve": {"cache_tags": "Cache-Tag"}}):
        assert not ours & checked().keys()
    with options(MemoryPurger(), site_url="http://www.example.com"), override_settings(SECURE_SSL_REDIRECT=True):
        assert "https://" in checked()["W051"]
    cdn = {"base_url": "https://cdn.example.com/", "serve": {"root_files": {"/favicon.ico": "a.ico"}}}
    with options(MemoryPurger(), site_url=None, more=cdn):
        assert "root of the site" in checked()["W051"]
    monkeypatch.setattr("shipfiles.django.checks.purge.is_installed", lambda name: False)
    with options({"purger": "varnish", "servers": ["http://127.0.0.1:6081"]}):
        assert "E049" not in checked()
        assert "pip install 'shipfiles[varnish]'" in checked()["W052"]
        assert "W052" not in checked(deploy=False)


def test_a_store_without_plain_names(project: Path, write, cache: MemoryPurger, bucket: Bucket) -> None:
    """Nothing can be old there; at the root of the site the application answers."""
    write(SITE)
    purge = {"caches": [cache], "site_url": HOST}
    serve = {"root_files": {"/favicon.ico": "img/x.png"}}
    with s3(bucket, custom_domain="cdn.example.com", publish={"hashed_only": True}, serve=serve, purge=purge):
        collect()
        write({"a.txt": "two", "img/x.png": b"\x89PNG2"})
        collect()
        assert urls(cache) == ["/favicon.ico"]
        ship("rollback")
        assert urls(cache) == ["/favicon.ico"]
    serve["index_file"] = "x.png"
    with s3(bucket, custom_domain="cdn.example.com", location="other", serve=serve, purge=purge):
        collect()
        write({"a.txt": "three", "img/x.png": b"\x89PNG3"})
        collect()
        # A bucket has no addresses of folders as a rule, but may have.
        base = "https://cdn.example.com/other/"
        assert urls(cache) == ["/favicon.ico", *(base + name for name in ("a.txt", "img/", "img/x.png"))]


def test_collected_by_djangos_own_command(site: Path, write, cache: MemoryPurger) -> None:
    """Which prints nothing of it, but fails."""
    call_command(DjangoCommand(), interactive=False, verbosity=0)
    write({"a.txt": "two"})
    call_command(DjangoCommand(), interactive=False, verbosity=0)
    assert urls(cache) == ["/static/a.txt"]
    write({"a.txt": "three"})
    cache.refuse(True)
    # Before Django 6.1 its command lets the storage's own error out.
    with pytest.raises((CommandError, ReleaseError), match="it refuses all requests"):
        call_command(DjangoCommand(), interactive=False, verbosity=0)


class Forgetful(MemoryStore):
    """Now and then does not give what it has."""

    fails = 0

    def read(self, key: str) -> Iterator[bytes]:
        if self.fails:
            self.fails -= 1
            raise StoreError(key, "access denied")
        return super().read(key)


def test_what_was_live_cannot_be_read(site: Path, write, cache: MemoryPurger) -> None:
    """Then nothing passes for purged that may not be."""
    store = Forgetful()
    with options(cache, more={"publish": {"to": [store]}}):
        collect()
        write({"a.txt": "two"})
        store.fails = 1
        _, text = failing()
        assert "What was live in" in text
        assert "access denied. 'manage.py ship purge --all' purges everything." in text
        assert urls(cache) == ["/static/a.txt"]  # as far as the folder tells
        ship("purge", "--all")
        assert [one.what for one in cache.asked] == ["all"]
        cache.asked.clear()
        collect()
        assert urls(cache) == []
