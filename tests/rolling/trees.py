"""The sources of a site, one tree a release, and what each of their files must say once it is published."""

from __future__ import annotations

import os
import posixpath
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path


@dataclass(frozen=True)
class Text:
    """A file that refers to others: its text in pieces, with a reference between each two."""

    logical: str
    pieces: tuple[str, ...]
    targets: tuple[str, ...]
    """Logical paths."""

    def source(self) -> bytes:
        """The file as a person writes it: with relative paths."""
        folder = posixpath.dirname(self.logical)
        paths = [posixpath.relpath(target, folder) for target in self.targets]
        # A bare name would be no reference in JavaScript.
        dotted = [path if path.startswith(".") else f"./{path}" for path in paths]
        return "".join(f"{piece}{path}" for piece, path in zip(self.pieces, [*dotted, ""], strict=True)).encode()

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile('([^"\n]+)'.join(map(re.escape, self.pieces)))

    def references(self, body: bytes) -> list[tuple[str, str]] | None:
        """``(reference as published, logical path)`` of each; ``None`` if ``body`` is not this file with new names."""
        match = self._pattern.fullmatch(body.decode("utf-8", "replace"))
        return None if match is None else list(zip(match.groups(), self.targets, strict=True))


@dataclass(frozen=True)
class Tree:
    """All sources of one release."""

    generation: int
    files: Mapping[str, Text | bytes]
    pages: tuple[tuple[str, ...], ...]
    """The logical paths that each page names."""

    def write(self, folder: Path) -> None:
        """Make ``folder`` hold these files and no others; what is there already is not touched."""
        there = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
        for logical, content in self.files.items():
            body = content.source() if isinstance(content, Text) else content
            path = folder / logical
            if logical not in there or path.read_bytes() != body:
                path.parent.mkdir(parents=True, exist_ok=True)
                # As editors and git do.
                beside = path.with_name(f".{path.name}")
                beside.write_bytes(body)
                os.replace(beside, path)
        for logical in there.keys() - self.files.keys():
            there[logical].unlink()


@dataclass
class Trees:
    """A site that lives: each `following` tree changes, adds and removes some files of the one before.

    ``cycles``: whether modules may import each other in a circle.
    """

    chance: random.Random
    cycles: bool = True
    pages: int = 6
    parts: int = 9
    made: list[Tree] = field(default_factory=list)
    _versions: dict[str, int] = field(default_factory=dict)

    def following(self) -> Tree:
        """The next tree. Every page differs from the one before; of the files that it needs, about a third do."""
        generation = len(self.made)
        for number in range(self.parts * 2):
            for logical in (f"css/part/{number}.css", f"js/part/{number}.js", f"img/{number}.png"):
                self._age(logical, number, generation)
        there = self._versions.keys()
        files: dict[str, Text | bytes] = {}
        for logical, version in self._versions.items():
            files[logical] = self._part(logical, version, sorted(there))
        pages = []
        for page in range(self.pages):
            styles, modules, images = (
                self._pick(sorted(there), folder, generation * 1000 + page) for folder in ("css", "js", "img")
            )
            style, module = f"css/page{page}.css", f"js/page{page}.js"
            files[style] = _style(style, generation, styles, images[:1])
            files[module] = _module(module, generation, modules)
            pages.append((style, module, *images[1:]))
        tree = Tree(generation, files, tuple(pages))
        self.made.append(tree)
        return tree

    def _age(self, logical: str, number: int, generation: int) -> None:
        """Let a part change, appear, go, or come back as it was or otherwise."""
        if generation == 0:
            if number < self.parts:
                self._versions[logical] = 0
        elif logical in self._versions:
            if self.chance.random() < 0.25:
                older = self.chance.random() < 0.2
                self._versions[logical] = self.chance.randrange(generation) if older else generation
            elif self.chance.random() < 0.07 and sum(name[:3] == logical[:3] for name in self._versions) > 4:
                del self._versions[logical]
        elif self.chance.random() < 0.06:
            self._versions[logical] = generation

    def _part(self, logical: str, version: int, there: list[str]) -> Text | bytes:
        """A part of that version. What it says depends on nothing else, what it refers to on what there is."""
        chance = random.Random(f"{logical} {version}")
        if logical.startswith("img/"):
            # Some are sent as files, most from memory.
            size = 150_000 if chance.random() < 0.1 else chance.randrange(100, 3000)
            return f"\x89PNG {logical} of {version} ".encode("latin-1") + chance.randbytes(size)
        if logical.startswith("css/"):
            # Each imports only later ones: a circle of style sheets is nothing that people write.
            later = [name for name in there if name.startswith("css/part/") and name > logical]
            return _style(logical, version, later[:1] if chance.random() < 0.4 else [], self._pick(there, "img", 1)[:1])
        near = [name for name in there if name.startswith("js/part/") and name != logical]
        if not self.cycles:
            near = [name for name in near if name > logical]
        return _module(logical, version, near[:1] if chance.random() < 0.5 else [])

    @staticmethod
    def _pick(there: list[str], folder: str, seed: int) -> list[str]:
        """Three parts of a kind."""
        parts = [name for name in there if name.startswith(f"{folder}/") and "page" not in name]
        return random.Random(f"{folder} {seed}").sample(parts, min(3, len(parts)))


def _style(logical: str, version: int, imports: list[str], images: list[str]) -> Text:
    head = f"/* {logical} of {version} */\n"
    pieces, targets = [head], [*imports, *images]
    for target in targets:
        pieces[-1] += '@import url("' if target in imports else '.box { background: url("'
        pieces.append('");\n' if target in imports else '") }\n')
    pieces[-1] += f".part {{ order: {version}; color: red }}\n" * 12
    return Text(logical, tuple(pieces), tuple(targets))


def _module(logical: str, version: int, imports: list[str]) -> Text:
    pieces = [f"/* {logical} of {version} */\n"]
    for i, _ in enumerate(imports):
        pieces[-1] += f'import {{ version as v{i} }} from "'
        pieces.append('";\n')
    pieces[-1] += f"export const version = {version};\n" + f"console.log('{logical}', version + {version});\n" * 12
    return Text(logical, tuple(pieces), tuple(imports))
