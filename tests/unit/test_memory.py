"""What a run holds in memory: never the bytes of all files at once, and little of what it says of them."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from shipfiles.build.find import Found, ignore_matcher, select, walk
from shipfiles.build.pipeline import build
from shipfiles.config import CompressConfig, RewriteConfig
from shipfiles.model import SourceFile
from shipfiles.release.publish import publish
from shipfiles.release.state import objects_of
from shipfiles.stores.local import LocalStore

MIB = 1 << 20

T = TypeVar("T")


def peak_of(work: Callable[[], T]) -> tuple[T, int]:
    """What ``work`` gives, and the most bytes that Python held for it at one time."""
    tracemalloc.start()
    try:
        return work(), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def found_in(root: Path) -> Found:
    return select(SourceFile(logical, path) for logical, path in walk(str(root), ignore_matcher([])))


def test_large_files_are_never_held(tmp_path: Path) -> None:
    root = tmp_path / "src"
    root.mkdir()
    for number in range(3):
        # wasm is of a type that is compressed, but this is more than is.
        with (root / f"{number}.wasm").open("wb") as file:
            file.truncate(48 * MIB + number)
    config = CompressConfig(brotli_quality=1, max_size=32 * MIB)

    def collect() -> int:
        store = LocalStore(str(tmp_path / "root"))
        published = publish(build(found_in(root).sources, RewriteConfig()), store, config)
        # Again, when all is there and compared.
        publish(build(found_in(root).sources, RewriteConfig()), store, config)
        return len(published.manifest.entries)

    files, peak = peak_of(collect)
    assert files == 3
    # Chunks of 1 MiB, for each of two workers, and of what is compared.
    assert peak < 16 * MIB


def test_files_that_refer_to_each_other_are_rewritten_one_at_a_time(tmp_path: Path) -> None:
    """However many there are in a cycle, whose names are made together."""
    count = 32
    for number in range(count):
        padding = f"// {number}\n" + "// as before\n" * (MIB // 13)
        (tmp_path / f"{number}.js").write_text(f'import "./{(number + 1) % count}.js"\n{padding}')
    sources = found_in(tmp_path).sources
    built, peak = peak_of(lambda: build(sources, RewriteConfig(), workers=1))
    assert [len(asset.edits) for asset in built.assets] == [1] * count
    # Some copies of one file, where they are scanned and spliced; all together would be 32 MiB.
    assert peak < 16 * MIB


def test_what_stands_for_a_large_store_is_made_without_a_copy_of_all_it_stands_for() -> None:
    versions = {
        f"packages/folder{number % 100}/file{number}.js": f"{number} {number} {number}" for number in range(60_000)
    }
    first, peak = peak_of(lambda: objects_of(versions))
    # The sorted keys; all lines together would be 10 MiB or more.
    assert peak < 2 * MIB
    last = next(reversed(versions))
    assert objects_of({**versions, last: "0 0 0"}) != first
