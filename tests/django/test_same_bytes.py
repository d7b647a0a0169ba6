"""The same sources give the same bytes, however, where and after whatever they were collected.

Each run here is a process of its own with its own environment, as on another machine.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from shipfiles.build.lanes import AFTER, LARGE
from shipfiles.records import POINTER_KEY
from tests.django.test_collectstatic import MANAGE, tree
from tests.django.test_unchanged import looked_later

# What differs between two runs comes from the environment.
SETTINGS = """
import json, os
GIVEN = json.loads(os.environ["GIVEN"])
SECRET_KEY = "x"
INSTALLED_APPS = ["shipfiles.django", "django.contrib.staticfiles"]
BASE_DIR = os.path.dirname(os.path.abspath(__file__))
STATIC_URL = "/static/"
STATIC_ROOT = GIVEN["root"]
STATICFILES_DIRS = [GIVEN["src"]]
STATICFILES_FINDERS = [GIVEN.get("finder", "django.contrib.staticfiles.finders.FileSystemFinder")]
STORAGES = {"staticfiles": {
    "BACKEND": "shipfiles.django.storage.StaticStorage",
    "OPTIONS": {"compress": {"brotli_quality": 5, "gzip_level": 6}, **GIVEN["options"]},
}}
"""
FINDERS = """
import random
from django.contrib.staticfiles.finders import FileSystemFinder

class Reversed(FileSystemFinder):
    def list(self, ignore_patterns):
        return reversed(list(super().list(ignore_patterns)))

class Shuffled(FileSystemFinder):
    def list(self, ignore_patterns):
        found = list(super().list(ignore_patterns))
        random.Random(7).shuffle(found)
        return found
"""

RULES = "p { color: red }\n" * 40
SVG = "<svg xmlns='http://www.w3.org/2000/svg'>" + "<g/>" * 100 + "</svg>"
LINE = "a{{background:url(../img/{}.png)}} /* no url(no.png) */" + " " * 9_000 + "\n"
SITE: dict[str, str | bytes] = {
    # Circles, of two style sheets, of one with itself, of three scripts.
    "css/a.css": "@import 'b.css'; a { background: url(../img/x.svg) }\n" + RULES,
    "css/b.css": "@import url(a.css); b { background: url('../img/1.png') }\n" + RULES,
    "css/self.css": "@import 'self.css';\n" + RULES,
    "js/a.js": "import './b.js';\n" + "a();\n" * 100,
    "js/b.js": "import './c.js'; export * from './a.js';\n" + "b();\n" * 100,
    "js/c.js": "import('./a.js'); new URL('../img/x.svg', import.meta.url);\n" + "c();\n" * 100,
    # What hangs on them.
    "page.html": "<!doctype html><link rel=stylesheet href=css/a.css><script src=js/a.js integrity=sha384-x></script>",
    "top.css": "@import 'css/a.css';\n@import 'css/self.css';\n" + RULES,
    # One content under several names, rewritten and not.
    "copy/x.svg": SVG, "img/x.svg": SVG, "css/x2.svg": SVG,
    "copy/top.css": "@import '../css/a.css';\n" + RULES, "copy/again.css": "@import '../css/a.css';\n" + RULES,
    # Named by a bundler, with its manifest and without.
    "dist/app-BWx3k2_9.js": "import './chunk-DKl29xPq.js';\n" + "app();\n" * 100,
    "dist/chunk-DKl29xPq.js": "chunk();\n" * 100,
    "dist/manifest.json": json.dumps({"app.js": {"file": "app-BWx3k2_9.js", "imports": ["chunk.js"]},
                                      "chunk.js": {"file": "chunk-DKl29xPq.js"}}),
    "pack/main.11593f3b9364a7cd8292.js": "main();\n" * 100,
    # Encodings, odd names, files too small or of no use to compress, one called as a variant of another.
    "latin.css": b"@charset 'latin1'; /* \xe9 */ a { background: url(img/1.png) }\n" + RULES.encode(),
    "wide.css": ("a { background: url(img/x.svg) }\n" + RULES).encode("utf-16"),
    "\u00fc b%.css": "a { background: url(img/2.png) }\n" + RULES,
    "empty.txt": "", "small.txt": "x", "js/a.js.gz": b"not a variant",
    "large.bin": random.Random(1).randbytes(300_000),
    **{f"img/{n}.png": b"\x89PNG %d" % n for n in range(40)},
    # Large enough that other processes find the references in the last of them.
    **{f"large/{n}.css": "".join(LINE.format((k + n) % 40) for k in range(110)) for n in range(12)},
}  # fmt: skip


class Machine:
    """A project in ``folder``, with an environment of its own."""

    def __init__(
        self,
        folder: Path,
        *,
        src: str = "src",
        root: str = "root",
        finder: str = "",
        umask: int = 0o022,
        flags: tuple[str, ...] = (),
        environment: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        self.folder, self.src, self.root = folder, folder / src, folder / root
        self._umask, self._flags, self._environment = umask, flags, environment or {}
        self._given = {"src": str(self.src), "root": str(self.root), "options": options}
        if finder:
            self._given["finder"] = finder
        self.src.mkdir(parents=True)
        (folder / "given_settings.py").write_text(SETTINGS)
        (folder / "given_finders.py").write_text(FINDERS)

    def write(self, files: Mapping[str, str | bytes], *, backwards: bool = False, year: int = 2020) -> None:
        """Write the sources, as if in that ``year``."""
        for number, name in enumerate(sorted(files, reverse=backwards)):
            path, body = self.src / name, files[name]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body if isinstance(body, bytes) else body.encode())
            then = (year - 1970) * 31_556_952 + number
            os.utime(path, (then, then))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "given_settings", "GIVEN": json.dumps(self._given)}
        environment["PYTHONPATH"] = os.pathsep.join([str(self.folder), environment.get("PYTHONPATH", "")])
        command = [sys.executable, *self._flags, "-c", MANAGE, "collectstatic", "--noinput", *arguments]
        return subprocess.Popen(
            command, env={**environment, **self._environment}, cwd=self.folder, umask=self._umask,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8",
        )  # fmt: skip

    def collect(self, *arguments: str) -> str:
        run = self.start(*arguments)
        out, err = run.communicate(timeout=300)
        assert run.returncode == 0, err
        assert "build cache" not in err
        return out

    def facts(self, *arguments: str) -> dict[str, Any]:
        facts: dict[str, Any] = json.loads(self.collect("--json", *arguments))
        return facts

    def tree(self) -> dict[str, bytes]:
        """All that was published. What is remembered of the sources has their inodes and times, and is left out."""
        return tree(self.root)


def test_the_site_is_one_that_other_processes_help_to_read() -> None:
    sizes = [len(body) for name, body in SITE.items() if name.startswith("large/")]
    assert min(sizes) >= LARGE
    assert sum(sizes[:-2]) > AFTER


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], dict[str, Any]]:
    """The tree that one worker makes without a cache, and the numbers of that run."""
    environment = {"PYTHONHASHSEED": "0", "LC_ALL": "C", "TZ": "UTC"}
    machine = Machine(tmp_path_factory.mktemp("plain"), workers=1, cache={"enabled": False}, environment=environment)
    machine.write(SITE)
    facts = machine.facts()
    return machine.tree(), facts


def numbers(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What a run says that does not depend on time and place."""
    times = ("seconds", "phases", "bytes_per_second", "encoder_seconds", "start_seconds")
    return {k: v for k, v in facts.items() if k not in (*times, "problems")}


