"""Popular packages collect without stopping, and the report says truly what is broken in them.

``packages.json`` is what is broken, each entry verified in the package and with its reason; ``scripts/packages`` shows
what is missing in it.
"""

from __future__ import annotations

import json
import os
import posixpath
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.oracles.corpora import ROOT

from .fetched import corpora, corpus

pytestmark = pytest.mark.services

DATA = json.loads((ROOT / "tests" / "services" / "packages.json").read_text(encoding="utf-8"))
Broken = Counter[tuple[str, str]]
"""(logical path, reference) → how many times."""


def expected(packages: Iterable[str]) -> Broken:
    """What is known to be broken in ``packages``."""
    entries = [entry for package in packages for entry in DATA["packages"].get(package, [])]
    return Counter((entry["file"], text) for entry in entries for text in entry["references"])


@dataclass(frozen=True)
class Run:
    """A finished ``collectstatic --json``."""

    status: int
    report: dict[str, Any]
    said: str

    def problems(self, severity: str) -> Broken:
        listed = [problem for problem in self.report["problems"] if problem["severity"] == severity]
        return Counter((problem["logical"], problem["text"]) for problem in listed)


def collect(
    root: Path,
    *arguments: str,
    folders: Sequence[tuple[str, Path]],
    apps_folder: Path | str = "",
    apps: Sequence[str] = (),
    rewrite: Mapping[str, Any] | None = None,
) -> Run:
    """Run the command on a project with those STATICFILES_DIRS and apps."""
    site = {
        "root": str(root),
        "folders": [(prefix, str(folder)) for prefix, folder in folders],
        "apps_folder": str(apps_folder),
        "apps": list(apps),
        "rewrite": dict(rewrite or {}),
    }
    run = subprocess.run(
        [sys.executable, "-m", "django", "collectstatic", "--noinput", "--json", *arguments],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.services.packages_site.settings", "SITE": json.dumps(site)},
    )  # fmt: skip
    assert run.stdout.startswith("{"), run.stdout + run.stderr
    return Run(run.returncode, json.loads(run.stdout), run.stderr)


def tree(found: corpora.Corpus) -> dict[str, Path]:
    """Logical path → file of all that a project with the corpus has, without Shipfiles."""
    roots = [*found.folders, *(("", found.apps_folder / app / "static") for app in found.apps)]
    files: dict[str, Path] = {}
    for prefix, root in roots:
        for path in root.rglob("*"):
            if path.is_file():
                files.setdefault(posixpath.join(prefix, path.relative_to(root).as_posix()), path)
    return files


def target(file: str, text: str) -> str:
    """The logical path that a relative reference names."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(file), re.split(r"[?#]", text)[0]))


def known_packages() -> list[str]:
    return [*(f"{name}@{version}" for name, version, _ in (*corpora.ADMIN, *corpora.APPS)), *corpora.PACKAGES]


def test_packages_collect_and_the_report_is_what_is_known(tmp_path: Path) -> None:
    """Django's admin, sixteen apps and twenty npm packages: 24,000 files."""
    found = corpus("L")
    run = collect(tmp_path / "root", folders=found.folders, apps_folder=found.apps_folder, apps=found.apps)
    assert run.status == 0, run.said
    assert run.problems("error") == Counter()
    assert run.problems("warning") == expected(known_packages())
    assert run.report["warnings"] == expected(known_packages()).total()
    # Every source map that is named is there.
    assert run.problems("note") == Counter()
    paths = json.loads((tmp_path / "root" / "staticfiles.json").read_text())["paths"]
    assert paths.keys() == tree(found).keys()
    assert all((tmp_path / "root" / name).is_file() for name in paths.values())


def test_what_is_known_is_true() -> None:
    """Each entry's version is the one that is looked at, its target is missing, and its reason holds."""
    files = tree(corpus("L"))
    assert DATA["packages"].keys() <= set(known_packages())
    for entry in (entry for entries in DATA["packages"].values() for entry in entries):
        assert entry["file"] in files
        assert entry["why"] in DATA["reasons"]
        body = files[entry["file"]].read_text(encoding="utf-8")
        for text in entry["references"]:
            named = target(entry["file"], text)
            assert text in body
            assert named not in files
            # What a bundler resolves (Node.js, "Folders as modules"), and nothing else has that reason.
            assert (entry["why"] == "bundler") == (f"{named}.js" in files or f"{named}/index.js" in files)


