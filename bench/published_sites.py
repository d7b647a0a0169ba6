"""What is published: Django's admin, 2,000 files, ten large ones; and whether it has arrived."""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
import time
from pathlib import Path

import corpora
from buckets import Place
from products import Product, environment
from publishers import Publisher
from workplace import BENCH, run

MEGABYTE = 1_000_000


class Site:
    """Sources, and a folder in which they are ready for those who do not collect."""

    def __init__(self, work: Path, files: dict[str, Path]) -> None:
        self.work = work
        self.source, self.ready = work / "source", work / "ready"
        for folder in (self.source, self.ready):
            shutil.rmtree(folder, ignore_errors=True)
        for logical, path in files.items():
            target = self.source / logical
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        self.count = len(files)
        self.image, self.sheet = self._pair()
        self._image = (self.source / self.image).read_bytes()
        self._collect()

    def _pair(self) -> tuple[str, str]:
        """An image that one style sheet names, and that sheet; no other file names either."""
        texts = {
            path.relative_to(self.source).as_posix(): path.read_text(errors="replace")
            for path in sorted(self.source.rglob("*"))
            if path.suffix in (".css", ".js")
        }
        for path in sorted(self.source.rglob("*.svg")):
            naming = [logical for logical, text in texts.items() if path.name in text]
            if len(naming) == 1 and not any(naming[0].rpartition("/")[2] in text for text in texts.values()):
                return path.relative_to(self.source).as_posix(), naming[0]
        raise AssertionError("no image is named by one style sheet")

    def touch(self) -> None:
        """Give every file a new time of change, as a new checkout does."""
        time.sleep(1.1)
        for folder in (self.source, self.ready):
            for path in folder.rglob("*"):
                if path.is_file():
                    os.utime(path)

    def change(self, mark: str) -> None:
        """Change the image."""
        time.sleep(1.1)
        path = self.source / self.image
        path.write_bytes(self._image + f"<!-- {mark} -->".encode())
        self._collect()

    def _collect(self) -> None:
        """Let the ready folder have what Django makes of the sources; what is the same is not touched."""
        fresh = self.work / "fresh"
        product = Product("", "django.contrib.staticfiles.storage.ManifestStaticFilesStorage")
        variables = environment(product, fresh, folders=[("", self.source)], pass_over=self.work / "passed-over")
        run([sys.executable, "-m", "django", "collectstatic", "--noinput", "-v0"], cwd=BENCH, env=variables)
        for path in fresh.rglob("*"):
            target = self.ready / path.relative_to(fresh)
            if path.is_file() and not (target.is_file() and target.read_bytes() == path.read_bytes()):
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
        for path in [*self.ready.rglob("*")]:
            if path.is_file() and not (fresh / path.relative_to(self.ready)).is_file():
                path.unlink()
        shutil.rmtree(fresh)

    def fault(self, place: Place, location: str, publisher: Publisher, home: Path) -> str:
        """What is wrong with what was published; empty if every file is there and the image is the one of now."""
        there = place.keys(location)
        sources = {path.relative_to(self.source).as_posix(): path for path in self.source.rglob("*") if path.is_file()}
        missing = sorted(sources.keys() - there)
        if missing:
            return f"{len(missing)} files are missing: {missing[0]}"
        body = sources[self.image].read_bytes()
        if place.read(location, self.image) != body:
            return f"{self.image} is not what it was"
        if not publisher.hashes:
            return ""
        if publisher.local:
            names = json.loads((home / "root" / "staticfiles.json").read_text())["paths"]
        else:
            names = json.loads(place.read(location, "staticfiles.json"))["paths"]
        missing = sorted(name for name in names.values() if name not in there)
        if missing or len(names) < len(sources):
            return f"{len(missing)} hashed files are missing of {len(names)}: {missing[:1]}"
        if place.read(location, names[self.image]) != body:
            return f"{names[self.image]} is not {self.image}"
        if names[self.image].rpartition("/")[2].encode() not in place.read(location, names[self.sheet]):
            return f"{names[self.sheet]} does not name {names[self.image]}"
        return ""


class LargeSite:
    """Files of noise, of which nothing is asked but that they get there."""

    def __init__(self, work: Path, count: int, megabytes: int) -> None:
        self.source, self.ready = work / "large", work / "large-ready"
        self.count = count
        for folder in (self.source, self.ready):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        chance = random.Random(20_261_121)
        for i in range(count):
            with (self.source / f"{i}.bin").open("wb") as file:
                for _ in range(megabytes):
                    file.write(chance.randbytes(MEGABYTE))
            for name in (f"{i}.bin", f"{i}.0123456789ab.bin"):
                os.link(self.source / f"{i}.bin", self.ready / name)

    def fault(self, place: Place, location: str, publisher: Publisher, _home: Path) -> str:
        """What is wrong with what was published."""
        there = place.keys(location)
        for path in self.source.iterdir():
            copies = [
                key for key, size in there.items() if key.startswith(f"{path.stem}.") and size == path.stat().st_size
            ]
            if len(copies) != 1 + publisher.hashes:
                return f"of {path.name} there are {len(copies)} copies"
        return ""


def many(work: Path) -> dict[str, Path]:
    """2,000 files of 31 MB, the same each time: noise, scripts, and style sheets that name images."""
    folder = work / "corpora" / "2000"
    chance = random.Random(20_261_121)
    done = folder / "done"
    if not done.is_file():
        shutil.rmtree(folder, ignore_errors=True)
        for i in range(2000):
            # 2 to 29 KB, 15.5 in the mean.
            size = 2_000 + int(27_000 * chance.random())
            kind = ("svg", "png", "js", "css", "woff2")[i % 5]
            path = folder / "files" / f"{i % 37}" / f"{i:04}.{kind}"
            path.parent.mkdir(parents=True, exist_ok=True)
            if kind in ("png", "woff2"):
                path.write_bytes(chance.randbytes(size))
            elif kind == "svg":
                path.write_text(f"<svg><!-- {chance.randbytes(size // 2).hex()} --></svg>")
            elif kind == "js":
                path.write_text(f'export const noise{i} = "{chance.randbytes(size // 2).hex()}";\n')
            else:
                rule = f'.a{i} {{ background: url("../{(i - 3) % 37}/{i - 3:04}.svg") }}\n'
                path.write_text(rule + f".b{i}::after {{ content: '{chance.randbytes(size // 2).hex()}' }}\n")
        done.touch()
    return {p.relative_to(folder / "files").as_posix(): p for p in (folder / "files").rglob("*") if p.is_file()}


def admin(work: Path) -> dict[str, Path]:
    """Django's admin: 130 files."""
    return corpora.corpus("S", work).files()


def tiny(work: Path) -> dict[str, Path]:
    """A few files made here and now; one image has its own style sheet."""
    files = corpora.synthetic(work).files()
    folder = work / "corpora" / "tiny"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mark.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    (folder / "mark.css").write_text('.mark { background: url("mark.svg") }\n')
    return {**files, "mark.svg": folder / "mark.svg", "mark.css": folder / "mark.css"}
