#!/usr/bin/env python3
"""Measures what a worker's table of static files costs when it starts: Shipfiles beside WhiteNoise.

    python bench/start.py --files 20000,100000 --rounds 3

Files of a few bytes with a .br and a .gz sibling, under hashed and plain names, as collectstatic publishes them. Each
figure is that of a fresh process in which the table is made around an empty application: CPU and wall seconds, and
the memory that is then taken and was not before. Linux only.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import figures
from workplace import DEFAULT_FOLDER, enter_environment


def make_release(folder: Path, files: int) -> None:
    """Publish ``files`` files to ``folder`` in a release of ours, which WhiteNoise can serve as well."""
    from shipfiles import manifest, records
    from shipfiles.digest import digest_bytes, hashed_name
    from shipfiles.media_types import media_type
    from shipfiles.model import Entry, Variant

    entries = {}
    for number in range(files):
        logical = f"packages/p{number // 100}/assets/module{number % 100}.js"
        body = f"export default {number};\n".encode()
        entry = Entry(
            logical, hashed_name(logical, digest_bytes(body)), len(body), digest_bytes(body), media_type(logical),
            {coding: Variant(len(body), digest_bytes(coding.encode(), body)) for coding in ("br", "gzip")},
        )  # fmt: skip
        entries[logical] = entry
        (folder / logical).parent.mkdir(parents=True, exist_ok=True)
        for name in (entry.name, entry.logical):
            for suffix in ("", ".br", ".gz"):
                (folder / (name + suffix)).write_bytes(body)
    body = manifest.dump(manifest.Manifest(entries))
    digest = digest_bytes(body)
    record = records.Record(records.content_id(digest), records.now(), digest)
    pointer = records.Pointer(()).moved(record.release, records.now())
    for key, content in (
        (records.manifest_key(digest), body),
        (records.record_key(record.release), records.dump_record(record)),
        (records.POINTER_KEY, records.dump_pointer(pointer)),
    ):
        (folder / key).parent.mkdir(parents=True, exist_ok=True)
        (folder / key).write_bytes(content)


def anonymous_mb() -> float:
    """The memory of this process that no file on the disk backs, in MB."""
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines():
        if line.startswith("Anonymous:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError("the kernel does not tell the memory of a process")


def start(contender: str, folder: str) -> object:
    """The table of ``contender`` around an application. What is imported for it does not count: it is there first."""
    from whitenoise import WhiteNoise

    from shipfiles.serve.wsgi import StaticApp

    def application(_environ: object, _start_response: object) -> list[bytes]:
        return []

    made: Callable[[], object] = (
        (lambda: StaticApp(application, root=folder))
        if contender.startswith("shipfiles")
        else (lambda: WhiteNoise(application, root=folder, prefix="static/"))
    )
    before, cpu, wall = anonymous_mb(), time.process_time(), time.perf_counter()
    app = made()
    used = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall, "mb": anonymous_mb() - before}
    print(json.dumps(used))
    return app


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", default="20000,100000", help="how many files (default: 20000,100000)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds (default: 3)")
    parser.add_argument("--folder", type=Path, default=DEFAULT_FOLDER, help="where to work (default: .work/bench)")
    parser.add_argument("--one", nargs=2, metavar=("CONTENDER", "FOLDER"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        start(*asked.one)
        return
    work = asked.folder.resolve()
    work.mkdir(parents=True, exist_ok=True)
    enter_environment(work)
    about = {"machine": figures.machine(), "versions": figures.versions(("shipfiles", "whitenoise"))}
    print(json.dumps(about), end="\n\n", flush=True)
    contenders = ("shipfiles", "whitenoise")
    rows = []
    for files in map(int, asked.files.split(",")):
        folder = work / "start" / str(files)
        shutil.rmtree(folder, ignore_errors=True)
        make_release(folder, files)
        runs: dict[str, list[dict[str, float]]] = {name: [] for name in contenders}
        for _ in range(asked.rounds):
            for name in contenders:
                command = [sys.executable, __file__, "--one", name, str(folder)]
                runs[name].append(json.loads(subprocess.run(command, check=True, capture_output=True).stdout))
        middle = {
            name: {what: figures.median(run[what] for run in runs[name]) for what in ("cpu", "wall", "mb")}
            for name in contenders
        }
        for name in contenders:
            mine, peer = middle[name], middle["whitenoise"]
            cells = [f"{figures.number(mine[w])} ({figures.ratio(mine[w], peer[w])})" for w in ("cpu", "wall", "mb")]
            rows.append([f"{files:,} files, {name}", *cells, figures.number(mine["mb"] * 1e6 / files)])
        shutil.rmtree(folder)
    print(figures.table(["(ratio to WhiteNoise)", "CPU s", "wall s", "MB", "bytes a file"], rows))


if __name__ == "__main__":
    main()
