#!/usr/bin/env python3
"""Measures collectstatic: Shipfiles and its peers on the same corpora, in one interleaved run.

    python bench/collect.py --sizes S,M --rounds 3 --json figures.json
    python bench/collect.py --quick

Each figure is a fresh process ``django collectstatic --noinput``, up to four of them a round for each contender: cold
(the target is empty, nothing is remembered), same (nothing changed), one (one CSS file of the project changed) and
fresh (the target is empty again, as on another machine, but the contender's build cache was restored; only for those
that have one, and against their own cold run). Wall and CPU seconds are of the whole process tree; what is printed are
medians over the rounds.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import corpora
import figures
from corpora import SIZES, Corpus
from processes import Cost, last_words, measured
from products import PRODUCTS, Product, environment
from workplace import BENCH, DEFAULT_FOLDER, enter_environment, fail

MODES = ("cold", "same", "one", "fresh")
TITLES = {
    "cold": "cold",
    "same": "nothing changed",
    "one": "one CSS file changed",
    "fresh": "empty target, build cache restored; ratios to the contender's own cold run",
}
REFERENCE = "django-manifest"
QUICK = ("shipfiles", "shipfiles-uncompressed", "django", "django-manifest")
PACKAGES = (
    "Django",
    "shipfiles",
    "whitenoise",
    "servestatic",
    "django-manifeststaticfiles-enhanced",
    "brotli",
    "deflate",
)


@dataclass(frozen=True, slots=True)
class Sample:
    """One run of one contender."""

    size: str
    mode: str
    product: str
    round: int
    cost: Cost
    files: int = 0
    megabytes: float = 0
    passed_over: int = 0
    failure: str = ""


class Site:
    """The project's own folder: two style sheets, of which one is changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mark = ""

    def write(self, mark: str) -> None:
        """Make the style sheet say ``mark``."""
        if self.mark:
            # Django takes a file for unchanged if its time is in the second in which it was collected.
            time.sleep(1.1)
        self.mark = mark
        home = self.folder / "bench"
        home.mkdir(parents=True, exist_ok=True)
        (home / "site.css").write_text('@import "theme.css";\n')
        (home / "theme.css").write_text(f"body::after {{ content: '{mark}' }}\n")

    def fault(self, root: Path) -> str:
        """What is wrong with the publication in ``root``; empty if it has the style sheet as it is now."""
        name = "bench/theme.css"
        manifest = root / "staticfiles.json"
        if manifest.is_file():
            name = json.loads(manifest.read_text())["paths"].get(name, name)
        try:
            return "" if self.mark in (root / name).read_text() else f"{name} was published with old content"
        except OSError as error:
            return f"{name} was not published: {error}"


@dataclass(slots=True)
class Bench:
    """All that the runs of one corpus share."""

    corpus: Corpus
    work: Path
    time_out: float

    def round(self, product: Product, number: int, modes: Sequence[str]) -> Iterator[Sample]:
        """The runs of one contender, in order; none after one that failed."""
        root, home = self.work / "collected" / product.name, self.work / "home" / product.name
        shutil.rmtree(root, ignore_errors=True)
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        site = Site(self.work / "site")
        site.write(f"cold {number}")
        try:
            for mode in MODES:
                if mode == "one":
                    site.write(f"changed {number}")
                if (mode not in modes and mode != "cold") or (mode == "fresh" and not product.has_cache):
                    continue
                if mode == "fresh":
                    shutil.rmtree(root)
                sample = self._run(product, number, mode, root, home, site)
                yield sample
                if sample.failure:
                    return
        finally:
            shutil.rmtree(root, ignore_errors=True)
            shutil.rmtree(home, ignore_errors=True)

    def _run(self, product: Product, number: int, mode: str, root: Path, home: Path, site: Site) -> Sample:
        words, counter = self.work / "collect.log", self.work / "passed-over"
        counter.unlink(missing_ok=True)
        cost = measured(
            [sys.executable, "-m", "django", "collectstatic", "--noinput"],
            folder=BENCH,
            environment=environment(
                product,
                root,
                folders=[("", site.folder), *self.corpus.folders],
                apps_folder=self.corpus.apps_folder,
                apps=self.corpus.apps,
                pass_over=counter,
                home=home,
            ),
            output=words,
            time_out=self.time_out,
        )
        if cost.timed_out:
            failure = f"not done after {self.time_out:.0f} s"
        elif cost.status:
            failure = f"ended with {cost.status}: {last_words(words)}"
        else:
            failure = site.fault(root)
        files, on_disk = _on_disk(root)
        passed = int(counter.read_text()) if counter.is_file() else 0
        return Sample(self.corpus.name, mode, product.name, number, cost, files, on_disk / 1e6, passed, failure)


