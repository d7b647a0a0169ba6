"""A child process goes on although other threads of its parent held locks, or were to do its work, at the fork."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from shipfiles.serve import forks, waiting
from shipfiles.serve.flights import Flights
from shipfiles.serve.origins import Folder
from shipfiles.serve.patience import PatientStore
from shipfiles.serve.pull import Pull
from shipfiles.serve.releases import Releases
from shipfiles.serve.remote import RemoteNames
from shipfiles.serve.since import Since
from shipfiles.stores.local import LocalStore
from shipfiles.stores.memory import MemoryStore

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork"),
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),
]


def in_child(do: Callable[[], object]) -> int:
    """The exit status of a child that does ``do``; -1 if it did not come to its end."""
    child = os.fork()
    if not child:
        try:
            do()
            os._exit(0)
        finally:
            os._exit(1)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return -1


@pytest.mark.parametrize("what", ["since", "releases", "pull", "remote", "flights"])
def test_locks_that_another_thread_held(tmp_path: Path, what: str) -> None:
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests" / "a.json").write_text("{}")
    pull = Pull(MemoryStore(), LocalStore(str(tmp_path)), {})
    flights = Flights[int](bool)
    # Not held together: what uses one of them may use another.
    owner, names, use = {
        "since": (Since(Folder(str(tmp_path))), ("_lock",), lambda one: one.of("r")),
        "releases": (Releases(str(tmp_path / "manifests"), {}), ("_lock",), lambda one: one.entry("a.1.css")),
        "pull": (pull, ("_lock", "_writing"), lambda one: (one._say("x"), one._writing.acquire())),
        "remote": (RemoteNames(PatientStore(MemoryStore()), {}), ("_lock",), lambda one: one.find("a.1.css")),
        "flights": (flights, ("_lock",), lambda one: one.run("key", int)),
    }[what]
    for name in names:
        getattr(owner, name).acquire()
    try:
        assert in_child(lambda: use(owner)) == 0
    finally:
        for name in names:
            getattr(owner, name).release()


def test_what_another_thread_was_bringing() -> None:
    flights, begun, end = Flights[int](bool), threading.Event(), threading.Event()

    def slow() -> int:
        begun.set()
        assert end.wait(60)
        return 1

    thread = threading.Thread(target=flights.run, args=("key", slow))
    thread.start()
    assert begun.wait(60)
    assert in_child(lambda: flights.run("key", lambda: 2) == 2 or os._exit(2)) == 0
    end.set()
    thread.join()


def test_threads_that_wait_for_work() -> None:
    meet = threading.Barrier(waiting._THREADS)
    # All of its threads are there, and idle, so that the child would believe that it needs no new one.
    for done in [waiting._pool.threads.submit(meet.wait, 60) for _ in range(waiting._THREADS)]:
        done.result()
    assert in_child(lambda: waiting._pool.threads.submit(int).result()) == 0


def test_what_is_gone_is_forgotten(tmp_path: Path) -> None:
    gc.collect()
    before = len(forks._renewals)
    for _ in range(100):
        Since(str(tmp_path))
    gc.collect()
    assert len(forks._renewals) <= before + 1
