"""The servers of soak.py, their clients, and what they hold meanwhile. It needs the environment of the benches."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from processes import free_port, last_words, server, tree_holds, tree_opened
from serve import granian, gunicorn, uvicorn
from workplace import REPOSITORY

# The site is that of a test.
sys.path.append(str(REPOSITORY))

from tests.services.wire import Wire
from tests.soak.site import Site
from tests.soak.verdict import AT_REST, Sample, faults

APP = "tests.rolling.served"
# Three slow clients, two halves of a request and one that leaves have a thread each; the others want some, too.
_THREADS = ("--threads", "16", "--keep-alive", "75")
COMMANDS: dict[str, Callable[[int], list[str]]] = {
    "gunicorn-gthread": lambda port: gunicorn(APP, port, "gthread", *_THREADS),
    "gunicorn-lane": lambda port: gunicorn(APP, port, "shipfiles.serve.gunicorn.ThreadWorker", *_THREADS),
    "uvicorn": lambda port: uvicorn(APP, port),
    "uvicorn-lane": lambda port: uvicorn(APP, port, "shipfiles.serve.uvicorn:StaticProtocol"),
    "granian-wsgi": lambda port: granian(APP, port, "wsgi"),
    "granian-asgi": lambda port: granian(APP, port, "asginl"),
}
MALLOC = {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_TRIM_THRESHOLD_": "131072"}
"""So that memory that is given back goes back to the system (mallopt(3)), and what is not shows."""
_SWITCHES = 30
"""How often another release becomes current, if there is time; every second time a prune follows."""
_SAMPLES = 120


@dataclass
class Soaked:
    """A server and what is known of it."""

    name: str
    port: int
    process: int
    log: str
    before: Sample
    """At rest, before the clients came."""
    after: Sample
    """At rest, after they have gone."""
    samples: list[Sample] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)
    """The first of each kind in words."""
    slowest: float = 0.0
    """Seconds that the slowest whole answer took; those of slow clients do not count."""
    opened: dict[str, int] = field(default_factory=dict)
    """What is open at rest, after the clients have gone."""
    faults: list[str] = field(default_factory=list)


def soak(
    names: Sequence[str], folder: Path, seconds: float, rate: float, seed: str, malloc: Mapping[str, str]
) -> tuple[list[Soaked], Sequence[str]]:
    """Keep the servers busy so long; what is known of each, and what was done to the site.

    ``malloc`` is added to the environment of the servers.
    """
    shutil.rmtree(folder, ignore_errors=True)
    every = max(2.0, seconds / _SWITCHES)
    site = Site(folder, seed, keep=1.5 * every)
    first = site.carry_out(*site.plan())
    with ExitStack() as stack:
        soaked = [stack.enter_context(_running(name, site, folder, malloc)) for name in names]
        crowds = [stack.enter_context(_crowd(one, site, seed, rate)) for one in soaked]
        tell(crowds, site.describe(), first)
        begun = time.monotonic()
        with _sampling(soaked, begun, max(0.25, seconds / _SAMPLES)):
            _go_on(site, crowds, begun, seconds, every)
        for crowd in crowds:
            tell([crowd], {"do": "end"})
        for one, crowd in zip(soaked, crowds, strict=True):
            _hear(one, crowd)
        _come_to_rest(soaked, begun)
        for one in soaked:
            one.faults = faults(one.samples, one.before, one.after, one.counts)
            if one.faults:
                one.faults.append(f"open at the end: {one.opened}")
            if "Traceback" in (words := Path(one.log).read_text(errors="replace")):
                one.faults.append(f"its log has a traceback: {words[-3000:]}")
    return soaked, site.done


def _go_on(site: Site, crowds: Sequence[subprocess.Popen[str]], begun: float, seconds: float, every: float) -> None:
    """Let one release follow the other."""
    switches = 0
    while (due := begun + (switches + 1) * every) < begun + seconds - every / 2:
        time.sleep(max(0.0, due - time.monotonic()))
        switches += 1
        what, tree = site.plan()
        tell(crowds, {"do": "switching", "to": tree.generation})
        tell(crowds, site.carry_out(what, tree))
        if switches % 2 == 0:
            tell(crowds, site.retire())
            site.prune()
    time.sleep(max(0.0, begun + seconds - time.monotonic()))


def tell(crowds: Sequence[subprocess.Popen[str]], *messages: Mapping[str, Any]) -> None:
    """Send messages of `tests.soak.known.Known.hear`."""
    for crowd in crowds:
        assert crowd.stdin
        crowd.stdin.writelines(json.dumps(message) + "\n" for message in messages)
        crowd.stdin.flush()


def _hear(one: Soaked, crowd: subprocess.Popen[str]) -> None:
    """What the clients of a server saw."""
    words, _ = crowd.communicate(timeout=120)
    if crowd.returncode:
        raise RuntimeError(f"the clients of {one.name} ended with {crowd.returncode}")
    seen = json.loads(words)
    one.counts, one.troubles, one.slowest = seen["counts"], seen["troubles"], seen["slowest"]


@contextmanager
def _running(name: str, site: Site, folder: Path, malloc: Mapping[str, str]) -> Iterator[Soaked]:
    """A server that runs as long as the context lasts."""
    kind, _, way = name.partition("/")
    port, log = free_port(), folder / f"{kind}{way}.log"
    environment = {**site.deployment.environment(site.tree, around=not way), **malloc}
    with server(
        COMMANDS[kind](port), port, folder=REPOSITORY, environment=environment, output=log, core=None
    ) as process:
        # What is only opened and begun when it is first needed belongs to the rest.
        wire = Wire(port)
        for target in ("/page/0", "/favicon.ico", "/static/big/film.mp4", "/static/css/none.css"):
            wire.ask("GET", target, {})
        wire.close()
        time.sleep(0.5)
        rest = _sample(process, 0.0)
        try:
            yield Soaked(name, port, process, str(log), before=rest, after=rest)
        except Exception as error:
            error.add_note(f"{name} said: {last_words(log)}")
            raise


@contextmanager
def _crowd(one: Soaked, site: Site, seed: str, rate: float) -> Iterator[subprocess.Popen[str]]:
    """Clients that wait for the first message."""
    command = [
        sys.executable,
        "-m",
        "tests.soak.crowd",
        str(one.port),
        str(site.bodies),
        f"{seed} {one.name}",
        str(rate),
    ]
    with subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        except BaseException:
            process.kill()
            raise


@contextmanager
def _sampling(soaked: Sequence[Soaked], begun: float, interval: float) -> Iterator[None]:
    """Look at what the servers hold, all the time."""
    over = threading.Event()

    def look() -> None:
        while not over.wait(interval):
            for one in soaked:
                one.samples.append(_sample(one.process, time.monotonic() - begun))

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield
    finally:
        over.set()
        looking.join()


def _sample(process: int, at: float) -> Sample:
    held = tree_holds(process)
    return Sample(round(at, 1), round(held.memory_mb, 2), held.descriptors, held.threads)


def _come_to_rest(soaked: Sequence[Soaked], begun: float, patience: float = 30.0) -> None:
    """Wait until the servers have closed what the clients have left."""
    until = time.monotonic() + patience
    for one in soaked:
        while True:
            one.after = _sample(one.process, time.monotonic() - begun)
            one.opened = dict(tree_opened(one.process))
            if one.after.descriptors <= one.before.descriptors + AT_REST or time.monotonic() > until:
                break
            time.sleep(0.5)
