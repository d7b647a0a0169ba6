#!/usr/bin/env python3
"""Measures the rewriting of references by itself: MB per CPU second, Shipfiles and its peers on the same files.

    python bench/rewrite.py --sizes S,M,L --rounds 3 --json figures.json
    python bench/rewrite.py --quick

Each figure is a fresh process with one contender and one language, whose files are in memory before the clock starts;
contenders take turns. What is printed are medians over the rounds. See README.md for what is timed.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import signal
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import corpora
import figures
from collect import PACKAGES, chosen
from corpora import SIZES
from linear import grown
from processes import last_words, measured
from products import PRODUCTS, environment
from workplace import BENCH, DEFAULT_FOLDER, enter_environment

SHIPFILES = "shipfiles"
WHOLE = "whole"
LANGUAGES = ("css", "js")
CONTENDERS = (
    SHIPFILES,
    "django-manifest",
    "django-manifest-js",
    "enhanced",
    "enhanced-js",
    "enhanced-lexer",
    "whitenoise",
)
OPTIONAL = ("enhanced-lexer", "whitenoise")
QUICK = (SHIPFILES, "django-manifest-js")
# In every hashed name, and in no file of the corpora.
MARK = "5h1pbench000"
# CPU seconds that one contender works at least, in a smoke run and else.
AT_LEAST = {True: 0.02, False: 0.2}


@dataclass(frozen=True, slots=True)
class Case:
    """Files of one language, and what they are called when they are published."""

    group: str
    """The corpus, or the kind of a file that grows."""
    language: str
    """``css`` or ``js``; for `WHOLE` files of all kinds."""
    files: tuple[tuple[str, Path], ...]
    names: Mapping[str, str]
    times: int = 0
    """How many times as large as its smallest, for files that grow."""
    references: int = 0
    """How many there are, if that is known."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One run of one contender."""

    group: str
    language: str
    times: int
    product: str
    round: int
    peak_mb: float
    wall: float = 0
    cpu: float = 0
    scan_cpu: float | None = None
    """Seconds for finding alone; ``None`` if the contender finds and replaces at once."""
    files: int = 0
    bytes: int = 0
    rewritten: int = 0
    missing: int = 0
    passed_over: int = 0
    failure: str = ""

    @property
    def speed(self) -> float:
        """MB per CPU second."""
        return self.bytes / 1e6 / self.cpu

    @property
    def scan_speed(self) -> float | None:
        """MB per CPU second of finding alone."""
        return self.bytes / 1e6 / self.scan_cpu if self.scan_cpu else None


def hashed_names(logicals: Iterable[str]) -> dict[str, str]:
    """What the files are called when they are published: the form of Django's and our names, with the same digest."""
    paths = map(PurePosixPath, logicals)
    return {str(path): str(path.with_name(f"{path.stem}.{MARK}{path.suffix}")) for path in paths}


def cases(corpus: corpora.Corpus) -> Iterator[Case]:
    """The style sheets of a corpus, its scripts, and all of it."""
    files = corpus.files()
    names = hashed_names(files)
    for language in LANGUAGES:
        # What all contenders take for the language; Shipfiles alone also looks into .mjs, .cjs and .CSS.
        mine = tuple(file for file in files.items() if file[0].endswith(f".{language}"))
        yield Case(corpus.name, language, mine, names)
    yield Case(corpus.name, WHOLE, tuple(files.items()), {})


def growing(folder: Path, urls: int, line: int) -> Iterator[Case]:
    """The files that grow."""
    for file in grown(folder, urls, line):
        names = hashed_names([file.file[0], *file.names])
        yield Case(file.title, file.language, (file.file,), names, file.times, file.references)


