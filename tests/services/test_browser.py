"""Pages of real packages in a real browser: nothing fails, and only hashed names are fetched."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.oracles.corpora import ROOT

from .fetched import npm_folders, one_at_a_time
from .servers import free_port, wait_until_listening
from .watched import HASHED, watch

pytestmark = pytest.mark.services

SITE = ROOT / "tests" / "services" / "browser_site"
PACKAGES = (
    "bootstrap@5.3.8",
    "bootstrap-icons@1.13.2",
    "lodash-es@4.18.1",
    "monaco-editor@0.57.0",
    "pdfjs-dist@6.5.438",
    "three@0.187.0",
)
# Thousands of files that no page asks for: each icon for itself, monaco's builds for other loaders.
UNUSED = ("--ignore=icons", "--ignore=dev", "--ignore=min")
# Names with letters that URLs, CSS and file systems treat apart: made here, because not every tool that unpacks a
# source tree gets them right.
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="24" height="24"><rect width="9" height="9"/></svg>'
ODD = {"own/img/café (1).svg": SVG, "own/img/it's.svg": SVG, "own/js/größe.mjs": 'export const größe = "XL";\n'}


@dataclass
class Visit:
    """What was seen of one page."""

    result: Any = None
    faults: list[str] = field(default_factory=list)
    """Failed requests, console errors, exceptions in the page."""
    answers: list[tuple[int, str]] = field(default_factory=list)
    """Status and path of what the server was asked for, by the page and its workers."""

    @property
    def static(self) -> list[str]:
        """The paths below STATIC_URL."""
        return [path.removeprefix("/static/") for _, path in self.answers if path.startswith("/static/")]

    def logical(self) -> set[str]:
        """The logical paths of the hashed names that were fetched."""
        return {found["stem"] + (found["extension"] or "") for path in self.static if (found := HASHED.fullmatch(path))}


@dataclass
class Site:
    """The running site."""

    origin: str
    log: Path
    sources: dict[str, Path]
    """Logical path → file, found by walking the folders."""

    def answers(self) -> list[tuple[int, str]]:
        lines = self.log.read_text().splitlines()
        return [(int(line[:3]), line[4:]) for line in lines]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of the site's processes; it names the collected site, which the workers of a run share."""
    folders: list[tuple[str, str]] = [(name, str(path)) for name, path in npm_folders(*PACKAGES).items()]
    home = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        home = home.parent
    home = home / "browser-site"
    home.mkdir(exist_ok=True)
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.services.browser_site.settings",
        "SITE_ROOT": str(home / "root"),
        "SITE_FOLDERS": json.dumps([str(home / "odd"), *folders]),
    }
    with one_at_a_time(home / "lock"):
        if not (home / "root").exists():
            for name, text in {**ODD, "made/ship.pdf": small_pdf()}.items():
                path = home / "odd" / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            collected = subprocess.run(
                [sys.executable, "-m", "django", "collectstatic", "--noinput", *UNUSED],
                cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert collected.returncode == 0, collected.stderr
    return environment


def small_pdf() -> str:
    """One page of 200 by 100 points: a red square at the lower left, and a word."""
    content = "1 0 0 rg 10 10 30 30 re f BT /F 12 Tf 0 g 60 40 Td (Ahoy) Tj ET"
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 100] /Contents 4 0 R /Resources << /Font << /F 5 0 R >> >> >>",
        f"<< /Length {len(content)} >>\nstream\n{content}\nendstream",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    body, offsets = "%PDF-1.7\n", []
    for number, text in enumerate(objects, 1):
        offsets.append(len(body))
        body += f"{number} 0 obj\n{text}\nendobj\n"
    entries = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    start = len(body)
    body += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{entries}"
    return body + f"trailer << /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n"


@pytest.fixture(scope="module")
def way(request: pytest.FixtureRequest) -> str:
    """Around Django (``app``), or as its ``middleware``."""
    return getattr(request, "param", "app")


