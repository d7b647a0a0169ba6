"""Build the demo site in a temporary folder, serve it, and show or check it. Started by ``scripts/demo``.

Everything that it makes lies in one temporary folder, and every process that it starts is the leader of a group of its
own; both are gone when it ends, in whichever way it was asked to.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import FrameType
from typing import Self

DEMO = Path(__file__).resolve().parent
USER = "harbour"
SERVERS = {
    "granian": ("granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", "{port}", "--blocking-threads", "4",
                "--log-level", "warning", "harbour.wsgi:application"),
    "gunicorn": ("gunicorn", "--bind", "127.0.0.1:{port}", "--worker-class", "gthread", "--threads", "4",
                 "--log-level", "warning", "harbour.wsgi:application"),
    "uvicorn": ("uvicorn", "--host", "127.0.0.1", "--port", "{port}", "--log-level", "warning",
                "harbour.asgi:application"),
}  # fmt: skip


class Fault(Exception):
    """The demo cannot go on; the text is for the person in front of it."""


class Stopped(BaseException):
    """Ctrl-C was pressed, or the process was asked to end."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(signal.Signals(number).name)


@dataclass
class Options:
    """The command line."""

    check: bool = False
    server: str = "granian"
    port: int = 0


def main() -> int:
    """The exit status: 0, 1 for a fault or a failed check, 128 and the signal's number if a check was interrupted."""
    parser = argparse.ArgumentParser(prog="scripts/demo", description="Show Shipfiles with a real site.")
    parser.add_argument("--check", action="store_true", help="fetch and compare every file, then end with 0 or 1")
    parser.add_argument("--server", choices=tuple(SERVERS), default="granian")
    parser.add_argument("--port", type=int, default=0, help="the port to listen on; 8000 or any free one if left out")
    options = parser.parse_args(namespace=Options())
    signals = Signals()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signals)
    try:
        with Stage(signals) as stage:
            return demo(options, stage)
    except Fault as fault:
        say(f"\n{fault}")
        return 1
    except Stopped as stopped:
        say("\x1b[?25h" if sys.stdout.isatty() else "")  # shows the cursor, which a progress bar may have hidden
        say(f"Stopped. Nothing is left running; the virtual environment stays in {environments()}.")
        return 128 + stopped.number if options.check or stopped.number != signal.SIGINT else 0


def demo(options: Options, stage: Stage) -> int:
    """Build, serve, then show or check."""
    password = secrets.token_hex(4)
    os.environ["DEMO_DATA"] = str(stage.folder)
    os.environ["DEMO_SECRET_KEY"] = secrets.token_urlsafe(50)
    os.environ["DJANGO_SETTINGS_MODULE"] = "harbour.settings"
    os.environ["DJANGO_SUPERUSER_PASSWORD"] = password

    title("Preparing the database")
    stage.manage("migrate", "--verbosity", "0")
    stage.manage("createsuperuser", "--noinput", "--username", USER, "--email", "", "--verbosity", "0")

    title("Collecting the static files: manage.py collectstatic --noinput")
    stage.manage("collectstatic", "--noinput")

    title(f"Starting {options.server}")
    port = options.port or free_port()
    command = [part.replace("{port}", str(port)) for part in SERVERS[options.server]]
    server = stage.start(["-m", *command], stage.log)
    wait_until_it_answers(server, port, stage.log)
    site = f"http://127.0.0.1:{port}"
    if options.check:
        from check import check

        title("Fetching every file and comparing it")
        return check(site, USER, password)
    show(site, password)
    raise Fault(f"{options.server} ended by itself with {server.wait()}:\n{tail(stage.log)}")


