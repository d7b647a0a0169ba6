#!/usr/bin/env python3
"""Keeps servers busy for ten minutes with all that clients do, while releases follow each other under them.

    python bench/soak.py --seconds 600 --json figures.json
    python bench/soak.py --quick

All servers run at the same time, one process each, each with clients of its own. What is asked, and what a right answer
is, stands in tests/soak. Fails with what went wrong if a byte was wrong, an answer was missing, or memory, descriptors
or threads have grown. Linux only.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import figures
from workplace import DEFAULT_FOLDER, enter_environment, fail

if TYPE_CHECKING:
    from soak_servers import Soaked

SERVERS = ("gunicorn-gthread", "gunicorn-lane", "uvicorn", "uvicorn-lane", "granian-wsgi", "granian-asgi")
QUICK_SECONDS = 15.0
PACKAGES = ("Django", "shipfiles", "gunicorn", "uvicorn", "uvloop", "httptools", "granian", "brotli")
NEEDED = ("django", "shipfiles", "brotli", "gunicorn", "uvicorn", "uvloop", "httptools", "granian")
COUNTED = (
    ("requests", "requests"), ("of them 206", "206"), ("304", "304"), ("404", "404"), ("pipelined", "pipelined"),
    ("read slowly", "slow"), ("left", "left"), ("half", "half"),
)  # fmt: skip


def report(soaked: Sequence[Soaked]) -> str:
    """The two tables: what clients did and what was wrong, and what each server held."""
    # What this needs is there only now.
    from tests.soak.tally import KINDS
    from tests.soak.verdict import fifth

    asked = []
    held = []
    for one in soaked:
        troubles = sum(one.counts.get(kind, 0) for kind in KINDS)
        asked.append(
            (one.name, *(f"{one.counts.get(what, 0):,}" for _, what in COUNTED), f"{one.slowest:.1f}", f"{troubles:,}")
        )
        memory = [figures.median(fifth(one.samples, number, lambda s: s.memory_mb)) for number in range(2, 6)]
        open_then = [f"{figures.median(fifth(one.samples, number, lambda s: s.descriptors)):.0f}" for number in (2, 5)]
        threads = f"{max(s.threads for s in one.samples)}"
        held.append(
            (one.name, *(f"{mb:.1f}" for mb in memory), str(one.before.descriptors), *open_then,
             str(one.after.descriptors), threads)
        )  # fmt: skip
    heads = (
        "", "MB in the 2nd fifth", "3rd", "4th", "last", "descriptors before", "2nd fifth", "last fifth", "after",
        "most threads",
    )  # fmt: skip
    return (
        f"{figures.table(('', *(head for head, _ in COUNTED), 'slowest, s', 'wrong'), asked)}\n\n"
        f"{figures.table(heads, held)}"
    )  # fmt: skip


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600.0, help="how long (default: %(default)s)")
    parser.add_argument(
        "--servers",
        default=",".join(SERVERS),
        help="comma-separated; with /mw behind a name: with the middleware instead of StaticApp (default: %(default)s)",
    )
    parser.add_argument("--rate", type=float, default=40.0, help="requests a second to each (default: %(default)s)")
    parser.add_argument("--seed", default="1", help="what is asked and released follows from it (default: %(default)s)")
    parser.add_argument(
        "--malloc",
        choices=("tight", "usual"),
        default="tight",
        help="tight: glibc gives memory back to the system at once, so that leaks show (default: %(default)s)",
    )
    parser.add_argument("--json", type=Path, help="write every sample and count to this file")
    parser.add_argument("--folder", type=Path, default=DEFAULT_FOLDER, help="where to work (default: .work/bench)")
    parser.add_argument("--quick", action="store_true", help=f"a smoke run of {QUICK_SECONDS:.0f} seconds")
    return parser.parse_args()


def main() -> None:
    """Soak and print."""
    asked = arguments()
    names = asked.servers.split(",")
    for name in names:
        if name.removesuffix("/mw") not in SERVERS:
            fail(f"--servers: {name!r} is none of {', '.join(SERVERS)}")
    work = asked.folder.resolve()
    work.mkdir(parents=True, exist_ok=True)
    enter_environment(work, enough=NEEDED)
    from soak_servers import MALLOC, soak

    about: Mapping[str, object] = {"machine": figures.machine(), "versions": figures.versions(PACKAGES)}
    print(json.dumps(about), end="\n\n", flush=True)
    seconds = QUICK_SECONDS if asked.quick else asked.seconds
    soaked, done = soak(
        names, work / "soak", seconds, asked.rate, asked.seed, MALLOC if asked.malloc == "tight" else {}
    )
    print(f"{seconds:.0f} seconds; {', '.join(f'{what}: {done.count(what)}' for what in dict.fromkeys(done))}\n")
    print(report(soaked))
    print(f"\nLoad at the end: {figures.machine()['load']}")
    if asked.json:
        runs = [dataclasses.asdict(one) for one in soaked]
        asked.json.write_text(json.dumps({**about, "seconds": seconds, "done": done, "servers": runs}, indent=1))
    for one in soaked:
        for fault in one.faults:
            print(f"\nFailed: {one.name}: {fault}")
        if one.faults:
            print("\n".join(one.troubles), file=sys.stderr)
    if any(one.faults for one in soaked):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