@pytest.fixture(scope="module")
def site(built: dict[str, str], way: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    environment = built
    folder = tmp_path_factory.mktemp("server")
    log, port = folder / "answers.txt", free_port()
    log.touch()  # the server opens it when it has loaded the site, which may be after it takes connections
    environment = {**environment, "SITE_LOG": str(log)}
    if way == "middleware":
        environment["SITE_MIDDLEWARE"] = "1"
    arguments = ("--bind", f"127.0.0.1:{port}", "--worker-class", "gthread", "--threads", "4", "--log-level", "warning")
    with (folder / "server.txt").open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", *arguments, "tests.services.browser_site.wsgi:application"],
            cwd=ROOT, env=environment, stdout=out, stderr=out, start_new_session=True,
        )  # fmt: skip
    try:
        wait_until_listening(port, process, folder / "server.txt")
        yield Site(f"http://127.0.0.1:{port}", log, sources_below(json.loads(environment["SITE_FOLDERS"])))
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def sources_below(folders: list[Any]) -> dict[str, Path]:
    """Logical path → file, without Shipfiles."""
    found: dict[str, Path] = {}
    for folder in [str(SITE / "static"), *folders]:
        prefix, root = ("", folder) if isinstance(folder, str) else (folder[0] + "/", folder[1])
        found.update(
            (prefix + path.relative_to(root).as_posix(), path) for path in Path(root).rglob("*") if path.is_file()
        )
    return found


def visit(context: Any, site: Site, name: str, screenshots: Path) -> Visit:
    """Open the page ``name``, wait for its own check, and tell what was seen."""
    seen, before = Visit(), len(site.answers())
    page = context.new_page()
    watch(page, seen.faults)
    page.goto(f"{site.origin}/{name}/")
    try:
        page.wait_for_selector("html[data-result]", state="attached", timeout=90_000)
        seen.result = json.loads(page.get_attribute("html", "data-result"))
        # What style sheets ask for late, such as cursors.
        page.wait_for_load_state("networkidle")
    except playwright_error() as fault:
        seen.faults.append(f"no result: {fault}")
    seen.answers = site.answers()[before:]
    picture = screenshots / f"{name}.png"
    page.screenshot(path=picture)
    if seen.faults:
        seen.faults.append(f"a picture of the page: {picture}")
    page.close()
    return seen


def playwright_error() -> type[Exception]:
    from playwright.sync_api import Error

    return Error


def check(seen: Visit, site: Site) -> None:
    """No fault, every answer a success, and below STATIC_URL only hashed names of existing files; no source map."""
    assert not seen.faults, "\n".join(seen.faults)
    assert {status for status, _ in seen.answers} <= {200, 304}
    assert seen.static
    assert [path for path in seen.static if not HASHED.fullmatch(path)] == []
    assert seen.logical() <= site.sources.keys()
    assert [path for path in seen.static if path.endswith(".map")] == []


@pytest.mark.parametrize("way", ["app", "middleware"], indirect=True)
def test_own_page_under_a_strict_policy(context: Any, site: Site, tmp_path: Path) -> None:
    """Every kind of reference that a browser follows, under ``default-src 'self'``."""
    seen = visit(context, site, "own", tmp_path)
    check(seen, site)
    assert seen.result.pop("strings") > 0
    assert seen.result == {
        "depth": 3,
        "cycle": "abca",
        "json": 3,
        "sheet": "rgb(10, 11, 12)",
        "effect": "seen",
        "size": "XL",
        "lazy": "late",
        "template": "from a template",
        "resolved": "plain text",
        "fetched": "Beagle",
        "moduleWorker": "ahoy ahoy ",
        "classicWorker": "heave ho",
        "picture": 24,
        "chain": "123",
        "layered": "rgb(4, 5, 6)",
        "cssCycle": "rgb(7, 8, 9)rgb(9, 8, 7)",
        "comment": "rgb(1, 2, 3)",
        "font": "Own Icons loaded",
        "sprite": True,
    }
    # All files of the page are there for a reason. The screen has one density, so one of a set's two pictures is
    # never fetched.
    own = {name for name in site.sources if name.startswith("own/")}
    assert own - seen.logical() == {"own/img/two.svg"}