def _on_disk(root: Path) -> tuple[int, int]:
    """How many files there are in ``root``, and their bytes. Hard links are one file on the disk."""
    files = size = 0
    linked: set[int] = set()
    for folder, _, names in os.walk(root):
        for name in names:
            status = os.stat(os.path.join(folder, name))
            files += 1
            if status.st_nlink == 1 or status.st_ino not in linked:
                size += status.st_size
            if status.st_nlink > 1:
                linked.add(status.st_ino)
    return files, size


def report(samples: Sequence[Sample], size: str, names: Sequence[str], modes: Sequence[str]) -> str:
    """The tables of one corpus."""
    parts = []
    for mode in modes:
        mine = [s for s in samples if s.size == size and s.mode == mode]
        reference = _medians(mine, REFERENCE)
        rows = []
        for name in names:
            runs = [s for s in mine if s.product == name and not s.failure]
            if mode == "fresh":
                reference = _medians([s for s in samples if s.size == size and s.mode == "cold"], name)
                if not PRODUCTS[name].has_cache:
                    continue
            if not runs:
                late = any(s.cost.timed_out for s in samples if s.size == size and s.product == name)
                tried = any(s.size == size and s.product == name for s in samples)
                word = "not done" if late else "failed" if tried else "not run"
                rows.append([name, word, *["-"] * 7])
                continue
            wall, cpu, memory = _medians(runs, name)
            rows.append(
                [
                    name,
                    str(len(runs)),
                    figures.number(wall),
                    figures.number(cpu),
                    figures.ratio(wall, reference[0]),
                    figures.ratio(cpu, reference[1]),
                    f"{memory:.0f}",
                    f"{runs[-1].files:,}",
                    f"{runs[-1].megabytes:.1f}",
                    str(runs[-1].passed_over),
                ]
            )
        rows = [row + ["-"] * (10 - len(row)) for row in rows]
        heads = [
            "contender",
            "runs",
            "wall s",
            "CPU s",
            "wall ×",
            "CPU ×",
            "peak MB",
            "files",
            "disk MB",
            "passed over",
        ]
        parts.append(f"### {size}, {TITLES[mode]}\n\n{figures.table(heads, rows)}")
    return "\n\n".join(parts)


def _medians(samples: Sequence[Sample], name: str) -> tuple[float | None, float | None, float]:
    costs = [s.cost for s in samples if s.product == name and not s.failure]
    if not costs:
        return None, None, 0
    return (
        figures.median(c.wall for c in costs),
        figures.median(c.cpu for c in costs),
        figures.median(c.peak_mb for c in costs),
    )


def chosen(named: str, kinds: Sequence[str], option: str) -> list[str]:
    """The names in a comma-separated option."""
    names = [name for name in named.split(",") if name]
    for name in names:
        if name not in kinds:
            fail(f"{option}: {name!r} is none of {', '.join(kinds)}")
    return names