def run(case: Case, product: str, number: int, work: Path, at_least: float, limit: int) -> Sample:
    """One contender on one case: ``at_least`` so many CPU seconds, and no more than ``limit``."""
    task, result, words = work / "rewrite-task.json", work / "rewrite-result.json", work / "rewrite.log"
    result.unlink(missing_ok=True)
    backend = WHOLE if case.language == WHOLE else product
    files = [(logical, str(path)) for logical, path in case.files]
    about = {"backend": backend, "language": case.language, "mark": MARK, "at_least": at_least, "cpu_seconds": limit}
    task.write_text(json.dumps({**about, "files": files, "names": case.names}))
    cost = measured(
        [sys.executable, "-m", "project.rewriting", str(task), str(result)],
        folder=BENCH,
        environment=environment(PRODUCTS[product], work / "collected" / "nothing"),
        output=words,
        # A busy machine gives a process a small part of its time.
        time_out=20 * limit,
    )
    sample = Sample(case.group, case.language, case.times, product, number, cost.peak_mb)
    if cost.timed_out or cost.status == -signal.SIGXCPU:
        return dataclasses.replace(sample, failure=f"not done after {limit} CPU s")
    if cost.status:
        return dataclasses.replace(sample, failure=f"ended with {cost.status}: {last_words(words)}")
    sample = dataclasses.replace(sample, **json.loads(result.read_text()))
    if product == SHIPFILES and case.references and sample.rewritten != case.references:
        return dataclasses.replace(sample, failure=f"rewrote {sample.rewritten} of {case.references} references")
    return sample


def report(samples: Sequence[Sample], group: str) -> str:
    """The table of one corpus or of one kind of file that grows."""
    mine = [s for s in samples if s.group == group]
    names = [name for name in CONTENDERS if any(s.product == name for s in mine)]
    if any(s.times for s in mine):
        return f"### {group}, MB per CPU second\n\n{_growth(mine, names)}"
    parts = [
        f"### {group}, {language.upper()}\n\n{_speeds([s for s in mine if s.language == language], names)}"
        for language in LANGUAGES
    ]
    whole = [s for s in mine if s.language == WHOLE and not s.failure]
    if whole:
        wall, cpu, peak = (figures.median(getattr(s, name) for s in whole) for name in ("wall", "cpu", "peak_mb"))
        parts.append(
            f"{group}, all {whole[0].files:,} files read, digested and scanned by Shipfiles on one core: "
            f"{figures.number(wall)} s wall, {figures.number(cpu)} s CPU, {peak:.0f} MB peak memory "
            f"({whole[0].bytes / 1e6:.1f} MB)."
        )
    return "\n\n".join(parts)


def _speeds(samples: Sequence[Sample], names: Sequence[str]) -> str:
    heads = ["contender", "runs", "rewrite MB/s", "×", "of it scan MB/s", "MB", "rewritten", "missing", "passed over"]
    reference = _median([s.speed for s in samples if s.product == SHIPFILES and not s.failure])
    rows = []
    for name in names:
        runs = [s for s in samples if s.product == name and not s.failure]
        if not runs:
            rows.append([name, _absent(samples, name), *["-"] * 7])
            continue
        speed = _median([s.speed for s in runs])
        rows.append(
            [
                name,
                str(len(runs)),
                figures.number(speed),
                figures.ratio(speed, reference),
                figures.number(_median([s.scan_speed for s in runs if s.scan_speed])),
                f"{runs[0].bytes / 1e6:.2f}",
                f"{runs[0].rewritten:,}",
                str(runs[0].missing),
                str(runs[0].passed_over),
            ]
        )
    return figures.table(heads, rows)


def _growth(samples: Sequence[Sample], names: Sequence[str]) -> str:
    rows = []
    steps = sorted({s.times for s in samples})
    for name in names:
        row = [name]
        for times in steps:
            here = [s for s in samples if s.times == times]
            runs = [s for s in here if s.product == name and not s.failure]
            row.append(figures.number(_median([s.speed for s in runs])) if runs else _absent(here, name))
        done = [s for s in samples if s.product == name and not s.failure]
        row.append(" / ".join(f"{next(s.rewritten for s in done if s.times == t):,}" for t in _times(done)) or "-")
        rows.append(row)
    return figures.table(["contender", *(f"{times} ×" for times in steps), "rewritten"], rows)


def _times(samples: Iterable[Sample]) -> list[int]:
    return sorted({s.times for s in samples})


