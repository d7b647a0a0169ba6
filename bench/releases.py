#!/usr/bin/env python3
"""Measures what is done with releases that are there: activate, roll back, prune, verify, carry away, look up.

    python bench/releases.py --json figures.json
    python bench/releases.py --quick

The store is made here, the same each time: 61 releases of 24,000 files, of which one in a hundred changes from each to
the next, and three from the last but one to the last. Every figure is that of a fresh process. "function" is the time
within it, and the memory that it takes beyond what the process had before; "command" is ``django ship ...`` from its
start to its end, which begins with the start of Python and Django.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import figures
from processes import last_words, measured
from products import PRODUCTS, environment
from workplace import BENCH, DEFAULT_FOLDER, enter_environment, fail

PACKAGES = ("Django", "shipfiles", "brotli", "deflate")


@dataclass(frozen=True, slots=True)
class Taken:
    """What one process took for one thing."""

    what: str
    how: str
    """``function`` or ``command``."""
    seconds: float
    cpu: float
    """Seconds of CPU, of all its threads and children."""
    megabytes: float
    """Of a function, beyond what the process had before; of a command, in all."""
    said: str = ""


@dataclass(frozen=True, slots=True)
class Bench:
    """The store, and how often each thing is done that can be done again."""

    root: Path
    files: int
    releases: int
    rounds: int
    loads: Sequence[int]

    def inside(self, what: str, name: str, argument: str = "") -> Taken:
        """Measure a function in a process of its own."""
        command = [sys.executable, str(BENCH / "releases_inside.py"), name, str(self.root), argument]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            fail(f"{what} ended with {done.returncode}: {(done.stdout + done.stderr).strip()[-1500:]}")
        raw = json.loads(done.stdout)
        return Taken(what, "function", raw["seconds"], raw["cpu"], raw["megabytes"], raw["said"])

    def command(self, what: str, *arguments: str) -> Taken:
        """Measure a command of Django."""
        words = self.root.parent / "releases.log"
        cost = measured(
            [sys.executable, "-m", "django", *arguments],
            folder=BENCH,
            environment=environment(PRODUCTS["shipfiles"], self.root, home=self.root.parent),
            output=words,
            time_out=600,
        )
        if cost.status:
            fail(f"{what} ended with {cost.status}: {last_words(words)}")
        return Taken(what, "command", cost.wall, cost.cpu, cost.peak_mb)

    def run(self) -> Iterator[Taken]:
        """Everything, in an order in which the store is each time as it should be; the prune comes last."""
        last, before, earlier, first = self.releases - 1, self.releases - 2, self.releases - 3, 0
        yield self.inside("make the store", "make", f"{self.files},{self.releases}")
        for _ in range(self.rounds):
            yield self.command("Django's own start", "diffsettings")
            yield self.command("ship releases", "ship", "releases")
            yield self.inside("ship releases", "releases")
            yield self.inside("activate the release before", "activate", str(before))
            yield self.inside("roll back", "rollback", "1")
            yield self.command("activate the release before", "ship", "activate", f"r{before:04}")
            yield self.command("roll back", "ship", "rollback")
            yield self.inside("activate the one before that", "activate", str(earlier))
            yield self.inside("and forward again", "activate", str(last))
            yield self.inside("activate the oldest", "activate", str(first))
            yield self.inside("from the oldest to the newest", "activate", str(last))
            yield self.inside(f"first miss of a name, {self.releases} releases", "miss", "1")
        for files in self.loads:
            self.inside("dump", "dump", str(files))
            for _ in range(self.rounds):
                yield self.inside(f"load a manifest of {files:,} files, as a server does", "load", f"{files},lazily")
                yield self.inside(f"load a manifest of {files:,} files, all of it", "load", str(files))
        yield self.inside("verify a release", "verify", str(last))
        for end in (".tar", ".tar.gz"):
            yield self.inside(f"export, {end}", "export", end)
            yield self.inside(f"import, {end}", "import", end)
            shutil.rmtree(f"{self.root}-imported")
        # A release that was current a moment ago is kept: here it is to be the last but one, not the oldest.
        for number in (before, last):
            self.inside("activate", "activate", str(number))
        yield self.inside("plan a prune", "prune", "plan")
        yield self.inside("prune", "prune", "prune")
        yield self.inside("verify after the prune", "verify", str(last))


def _time(seconds: float) -> str:
    return f"{figures.number(1000 * seconds)} ms" if seconds < 1 else f"{figures.number(seconds)} s"


def report(taken: Sequence[Taken]) -> str:
    """The table: medians."""
    rows = []
    for what, how in dict.fromkeys((one.what, one.how) for one in taken):
        runs = [one for one in taken if (one.what, one.how) == (what, how)]
        times = (figures.median(one.seconds for one in runs), figures.median(one.cpu for one in runs))
        memory = figures.median(one.megabytes for one in runs)
        rows.append([what, how, str(len(runs)), *map(_time, times), f"{memory:.0f}", runs[-1].said])
    return figures.table(["", "what", "runs", "wall", "CPU", "MB", ""], rows)


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=24_000, help="of each release (default: 24000)")
    parser.add_argument("--releases", type=int, default=61, help="in the store (default: 61)")
    parser.add_argument("--rounds", type=int, default=5, help="of what can be done again (default: 5)")
    parser.add_argument("--json", type=Path, help="write every single run to this file")
    parser.add_argument("--folder", type=Path, default=DEFAULT_FOLDER, help="where to work (default: .work/bench)")
    parser.add_argument("--quick", action="store_true", help="a smoke run: 14 releases of 200 files, once")
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    asked = arguments()
    work = asked.folder.resolve() / "releases"
    work.parent.mkdir(parents=True, exist_ok=True)
    enter_environment(work.parent, enough=("django", "shipfiles", "brotli", "deflate") if asked.quick else ())
    environment_now = {"machine": figures.machine(), "versions": figures.versions(PACKAGES)}
    print(json.dumps(environment_now), end="\n\n", flush=True)
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    bench = Bench(work / "static", asked.files, asked.releases, asked.rounds, (24_000, 100_000))
    if asked.quick:
        bench = Bench(work / "static", 200, 14, 1, (500,))
    taken = []
    try:
        for one in bench.run():
            print(
                f"{one.what}, {one.how}: {one.seconds:.3f} s, CPU {one.cpu:.3f} s, {one.megabytes:.0f} MB; {one.said}",
                flush=True,
            )
            taken.append(one)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    print(f"\n{report(taken)}\n")
    if asked.json:
        asked.json.write_text(json.dumps({**environment_now, "runs": [dataclasses.asdict(t) for t in taken]}, indent=1))


if __name__ == "__main__":
    main()
