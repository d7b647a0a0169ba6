"""Pipes where files should be: whoever opens one as a file waits until somebody writes into it, which may be never."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.core.management import CommandError
from django.test import override_settings

from shipfiles.build.cache import NO_CACHE
from shipfiles.build.lanes import Lanes
from shipfiles.build.scan import Scanner, digest_file, read_again
from shipfiles.config import RewriteConfig
from shipfiles.digest import digest_bytes
from shipfiles.errors import SourceError
from shipfiles.model import SourceFile
from shipfiles.regular import open_regular

from .test_collectstatic import collect, tree

PATIENCE = 30.0
"""Seconds after which somebody who waits for a writer gets one, and the test fails."""


@contextmanager
def pipe_at(path: Path) -> Iterator[None]:
    """A pipe in the place of the file ``path``, for which nobody waits."""
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    waited = []

    def write() -> None:
        # POSIX open(): without a reader there is an error, so this tells whether somebody is there.
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
        except OSError:
            return
        waited.append(path)

    timer = threading.Timer(PATIENCE, write)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
    assert not waited


def files_named(folder: Path, pattern: str) -> list[Path]:
    found = [path for path in folder.rglob(pattern) if path.is_file()]
    assert found
    return found


FILES: dict[str, str | bytes] = {"app.css": "@import 'b.css';\n" + "p { color: red }\n" * 40, "b.css": "b {}\n" * 40}


@pytest.mark.parametrize(
    "pattern",
    [
        "state.json",
        "app.*.css",
        "app.*.css.br",
        "scans-*.json",
        "findings*.json",
        "variants/*/*",
        "CACHEDIR.TAG",
    ],
)
@pytest.mark.parametrize("again", [False, True], ids=["fresh", "again"])
def test_in_what_a_run_left(project: Path, write, pattern: str, again: bool) -> None:
    """In the build cache, in .shipfiles and among the files that are published."""
    write(FILES)
    (project / "pipe_code.py").write_text("from django.templatetags.static import static\nstatic('app.css')\n")
    roots = [project / "root", project / "fresh"]
    with override_settings(SETTINGS_MODULE="pipe_code"), pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(project))
        collect()
        before = tree(roots[0])
        for path in files_named(project, pattern):
            with pipe_at(path), override_settings(STATIC_ROOT=str(roots[not again])):
                collect()
    live = tree(roots[0 if again else 1])
    assert {key: live[key] for key in before} == before


@pytest.mark.parametrize("pattern", ["current.json", "releases/*.json", "manifests/*.json", "staticfiles.json"])
def test_in_the_place_of_what_says_what_is_live(project: Path, write, pattern: str) -> None:
    """An error that says what is there."""
    write(FILES)
    collect()
    (path,) = files_named(project / "root", pattern)
    with pipe_at(path):
        for arguments in ((), ("--verify",)):
            with pytest.raises(CommandError, match=f"{path.name}: cannot be read: a pipe or a device, not a file"):
                collect(*arguments)


def test_among_templates_and_modules(project: Path, write) -> None:
    write(FILES)
    templates = project / "templates"
    templates.mkdir()
    (templates / "page.html").write_text("{% load static %}{% static 'app.css' %}")
    (project / "pipe_code").mkdir()
    (project / "pipe_code/__init__.py").write_text("")
    engine = {"BACKEND": "django.template.backends.django.DjangoTemplates", "DIRS": [templates]}
    with (
        override_settings(SETTINGS_MODULE="pipe_code", TEMPLATES=[engine]),
        pytest.MonkeyPatch.context() as patch,
        pipe_at(templates / "pipe.html"),
        pipe_at(project / "pipe_code/pipe.py"),
    ):
        patch.syspath_prepend(str(project))
        out, err = collect("--verbosity", "2")
    assert "pipe.html: cannot be read: a pipe or a device, not a file" in out + err
    assert "pipe.py: cannot be read: a pipe or a device, not a file" in out + err


def test_a_source_that_became_a_pipe_after_it_was_found(tmp_path: Path) -> None:
    source = SourceFile("a.css", str(tmp_path / "a.css"))
    scanner = Scanner(RewriteConfig(), None, NO_CACHE, Lanes(0))
    with pipe_at(tmp_path / "a.css"):
        for read in (digest_file, lambda gone: read_again(gone, 1, digest_bytes(b"x")), scanner.read):
            with pytest.raises(SourceError, match=r"a\.css: cannot be read: a pipe or a device, not a file"):
                read(source)


def test_what_is_no_regular_file(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        open_regular(str(tmp_path))
    with pytest.raises(OSError, match="not a file"):
        open_regular("/dev/null")
    with pytest.raises(FileNotFoundError):
        open_regular(str(tmp_path / "none"))
