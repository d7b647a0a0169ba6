"""What rewrite.py times, in a process of its own: one contender, files that are in memory, no disk.

    python -m project.rewriting TASK RESULT

Both are JSON files. No file is hashed: what each is called is in the task, so that to look up a target is to look into
a dictionary. Every such name has the task's mark in it, by which rewritten references are counted afterwards.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from shipfiles.build.cache import NO_CACHE
from shipfiles.build.lanes import Lanes
from shipfiles.build.rewrite import rewriter_for
from shipfiles.build.rewrite.encoding import text_of
from shipfiles.build.rewrite.reference import Target, renamed, target_of
from shipfiles.build.rewrite.splice import Edit, splice
from shipfiles.build.scan import Scanner
from shipfiles.config import RewriteConfig
from shipfiles.media_types import media_type
from shipfiles.model import SourceFile

STATIC_URL = "/static/"
# Compiles what a contender compiles at the first file.
WARM_UP = {
    "css": ("bench.css", b"a{b:url(bench.png)}\n@import 'bench.css';\n/*# sourceMappingURL=bench.map */"),
    "js": ("bench.js", b'import "./bench.js";\nimport("./bench.js");\n//# sourceMappingURL=bench.map'),
}


class Contender(Protocol):
    """Finds and replaces the references of one file after the other."""

    finds_first: bool
    """Whether ``find`` does the finding; else ``replace`` does both at once."""
    missing: set[str]
    """The targets that there are not."""

    def find(self, name: str, body: bytes) -> Any:
        """What was found in ``body``."""
        ...

    def replace(self, name: str, body: bytes, found: Any) -> bytes:
        """``body`` with the hashed names."""
        ...


class Shipfiles:
    """The steps of `shipfiles.build`: `scan` without reading and digests, `links` and `pipeline` without the graph."""

    finds_first = True

    def __init__(self, names: Mapping[str, str]) -> None:
        self.names = names
        self.missing: set[str] = set()

    def find(self, name: str, body: bytes) -> Any:
        """The references and the encoding for edits."""
        type_ = media_type(name, None)
        rewriting = rewriter_for(name, type_)
        assert rewriting is not None
        text = text_of(body, type_)
        return tuple(text.own_spans(rewriting.rewriter.references(text.utf8))), text.codec

    def replace(self, name: str, body: bytes, found: Any) -> bytes:
        """``body`` with those references edited whose target there is."""
        edits = []
        references, codec = found
        for reference in references:
            target = target_of(reference.url, name, STATIC_URL, reference.base)
            if target is None:
                continue
            hashed = self.names.get(target.logical) if isinstance(target, Target) else None
            if hashed is None:
                self.missing.add(target.logical if isinstance(target, Target) else f"{name} {reference.url}")
            else:
                edits.append(
                    Edit(reference.start, reference.end, renamed(reference.url, hashed).encode(codec or "utf-8"))
                )
        return splice(body, edits)


def time_bodies(task: Mapping[str, Any]) -> dict[str, Any]:
    """CPU seconds for finding, and for finding and replacing, in all files of the task."""
    contender: Contender
    if task["backend"] == "shipfiles":
        contender = Shipfiles(task["names"])
    else:
        from project.rewriting_storages import storage

        contender = storage(task["names"])
    name, body = WARM_UP[task["language"]]
    contender.replace(name, body, contender.find(name, body))
    contender.missing.clear()

    bodies = {logical: Path(path).read_bytes() for logical, path in task["files"]}
    passes, scan_cpu, cpu = 0, 0.0, 0.0
    # Few files are gone through several times, for the clock may be coarse.
    while cpu < task["at_least"]:
        failed: set[str] = set()
        found: dict[str, Any] = {}
        outcomes: list[bytes] = []
        start = time.process_time()
        for name, body in bodies.items():
            try:
                found[name] = contender.find(name, body)
            except Exception:
                failed.add(name)
        middle = time.process_time()
        for name in found:
            try:
                outcomes.append(contender.replace(name, bodies[name], found[name]))
            except Exception:
                failed.add(name)
        end = time.process_time()
        passes, scan_cpu, cpu = passes + 1, scan_cpu + middle - start, cpu + end - start
    return {
        "scan_cpu": scan_cpu / passes if contender.finds_first else None,
        "cpu": cpu / passes,
        "files": len(bodies) - len(failed),
        "bytes": sum(len(body) for name, body in bodies.items() if name not in failed),
        "rewritten": sum(outcome.count(task["mark"].encode()) for outcome in outcomes),
        "missing": len(contender.missing),
        "passed_over": len(failed),
    }


def time_scan(task: Mapping[str, Any]) -> dict[str, Any]:
    """What Shipfiles' first pass over whole folders takes on one core: each file read, digested and scanned."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    scanner = Scanner(RewriteConfig(), None, NO_CACHE, Lanes(0))
    sources = [SourceFile(logical, path) for logical, path in task["files"]]
    wall, cpu = time.perf_counter(), time.process_time()
    scanned = [scanner.read(source) for source in sources]
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {
        "wall": wall,
        "cpu": cpu,
        "files": len(scanned),
        "bytes": sum(file.size for file in scanned),
        "rewritten": sum(len(file.scan.references) for file in scanned),
    }


def main() -> None:
    """Do the task."""
    task = json.loads(Path(sys.argv[1]).read_text())
    # At the first limit the kernel ends the process by SIGXCPU, which nothing else sends.
    resource.setrlimit(resource.RLIMIT_CPU, (task["cpu_seconds"], task["cpu_seconds"] + 10))
    result = time_scan(task) if task["backend"] == "whole" else time_bodies(task)
    Path(sys.argv[2]).write_text(json.dumps(result))


if __name__ == "__main__":
    main()
