"""A site whose releases follow each other, and what clients must be told of each."""

from __future__ import annotations

import hashlib
import json
import random
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from tests.rolling.deployment import SHIPFILES, Deployment, ended
from tests.rolling.trees import Text, Tree, Trees
from tests.services.whole import before, recorded
from tests.services.whole import current as current_id

ROOT_FILES = {"/favicon.ico": "favicon.ico", "/robots.txt": "robots.txt", "/.well-known/site.txt": "robots.txt"}
PRODUCT = replace(SHIPFILES, options={"serve": {"follow_current": True, "root_files": ROOT_FILES}})
PAGES = tuple((f"css/page{n}.css", f"js/page{n}.js", "favicon.ico", "big/changing.jpg") for n in range(6))


class WrongRelease(RuntimeError):
    """What was published is not what the sources say."""


class Site:
    """The site in ``folder``. Its sources, and what is done to it, follow from ``seed``.

    A release that has not been current for ``keep`` seconds may be pruned.
    """

    def __init__(self, folder: Path, seed: str, *, keep: float) -> None:
        self._chance = random.Random(seed)
        self._trees = Trees(self._chance)
        self._steady = _steady_files(self._chance)
        self.deployment = Deployment(folder, PRODUCT, ())
        self.bodies = folder / "bodies"
        self.bodies.mkdir()
        self.done: list[str] = []
        """What was done, in words."""
        self._keep = keep
        self._root = folder / "root"
        self._digests: dict[str, str] = {}
        self._made: dict[str, Tree] = {}
        """The releases that may still be there, by id."""
        self._last_current: dict[int, float] = {}
        self._tree: Tree | None = None
        self._step = 0

    @property
    def tree(self) -> Tree:
        """The sources of the current release."""
        assert self._tree is not None
        return self._tree

    def describe(self) -> Mapping[str, Any]:
        """What stays for all releases."""
        return {"do": "site", "pages": PAGES, "root_files": ROOT_FILES}

    def plan(self) -> tuple[str, Tree]:
        """What to do next, and which sources will then be those of the current release."""
        self._step += 1
        match self._step % 5:
            case 3:
                return "rollback", self._made[before(self._root)]
            case 0:
                # As when a merge is reverted.
                older = [tree for tree in self._made.values() if tree is not self._tree]
                return "collect older", self._chance.choice(older)
        return "collect", self._following()

    def carry_out(self, what: str, tree: Tree) -> Mapping[str, Any]:
        """Do what was planned; the message that the release of ``tree`` is current."""
        if self._tree is not None:
            self._last_current[self._tree.generation] = time.monotonic()
        if what == "rollback":
            self.deployment.rollback(tree)
        else:
            self.deployment.collect(tree)
        # What was current when this was begun is so until it has ended.
        if self._tree is not None:
            self._last_current[self._tree.generation] = time.monotonic()
        self._tree = tree
        self._made[current_id(self._root)] = tree
        self.done.append(what)
        return {"do": "switched", "to": tree.generation, "files": self._published(tree)}

    def retire(self) -> Mapping[str, Any]:
        """Before `prune`: the generations of which files may be taken away."""
        oldest = time.monotonic() - self._keep
        gone = [
            generation
            for generation, last in self._last_current.items()
            if last < oldest and generation != self.tree.generation
        ]
        return {"do": "retire", "generations": gone}

    def prune(self) -> None:
        """Take away what `retire` has said."""
        ended(self.deployment.begin_prune(self.tree, time.monotonic() - self._keep))
        there = recorded(self._root)
        self.done += ["releases pruned"] * (len(self._made) - len(self._made.keys() & there))
        self._made = {release: tree for release, tree in self._made.items() if release in there}

    def _following(self) -> Tree:
        tree = self._trees.following()
        number = tree.generation
        changing = {
            "favicon.ico": random.Random(f"icon {number}").randbytes(1200),
            "robots.txt": f"User-agent: *\n# {number}\n".encode() + b"Disallow: /page/0\n" * 100,
            # Kept ready in memory by each table: one that is not given back shows.
            "big/changing.jpg": random.Random(f"big {number}").randbytes(900_000),
        }
        return replace(tree, files={**tree.files, **self._steady, **changing}, pages=PAGES)

    def _published(self, tree: Tree) -> Mapping[str, tuple[str, str, str]]:
        """Logical path → URL, digest of what is published under it, and that of its source, by which all is judged."""
        names: Mapping[str, str] = json.loads((self._root / "staticfiles.json").read_bytes())["paths"]
        if names.keys() != tree.files.keys():
            raise WrongRelease(f"{set(names) ^ set(tree.files)} are in one of manifest and sources")
        return {
            logical: (f"/static/{names[logical]}", *self._digests_of(logical, source, names))
            for logical, source in tree.files.items()
        }

    def _digests_of(self, logical: str, source: Text | bytes, names: Mapping[str, str]) -> tuple[str, str]:
        name = names[logical]
        body = (self._root / name).read_bytes()
        plain = source.source() if isinstance(source, Text) else source
        if isinstance(source, Text):
            references = source.references(body)
            if references is None or any(urljoin(name, found) != names[target] for found, target in references):
                raise WrongRelease(f"{name} is not {logical} with new names: {body[:200]!r}")
        elif body != source:
            raise WrongRelease(f"{name} is not {logical}: {body[:60]!r}")
        digest = self._kept(body)
        # The bytes of a hashed name never change.
        if self._digests.setdefault(name, digest) != digest:
            raise WrongRelease(f"{name} has other bytes than before")
        return digest, self._kept(plain)

    def _kept(self, body: bytes) -> str:
        """The digest of ``body``, under which it is kept for the clients."""
        digest = hashlib.sha256(body).hexdigest()
        if not (self.bodies / digest).exists():
            (self.bodies / digest).write_bytes(body)
        return digest


def _steady_files(chance: random.Random) -> Mapping[str, bytes]:
    """The same in every release."""
    words = [chance.randbytes(4).hex() for _ in range(500)]
    return {
        "big/film.mp4": chance.randbytes(20_000_000),
        "big/poster.jpg": chance.randbytes(3_000_000),
        "big/table.json": ("[" + ",".join(f'"{chance.choice(words)}"' for _ in range(60_000)) + "]").encode(),
        "big/bundle.js": "".join(f"console.log('{chance.choice(words)}');\n" for _ in range(4_000)).encode(),
    }
