"""The pages of docs/topologies, followed on this machine: a new Django project, and what stands in the pages."""

from __future__ import annotations

import contextlib
import copy
import gzip
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from shipfiles.digest import digest_bytes, hashed_name
from tests.guides import FOLDER as GUIDES
from tests.guides import blocks
from tests.oracles.corpora import missing

from .servers import wait_until_listening

FOLDER = GUIDES.parent / "topologies"
DRAWN = "mermaid"

_REST = re.compile(r"(?ms)(^(INSTALLED_APPS|MIDDLEWARE) = \[[^\]]*)# \.\.\.$")

Change = tuple[str, str]
"""What is another here than in the page: a host, a port, a folder; and what stands in its place."""


class Page:
    """A page, of which each block has a name and is followed."""

    def __init__(self, name: str, *changes: Change) -> None:
        path = FOLDER / f"{name}.md"
        everything = [*blocks(path)]
        assert path.read_text().count("```") == 2 * len(everything), "a block that is not seen: is it indented?"
        found = [one for one in everything if one.kind != DRAWN]
        self._texts = {one.name: one.text for one in found}
        assert "" not in self._texts, f"a block without a name: {self._texts['']}"
        assert len(self._texts) == len(found), "a name that two blocks have"
        self._changes = changes
        self._left = set(self._texts)
        self._unchanged = {old for old, _ in changes}

    def text(self, name: str) -> str:
        """The block of that name, as it is to be here."""
        self._left.discard(name)
        return self.here(_REST.sub(r"\1*OTHER_\2", self._texts[name]))

    def here(self, text: str) -> str:
        """``text`` with what is another here."""
        for old, new in self._changes:
            if old in text:
                self._unchanged.discard(old)
                text = text.replace(old, new)
        return text

    def check_followed(self) -> None:
        """Nothing of the page was left out, and nothing was changed that is not there."""
        assert (self._left, self._unchanged) == (set(), set())


SETTINGS = """
import os

DEBUG = bool(os.environ.get("DEBUG"))
ALLOWED_HOSTS = ["*"]
STATICFILES_DIRS = [BASE_DIR / "assets"]
LOGGING_CONFIG = None
# What "# ..." stands for in the pages. The admin has 130 files to compress.
OTHER_INSTALLED_APPS = [name for name in INSTALLED_APPS if not name.endswith((".admin", ".staticfiles"))]
OTHER_MIDDLEWARE = MIDDLEWARE[1:]
INSTALLED_APPS, MIDDLEWARE = [], []
"""
URLS = """
from django.http import HttpResponse
from django.template import engines
from django.urls import path

PAGE = '''{% load static %}<!doctype html><link rel="stylesheet" href="{% static 'css/site.css' %}">
<script type="module" src="{% static 'js/app.js' %}"></script><img src="{% static 'img/logo.svg' %}">'''

urlpatterns = [path("", lambda request: HttpResponse(engines["django"].from_string(PAGE).render()))]
"""


def sources(version: int) -> dict[str, str]:
    """The static files of one version of the site: they refer to each other; some change with it and some do not."""
    return {
        "css/site.css": '@import "colours.css";\np { background: url("../img/logo.svg") }\n' + "p { margin: 0 }\n" * 40,
        "css/colours.css": f"/* version {version} */\n" + "a { color: red }\n" * 40,
        "js/app.js": f'import "./part.js";\nconsole.log("version {version}");\n' + "// a line\n" * 40,
        "js/part.js": "export default 1;\n" * 40,
        "img/logo.svg": f"<svg xmlns='http://www.w3.org/2000/svg'><title>{version}</title></svg>\n" + "\n" * 200,
        "img/same.svg": "<svg xmlns='http://www.w3.org/2000/svg'/>\n" + "\n" * 300,
    }  # fmt: skip


