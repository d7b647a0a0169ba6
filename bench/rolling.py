#!/usr/bin/env python3
"""Counts what browsers lose while releases follow each other: Shipfiles, and its peers as people deploy with them.

    python bench/rolling.py --rounds 12 --json figures.json
    python bench/rolling.py --quick

Three gunicorn processes behind nginx (round robin). Clients load pages and, after up to twelve seconds, all files that
a page needs, and compare each with the sources of that page's release, while releases are collected, rolled back and
pruned and the processes restarted one after the other. Linux only; needs nginx. The site is that of
tests/services/test_rolling_deploy.py.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import figures
from workplace import DEFAULT_FOLDER, enter_environment, fail

PACKAGES = ("Django", "shipfiles", "whitenoise", "gunicorn")
HEADS = ("", "deploys", "page loads", "broken", "% of them", "file requests", "404", "wrong bytes", "other errors")


def row(name: str, rounds: int, seen: Mapping[str, int]) -> Sequence[str]:
    """The line of the table of one contender."""
    numbers = [seen.get(what, 0) for what in ("pages", "broken", "files", "missing", "wrong", "error")]
    pages, broken, *others = (f"{number:,}" for number in numbers)
    share = f"{100 * numbers[1] / max(numbers[0], 1):.1f}"
    return (name, str(rounds), pages, broken, share, *others)


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=12, help="releases that are rolled out (default: %(default)s)")
    parser.add_argument("--peers", default="", help="only those whose names have one of these comma-separated words")
    parser.add_argument("--json", type=Path, help="write every count to this file")
    parser.add_argument("--folder", type=Path, default=DEFAULT_FOLDER, help="where to work (default: .work/bench)")
    parser.add_argument("--quick", action="store_true", help="a smoke run: Shipfiles alone, two releases")
    asked = parser.parse_args()
    nginx = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if not nginx:
        how = "nginx not found (Debian, Ubuntu: apt-get install nginx-light)"
        if not asked.quick:
            fail(how)
        print(f"bench/rolling.py --quick: skipped, {how}")
        return
    work = asked.folder.resolve()
    work.mkdir(parents=True, exist_ok=True)
    enter_environment(work, enough=("django", "shipfiles", "brotli", "gunicorn") if asked.quick else ())
    # What this needs is there only now.
    from rolling_sites import OURS, contenders, measured

    words = ["shipfiles"] if asked.quick else [word for word in asked.peers.split(",") if word]
    rounds = 2 if asked.quick else asked.rounds
    about = {
        "machine": figures.machine(),
        "versions": figures.versions(PACKAGES) | {"nginx": figures.program_version([nginx, "-v"])},
    }
    print(json.dumps(about), end="\n\n", flush=True)
    counts: dict[str, Mapping[str, int]] = {}
    for name, product in contenders().items():
        if not words or any(word in name for word in words):
            print(f"{name} ...", file=sys.stderr, flush=True)
            counts[name] = measured(product, work / "rolling", rounds)
            if asked.json:
                asked.json.write_text(json.dumps({**about, "rounds": rounds, "counts": counts}, indent=1))
    print(figures.table(HEADS, [row(name, rounds, seen) for name, seen in counts.items()]))
    print(f"\nLoad at the end: {figures.machine()['load']}")
    ours = counts.get(OURS, {})
    if any(ours.get(what) for what in ("missing", "wrong", "error")):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