# Far simpler than the scanners: no strings, no templates, no escapes.
CSS = re.compile(
    r"""url\(\s*(?:"([^"]*)"|'([^']*)'|([^)'"\s]*))\s*\)|@import\s+(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE
)
CSS_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
MODULE = re.compile(r"""\b(?:import|export)\b\s*(?:[\w*$\s,{}]*?\bfrom\b)?\s*\(?\s*["'](\.{1,2}/[^"'\n]+)["']""")
SCRIPT_COMMENT = re.compile(r"^[ \t]*(?:\*|//|/\*).*", re.MULTILINE)
ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:|/|#|%23", re.IGNORECASE)


def test_nothing_is_missed() -> None:
    """A search with a few simple expressions finds the same broken references, no more and no fewer."""
    files = tree(corpus("L"))
    broken = set()
    for logical, path in files.items():
        if logical.endswith(".css"):
            text = CSS_COMMENT.sub("", path.read_text(encoding="utf-8", errors="replace"))
            named = ["".join(group or "" for group in match) for match in CSS.findall(text)]
        elif logical.endswith((".js", ".mjs", ".cjs")):
            named = MODULE.findall(SCRIPT_COMMENT.sub("", path.read_text(encoding="utf-8", errors="replace")))
        else:
            continue
        for reference in named:
            if reference and not ELSEWHERE.match(reference) and target(logical, reference) not in files:
                broken.add((logical, reference))
    known = expected(known_packages()).keys()
    assert broken == {(file, text) for file, text in known if file.endswith((".css", ".js", ".mjs", ".cjs"))}


@pytest.fixture
def vendor(tmp_path: Path) -> list[tuple[str, Path]]:
    """The npm packages in a folder of the project, as people copy them into one: now they are its own files."""
    folders = []
    for package, (prefix, folder) in zip(corpora.PACKAGES, corpus("L").folders, strict=True):
        if package in DATA["packages"]:
            shutil.copytree(folder, tmp_path / "vendor" / prefix)
            folders.append((prefix, tmp_path / "vendor" / prefix))
    return folders


def test_in_the_projects_own_files_all_of_them_are_errors_at_once(tmp_path: Path, vendor: Any) -> None:
    run = collect(tmp_path / "root", folders=vendor)
    known = expected(corpora.PACKAGES)
    assert run.status == 1
    assert run.problems("error") == known
    assert run.problems("warning") == Counter()
    assert f"{known.total()} broken references" in run.said
    for file, text in known:
        assert f"{tmp_path / 'vendor' / file}:" in run.said, text
    assert not (tmp_path / "root" / "staticfiles.json").exists()


def test_options_make_warnings_of_them(tmp_path: Path, vendor: Any) -> None:
    run = collect(tmp_path / "root", "--dry-run", folders=vendor, rewrite={"own_missing": "warning"})
    assert run.status == 0, run.said
    assert run.problems("error") == Counter()
    assert run.problems("warning") == expected(corpora.PACKAGES)


def test_rules_choose_by_file_and_by_reference(tmp_path: Path, vendor: Any) -> None:
    """What is left over is still an error, and only that."""
    rules = [
        {"files": "leaflet/src/*", "severity": "ignore"},
        {"files": "alpinejs/*", "severity": "warning"},
        {"files": "*.html", "severity": "ignore"},
        {"references": "*/sre-lab.js", "severity": "note"},
    ]
    run = collect(tmp_path / "root", folders=vendor, rewrite={"missing": rules})
    assert run.status == 1
    assert run.problems("error") == {("date-fns/_lib/test.js", "./test/vitest"): 1}
    assert run.problems("warning") == expected(p for p in corpora.PACKAGES if p.startswith("alpinejs@"))
    assert run.problems("note") == {("mathjax/sre/speech-worker.js", "./sre-lab.js"): 1}


def test_the_documents_say_the_same() -> None:
    corpus("L")  # fetched under the tests' lock
    run = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "packages"), "--check"], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