class Project:
    """What ``django-admin startproject example`` makes in ``folder``, with a page and its files.

    What people type finds their home and their programs in folders of the test: `program` adds to those.
    """

    def __init__(self, folder: Path, settings: str, version: int = 1) -> None:
        self.folder = folder / "project"
        self.home = folder / "home"
        self._programs = folder / "bin"
        self.variables: dict[str, str] = {}
        """What is in the environment of all commands, beside what is in the test's own."""
        for path in (self.folder, self.home / ".ssh", self._programs):
            path.mkdir(parents=True)
        if shutil.which("curl") is None:
            missing("curl is not installed (Debian: apt-get install curl)")
        self.program("python", f'exec "{sys.executable}" "$@"')
        self.program("gunicorn", f'exec "{sys.executable}" -m gunicorn --no-control-socket "$@"')
        self.program("sudo", 'exec "$@"')
        self.run("python -m django startproject example .")
        self.configure(SETTINGS)
        self.configure(settings)
        (self.folder / "example" / "urls.py").write_text(URLS)
        self.write(version)

    def image(self, version: int) -> Project:
        """The image of that version of the site, built from scratch: another folder, the same home."""
        made = copy.copy(self)
        made.folder = self.folder.with_name(f"project{version}")
        shutil.copytree(self.folder, made.folder, ignore=shutil.ignore_patterns("staticfiles", ".cache"))
        made.write(version)
        return made

    def program(self, name: str, script: str) -> None:
        """Make the program ``name`` what this shell script is."""
        path = self._programs / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def configure(self, settings: str) -> None:
        """Write these ``settings`` below the others."""
        with (self.folder / "example" / "settings.py").open("a") as file:
            file.write(f"\n{settings}")

    def write(self, version: int) -> None:
        """Write the static files of ``version``."""
        for name, text in sources(version).items():
            path = self.folder / "assets" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def environment(self) -> dict[str, str]:
        path = os.pathsep.join([str(self._programs), os.environ.get("PATH", ""), "/usr/sbin"])
        dropped = ("DJANGO_SETTINGS_MODULE", "SSH_AUTH_SOCK")
        kept = {name: value for name, value in os.environ.items() if name not in dropped}
        return {**kept, "HOME": str(self.home), "PATH": path, **self.variables}

    def run(self, commands: str, status: int = 0) -> str:
        """What the shell says to ``commands``, the first of which that fails is the last."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands], cwd=self.folder, env=self.environment(), timeout=120,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == status, f"{commands}\n{done.returncode}: {done.stdout}"
        assert "Traceback" not in done.stdout, done.stdout
        return done.stdout

    @contextlib.contextmanager
    def serving(self, command: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
        """``command`` runs, and listens at ``port``."""
        log = self.folder.parent / f"log{port}.txt"
        with log.open("wb") as out:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {command}"], cwd=self.folder, env=self.environment(), stdin=subprocess.DEVNULL,
                stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip
        try:
            wait_until_listening(port, process, log)
            yield process
        except BaseException:
            sys.stdout.write(f"{command}:\n{log.read_text(errors='replace')[-3000:]}")
            raise
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@dataclass(frozen=True)
class Answer:
    status: int
    fields: dict[str, str]
    """With names in lower case."""
    body: bytes


def get(url: str, **fields: str) -> Answer:
    """What is answered, unpacked; a body that ends before its length has been reached is an error."""
    asked = urllib.request.Request(url, headers=fields)
    try:
        found = urllib.request.urlopen(asked, timeout=30)
    except urllib.error.HTTPError as error:
        found = error
    with found:
        told, body = {name.lower(): value for name, value in found.headers.items()}, found.read()
    if told.get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    return Answer(found.status, told, body)


def load(url: str) -> dict[str, bytes]:
    """The files of the page at ``url`` by their URLs, as a browser finds them, all of which are whole and immutable."""
    page = get(url)
    assert page.status == 200, page
    waiting = [urljoin(url, found) for found in re.findall(r'(?:href|src)="([^"]+)"', page.body.decode())]
    assert len(waiting) == 3, page
    files: dict[str, bytes] = {}
    while waiting:
        found = waiting.pop()
        if found in files:
            continue
        answer = get(found)
        assert (answer.status, answer.fields["cache-control"]) == (200, "max-age=31536000, public, immutable"), found
        files[found] = answer.body
        named = urlsplit(found).path.rpartition("/")[2]
        assert hashed_name(re.sub(r"\.[0-9a-f]{12}\.", ".", named), digest_bytes(answer.body)) == named
        if named.endswith((".css", ".js")):
            references = re.findall(r'(?:@import|import|url\() ?"([^"]+)"', answer.body.decode())
            waiting += [urljoin(found, reference) for reference in references]
    assert len(files) == 5, files.keys()
    return files


def version_of(files: dict[str, bytes]) -> int:
    """The version of the site whose files these are."""
    (found,) = {int(one) for body in files.values() for one in re.findall(rb"version (\d+)", body)}
    return found
