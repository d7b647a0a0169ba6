"""Uploads saved by processes that can be killed."""

from __future__ import annotations

import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from . import media_places as places
from .senders import Ended, serve

MODULE = "tests.services.media_savers"
_SAVED = "SAVED "


def saved(ended: Ended) -> list[tuple[str, str]]:
    """Name and digest of all that was acknowledged."""
    lines = [line.removeprefix(_SAVED) for line in ended.words.splitlines() if line.startswith(_SAVED)]
    return [(name, digest) for digest, _, name in (line.partition(" ") for line in lines)]


def _save(
    place: str,
    sizes: list[int],
    store_options: dict[str, Any] | None = None,
    name: str = places.NAME,
    processes: int = 1,
    threads: int = 1,
    first: int = 0,
    again: int = 1,
) -> int:
    """Save a body of each of the ``sizes`` under one ``name``, dealt to processes with threads; ``again`` so often.

    Each that is saved is said at once. Bodies are numbered from ``first`` on.
    """
    numbers = range(first, first + len(sizes) * again)
    children = []
    start = time.monotonic() + (0.05 if processes > 1 else 0)
    for part in range(processes):
        mine = [(number, sizes[(number - first) % len(sizes)]) for number in numbers[part::processes]]
        if processes == 1:
            return _save_all(place, store_options, name, mine, threads, start)
        child = os.fork()
        if not child:
            status = 1
            with suppress(Exception):
                status = _save_all(place, store_options, name, mine, threads, start)
            os._exit(status)
        children.append(child)
    return max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)


def _save_all(
    place: str,
    store_options: dict[str, Any] | None,
    name: str,
    bodies: list[tuple[int, int]],
    threads: int,
    start: float,
) -> int:
    storage = places.storage_in(place, **({"store_options": store_options} if store_options else {}))
    together = threading.Barrier(threads)

    def work(mine: list[tuple[int, int]]) -> None:
        from django.core.files.base import ContentFile

        time.sleep(max(0.0, start - time.monotonic()))
        together.wait()
        for number, size in mine:
            body = places.body(number, size)
            got = storage.save(name, ContentFile(body))
            # With one call, so that the lines of several stay whole; what a process has said stays said.
            os.write(1, f"{_SAVED}{places.digest(body)} {got}\n".encode())

    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(work, bodies[part::threads]) for part in range(threads)]:
            done.result()
    return 0


if __name__ == "__main__":
    import django
    import obstore  # noqa: F401
    from django.conf import settings

    import shipfiles.django.storage
    import shipfiles.stores.s3  # noqa: F401

    settings.configure(SECRET_KEY="tests", USE_TZ=True)
    django.setup()
    serve(_save)
    sys.exit()
