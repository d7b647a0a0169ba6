"""Releases follow each other in a bucket behind a CDN while pages are open: none of them ever lacks a file."""

from __future__ import annotations

import os
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.rolling.client import Clients, Connections, Delays, digest_of
from tests.rolling.deployment import Deployment, Product
from tests.rolling.trees import Tree, Trees

from .cdn import CDNS, Bucket, make_bucket, nginx, to_bucket, varnish
from .servers import free_port
from .watched import HASHED

pytestmark = pytest.mark.services

SERVERS = ("gunicorn", "gunicorn")
DELAYS = Delays(1, 4)
LOCATION = "static"


class Polls:
    """A thread that asks, again and again, for every file that any page has ever named."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._ending = threading.Event()
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []

    @contextmanager
    def polling(self) -> Iterator[None]:
        thread = threading.Thread(target=self._work)
        thread.start()
        try:
            yield
        finally:
            self._ending.set()
            thread.join()

    def _work(self) -> None:
        connections = Connections(0)
        while not self._ending.is_set():
            known = list(self._clients.seen.items())
            self.wrong += differing(dict(known), connections)
            self.counts["rounds"] += 1
            self.counts["files"] += len(known)
            time.sleep(0.3)
        connections.close()


def differing(known: dict[str, str], connections: Connections, port: int | None = None, folder: str = "/") -> list[str]:
    """What is not there, or has other content; ``port`` and ``folder`` of the URL's path: of another CDN."""
    found = []
    for url, digest in known.items():
        assert HASHED.fullmatch(urlsplit(url).path)
        there = url if port is None else f"http://127.0.0.1:{port}{folder}{path_of(url)}"
        status, body = connections.get(there, "")
        if status != 200 or digest_of(body) != digest:
            found.append(f"{url}: {status} {body[:60]!r}")
    return found


def path_of(url: str) -> str:
    """The path of a file in the bucket's folder, which is in the URL or not."""
    return urlsplit(url).path.removeprefix(f"/{LOCATION}/").removeprefix("/")


def check_cold(known: dict[str, str], bucket: Bucket, folder: Path) -> None:
    """All that any page has ever named is there for caches that have nothing."""
    connections = Connections(0)
    with varnish(folder / "varnish", bucket) as port:
        assert differing(known, connections, port) == []
    with nginx(folder / "cold", bucket) as port:
        assert differing(known, connections, port, f"/{LOCATION}/") == []
    # The witness itself.
    gone = next(iter(known))
    bucket.client.delete_object(Bucket=bucket.name, Key=f"{LOCATION}/{path_of(gone)}")
    with nginx(folder / "witness", bucket) as port:
        (found,) = differing(known, connections, port, f"/{LOCATION}/")
    assert found.startswith(f"{gone}: 404")
    connections.close()


def stale_plains(tree: Tree, bucket: Bucket) -> list[str]:
    """The files of ``tree`` under whose plain name are other bytes."""
    found = []
    for logical, made in tree.files.items():
        there = bucket.client.get_object(Bucket=bucket.name, Key=f"{LOCATION}/{logical}")["Body"].read()
        if there != (made if isinstance(made, bytes) else made.source()):
            found.append(logical)
    return found


def quiet(clients: Clients, deployment: Deployment) -> None:
    """Nothing went wrong."""
    troubles = {what: clients.counts[what] for what in ("missing", "wrong", "error") if clients.counts[what]}
    assert not troubles, f"{clients.summary()}\n{deployment.logs()}"


def more_pages(clients: Clients, count: int) -> None:
    """Wait until so many more pages have been loaded."""
    wanted = clients.pages + count
    for _ in range(600):
        if clients.pages >= wanted:
            return
        time.sleep(0.1)
    pytest.fail(f"no pages: {clients.summary()}")