def test_second_visit_fetches_no_static_file(context: Any, site: Site, tmp_path: Path) -> None:
    """Hashed names are immutable (RFC 8246): the browser does not ask again."""
    assert visit(context, site, "lodash", tmp_path).static
    again = visit(context, site, "lodash", tmp_path)
    assert again.faults == []
    assert again.answers == [(200, "/lodash/")]


def test_lodash(context: Any, site: Site, tmp_path: Path) -> None:
    seen = visit(context, site, "lodash", tmp_path)
    check(seen, site)
    assert seen.result == {"names": 322, "same": True, "chunks": [[1, 2], [3]]}
    assert len(seen.logical()) > 600


def test_bootstrap(context: Any, site: Site, tmp_path: Path) -> None:
    seen = visit(context, site, "bootstrap", tmp_path)
    check(seen, site)
    assert seen.result == {
        "version": "5.3.8",
        "shown": True,
        "button": "rgb(13, 110, 253)",
        "icon": "bootstrap-icons",
        "fonts": ["loaded"],
        "dataImage": 'url("data:image/svg+x'[:20],
    }
    assert "bootstrap-icons/font/fonts/bootstrap-icons.woff2" in seen.logical()


def test_pdfjs_with_its_worker(context: Any, site: Site, tmp_path: Path) -> None:
    """The worker is a module of its own, which the page gives by ``new URL(..., import.meta.url)``."""
    seen = visit(context, site, "pdf", tmp_path)
    check(seen, site)
    assert seen.result == {"pages": 1, "text": "Ahoy", "red": "255 0 0", "white": "255 255 255", "fake": False}
    assert {"pdfjs-dist/build/pdf.mjs", "pdfjs-dist/build/pdf.worker.mjs"} <= seen.logical()


def test_three(context: Any, site: Site, tmp_path: Path) -> None:
    """A rendered scene; three's modules find each other by the import map that its documentation asks for."""
    seen = visit(context, site, "three", tmp_path)
    check(seen, site)
    assert seen.result == {"revision": "187", "vertices": True, "reddest": True, "texture": 24, "svg": 2}


def test_every_module_of_threes_examples(context: Any, site: Site, tmp_path: Path) -> None:
    """All but the three that need modules from another host."""
    seen = visit(context, site, "addons", tmp_path)
    check(seen, site)
    assert seen.result["failed"] == {}
    assert seen.result["modules"] > 400


def test_monaco_module_by_module(context: Any, site: Site, tmp_path: Path) -> None:
    """Monaco's ESM as it lies in the package: a thousand modules, their workers, style sheets and the icons' font.

    Its modules import style sheets (``import "./editor.css"``), which bundlers take out and no browser can load without
    import attributes. The page's import map gives an empty module for each of them, and links the sheets.
    """
    seen = visit(context, site, "monaco", tmp_path)
    check(seen, site)
    assert seen.result["text"] == '{"ship": "Argo",}'
    assert seen.result["coloured"]
    assert seen.result["markers"] == ["Trailing comma"]
    assert seen.result["languages"]
    logical = seen.logical()
    assert len([name for name in logical if name.startswith("monaco-editor/esm/")]) > 900
    assert "monaco-editor/esm/vs/languages/features/json/json.worker.js" in logical
    assert [name for name in logical if name.endswith("codicon.ttf")]


def test_faults_are_seen(context: Any, site: Site, tmp_path: Path) -> None:
    """The witness itself: a page with a fault of each kind."""
    seen = visit(context, site, "broken", tmp_path)
    text = "\n".join(seen.faults)
    assert "said on purpose" in text
    assert "exception: thrown on purpose" in text
    assert f"404: {site.origin}/static/own/img/nowhere.svg" in text
    assert "Content Security Policy" in text
    assert (404, "/static/own/img/nowhere.svg") in seen.answers
    assert not HASHED.fullmatch("own/img/icon.svg")
    assert "own/img/icon.svg" in seen.static
    with pytest.raises(AssertionError):
        check(seen, site)