MACHINES: dict[str, dict[str, Any]] = {
    "four workers": {"workers": 4, "environment": {"PYTHONHASHSEED": "1"}},
    "other folders": {"src": "d\u00e9p\u00f4t x/a/static", "root": "var/www/%s/st\u00e4tic", "workers": 4},
    "reversed": {"finder": "given_finders.Reversed", "workers": 2, "environment": {"PYTHONHASHSEED": "2"}},
    "shuffled": {"finder": "given_finders.Shuffled", "workers": 4, "environment": {"PYTHONHASHSEED": "3"}},
    "elsewhere": {
        "environment": {"LC_ALL": "C.UTF-8", "TZ": "Asia/Kathmandu", "PYTHONHASHSEED": "4", "PYTHONUTF8": "1"},
        "umask": 0o077, "flags": ("-O", "-X", "dev"), "cache": {"enabled": False},
    },
}  # fmt: skip


@pytest.mark.parametrize("name", MACHINES)
def test_another_machine(tmp_path: Path, plain, name: str) -> None:
    expected, facts = plain
    assert {f"{n}{s}" for n in ("css/a.css", "large/0.css") for s in (".br", ".gz")} <= expected.keys()
    machine = Machine(tmp_path, **MACHINES[name])
    machine.write(SITE, backwards=True, year=2001)
    assert numbers(machine.facts()) == numbers(facts)
    assert machine.tree() == expected


def test_with_the_cache_of_another_machine(tmp_path: Path, plain) -> None:
    expected, facts = plain
    for name, encoded in (("one", facts["variants_made"]), ("two", 0)):
        machine = Machine(tmp_path / name, workers=4, cache={"folder": str(tmp_path / "cache")})
        machine.write(SITE, backwards=name == "two")
        assert machine.facts()["variants_made"] == encoded
        assert machine.tree() == expected


