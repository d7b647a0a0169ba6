"""What is remembered from run to run; and that nothing in the folder can make a wrong byte."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipfiles.build.cache import Cache
from shipfiles.build.cache_table import CacheTable
from shipfiles.build.compress.brotli import Brotli
from shipfiles.build.compress.gzip import Gzip
from shipfiles.build.find import ignore_matcher, walk
from shipfiles.build.pipeline import Build, build
from shipfiles.config import CompressConfig, RewriteConfig, from_mapping
from shipfiles.digest import digest_bytes
from shipfiles.events import Event, Notice
from shipfiles.model import Fault, Reference, Scan, SourceFile
from shipfiles.release.publish import Published, publish
from shipfiles.stores.memory import MemoryStore
from tests.stored import timeless

SCAN = Scan(
    (Reference(3, 9, "a\ud800.js", "module"), Reference(20, 30, "x.png?a&b", "url", True, True, "../")),
    "utf-16-le",
    Fault("odd", 3, 4),
)
BODY = b"p { color: red }\n" * 100


class Told(list[str]):
    """A listener that keeps what people are told."""

    def __call__(self, event: Event) -> None:
        if isinstance(event, Notice):
            self.append(event.text)


def scans(folder: Path) -> Path:
    (found,) = folder.glob("scans-*.json")
    return found


def variants(folder: Path) -> list[Path]:
    return sorted(p for p in (folder / "variants").rglob("*") if p.is_file())


def test_scans_come_back(tmp_path: Path) -> None:
    cache = Cache(str(tmp_path / "cache"), 1000)
    assert cache.scan("k", 100) is None
    cache.keep_scan("k", SCAN)
    cache.keep_scan("empty", Scan())
    cache.close()
    again = Cache(str(tmp_path / "cache"), 1000)
    assert again.scan("k", 100) == SCAN
    assert again.scan("empty", 100) == Scan()
    assert again.scan("other", 100) is None
    assert (cache.scans_found, cache.scans_made) == (0, 2)
    assert (again.scans_found, again.scans_made) == (2, 0)


def test_without_a_folder_nothing_is_remembered() -> None:
    cache = Cache()
    cache.keep_scan("k", SCAN)
    cache.keep_variant(digest_bytes(BODY), Gzip(9), b"x")
    cache.close()
    assert cache.scan("k", 100) is None
    assert cache.variant(digest_bytes(BODY), Gzip(9)) is None


def test_two_runs_at_once_add_up(tmp_path: Path) -> None:
    first, second = Cache(str(tmp_path), 1000), Cache(str(tmp_path), 1000)
    for cache, key in ((first, "a"), (second, "b")):
        assert cache.scan(key, 100) is None
        cache.keep_scan(key, SCAN)
    first.close()
    second.close()
    third = Cache(str(tmp_path), 1000)
    assert third.scan("a", 100) == third.scan("b", 100) == SCAN


@pytest.mark.parametrize("coding", [Brotli(5), Gzip(6)])
def test_variants_come_back(tmp_path: Path, coding: Brotli | Gzip) -> None:
    cache = Cache(str(tmp_path / "cache"), 10_000)
    digest, encoded = digest_bytes(BODY), coding.compress(BODY)
    assert cache.variant(digest, coding) is None
    cache.keep_variant(digest, coding, encoded)
    cache.keep_variant(digest_bytes(b"other"), coding, b"")
    assert cache.variant(digest, coding) == encoded
    assert cache.variant(digest_bytes(b"other"), coding) == b""
    assert cache.variant(digest, Brotli(6)) is None


@given(data=st.data())
@pytest.mark.parametrize("coding", [Brotli(5), Gzip(6)])
def test_a_damaged_variant_is_never_given(tmp_path_factory, coding: Brotli | Gzip, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("cache")
    told = Told()
    cache = Cache(str(folder), 10_000, told)
    digest, encoded = digest_bytes(BODY), coding.compress(BODY)
    cache.keep_variant(digest, coding, encoded)
    (path,) = variants(folder)
    kept = path.read_bytes()
    kind = data.draw(st.sampled_from(["flip", "cut", "foreign"]))
    if kind == "flip":
        at = data.draw(st.integers(0, len(kept) * 8 - 1))
        damaged = bytearray(kept)
        damaged[at // 8] ^= 1 << at % 8
        path.write_bytes(damaged)
    elif kind == "cut":
        path.write_bytes(kept[: data.draw(st.integers(0, len(kept) - 1))])
    else:
        path.write_bytes(data.draw(st.binary()) + b"x")
    assert cache.variant(digest, coding) is None
    assert not path.exists()
    assert "damaged" in told[0]


@pytest.mark.parametrize("at", [4, 8, 9])
def test_bits_that_decoders_ignore_are_damage_too(tmp_path: Path, at: int) -> None:
    """RFC 1952 section 2.3.1: MTIME, XFL and OS mean nothing for what a member unpacks to, but are published bytes."""
    cache = Cache(str(tmp_path), 10_000)
    digest, encoded = digest_bytes(BODY), bytearray(Gzip(6).compress(BODY))
    cache.keep_variant(digest, Gzip(6), bytes(encoded))
    (path,) = variants(tmp_path)
    kept = path.read_bytes()
    encoded[at] ^= 1
    assert Gzip(6).decompress(bytes(encoded)) == BODY
    path.write_bytes(kept[: -len(encoded)] + encoded)
    assert cache.variant(digest, Gzip(6)) is None


@pytest.mark.parametrize("encoded", [b"", Gzip(6).compress(BODY)])
def test_an_entry_under_the_name_of_another_is_none(tmp_path: Path, encoded: bytes) -> None:
    """Of another quality, which unpacks to the same; or of another content, that nothing is gained there."""
    cache = Cache(str(tmp_path), 10_000)
    cache.keep_variant(digest_bytes(BODY), Gzip(6), encoded)
    (source,) = variants(tmp_path)
    for digest, coding in ((digest_bytes(BODY), Gzip(9)), (digest_bytes(b"other"), Gzip(6))):
        cache.keep_variant(digest, coding, b"x")
        (target,) = (path for path in variants(tmp_path) if path != source)
        target.write_bytes(source.read_bytes())
        assert cache.variant(digest, coding) is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda body: body[:-1],
        lambda body: body[:100] + bytes([body[100] ^ 1]) + body[101:],
        lambda _: b"",
        lambda _: b"[]",
        lambda body: body.partition(b"\n")[2],
    ],
)
def test_damaged_scans_are_made_anew(tmp_path: Path, damage) -> None:
    cache = Cache(str(tmp_path), 1000)
    cache.keep_scan("k", SCAN)
    cache.close()
    path = scans(tmp_path)
    path.write_bytes(damage(path.read_bytes()))
    told = Told()
    again = Cache(str(tmp_path), 1000, told)
    assert again.scan("k", 100) is None
    assert "damaged" in told[0]
    again.keep_scan("k", SCAN)
    again.close()
    assert Cache(str(tmp_path), 1000).scan("k", 100) == SCAN


@pytest.mark.parametrize(
    "raw",
    [
        1,
        "x",
        [],
        [[], "", None, 1],
        [[[0, 15, "x.png", "url"]], "", None],
        [[["a", 15, "x.png", "url", True, False, ""]], "", None],
        [[[0, 101, "x.png", "url", True, False, ""]], "", None],
        [[[5, 3, "x.png", "url", True, False, ""]], "", None],
        [[[0, 5, "x.png", "url", True, False, ""], [4, 6, "y.png", "url", True, False, ""]], "", None],
        [[[0, 5, "x.png", "other", True, False, ""]], "", None],
        [[], "nocodec", None],
        [[], 5, None],
        [[], "", ["w", "l", "c", True]],
        [[], "", "w"],
    ],
)
def test_scans_that_cannot_be_ones(tmp_path: Path, raw: object) -> None:
    cache = Cache(str(tmp_path), 1000)
    cache.keep_scan("k", SCAN)
    cache.close()
    path = scans(tmp_path)
    body = json.dumps({"k": raw}).encode()
    path.write_bytes(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
    assert Cache(str(tmp_path), 1000).scan("k", 100) is None


def test_files_of_others_stay(tmp_path: Path) -> None:
    folder = tmp_path / "documents"
    old = [folder / "scans-2023.pdf", folder / "scans-0123456789abcdef.json", folder / "variants/mine/photo.raw"]
    old.append(folder / f"variants/ab/{'ab' * 32}.br-5")
    for path in old:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 1000)
        os.utime(path, (1, 1))
    cache = Cache(str(folder), 100)
    cache.keep_scan("k", SCAN)
    cache.keep_variant(digest_bytes(BODY), Gzip(6), b"x" * 1000)
    cache.close()
    assert all(path.exists() for path in old)


def test_even_in_a_folder_of_its_own(tmp_path: Path) -> None:
    cache = Cache(str(tmp_path / "cache"), 100)
    cache.keep_scan("k", SCAN)
    cache.close()
    mine, stale = tmp_path / "cache/scans-2023.pdf", tmp_path / "cache/scans-0123456789abcdef.json"
    killed = tmp_path / "cache/scans-0123456789abcdef.json.1f3a-7f12"
    for path in (mine, stale, killed):
        path.write_text("x")
        os.utime(path, (1, 1))
    cache.keep_scan("l", SCAN)
    cache.close()
    assert mine.exists()
    assert not stale.exists()
    assert not killed.exists()


def test_what_was_not_used_for_longest_goes_first(tmp_path: Path) -> None:
    coding = Gzip(6)
    bodies = [os.urandom(50) * 20 for _ in range(4)]
    with Cache(str(tmp_path / "one"), 10**6) as alone:
        alone.keep_variant(digest_bytes(bodies[2]), coding, coding.compress(bodies[2]))
    (of_one,) = variants(tmp_path / "one")
    cache = Cache(str(tmp_path / "cache"), 3 * of_one.stat().st_size + 10)
    for age, body in zip((1, 4, 3, 2), bodies, strict=True):
        cache.keep_variant(digest_bytes(body), coding, coding.compress(body))
        then = time.time() - age * 100_000
        newest = max(variants(tmp_path / "cache"), key=lambda p: p.stat().st_mtime)
        os.utime(newest, (then, then))
    # Used again, the oldest is the newest.
    assert cache.variant(digest_bytes(bodies[1]), coding)
    cache.close()
    kept = [cache.variant(digest_bytes(body), coding) is not None for body in bodies]
    assert kept == [True, True, False, True]


def test_a_folder_that_cannot_be_made_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    told = Told()
    cache = Cache(str(tmp_path / "file" / "cache"), 1000, told)
    cache.keep_variant(digest_bytes(BODY), Gzip(6), b"x")
    cache.keep_variant(digest_bytes(b"2"), Gzip(6), b"x")
    cache.keep_scan("k", SCAN)
    cache.close()
    assert len(told) == 1
    assert "cannot be written" in told[0]


def test_a_full_disk_is_told_and_leaves_nothing_half_written(small_disk: Path) -> None:
    told = Told()
    cache = Cache(str(small_disk / "cache"), 10**9, told)
    blob = os.urandom(300_000)
    for i in range(10):
        cache.keep_variant(digest_bytes(b"%d" % i), Gzip(6), blob)
    cache.close()
    assert "no space left" in told[0]
    (size,) = {p.stat().st_size for p in variants(small_disk / "cache")}
    assert size > 300_000


def test_version_control_and_backups_leave_it_out(tmp_path: Path) -> None:
    cache = Cache(str(tmp_path / "a" / "cache"), 1000)
    cache.keep_variant(digest_bytes(BODY), Gzip(6), b"x")
    assert (tmp_path / "a" / "cache" / ".gitignore").read_text() == "*\n"
    # https://bford.info/cachedir/
    assert (
        (tmp_path / "a" / "cache" / "CACHEDIR.TAG")
        .read_text()
        .startswith("Signature: 8a477f597d28d172789f06886806bc55")
    )


FILES: dict[str, str | bytes] = {
    "css/app.css": "@import 'b.css'; " + "a { background: url(../x.png) }\n" * 30,
    "css/b.css": "b { color: red }\n" * 30,
    "js/app.js": "import './b.js';\n" + "x();\n" * 100,
    "js/b.js": "y();\n" * 100,
    "latin.css": b"/* \xe9 */ a { background: url(x.png) }",
    "x.png": b"\x89PNG",
    "data.json": "[1, 2, 3]" * 100,
}


def made(root: Path, cache: Cache) -> tuple[Build, Published, MemoryStore]:
    sources = [SourceFile(logical, path) for logical, path in walk(str(root), ignore_matcher([]))]
    store = MemoryStore()
    built = build(sources, RewriteConfig(), cache=cache)
    published = publish(built, store, CompressConfig(), cache=cache)
    cache.close()
    return built, published, store


def everything(store: MemoryStore) -> dict[str, bytes]:
    return timeless({stored.key: b"".join(store.read(stored.key)) for stored in store.list()})


def test_a_fresh_place_needs_no_scan_and_no_encoder(tmp_path: Path, write) -> None:
    root = write(FILES)
    folder = str(tmp_path / "cache")
    built, published, store = made(root, Cache(folder, 10**6))
    assert published.encoded > 0
    second = Cache(folder, 10**6)
    rebuilt, republished, again = made(root, second)
    assert (second.scans_made, second.variants_made, republished.encoded) == (0, 0, 0)
    assert second.scans_found > 0
    assert second.variants_found == published.encoded
    assert rebuilt == built
    assert everything(again) == everything(store)
    assert rebuilt.notes


def test_another_branch_has_its_own_bytes(tmp_path: Path, write) -> None:
    folder = str(tmp_path / "cache")
    one = everything(made(write(FILES), Cache(folder, 10**6))[2])
    other_root = write({"css/b.css": "b { color: blue }\n" * 30})
    other = everything(made(other_root, Cache(folder, 10**6))[2])
    assert other == everything(made(other_root, Cache())[2])
    assert everything(made(write(FILES), Cache(folder, 10**6))[2]) == one


@pytest.mark.parametrize("spoil", ["flip", "cut", "empty", "swap", "folder"])
def test_a_spoilt_cache_changes_no_published_byte(tmp_path: Path, write, spoil: str) -> None:
    root = write(FILES)
    folder = tmp_path / "cache"
    _, _, store = made(root, Cache(str(folder), 10**6))
    found = [*variants(folder), scans(folder)]
    bodies = [p.read_bytes() for p in found]
    for i, path in enumerate(found):
        if spoil == "flip":
            middle = len(bodies[i]) // 2
            path.write_bytes(bodies[i][:middle] + bytes([bodies[i][middle] ^ 0x10]) + bodies[i][middle + 1 :])
        elif spoil == "cut":
            path.write_bytes(bodies[i][:-1])
        elif spoil == "empty":
            path.write_bytes(b"")
        elif spoil == "swap":
            path.write_bytes(bodies[i - 1])
        else:
            path.unlink()
            path.mkdir()
    told = Told()
    assert everything(made(root, Cache(str(folder), 10**6, told))[2]) == everything(store)
    assert told


KILLED = """
import os, signal, sys
from shipfiles.build.cache import Cache
from shipfiles.build.cache_table import CacheTable
from tests.unit.test_cache import made
from pathlib import Path