def show(site: str, password: str) -> None:
    """Print the address and three things to look at."""
    import django
    from django.contrib.staticfiles.storage import staticfiles_storage

    django.setup()
    font = site + staticfiles_storage.url("fonts/harbour-icons.woff2")
    style = site + staticfiles_storage.url("css/site.css")
    say(f"""
The site is at {site}/ and its static files are served by Shipfiles. Three things to look at:

  1. {site}/admin/        Django's admin: user {USER}, password {password}
  2. {site}/swagger/      Swagger UI: nobody here wrote its files; they come as brotli
  3. The headers of a file that a browser may keep for a year, and of one sent as brotli:
       curl -I {font}
       curl -I -H 'Accept-Encoding: br' {style}

Ctrl-C ends it and leaves nothing behind but the virtual environment in {environments()}.""")


class Signals:
    """Turns signals into `Stopped`, but not in the middle of what must be done whole."""

    def __init__(self) -> None:
        self.held = False
        self.pending: int | None = None

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        if not self.held:
            raise Stopped(number)
        self.pending = number

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """Put off signals until the end of the block."""
        self.held = True
        try:
            yield
        finally:
            self.held = False
            number, self.pending = self.pending, None
            if number is not None:
                raise Stopped(number)


class Stage:
    """The temporary folder and the processes of one run. All are gone when it is left."""

    def __init__(self, signals: Signals) -> None:
        self.signals = signals
        self.folder = Path()
        self.processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        with self.signals.hold():
            self.folder = Path(tempfile.mkdtemp(prefix="shipfiles-demo-"))
            return self

    def __exit__(self, *_: object) -> None:
        with self.signals.hold():
            for process in self.processes:
                end(process)
            shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.folder / "server.log"

    def start(self, command: list[str], log: Path | None = None) -> subprocess.Popen[bytes]:
        """Start a program as the leader of its own group, so that a Ctrl-C does not reach it but through us."""
        with self.signals.hold(), contextlib.ExitStack() as stack:
            output = None if log is None else stack.enter_context(log.open("wb"))
            process = subprocess.Popen(
                [sys.executable, *command],
                cwd=DEMO,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
            self.processes.append(process)
            return process

    def manage(self, *arguments: str) -> None:
        """Run a command of ``manage.py`` with this terminal."""
        if status := self.start(["manage.py", *arguments]).wait():
            raise Fault(f"manage.py {arguments[0]} ended with {status}.")


def end(process: subprocess.Popen[bytes]) -> None:
    """End a program and everything that it started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
            if not group_lives(process.pid):
                return


def group_lives(group: int) -> bool:
    """Whether a process of ``group`` is left, after a moment for it to end."""
    for _ in range(20):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return False
        except PermissionError:  # macOS says so of a group whose last processes are just ending
            return False
        time.sleep(0.05)
    return True


def free_port() -> int:
    """8000, or another port that nobody listens on."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", 8000), timeout=1):
        return any_port()
    with contextlib.suppress(OSError), socket.socket() as probe:
        probe.bind(("127.0.0.1", 8000))
        return 8000
    return any_port()


def any_port() -> int:
    """A port that the system gives."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_it_answers(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Return once the home page comes with status 200."""
    deadline = time.monotonic() + 60
    last: object = "nothing"
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise Fault(f"The server ended with {process.returncode} before it answered:\n{tail(log)}")
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/")
            last = connection.getresponse().status
            if last == 200:
                return
        except (OSError, HTTPException) as error:
            last = error
        finally:
            connection.close()
        time.sleep(0.1)
    raise Fault(f"The server did not answer within a minute; the last answer was: {last}\n{tail(log)}")


def tail(log: Path) -> str:
    """The last lines of what the server said."""
    with contextlib.suppress(OSError):
        return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-30:])
    return ""


def environments() -> str:
    """The folder of the virtual environments."""
    return os.path.relpath(os.path.dirname(sys.prefix))


def title(text: str) -> None:
    """Say which step begins."""
    say(f"\n== {text}")


def say(text: str) -> None:
    """Print, though the terminal may be gone."""
    with contextlib.suppress(OSError):
        print(text, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
