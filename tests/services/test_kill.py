"""Kill -9 at fifty random moments: what is live is whole at each of them, and one run at the end makes it right."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from shipfiles.config import ServeConfig
from shipfiles.digest import digest_bytes
from shipfiles.manifest import Manifest, reader_of
from shipfiles.records import read_current
from shipfiles.serve.wsgi import StaticApp
from tests.django.test_collectstatic import MANAGE, SETTINGS

pytestmark = pytest.mark.services

FILES = 120


def write(folder: Path, version: int, chance: random.Random) -> None:
    """Another version of some of the files; all in the first."""
    folder.mkdir(exist_ok=True)
    for i in range(FILES):
        if version == 0 or chance.random() < 0.2:
            imported = f"@import '{(i + 1) % FILES}.css';\n" if i % 3 else ""
            (folder / f"{i}.css").write_text(f"{imported}a{{order:{version}}}\n" + "p { color: red }\n" * (i * 20))


def start(project: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "project_settings"}
    environment["PYTHONPATH"] = os.pathsep.join([str(project), environment.get("PYTHONPATH", "")])
    command = [sys.executable, "-c", MANAGE, "collectstatic", "--noinput", "-v0"]
    return subprocess.Popen(command, env=environment, cwd=project, stderr=subprocess.PIPE)


def finish(project: Path) -> None:
    run = start(project)
    _, err = run.communicate(timeout=120)
    assert run.returncode == 0, err


def live(root: Path) -> Manifest:
    current = read_current(reader_of(str(root)))
    assert current is not None
    return current[1]


def not_ours(environ, start_response):
    start_response("404 Not Found", [])
    return [b""]


def check_served(root: Path) -> None:
    """A process that starts now answers every name of the live release with the right bytes."""
    app = StaticApp(not_ours, root=str(root), prefix="/static/", config=ServeConfig())
    for entry in live(root).entries.values():
        for coding in ("identity", *entry.codings):
            answer: list[str] = []
            environ = {
                "REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": f"/static/{entry.name}",
                "HTTP_ACCEPT_ENCODING": coding, "SERVER_NAME": "x", "SERVER_PORT": "80", "wsgi.url_scheme": "http",
            }  # fmt: skip
            body = b"".join(app(environ, lambda status, *_, answer=answer: answer.append(status)))
            assert answer[0].startswith("200"), entry.name
            expected = entry.digest if coding == "identity" else entry.codings[coding].digest
            assert digest_bytes(body) == expected, entry.name


def test_fifty_random_moments(tmp_path: Path) -> None:
    seed = int(os.environ.get("SEED", "1"))
    chance = random.Random(seed)
    project, root = tmp_path, tmp_path / "root"
    (project / "project_settings.py").write_text(SETTINGS)
    write(project / "src", 0, chance)
    began = time.monotonic()
    finish(project)
    length = time.monotonic() - began
    stopped = 0
    for version in range(1, 51):
        write(project / "src", version, chance)
        run = start(project)
        try:
            run.wait(chance.uniform(0.1, 1.0) * length)
        except subprocess.TimeoutExpired:
            stopped += 1
        run.send_signal(signal.SIGKILL)
        run.communicate()
        if version % 5 == 0:
            check_served(root)
        else:
            for entry in live(root).entries.values():
                assert digest_bytes((root / entry.name).read_bytes()) == entry.digest
    assert stopped >= 10, "the runs were over before they were stopped"
    finish(project)
    assert not list(root.rglob(".shipfiles-*"))
    check_served(root)
    made = {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*.css*") if p.is_file()}
    names = json.loads((root / "staticfiles.json").read_text())["paths"]
    # The same as in an empty place.
    root.rename(project / "old")
    finish(project)
    assert json.loads((root / "staticfiles.json").read_text())["paths"] == names
    for path in root.rglob("*.css*"):
        assert made[str(path.relative_to(root))] == path.read_bytes()