def arguments() -> argparse.Namespace:
    """What was asked for."""
    default = ",".join(name for name, product in PRODUCTS.items() if not product.optional)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="S,M,L", help="corpora: S, M, L (default: all)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds (default: 3)")
    parser.add_argument("--modes", default=",".join(MODES), help=f"of {', '.join(MODES)} (default: all)")
    parser.add_argument("--peers", default=default, help=f"of {', '.join(PRODUCTS)} (default: {default})")
    parser.add_argument(
        "--slow-on",
        default="S",
        help="corpora on which the peers that compress everything in every run take part, too (default: S)",
    )
    parser.add_argument("--time-out", type=float, default=1200, help="seconds for one run (default: 1200)")
    parser.add_argument("--json", type=Path, help="write every single run to this file")
    parser.add_argument("--show", type=Path, metavar="FILE", help="only print the tables of a file that --json wrote")
    parser.add_argument("--folder", type=Path, default=DEFAULT_FOLDER, help="where to work (default: .work/bench)")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="a smoke run: a tiny corpus made here, one round, Shipfiles and Django; in this Python if it has both",
    )
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    asked = arguments()
    if asked.show:
        show(asked.show)
        return
    work = asked.folder.resolve()
    work.mkdir(parents=True, exist_ok=True)
    if asked.quick:
        sizes, names, modes, rounds = ["quick"], list(QUICK), list(MODES), 1
    else:
        sizes, modes = chosen(asked.sizes, SIZES, "--sizes"), chosen(asked.modes, MODES, "--modes")
        names, rounds = chosen(asked.peers, list(PRODUCTS), "--peers"), asked.rounds
        slow_on = chosen(asked.slow_on, SIZES, "--slow-on")
    enter_environment(work, enough=("django", "shipfiles") if asked.quick else ())
    environment_now = {"machine": figures.machine(), "versions": figures.versions(PACKAGES)}
    print(json.dumps(environment_now), end="\n\n")
    samples: list[Sample] = []
    for size in sizes:
        corpus = corpora.synthetic(work) if asked.quick else corpora.corpus(size, work)
        files, size_bytes = corpus.count()
        print(f"## {size}: {files:,} files, {size_bytes / 1e6:.1f} MB, load {figures.machine()['load']}\n", flush=True)
        bench = Bench(corpus, work, asked.time_out)
        taking_part = [n for n in names if asked.quick or not PRODUCTS[n].compresses_each_time or size in slow_on]
        for number in range(1, rounds + 1):
            for name in taking_part:
                if any(s.failure for s in samples if s.size == size and s.product == name):
                    continue
                for sample in bench.round(PRODUCTS[name], number, modes):
                    samples.append(sample)
                    _tell(sample)
                    if asked.json:
                        runs = [dataclasses.asdict(s) for s in samples]
                        asked.json.write_text(json.dumps({**environment_now, "runs": runs}, indent=1))
        print(report(samples, size, names, modes), end="\n\n", flush=True)
    if any(sample.failure for sample in samples):
        raise SystemExit(1)


def show(file: Path) -> None:
    """Print the tables of a file that ``--json`` wrote."""
    runs = json.loads(file.read_text())["runs"]
    samples = [Sample(**{**run, "cost": Cost(**run["cost"])}) for run in runs]
    for size in dict.fromkeys(s.size for s in samples):
        mine = [s for s in samples if s.size == size]
        names = [name for name in PRODUCTS if any(s.product == name for s in mine)]
        print(report(mine, size, names, [m for m in MODES if any(s.mode == m for s in mine)]), end="\n\n")


def _tell(sample: Sample) -> None:
    cost = sample.cost
    print(
        f"{sample.size} {sample.mode:4} round {sample.round} {sample.product:23} "
        f"{cost.wall:8.2f} s wall {cost.cpu:8.2f} s CPU {cost.peak_mb:6.0f} MB {sample.failure}",
        file=sys.stderr,
        flush=True,
    )


if __name__ == "__main__":
    main()
