"""Make a virtual environment with the project and some of its dependency groups; print the path of its Python.

    python scripts/environment.py [--django 5.2] GROUP...

Needs Python 3.11 and nothing else. The environment lies in ``.work/`` (or ``$SHIPFILES_WORK``), under a name that
changes with the Python, with ``constraints.txt`` and with the dependencies in ``pyproject.toml``; what is there already
is used again. ``--django`` takes another Django than ``constraints.txt`` does, from ``scripts/djangos.txt``.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parent.parent
WORK = Path(os.environ.get("SHIPFILES_WORK") or ROOT / ".work")
ALWAYS = ("build",)


def main() -> None:
    """Print the path of the environment's Python."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--django", metavar="X.Y", help="another Django than the one in constraints.txt")
    parser.add_argument("groups", nargs="*", metavar="GROUP", help="dependency groups of pyproject.toml")
    options = parser.parse_args()
    try:
        WORK.mkdir(parents=True, exist_ok=True)
        with locked(WORK / "lock"):
            print(prepare([*ALWAYS, *options.groups], options.django))
    except OSError as error:
        fail(
            f"Cannot write to {WORK}: {error.strerror or error}.\n"
            "The environment variable SHIPFILES_WORK names another folder for it."
        )


def prepare(groups: Sequence[str], django: str | None) -> Path:
    """The Python of an environment that has ``groups``."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    pins = pinned(django)
    home = WORK / environment_name(project, pins, django)
    python = home / "bin" / "python"
    if not (home / ".made").exists():
        shutil.rmtree(home, ignore_errors=True)
        say(f"Making a virtual environment for Python {sys.version.split()[0]} in {shown(home)}")
        make(home, python)
        (home / ".made").touch()
    missing = [group for group in dict.fromkeys(groups) if not (home / f".has-{group}").exists()]
    if missing:
        constraints = home / "constraints.txt"
        constraints.write_text("".join(f"{pin}\n" for pin in pins), encoding="utf-8")
        install(python, constraints, project, missing)
        for group in missing:
            (home / f".has-{group}").touch()
    return python


def environment_name(project: dict[str, Any], pins: Sequence[str], django: str | None) -> str:
    """A name that changes with whatever decides on the environment's contents."""
    parts = [sys.version, sys.base_prefix, str(ROOT), project["build-system"], project["project"]]
    parts += [project["dependency-groups"], pins]
    key = hashlib.sha256(repr(parts).encode()).hexdigest()[:10]
    return f"venv-python{sys.version_info[0]}.{sys.version_info[1]}{f'-django{django}' if django else ''}-{key}"


def pinned(django: str | None) -> list[str]:
    """The lines of constraints.txt, with the wanted Django in place of its own."""
    pins = lines_of(ROOT / "constraints.txt")
    if django is None:
        return pins
    chosen = [line for line in lines_of(ROOT / "scripts" / "djangos.txt") if line.startswith(f"django=={django}.")]
    chosen += [line for line in lines_of(ROOT / "scripts" / "djangos.txt") if line.split()[0] == f"django=={django}"]
    if not chosen:
        fail(f"scripts/djangos.txt has no Django {django}.")
    return [line for line in pins if not line.startswith("django==")] + chosen[:1]


def lines_of(file: Path) -> list[str]:
    """The lines of a requirements file that are no comments."""
    lines = (line.strip() for line in file.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def make(home: Path, python: Path) -> None:
    """Make the empty environment ``home`` with pip in it, in whichever way this machine offers."""
    if importlib.util.find_spec("ensurepip") is None and not shutil.which("uv") and not pip_for_others():
        install_ensurepip()
    importlib.invalidate_caches()
    if importlib.util.find_spec("ensurepip") is not None:
        run([sys.executable, "-m", "venv", str(home)], "No virtual environment could be made")
        return
    run([sys.executable, "-m", "venv", "--without-pip", str(home)], "No virtual environment could be made")
    if uv := shutil.which("uv"):
        run([uv, "pip", "install", "--python", str(python), "pip"], "uv could not install pip")
    else:
        run([*pip_for_others(), "--python", str(python), "install", "pip"], "pip could not be installed")


def pip_for_others() -> list[str]:
    """The command of a pip that can install into another Python's environment; empty if there is none."""
    for command in ([sys.executable, "-m", "pip"], ["pip3"], ["pip"]):
        try:
            said = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True).stdout
            major, minor = said.split()[1].split(".")[:2]
            if (int(major), int(minor)) >= (22, 3):
                return command
        except (OSError, subprocess.CalledProcessError, ValueError, IndexError):
            continue
    return []


def install_ensurepip() -> None:
    """On Debian, as root: install the package that holds ensurepip. Elsewhere: say what to do."""
    package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
    apt = shutil.which("apt-get")
    if apt and os.geteuid() == 0 and sys.base_prefix == "/usr":
        say(f"Installing with apt-get: {package}")
        os.environ["DEBIAN_FRONTEND"] = "noninteractive"
        run([apt, "update", "-qq"], "apt-get update failed")
        run([apt, "install", "-qq", "--no-install-recommends", package], f"apt-get could not install {package}")
        return
    fail(
        f"{sys.executable} can make no virtual environment with pip in it: it has no ensurepip, and there is "
        "neither uv nor pip.\n"
        f"Install one of them (Debian, Ubuntu: apt-get install {package}) or set PYTHON to another Python."
    )


def install(python: Path, constraints: Path, project: dict[str, Any], groups: Sequence[str]) -> None:
    """Install the dependencies of the project and of ``groups``, then the project itself as it lies here."""
    wanted = [*project["project"]["dependencies"]]
    for group in groups:
        wanted += requirements(project["dependency-groups"], group)
    say(f"Installing dependencies: {', '.join(groups)} (only the first time)")
    os.environ["PIP_USER"] = "0"  # what the user's own pip.conf says is for other installs than this one
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--no-input", "install"]
    run([*pip, "-c", str(constraints), *sorted(set(wanted))], "The dependencies could not be installed")
    run(
        [*pip, "--no-deps", "--no-build-isolation", "--editable", str(ROOT)],
        "The project could not be installed",
    )


def requirements(groups: dict[str, list[Any]], name: str) -> Iterator[str]:
    """The requirements of the dependency group ``name`` and of those that it includes."""
    if name not in groups:
        fail(f"pyproject.toml has no dependency group {name!r}: it has {', '.join(sorted(groups))}.")
    for item in groups[name]:
        if isinstance(item, str):
            yield item
        else:
            yield from requirements(groups, item["include-group"])


def run(command: Sequence[str], fault: str) -> None:
    """Run ``command`` in silence; if it fails, show what it said and stop."""
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode:
        fail(f"{done.stdout.strip()}\n\n{fault} (see above): {' '.join(command[:5])} ...")


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Let one run at a time make or change environments."""
    with file.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Waiting for another run that prepares an environment")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def shown(path: Path) -> str:
    """``path`` as seen from the project's folder, if it lies there."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def say(text: str) -> None:
    """Tell the person what is being done; standard output is for the result."""
    print(text, file=sys.stderr, flush=True)


def fail(text: str) -> NoReturn:
    """Stop with a message."""
    say(text)
    raise SystemExit(1)


if __name__ == "__main__":
    main()