class Dying(Cache):
    kept = 0
    def keep_variant(self, *args):
        super().keep_variant(*args)
        Dying.kept += 1
        if Dying.kept == 5:
            os.kill(os.getpid(), signal.SIGKILL)

made(Path(sys.argv[1]), Dying(sys.argv[2], 10**6))
"""


def test_a_run_that_was_killed_has_compressed_for_the_next(tmp_path: Path, write) -> None:
    root = write(FILES)
    folder = tmp_path / "cache"
    alone, published, store = made(root, Cache())
    killed = subprocess.run([sys.executable, "-c", KILLED, str(root), str(folder)], check=False)
    assert killed.returncode == -signal.SIGKILL
    there = {path: path.stat().st_mtime_ns for path in variants(folder)}
    assert len(there) >= 5
    built, republished, again = made(root, Cache(str(folder), 10**6))
    assert 0 < republished.encoded <= published.encoded - 5
    assert {path: path.stat().st_mtime_ns for path in there} == there
    assert built == alone
    assert everything(again) == everything(store)
    assert made(root, Cache(str(folder), 10**6))[1].encoded == 0


@pytest.mark.parametrize("other", [{"profile": "fast"}, {"brotli_quality": 5, "gzip_level": 3}])
def test_other_settings_are_not_answered_from_the_cache(tmp_path: Path, write, other: dict[str, Any]) -> None:
    root = write({"a.css": "p { color: red }\n" * 200})
    sources = [SourceFile(logical, path) for logical, path in walk(str(root), ignore_matcher([]))]
    built = build(sources, RewriteConfig())
    encoded = []
    for config in (CompressConfig(), from_mapping(CompressConfig, other), CompressConfig()):
        with Cache(str(tmp_path / "cache"), 10**6) as cache:
            encoded.append(publish(built, MemoryStore(), config, cache=cache).encoded)
    assert encoded == [2, 2, 0]


def test_findings_come_back_and_other_values_are_left_to_who_asks(tmp_path: Path) -> None:
    folder = str(tmp_path / "cache")
    with Cache(folder, 1000) as cache:
        assert cache.finding("k") is None
        cache.keep_finding("k", [[1, 2, "t", None, "how", True]])
        cache.keep_finding("empty", [])
    with Cache(folder, 1000) as cache:
        assert (cache.finding("k"), cache.finding("empty")) == ([[1, 2, "t", None, "how", True]], [])
        assert cache.scan("k", 100) is None


def test_damaged_findings_are_made_anew(tmp_path: Path) -> None:
    with Cache(str(tmp_path), 1000) as cache:
        cache.keep_finding("k", [1])
    file = tmp_path / "findings.json"
    file.write_bytes(file.read_bytes().replace(b"[1]", b"[2]"))
    told = Told()
    with Cache(str(tmp_path), 1000, told) as cache:
        assert cache.finding("k") is None
    assert "findings.json is damaged" in told[0]


def test_what_this_run_used_is_the_last_to_go(tmp_path: Path) -> None:
    def run(names: str) -> str:
        """Which of ``names`` had to be made."""
        made = ""
        table = CacheTable(lambda: str(tmp_path / "table"), write, pytest.fail, 4)
        for name in names:
            if table.get(name) is None:
                table.keep(name, 1)
                made += name
            else:
                table.use(name, 1)
        table.close()
        return made

    def write(path: str, body: bytes) -> None:
        Path(path).write_bytes(body)

    assert run("abc") == "abc"
    for new in "defgh":
        assert run(f"abc{new}") == new


def test_a_frozen_cache_is_read_and_left_alone(tmp_path: Path) -> None:
    digest, folder = digest_bytes(BODY), tmp_path / "cache"
    with Cache(str(folder), 10**6) as cache:
        cache.keep_scan("a", Scan())
        cache.keep_finding("a", 1)
        cache.keep_variant(digest, Gzip(6), b"x")
        (old,) = (path for path in (folder / "variants").rglob("*") if path.is_file())
        cache.keep_variant(digest, Gzip(9), b"x")
        (damaged,) = (path for path in (folder / "variants").rglob("*") if path.is_file() and path != old)
    os.utime(old, (1e9, 1e9))
    damaged.write_bytes(b"damaged")

    def left() -> dict[str, tuple[int, bytes]]:
        return {str(p): (p.stat().st_mtime_ns, p.read_bytes()) for p in folder.rglob("*") if p.is_file()}

    before = left()
    with Cache(str(folder), 0, frozen=True) as cache:
        assert cache.scan("a", 1) == Scan()
        assert cache.finding("a") == 1
        assert cache.variant(digest, Gzip(6)) == b"x"
        assert cache.variant(digest, Gzip(9)) is None
        cache.keep_scan("b", Scan())
        cache.keep_finding("b", 1)
        cache.keep_variant(digest, Gzip(9), b"y")
        assert (cache.scans_made, cache.variants_made) == (1, 1)
    assert left() == before