def test_after_other_releases(tmp_path: Path, plain) -> None:
    """An older release, then one of which little differs: the run over what changed leaves what a first run leaves."""
    expected, facts = plain
    machine = Machine(tmp_path, workers=4)
    machine.write({**SITE, "css/b.css": "b { color: blue }\n" * 50, "js/c.js": "c();", "img/x.svg": SVG + "\n"})
    machine.collect()
    looked_later(machine.folder)
    older = machine.tree()
    machine.write({name: SITE[name] for name in ("css/b.css", "js/c.js", "img/x.svg")}, year=2021)
    out = machine.collect()
    assert "Look for changes: 3 files" in out
    assert f"Read and scan: {len(SITE)} files" not in out
    found = machine.tree()
    assert {key: found.get(key) for key in expected} == expected
    assert {key: older.get(key) for key in found.keys() - expected.keys()} == {
        key: found[key] for key in found.keys() - expected.keys()
    }
    # Nothing of the older ones is left where they are cleared away.
    machine.collect("--clear")
    assert machine.tree() == expected
    assert json.loads(expected[POINTER_KEY])["release"] == facts["release"]


def test_two_branches_in_turn_from_one_cache(tmp_path: Path) -> None:
    common = {name: body for name, body in SITE.items() if not name.startswith("large")}
    branches = {
        "main": common,
        "topic": {**common, "css/b.css": "b { color: blue }\n" * 50, "new.js": "import './js/a.js';\n" * 30},
    }
    alone = {}
    for branch, files in branches.items():
        machine = Machine(tmp_path / "alone" / branch, cache={"enabled": False})
        machine.write(files)
        machine.collect()
        alone[branch] = machine.tree()
    assert alone["main"] != alone["topic"]
    for visit, branch in enumerate(["main", "topic", "main", "topic", "main"]):
        machine = Machine(tmp_path / f"visit{visit}", cache={"folder": str(tmp_path / "cache")})
        machine.write(branches[branch], year=2000 + visit)
        encoded = machine.facts()["variants_made"]
        assert (encoded == 0) == (visit >= 2)
        assert machine.tree() == alone[branch]


def test_two_branches_in_turn_in_one_place(tmp_path: Path) -> None:
    """As a developer changes branches: in one folder, with one STATIC_ROOT."""
    common = {name: body for name, body in SITE.items() if not name.startswith("large")}
    changes: dict[str, dict[str, str | bytes]] = {
        "main": {name: common[name] for name in ("css/b.css", "js/c.js")},
        "topic": {"css/b.css": "b { color: blue }\n" * 50, "js/c.js": "c();\n" * 100},
    }
    machine = Machine(tmp_path / "place")
    machine.write(common)
    seen: dict[str, dict[str, bytes]] = {}
    for visit, branch in enumerate(["main", "topic", "main", "topic"]):
        # What has changed has another time, also where an older state comes back.
        machine.write(changes[branch], year=2010 - visit)
        facts = machine.facts()
        if branch in seen:
            assert facts["variants_made"] == 0
        else:
            fresh = Machine(tmp_path / branch, cache={"enabled": False})
            fresh.write({**common, **changes[branch]})
            fresh.collect()
            seen[branch] = fresh.tree()
        found = machine.tree()
        assert {key: found.get(key) for key in seen[branch]} == seen[branch]


def test_two_runs_at_once_on_one_cache(tmp_path: Path) -> None:
    common = {name: body for name, body in SITE.items() if not name.startswith("large")}
    files: dict[str, dict[str, str | bytes]] = {
        "one": {**common, "css/b.css": "b { color: blue }\n" * 50}, "two": {**common, "js/c.js": "c();\n" * 100},
    }  # fmt: skip
    alone = {}
    for name in files:
        machine = Machine(tmp_path / "alone" / name, cache={"enabled": False})
        machine.write(files[name])
        machine.collect()
        alone[name] = machine.tree()
    for number in range(4):
        # Every second time they find what the last two left.
        cache = {"folder": str(tmp_path / f"cache{number // 2}")}
        machines = {name: Machine(tmp_path / f"{number}" / name, workers=2, cache=cache) for name in files}
        for name, machine in machines.items():
            machine.write(files[name])
        runs = {name: machine.start() for name, machine in machines.items()}
        for name, run in runs.items():
            _, err = run.communicate(timeout=300)
            assert run.returncode == 0, err
            assert "build cache" not in err
            assert machines[name].tree() == alone[name]
    third = Machine(tmp_path / "third", cache=cache)
    third.write(files["one"])
    assert third.facts()["variants_made"] == 0
    assert third.tree() == alone["one"]
