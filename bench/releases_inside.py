"""What `releases.py` measures within a process of its own: ``python bench/releases_inside.py NAME ROOT [ARGUMENT]``.

Prints one JSON object: the seconds, the MB that the process took beyond what it had before, and what came of it.
Each function imports what it needs, and makes what stands for the state of a server, before the clock starts.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

KEPT = 11
"""So many releases a prune leaves."""


class Clock:
    """What a block took."""

    seconds = 0.0
    cpu = 0.0
    megabytes = 0.0

    def __enter__(self) -> None:
        self._had = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        self._started, self._worked = time.perf_counter(), time.process_time()

    def __exit__(self, *exc: object) -> None:
        self.seconds = time.perf_counter() - self._started
        self.cpu = time.process_time() - self._worked
        self.megabytes = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - self._had) / 1024


def make(root: Path, argument: str, clock: Clock) -> str:
    """The store, of "files,releases"."""
    from released_stores import many_releases

    files, releases = map(int, argument.split(","))
    with clock:
        keys = many_releases(root, files, releases)
    return f"{releases} releases of {files:,} files, {keys:,} keys"


def activating(root: Path, argument: str, clock: Clock) -> str:
    """Make the release of that number the current one."""
    from released_stores import release_id
    from shipfiles.release.activate import activate
    from shipfiles.stores.local import LocalStore

    store = LocalStore(str(root))
    with clock:
        done = activate(store, release_id(int(argument)))
    return f"{done.differing:,} files differ"


def rolling_back(root: Path, argument: str, clock: Clock) -> str:
    """Roll back by so many releases."""
    from shipfiles.release.activate import rollback
    from shipfiles.stores.local import LocalStore

    store = LocalStore(str(root))
    with clock:
        done = rollback(store, int(argument))
    return f"{done.differing:,} files differ"


def listing(root: Path, argument: str, clock: Clock) -> str:
    """Read all records and the pointer."""
    del argument
    from shipfiles.release.catalog import pointer_of, records_of
    from shipfiles.stores.local import LocalStore

    store = LocalStore(str(root))
    with clock:
        known = records_of(store)
        pointer_of(store)
    return f"{len(known)} releases"


def pruning(root: Path, argument: str, clock: Clock) -> str:
    """Plan a prune that keeps `KEPT` releases; with the argument "prune" do it, too."""
    from shipfiles.records import now
    from shipfiles.release.prune import plan_prune, prune
    from shipfiles.stores.local import LocalStore

    store = LocalStore(str(root))
    with clock:
        # As from a day on, when nothing here is young any more.
        plan = plan_prune(store, keep=KEPT, younger_than=timedelta(0), at=now() + timedelta(days=1))
        if argument == "prune":
            plan = prune(store, plan)
    return f"{len(plan.dropped)} releases, {len(plan.sweep):,} files, {plan.bytes / 1e6:,.0f} MB"


def verifying(root: Path, argument: str, clock: Clock) -> str:
    """Read every file of the release of that number."""
    from released_stores import release_id
    from shipfiles.release.verify import verify
    from shipfiles.stores.local import LocalStore

    store = LocalStore(str(root))
    with clock:
        found = verify(store, release_id(int(argument)))
    return f"{found.objects:,} objects, {found.bytes / 1e6:,.0f} MB, {len(found.faults)} faults"


def exporting(root: Path, argument: str, clock: Clock) -> str:
    """Export the release 0 to a file beside the store, whose name ends so."""
    from released_stores import release_id
    from shipfiles.release.transfer import export_release
    from shipfiles.stores.local import LocalStore

    store, to = LocalStore(str(root)), f"{root}{argument}"
    with clock:
        done = export_release(store, release_id(0), to)
    return f"{done.files:,} files, {Path(to).stat().st_size / 1e6:,.0f} MB"


def importing(root: Path, argument: str, clock: Clock) -> str:
    """Import what `exporting` wrote into an empty store."""
    from shipfiles.release.transfer import import_release
    from shipfiles.stores.local import LocalStore

    store = LocalStore(f"{root}-imported")
    with clock:
        done = import_release(store, f"{root}{argument}")
    return f"{done.written:,} files"


def missing(root: Path, argument: str, clock: Clock) -> str:
    """Ask for a name of an old release that the current one does not have; "again" asks a second time."""
    from released_stores import release_id
    from shipfiles.manifest import reader_of
    from shipfiles.records import MANIFESTS_PREFIX, read_current, read_release
    from shipfiles.serve.releases import Releases

    read = reader_of(str(root))
    current, old = read_current(read), read_release(read, release_id(int(argument)))
    if current is None or old is None:
        raise SystemExit("not the releases that there should be")
    own = {entry.name: entry for entry in current[1].entries.values()}
    name = next(entry.name for entry in old.entries.values() if entry.name not in own)
    del old
    releases = Releases(str(root / MANIFESTS_PREFIX), own)
    with clock:
        found = releases.entry(name)
    again = time.perf_counter()
    releases.entry(name)
    again = time.perf_counter() - again
    if found is None or found.name != name:
        raise SystemExit(f"{name} was not found")
    return f"the next one: {1e6 * again:.0f} µs"


def loading(root: Path, argument: str, clock: Clock) -> str:
    """Load a manifest that `dumping` wrote beside the store, of "files" or, as a server does, of "files,lazily"."""
    from shipfiles.manifest import load

    files, _, lazily = argument.partition(",")
    body = Path(f"{root}-{files}.json").read_bytes()
    with clock:
        found = load(body, "manifest", lazily=bool(lazily))
    return f"{len(found.entries):,} files, {len(body) / 1e6:.1f} MB"


def dumping(root: Path, argument: str, clock: Clock) -> str:
    """Write a manifest of so many files beside the store."""
    from released_stores import manifest
    from shipfiles.manifest import dump

    made = manifest(int(argument))
    with clock:
        body = dump(made)
    Path(f"{root}-{argument}.json").write_bytes(body)
    return f"{len(body) / 1e6:.1f} MB"


MEASURED: dict[str, Callable[[Path, str, Clock], str]] = {
    "make": make,
    "activate": activating,
    "rollback": rolling_back,
    "releases": listing,
    "prune": pruning,
    "verify": verifying,
    "export": exporting,
    "import": importing,
    "miss": missing,
    "load": loading,
    "dump": dumping,
}


if __name__ == "__main__":
    ticking = Clock()
    said = MEASURED[sys.argv[1]](Path(sys.argv[2]), "".join(sys.argv[3:]), ticking)
    print(json.dumps({"seconds": ticking.seconds, "cpu": ticking.cpu, "megabytes": ticking.megabytes, "said": said}))
