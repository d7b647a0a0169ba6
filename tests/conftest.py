"""What the tests share: a project of files on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.core.files.storage import storages
from django.test import override_settings

Write = Callable[[dict[str, str | bytes]], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write files below ``tmp_path/src`` and give that folder."""

    def write_files(files: dict[str, str | bytes]) -> Path:
        root = tmp_path / "src"
        root.mkdir(exist_ok=True)
        for name, body in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body if isinstance(body, bytes) else body.encode())
        return root

    return write_files


@pytest.fixture
def project(tmp_path: Path, write: Write) -> Iterator[Path]:
    """A Django project with one folder of static files (``src``) and STATIC_ROOT (``root``), made empty."""
    from django.contrib.staticfiles.finders import get_finder

    write({})
    with override_settings(
        STATICFILES_DIRS=[str(tmp_path / "src")],
        STATICFILES_FINDERS=["django.contrib.staticfiles.finders.FileSystemFinder"],
        STATIC_ROOT=str(tmp_path / "root"),
    ):
        get_finder.cache_clear()
        _fresh_storages()
        yield tmp_path
    get_finder.cache_clear()
    _fresh_storages()


def _fresh_storages() -> None:
    # Django resets this object only when STORAGES changes; a new STATIC_ROOT must reach the storage too.
    from django.contrib.staticfiles.storage import staticfiles_storage
    from django.utils.functional import empty

    storages.__dict__.pop("backends", None)
    storages._storages = {}
    staticfiles_storage._wrapped = empty
