#!/usr/bin/env python3
"""Measures how Shipfiles' collectstatic grows with the number of files and with their bytes.

    python bench/growth.py --json figures.json
    python bench/growth.py --quick

Sites of 1,000, 10,000 and 100,000 files and some of few large files, up to 2 GB, are made here, the same each time. Of
each the bench runs ``django collectstatic --noinput`` without compression: cold, nothing changed, and one CSS file
changed. What an empty site costs is taken off, and the rest is divided by files or MB: "growth" is that as a multiple
of the step before, and 1.0 is linear. Last the corpus L, if `corpora.py` has made it here, with the memory it takes.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import corpora
import figures
from collect import TITLES, Bench, Sample
from corpora import Corpus
from grown_sites import large_files, many_files
from products import PRODUCTS
from workplace import DEFAULT_FOLDER, enter_environment, fail

MODES = ("cold", "same", "one")
MEMORY_MB = 300
"""What the whole process tree may take for the corpus L."""
YOUNG = 2.5
"""Seconds."""
PACKAGES = ("Django", "shipfiles", "brotli", "deflate")


@dataclass(frozen=True, slots=True)
class Step:
    """One site, and what it is measured in."""

    kind: str
    """``files`` or ``MB``; ``corpus`` for one that has no step before."""
    amount: int

    @property
    def title(self) -> str:
        """What a row is called."""
        if self.kind == "corpus":
            return "L"
        return f"{self.amount:,} {self.kind}" if self.amount else "empty"

    def made(self, folder: Path) -> Corpus:
        """The site, in ``folder``."""
        if self.amount:
            make: Callable[[Path, int], int] = many_files if self.kind == "files" else large_files
            make(folder, self.amount)
            # A file that changed a moment ago is read again whatever the file system says: no run of interest.
            time.sleep(YOUNG)
        return Corpus(self.title, folder, (), ((("grown", folder),) if self.amount else ()))


@dataclass(frozen=True, slots=True)
class Measured:
    """The runs of one site."""

    step: Step
    product: str
    files: int
    megabytes: float
    samples: tuple[Sample, ...]

    def cost(self, mode: str) -> Sample | None:
        """The run of ``mode``, if there is one that did not fail."""
        return next((s for s in self.samples if s.mode == mode and not s.failure), None)


def measure(corpus: Corpus, step: Step, product: str, work: Path, time_out: float) -> Measured:
    """Run all modes on ``corpus``."""
    files, size = corpus.count()
    print(
        f"{step.title}, {product}: {files:,} files, {size / 1e6:.1f} MB, load {figures.machine()['load']}", flush=True
    )
    samples = tuple(Bench(corpus, work, time_out).round(PRODUCTS[product], 1, MODES))
    for sample in samples:
        if sample.failure:
            print(f"  {sample.mode}: {sample.failure}", flush=True)
    return Measured(step, product, files, size / 1e6, samples)


def grown(steps: Sequence[Step], work: Path, time_out: float) -> Iterator[Measured]:
    """Each step in turn; its site is deleted before the next is made."""
    folder = work / "growth-site"
    for step in steps:
        shutil.rmtree(folder, ignore_errors=True)
        try:
            yield measure(step.made(folder), step, "shipfiles-uncompressed", work, time_out)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def report(found: Sequence[Measured]) -> str:
    """The tables, one for each mode."""
    parts = []
    heads = ["", "files", "MB", "wall s", "CPU s", "CPU ms each", "growth", "peak MB", "KB each", "growth"]
    for mode in MODES:
        empty = next((m.cost(mode) for m in found if not m.step.amount), None)
        before: Measured | None = None
        rows = []
        for one in found:
            sample = one.cost(mode)
            name = one.step.title if one.step.kind != "corpus" else f"{one.step.title}, {one.product}"
            if sample is None:
                rows.append([name, f"{one.files:,}", f"{one.megabytes:.1f}", "failed", *["-"] * 6])
                continue
            last = before.cost(mode) if before and before.step.kind == one.step.kind else None
            row = [name, f"{one.files:,}", f"{one.megabytes:,.1f}"]
            row += [figures.number(sample.cost.wall), figures.number(sample.cost.cpu)]
            cpu, memory = _each(one, sample, empty)
            last_cpu, last_memory = _each(before, last, empty) if before and last else (None, None)
            row += [_small(cpu and 1e3 * cpu), figures.ratio(cpu, last_cpu), f"{sample.cost.peak_mb:.0f}"]
            row += [_small(memory and 1e3 * memory), figures.ratio(memory, last_memory)]
            rows.append(row)
            before = one
        parts.append(f"### {TITLES[mode]}\n\n{figures.table(heads, rows)}")
    return "\n\n".join(parts)


def _each(one: Measured, sample: Sample, empty: Sample | None) -> tuple[float | None, float | None]:
    """CPU seconds and MB of memory for each file or MB beyond an empty site."""
    if not one.step.amount or empty is None:
        return None, None
    units = one.megabytes if one.step.kind == "MB" else one.files
    return (sample.cost.cpu - empty.cost.cpu) / units, (sample.cost.peak_mb - empty.cost.peak_mb) / units


def _small(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def on_disk(size: str, work: Path) -> bool:
    """Whether all that corpus ``size`` needs is there, so that nothing is fetched."""
    folder = work / "corpora"
    names = [p.removeprefix("@").replace("/", "-") for p in corpora.PACKAGES] if size == "L" else []
    return (folder / corpora.APPS_FOLDER).is_dir() and all((folder / corpora.NPM_FOLDER / n).is_dir() for n in names)


def numbers(text: str) -> list[int]:
    """The numbers of a comma-separated option."""
    try:
        return [int(part) for part in text.split(",") if part]
    except ValueError:
        fail(f"{text!r} is no list of numbers")


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", default="1000,10000,100000", help="sites of so many files, in hundreds")
    parser.add_argument("--megabytes", default="500,1000,2000", help="sites of thirteen files of so many MB in all")
    parser.add_argument(
        "--corpus",
        default="shipfiles-uncompressed",
        metavar="PRODUCTS",
        help="with these L is collected, if it is there; shipfiles: minutes (default: shipfiles-uncompressed)",
    )
    parser.add_argument("--time-out", type=float, default=1200, help="seconds for one run (default: 1200)")
    parser.add_argument("--json", type=Path, help="write every single run to this file")
    parser.add_argument("--folder", type=Path, default=DEFAULT_FOLDER, help="where to work (default: .work/bench)")
    parser.add_argument("--quick", action="store_true", help="a smoke run: 100 and 300 files, 16 and 32 MB")
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    asked = arguments()
    work = asked.folder.resolve()
    work.mkdir(parents=True, exist_ok=True)
    files, megabytes = ([100, 300], [16, 32]) if asked.quick else (numbers(asked.files), numbers(asked.megabytes))
    enter_environment(work, enough=("django", "shipfiles") if asked.quick else ())
    environment_now = {"machine": figures.machine(), "versions": figures.versions(PACKAGES)}
    print(json.dumps(environment_now), end="\n\n")
    steps = [Step("files", 0), *(Step("files", n) for n in files), *(Step("MB", n) for n in megabytes)]
    found = list(grown(steps, work, asked.time_out))
    over = []
    products = [] if asked.quick or not on_disk("L", work) else [p for p in asked.corpus.split(",") if p]
    for product in products:
        corpus = corpora.corpus("L", work)
        one = measure(corpus, Step("corpus", corpus.count()[0]), product, work, asked.time_out)
        found.append(one)
        over += [s for s in one.samples if s.cost.peak_mb > MEMORY_MB]
    print(f"\n{report(found)}\n")
    if asked.json:
        runs = [dataclasses.asdict(one) for one in found]
        asked.json.write_text(json.dumps({**environment_now, "runs": runs}, indent=1))
    for sample in over:
        print(f"L, {sample.mode}, {sample.product}: {sample.cost.peak_mb:.0f} MB are more than {MEMORY_MB}.")
    if over or any(s.failure for one in found for s in one.samples):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