@pytest.mark.parametrize(("named", "cdn"), [(False, "nginx"), (True, "varnish")])
def test_no_page_lacks_a_file(seaweed: str, named: bool, cdn: str, tmp_path: Path) -> None:
    seed = int(os.environ.get("SEED", "1"))
    sys.stdout.write(f"SEED={seed}\n")
    bucket, port = make_bucket(seaweed), free_port()
    # Varnish adds the folder itself.
    base = f"http://127.0.0.1:{port}/" if cdn == "varnish" else f"http://127.0.0.1:{port}/{LOCATION}/"
    product = to_bucket(bucket, LOCATION, base_url=base)
    deployment = Deployment(tmp_path / "site", replace(product, named=named), SERVERS)
    trees = Trees(random.Random(seed))
    clients = Clients(deployment.port, trees.made, seed, threads=3, most_open=10, delays=DELAYS)
    polls = Polls(clients)
    current = trees.following()
    with CDNS[cdn](tmp_path / "cdn", bucket, port=port), deployment.running():
        deployment.collect(current)
        deployment.roll(current)
        with clients.loading(), polls.polling():
            for step in ("deploy", "deploy", "rollback", "deploy"):
                more_pages(clients, 20)
                before = current
                if step == "deploy":
                    current = trees.following()
                    deployment.collect(current)
                else:
                    current = trees.made[-2]
                    deployment.rollback(current)
                if named:
                    # One that dies while a deployment is under way comes back with the old code.
                    deployment.restart(0, before)
                deployment.roll(current)
            more_pages(clients, 20)
    sys.stdout.write(f"{clients.summary()}; {dict(polls.counts)} polled\n")
    quiet(clients, deployment)
    assert polls.wrong == []
    assert polls.counts["rounds"] > 5
    assert len(clients.seen) > 60
    check_cold(clients.seen, bucket, tmp_path)


def test_from_django_storages_and_back(seaweed: str, tmp_path: Path) -> None:
    """The same OPTIONS; BACKEND and INSTALLED_APPS are all that differs."""
    bucket, port = make_bucket(seaweed), free_port()
    ours = to_bucket(bucket, LOCATION, custom_domain=f"127.0.0.1:{port}", url_protocol="http:", querystring_auth=False)
    theirs = Product("django-storages", "tests.rolling.stock.Modules", ours.options)
    trees = Trees(random.Random(1), cycles=False)
    deployment = Deployment(tmp_path / "site", theirs, SERVERS)
    first = trees.following()
    with nginx(tmp_path / "cdn", bucket, port=port), deployment.running():
        deployment.collect(first)
        deployment.roll(first)
        clients = Clients(deployment.port, trees.made, 1, threads=3, most_open=10, delays=DELAYS)
        polls = Polls(clients)
        with clients.loading(), polls.polling():
            more_pages(clients, 20)
            second = trees.following()
            deployment.product = ours
            deployment.collect(second)
            # The old code comes back once more, and reads the manifest that it knows.
            deployment.product = theirs
            deployment.restart(0, first)
            more_pages(clients, 20)
            deployment.product = ours
            deployment.roll(second)
            more_pages(clients, 20)
        quiet(clients, deployment)
        assert polls.wrong == []
        # Nobody loads pages meanwhile: django-storages takes files away and puts them again.
        deployment.product = theirs
        third = trees.following()
        deployment.collect(third)
        later = Clients(deployment.port, trees.made, 2, threads=3, most_open=10, delays=DELAYS)
        with later.loading():
            more_pages(later, 20)
            deployment.roll(third)
            more_pages(later, 20)
        quiet(later, deployment)
        # And on again: what django-storages has put under plain names meanwhile is what the guide says to look for.
        deployment.product = ours
        deployment.collect(second)
        assert stale_plains(second, bucket)
        deployment.manage(second, "ship", "activate", "current")
        deployment.manage(second, "ship", "publish")
        assert stale_plains(second, bucket) == []
    check_cold({**clients.seen, **later.seen}, bucket, tmp_path)