def _absent(samples: Iterable[Sample], name: str) -> str:
    """Why a contender has no figure."""
    failures = [s.failure for s in samples if s.product == name]
    # What was not done when smaller was not tried.
    return "failed" if any(not failure.startswith("not done") for failure in failures) else "not done"


def _median(values: Sequence[float]) -> float | None:
    return figures.median(values) if values else None


def arguments() -> argparse.Namespace:
    """What was asked for."""
    default = ",".join(name for name in CONTENDERS if name not in OPTIONAL)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="S,M,L", help="corpora: S, M, L (default: all)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds (default: 3)")
    parser.add_argument("--peers", default=default, help=f"of {', '.join(CONTENDERS)} (default: {default})")
    parser.add_argument("--no-growing", action="store_true", help="leave out the files that grow")
    parser.add_argument("--time-out", type=int, default=60, help="CPU seconds for one run (default: 60)")
    parser.add_argument("--json", type=Path, help="write every single run to this file")
    parser.add_argument("--show", type=Path, metavar="FILE", help="only print the tables of a file that --json wrote")
    parser.add_argument("--folder", type=Path, default=DEFAULT_FOLDER, help="where to work (default: .work/bench)")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="a smoke run: tiny files made here, one round, Shipfiles and Django; in this Python if it has both",
    )
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    asked = arguments()
    if asked.show:
        samples = [Sample(**sample) for sample in json.loads(asked.show.read_text())["runs"]]
        for group in dict.fromkeys(s.group for s in samples):
            print(report(samples, group), end="\n\n")
        return
    work = asked.folder.resolve()
    work.mkdir(parents=True, exist_ok=True)
    sizes = [] if asked.quick or not asked.sizes else chosen(asked.sizes, SIZES, "--sizes")
    names = list(QUICK) if asked.quick else chosen(asked.peers, CONTENDERS, "--peers")
    enter_environment(work, enough=("django", "shipfiles") if asked.quick else ())
    environment_now = {"machine": figures.machine(), "versions": figures.versions(PACKAGES)}
    print(json.dumps(environment_now), end="\n\n")
    samples: list[Sample] = []

    def measure(group: Sequence[Case]) -> None:
        for number in range(1, (1 if asked.quick else asked.rounds) + 1):
            for case in group:
                for name in names if case.language != WHOLE else [SHIPFILES]:
                    # What failed once is not tried again, nor on more of the same.
                    if not any(s.failure for s in samples if _same(s, case, name)):
                        samples.append(run(case, name, number, work, AT_LEAST[asked.quick], asked.time_out))
                        _tell(samples[-1])
            if asked.json:
                runs = [dataclasses.asdict(s) for s in samples]
                asked.json.write_text(json.dumps({**environment_now, "runs": runs}, indent=1))
        for title in dict.fromkeys(case.group for case in group):
            print(report(samples, title), end="\n\n", flush=True)

    for corpus in [corpora.synthetic(work)] if asked.quick else (corpora.corpus(size, work) for size in sizes):
        measure(list(cases(corpus)))
    if not asked.no_growing:
        urls, line = (200, 100_000) if asked.quick else (20_000, 10_000_000)
        measure(list(growing(work / "growing", urls, line)))
    if any(s.failure for s in samples if s.product == SHIPFILES or asked.quick):
        raise SystemExit(1)


def _same(sample: Sample, case: Case, product: str) -> bool:
    return (
        (sample.product, sample.group, sample.language) == (product, case.group, case.language)
        and sample.times <= case.times
    )  # fmt: skip


def _tell(sample: Sample) -> None:
    size = f" {sample.times} ×" if sample.times else ""
    print(
        f"{sample.group} {sample.language}{size} round {sample.round} {sample.product:20} {sample.cpu:8.2f} s CPU "
        f"{sample.bytes / 1e6:8.2f} MB, rewritten {sample.rewritten}, missing {sample.missing}, "
        f"passed over {sample.passed_over} {sample.failure}",
        file=sys.stderr,
        flush=True,
    )


if __name__ == "__main__":
    main()
