"""What names the code of the package: another name for any other code, the same name wherever it is."""

from __future__ import annotations

import os
import shutil
import zipfile
from pathlib import Path

import shipfiles
from shipfiles.own_code import code_id, id_of_code

PACKAGE = Path(shipfiles.__file__).parent


def copied(to: Path) -> Path:
    return Path(shutil.copytree(PACKAGE, to, ignore=shutil.ignore_patterns("__pycache__")))


def test_it_does_not_depend_on_place_and_time(tmp_path: Path) -> None:
    other = copied(tmp_path / "other")
    for path in other.rglob("*.py"):
        os.utime(path, (1e9, 1e9))
    (other / "build/__pycache__").mkdir()
    (other / "build/__pycache__/cache.cpython-312.pyc").write_bytes(b"x")
    assert id_of_code(str(other)) == code_id() == id_of_code(str(PACKAGE))


def test_any_change_of_any_module_gives_another(tmp_path: Path) -> None:
    other = copied(tmp_path / "other")
    known = {id_of_code(str(other))}
    modules = sorted(other.rglob("*.py"))
    assert len(modules) > 100
    for path in modules:
        path.write_bytes(path.read_bytes() + b"\n")
        known.add(id_of_code(str(other)))
    (other / "build/new.py").write_bytes(b"")
    known.add(id_of_code(str(other)))
    (other / "build/new.py").rename(other / "release/new.py")
    known.add(id_of_code(str(other)))
    assert len(known) == len(modules) + 3


def test_in_an_archive_it_is_the_archive(tmp_path: Path) -> None:
    archive = tmp_path / "all.zip"
    found = set()
    for body in (b"1", b"22"):
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("shipfiles/model.py", body)
        found.add(id_of_code(str(archive / "shipfiles")))
    assert len(found) == 2


def test_bytecode_in_the_place_of_sources(tmp_path: Path) -> None:
    (tmp_path / "a.pyc").write_bytes(b"1")
    before = id_of_code(str(tmp_path))
    (tmp_path / "a.pyc").write_bytes(b"2")
    assert id_of_code(str(tmp_path)) != before
