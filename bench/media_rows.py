"""What is done with uploads, one row of the table each."""

from __future__ import annotations

import io
import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SMALL = 10_000
MEGABYTE = 1_000_000
CHUNK = 64 << 10
URLS = 1000
SAVE_SMALL = "save 10 KB"
SIGNED = "url × 1,000, signed"
PATTERN = bytes(range(251)) * 40
"""What files are made of: its length is no power of two, so that each part of one tells where it was."""


def pieces(size: int) -> Iterator[bytes]:
    """The body of ``size`` bytes."""
    block = PATTERN * 100
    for start in range(0, size, len(block)):
        yield block[: size - start]


def body_of(size: int) -> bytes:
    """All of it."""
    return b"".join(pieces(size))


def write_body(path: Path, size: int) -> Path:
    """The same as a file."""
    with path.open("wb") as file:
        file.writelines(pieces(size))
    return path


def part_of(start: int, count: int = 10) -> bytes:
    """``count`` bytes of any body, from ``start``."""
    return bytes((start + i) % 251 for i in range(count))


def uploaded(size: int) -> Any:
    """A file as Django has it when a browser has sent a large one: in a temporary file."""
    from django.core.files.uploadedfile import TemporaryUploadedFile

    file = TemporaryUploadedFile("large.bin", "application/octet-stream", size, None)
    write_body(Path(file.temporary_file_path()), size)
    return file


def streamed(size: int) -> Any:
    """A file that is in memory."""
    from django.core.files.base import File

    return File(io.BytesIO(body_of(size)), "large.bin")


def save_small(storage: Any, name: str) -> str:
    """Save 10 KB; the name that it got."""
    from django.core.files.base import ContentFile

    return str(storage.save(name, ContentFile(body_of(SMALL))))


def read_part(storage: Any, name: str, start: int, count: int | None) -> bytes:
    """So many bytes of a file, all of them for ``None``."""
    with storage.open(name) as file:
        if start:
            file.seek(start)
        found = file.read() if count is None else file.read(count)
    return bytes(found)


def fresh(_storage: Any) -> str:
    """A name that nobody has."""
    return f"{secrets.token_hex(6)}.jpg"


@dataclass(frozen=True, slots=True)
class Sizes:
    """What the rows work on."""

    medium: int = 30 * MEGABYTE
    """Bytes of the file that is read in parts."""
    large: int = 200 * MEGABYTE
    """And of that which is saved and read whole."""
    listed: int = 10_000
    """Files of the folder that is listed."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line: ``ready`` before the clock runs, ``work`` while it does, ``right`` after it."""

    title: str
    work: Callable[[Any, Any], Any]
    """Of the storage and what ``ready`` gave."""
    right: Callable[[Any, Any, Any], bool]
    """Of the storage, what ``ready`` gave and what ``work`` found."""
    ready: Callable[[Any], Any] = fresh
    times: int = 5
    """How often in a round."""


def rows(sizes: Sizes) -> list[Row]:
    """Those of buckets and of folders."""

    def given(value: Any) -> Callable[[Any], Any]:
        return lambda _storage: value

    def equal(value: Any) -> Callable[[Any, Any, Any], bool]:
        return lambda _storage, _given, found: bool(found == value)

    def listed(_storage: Any, _given: Any, found: Any) -> bool:
        return list(map(sorted, found)) == [[], [f"{i:05}.bin" for i in range(sizes.listed)]]

    far = sizes.medium // 3 * 2
    medium, small = given("medium.mp4"), given("small.jpg")
    return [
        Row(SAVE_SMALL, save_small, lambda s, name, got: got == name and s.size(got) == SMALL),
        Row(
            f"{SAVE_SMALL}, the name is taken", save_small,
            lambda s, name, got: s.size(got) == SMALL and (overwrites(s) or got != name), small,
        ),
        Row("exists", lambda s, name: s.exists(name), equal(True), medium),
        Row("exists, not there", lambda s, name: s.exists(name), equal(False)),
        Row("size", lambda s, name: s.size(name), equal(sizes.medium), medium),
        Row("open, read 10 KB", lambda s, name: read_part(s, name, 0, None), equal(body_of(SMALL)), small),
        Row(
            f"open, read 10 bytes of {sizes.medium // MEGABYTE} MB",
            lambda s, name: read_part(s, name, 0, 10), equal(part_of(0)), medium,
        ),
        Row(
            f"open, seek to {far // MEGABYTE} MB, read 10 bytes",
            lambda s, name: read_part(s, name, far, 10), equal(part_of(far)), medium,
        ),
        Row(f"listdir of {sizes.listed:,}", lambda s, name: s.listdir(name), listed, given("listed"), times=1),
        Row(
            "delete", lambda s, name: s.delete(name), lambda s, name, _: not s.exists(name),
            lambda s: save_small(s, fresh(s)),
        ),
    ]  # fmt: skip


def overwrites(storage: Any) -> bool:
    """Whether it is one that does."""
    return bool(getattr(storage, "file_overwrite", False))


def url_row(*, signed: bool) -> Row:
    """A thousand URLs."""

    def names(_storage: Any) -> list[str]:
        return [f"folder {i}/{secrets.token_hex(6)}.jpg" for i in range(URLS)]

    def right(_storage: Any, _names: Any, urls: Any) -> bool:
        return len(set(urls)) == URLS and all(("ignature" in url) == signed for url in urls)

    title = SIGNED if signed else "url × 1,000, public"
    return Row(title, lambda s, names: [s.url(name) for name in names], right, names, times=3)


def disk_rows(sizes: Sizes) -> list[Row]:
    """Those of folders alone, with large files."""

    def save(storage: Any, file: Any) -> Any:
        with file:
            return storage.save("large.bin", file)

    def saved(storage: Any, _file: Any, name: Any) -> bool:
        right = storage.size(name) == sizes.large
        storage.delete(name)
        return bool(right)

    def read(storage: Any, name: str) -> int:
        with storage.open(name) as file:
            return sum(map(len, file.chunks(CHUNK)))

    def all_of(_storage: Any, _name: Any, found: Any) -> bool:
        return bool(found == sizes.large)

    size = f"{sizes.large // MEGABYTE} MB"
    return [
        Row(f"save {size}, a temporary file of Django's", save, saved, lambda _: uploaded(sizes.large), times=1),
        Row(f"save {size}, from memory", save, saved, lambda _: streamed(sizes.large), times=1),
        Row(f"open, read {size} by chunks", read, all_of, lambda _: "large-to-read.bin", times=1),
    ]


def prepare(sizes: Sizes, put: Callable[[str, bytes], object]) -> None:
    """Put what the rows read."""
    from concurrent.futures import ThreadPoolExecutor

    put("medium.mp4", body_of(sizes.medium))
    put("small.jpg", body_of(SMALL))
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda i: put(f"listed/{i:05}.bin", os.urandom(8)), range(sizes.listed)))
