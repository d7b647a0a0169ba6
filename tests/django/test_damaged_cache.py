"""A build cache that is damaged, foreign, full or out of reach: the same bytes, at worst later and with a warning."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.test import override_settings

from .test_collectstatic import collect, manage, tree

FILES: dict[str, str | bytes] = {
    "app.css": "@import 'theme.css';\n" + "p { color: red }\n" * 40,
    "theme.css": "b { background: url(x.png) }\n" * 40,
    "a.js": "import './b.js';\n" + "a();\n" * 60,
    "b.js": "import './a.js';\n" + "b();\n" * 60,
    "noise.txt": random.Random(1).randbytes(1_000),  # a compressed form gains nothing
    "x.png": b"\x89PNG",
}


@pytest.fixture
def cache(project: Path, write) -> Path:
    """The cache of a project that was collected once, into another STATIC_ROOT."""
    write(FILES)
    with override_settings(STATIC_ROOT=str(project / "before")):
        collect()
    folder = project / ".cache/shipfiles"
    assert len(entries(folder)) > 10
    return folder


def entries(folder: Path) -> list[Path]:
    return sorted(
        path for path in folder.rglob("*") if path.is_file() and path.name not in ("CACHEDIR.TAG", ".gitignore")
    )


def without_cache(project: Path) -> dict[str, bytes]:
    backend = "shipfiles.django.storage.StaticStorage"
    storages = {"staticfiles": {"BACKEND": backend, "OPTIONS": {"cache": {"enabled": False}}}}
    with override_settings(STATIC_ROOT=str(project / "without"), STORAGES=storages):
        collect()
    return tree(project / "without")


def each(change: Callable[[bytes, random.Random], bytes]) -> Callable[[Path], None]:
    """Spoil every file of a folder, what says whose it is too."""

    def spoil(folder: Path) -> None:
        chance = random.Random(3)
        for path in [p for p in folder.rglob("*") if p.is_file()]:
            path.write_bytes(change(path.read_bytes(), chance))

    return spoil


def flip(body: bytes, chance: random.Random) -> bytes:
    bit = chance.randrange(len(body) * 8)
    return body[: bit // 8] + bytes([body[bit // 8] ^ 1 << bit % 8]) + body[bit // 8 + 1 :]


def swapped(folder: Path) -> None:
    """Each file has the name of another."""
    found = entries(folder)
    bodies = [path.read_bytes() for path in found]
    for path, body in zip(found, [*bodies[1:], bodies[0]], strict=True):
        path.write_bytes(body)


def with_strangers(folder: Path) -> None:
    for path in [folder, *(p for p in folder.rglob("*") if p.is_dir())]:
        for name in ("README", "scans-0.json", "x.br-5", f"{'0' * 64}.gz"):
            (path / name).write_bytes(b"\0foreign")


def file_in_its_place(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("not a folder")


def file_above_it(folder: Path) -> None:
    shutil.rmtree(folder.parent)
    folder.parent.write_text("not a folder")


def loop_in_its_place(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.symlink_to(folder)


def loops_inside(folder: Path) -> None:
    for path in entries(folder):
        path.unlink()
        path.symlink_to(path.name)


def folders_inside(folder: Path) -> None:
    for path in entries(folder):
        path.unlink()
        (path / "x").mkdir(parents=True)


def link_to_nowhere(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.symlink_to(folder.parent / "gone")


QUIET = {"strangers": with_strangers, "gone": shutil.rmtree}
SPOILT = {
    "flipped": each(flip), "empty": each(lambda *_: b""), "one byte less": each(lambda body, _: body[:-1]),
    "cut": each(lambda body, chance: body[: chance.randrange(len(body))]), "one byte more": each(lambda b, _: b + b"x"),
    "other bytes": each(lambda body, chance: chance.randbytes(len(body))), "swapped": swapped,
    "a file in its place": file_in_its_place, "a file above it": file_above_it, "a loop": loop_in_its_place,
    "loops inside": loops_inside, "folders inside": folders_inside, "a link to nowhere": link_to_nowhere,
}  # fmt: skip


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_a_spoilt_cache(project: Path, cache: Path, spoil: Callable[[Path], None]) -> None:
    spoil(cache)
    _, err = collect()
    assert tree(project / "root") == without_cache(project)
    # Once, whatever is wrong with it.
    assert err.count("The build cache: ") == 1
    assert "takes longer" in err


@pytest.mark.parametrize("spoil", QUIET.values(), ids=QUIET)
def test_a_cache_of_which_nothing_need_be_said(project: Path, cache: Path, spoil: Callable[[Path], None]) -> None:
    spoil(cache)
    strangers = {p: p.read_bytes() for p in cache.rglob("*") if p.is_file()} if cache.exists() else {}
    _, err = collect()
    assert tree(project / "root") == without_cache(project)
    assert err == ""
    assert {path: path.read_bytes() for path in strangers if path.read_bytes() == b"\0foreign"}.keys() == {
        path for path, body in strangers.items() if body == b"\0foreign"
    }


@pytest.fixture(params=[0o000, 0o111, 0o555], ids=["nothing", "enter", "read"])
def refused(cache: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """The cache with permission for little."""
    folders = [cache, *(path for path in cache.rglob("*") if path.is_dir())]
    for path in reversed(folders):
        path.chmod(request.param)
    yield cache
    for path in folders:
        path.chmod(0o755)


def test_no_permission(project: Path, refused: Path, write) -> None:
    write({"new.css": "n { color: red }\n" * 60})
    run = manage(project, "collectstatic", "--noinput", anybody=True)
    assert run.returncode == 0, run.stderr
    assert run.stderr.count("The build cache: ") == 1
    assert "permission denied" in run.stderr
    assert tree(project / "root") == without_cache(project)


def test_entries_without_permission(project: Path, cache: Path) -> None:
    for path in entries(cache):
        path.chmod(0)
    run = manage(project, "collectstatic", "--noinput", anybody=True)
    assert run.returncode == 0, run.stderr
    assert "permission denied" in run.stderr
    assert tree(project / "root") == without_cache(project)


@pytest.mark.parametrize("left", [0, 700, 5_000])
def test_a_full_disk(project: Path, write, small_disk: Path, left: int) -> None:
    write(FILES)
    backend = "shipfiles.django.storage.StaticStorage"
    storages = {"staticfiles": {"BACKEND": backend, "OPTIONS": {"cache": {"folder": str(small_disk / "cache")}}}}
    fill(small_disk, left)
    with override_settings(STORAGES=storages):
        _, err = collect()
        assert err.count("The build cache: ") == 1
        assert "no space left" in err
        expected = without_cache(project)
        assert tree(project / "root") == expected
        # What did fit is whole: the next run has nothing to complain of but the space.
        with override_settings(STATIC_ROOT=str(project / "again")):
            _, err = collect()
        assert "damaged" not in err
        assert tree(project / "again") == expected


def fill(disk: Path, left: int) -> None:
    """Leave about so many bytes of a file system, and no page less."""
    with (disk / "filler").open("wb", buffering=0) as file:
        free = os.statvfs(disk)
        blocks = free.f_bavail - (left + free.f_frsize - 1) // free.f_frsize
        file.write(b"\0" * blocks * free.f_frsize)
