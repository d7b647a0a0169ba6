#!/usr/bin/env python3
"""Measures the encoders: bytes and CPU seconds of each quality, by type and by size, over a corpus's distinct contents.

    python bench/compress.py --sizes S,M --json figures.json
    python bench/compress.py --quick

One thread; before each file the encoders change their order, so that what else the machine does hits them alike.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import sys
import time
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import corpora
import figures
from collect import chosen
from corpora import SIZES, Corpus
from workplace import DEFAULT_FOLDER, enter_environment

PACKAGES = ("shipfiles", "brotli", "deflate", "backports.zstd")
SMALLEST = {0: "to 1 kB", 1_000: "1 to 10 kB", 10_000: "10 to 50 kB", 50_000: "50 kB to 1 MB", 1_000_000: "above"}


@dataclass(frozen=True, slots=True)
class Sample:
    """What the encoders made of one content."""

    logical: str
    size: int
    made: Mapping[str, tuple[int, float]]
    """Encoder → (bytes, CPU seconds)."""

    @property
    def kind(self) -> str:
        """The extension."""
        return PurePosixPath(self.logical).suffix or "(none)"

    @property
    def span(self) -> str:
        """The span of sizes."""
        return SMALLEST[max(smallest for smallest in SMALLEST if smallest <= self.size)]


def encoders() -> dict[str, Callable[[bytes], int]]:
    """Name → how many bytes the encoder makes of a body. Those named "ours" are Shipfiles' own classes."""
    import brotli

    from shipfiles.build.compress.brotli import Brotli
    from shipfiles.build.compress.gzip import Gzip
    from shipfiles.build.compress.zstd import Zstd

    def google(quality: int) -> Callable[[bytes], int]:
        return lambda body: len(brotli.compress(body, quality=quality))

    def ours(coding: Brotli | Gzip | Zstd) -> Callable[[bytes], int]:
        return lambda body: len(coding.compress(body))

    # zlib's stream with a gzip member's head and trailer, as WhiteNoise has it.
    found: dict[str, Callable[[bytes], int]] = {
        "zlib 9": lambda body: len(zlib.compress(body, 9, wbits=31)),
        "br 11": google(11),
    }
    found.update({f"br {quality}, ours": ours(Brotli(quality)) for quality in (11, 10, 9, 5)})
    found.update({f"gzip {level}, ours": ours(Gzip(level)) for level in (6, 8, 9, 10, 12)})
    found.update({f"zstd {level}, ours": ours(Zstd(level)) for level in (3, 9, 12, 15, 17, 19, 22)})
    return found


def contents(corpus: Corpus, megabytes: float) -> Iterable[tuple[str, bytes]]:
    """Logical path and bytes of each distinct content that Shipfiles compresses; with ``megabytes`` a sample."""
    from shipfiles.build.compress import is_wanted
    from shipfiles.config import CompressConfig
    from shipfiles.media_types import media_type

    files = list(corpus.files().items())
    if megabytes:
        random.Random(corpus.name).shuffle(files)
    seen: set[bytes] = set()
    left = megabytes * 1e6
    for logical, path in files:
        body = path.read_bytes()
        digest = hashlib.sha256(body).digest()
        if digest in seen or not is_wanted(CompressConfig(), logical, media_type(logical), len(body)):
            continue
        if megabytes and len(body) > left:
            continue
        left -= len(body)
        seen.add(digest)
        yield logical, body


def measure(logical: str, body: bytes, kinds: Mapping[str, Callable[[bytes], int]], turn: int) -> Sample:
    """One content by every encoder."""
    names = list(kinds)
    made = {}
    for name in names[turn % len(names) :] + names[: turn % len(names)]:
        started = time.thread_time()
        size = kinds[name](body)
        made[name] = (size, time.thread_time() - started)
    return Sample(logical, len(body), {name: made[name] for name in names})


def report(samples: Sequence[Sample], title: str) -> str:
    """The table of one group."""
    total = sum(s.size for s in samples)
    rows = []
    for name in samples[0].made:
        size, cpu = (sum(s.made[name][i] for s in samples) for i in (0, 1))
        reference = "zlib 9" if name.startswith(("zlib", "gzip")) else "br 11"
        base, base_cpu = (sum(s.made[reference][i] for s in samples) for i in (0, 1))
        more = f"{100 * (size / base - 1):+.2f} %"
        rows.append([name, f"{size:,.0f}", f"{100 * size / total:.2f} %", more, figures.number(cpu),
                     figures.ratio(cpu, base_cpu)])  # fmt: skip
    heads = ["encoder", "bytes", "of the source", "against br 11, zlib 9", "CPU s", "CPU ×"]
    return f"### {title}: {len(samples):,} contents, {total / 1e6:.2f} MB\n\n{figures.table(heads, rows)}"


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="S,M", help="corpora: S, M, L (default: S,M)")
    parser.add_argument("--sample", type=float, default=0, metavar="MB", help="only so much of each, chosen at random")
    parser.add_argument("--json", type=Path, help="write the figures of every content to this file")
    parser.add_argument("--folder", type=Path, default=DEFAULT_FOLDER, help="where to work (default: .work/bench)")
    parser.add_argument("--quick", action="store_true", help="a smoke run: a tiny corpus made here")
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    asked = arguments()
    work = asked.folder.resolve()
    work.mkdir(parents=True, exist_ok=True)
    sizes = ["quick"] if asked.quick else chosen(asked.sizes, SIZES, "--sizes")
    enter_environment(work, enough=("backports.zstd", "brotli", "deflate", "shipfiles") if asked.quick else ())
    print(json.dumps({"machine": figures.machine(), "versions": figures.versions(PACKAGES),
                      "zlib": zlib.ZLIB_RUNTIME_VERSION}), end="\n\n")  # fmt: skip
    kinds = encoders()
    found: dict[str, list[Sample]] = {}
    for size in sizes:
        corpus = corpora.synthetic(work) if asked.quick else corpora.corpus(size, work)
        samples = found[size] = []
        for turn, (logical, body) in enumerate(contents(corpus, asked.sample)):
            samples.append(measure(logical, body, kinds, turn))
            print(f"\r{size} {turn + 1}", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
        print(f"## {size}\n\n{report(samples, 'all')}", end="\n\n")
        for group in ("kind", "span"):
            groups: dict[str, list[Sample]] = {}
            for sample in samples:
                groups.setdefault(getattr(sample, group), []).append(sample)
            for name, mine in sorted(groups.items(), key=lambda item: -sum(s.size for s in item[1]))[:8]:
                print(report(mine, name), end="\n\n", flush=True)
    if asked.json:
        asked.json.write_text(json.dumps({
            size: [{"logical": s.logical, "size": s.size, "made": s.made} for s in samples]
            for size, samples in found.items()
        }))  # fmt: skip


if __name__ == "__main__":
    main()
