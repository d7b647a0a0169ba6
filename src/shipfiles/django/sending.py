"""Send a release to several stores, one after the other: what became of each, in words and as JSON."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from ..config import StaticConfig
from ..digest import digest_bytes
from ..errors import Busy, NoAnswer, ShipfilesError, StoreError, StoreErrors
from ..events import Event, Listener, PhaseEnded, Retried
from ..manifest import Manifest, dump
from ..records import POINTER_KEY, dump_record, load_pointer, manifest_key, record_key
from ..release.kept import Kept
from ..release.outcome import size_of
from ..release.pace import SMALL
from ..release.publish import record_of
from ..release.send import Sent, send
from ..release.target import Target
from ..stores.memory import MemoryStore
from ..stores.store import Store, read_all, unrepeated
from . import conf
from .progress import count, duration, human
from .pruning import Pruned, prune_target
from .report import deleted
from .targets import is_served_by_another


@dataclass(slots=True)
class Outcome:
    """What became of one store."""

    target: Target
    release: str
    """The id of the release that was sent."""
    sent: Sent | None = None
    """``None`` if that failed."""
    error: ShipfilesError | None = None
    live: str | None = None
    """The id of the release that is current there; empty if none is, ``None`` if that could not be asked."""
    undecided: bool = False
    """Whether what failed may have made the release current."""
    seconds: float = 0.0
    retries: int = 0
    pruned: Pruned | None = None

    @property
    def text(self) -> str:
        """The outcome in a line."""
        if self.sent is None:
            return f"{self.target}: failed; {self._still}."
        spent = f"in {duration(self.seconds)}"
        # A folder, here or on a server, is asked for more than was counted, and nobody pays for it.
        spent += "" if is_served_by_another(self.target.store) else f", {count(self.sent.requests, 'request')}"
        spent += f", {count(self.retries, 'retry', 'retries')}" if self.retries else ""
        objects, gone = _sent_objects(self.sent), len(deleted(self.sent.changed))
        instead = f" instead of {self.sent.before}" if self.sent.before not in ("", self.release) else ""
        was = " already" if self.sent.before == self.release else ""
        parts = [f"{objects:,} sent ({human(self.sent.bytes)})"] if objects else ["nothing sent"]
        parts += [f"{self.sent.copied:,} copied there"] if self.sent.copied else []
        parts += [f"{self.sent.kept:,} kept"] if self.sent.kept else []
        parts += [f"{gone:,} deleted"] if gone else []
        pruned = f" Pruned: {self.pruned.text}." if self.pruned and self.pruned.text else ""
        return f"{self.target}: {self.release} is live{was}{instead}; {', '.join(parts)}, {spent}.{pruned}"

    @property
    def _still(self) -> str:
        """What is live where sending failed."""
        if self.live is None and self.undecided:
            return f"whether {self.release} is live there, or what was, cannot be told now"
        if self.live is None:
            return "what was live there still is"
        if self.live == self.release:
            return f"{self.release} is live there all the same"
        return f"{self.live} is live there, as before" if self.live else "no release is live there"

    @property
    def failure(self) -> str:
        """What went wrong, with every key, and what is live."""
        error = self.error
        assert error is not None
        several = isinstance(error, StoreErrors) and len(error.errors) > 1
        told = "\n".join(["", *(f"  {one}" for one in _several(error))]) if several else f" {error}"
        still = self._still if self.live else self._still[:1].upper() + self._still[1:]
        return f"{self.target}:{told}\n  {still}."

    def facts(self) -> dict[str, Any]:
        """The same for ``--json``."""
        sent = self.sent or Sent(str(self.target), self.release)
        return {
            "target": str(self.target),
            "ok": self.sent is not None,
            "release": self.release,
            "before": sent.before or None,
            "live": self.live,
            "sent": _sent_objects(sent),
            "bytes_sent": sent.bytes,
            "copied": sent.copied,
            "kept": sent.kept,
            "deleted": len(deleted(sent.changed)),
            "requests": sent.requests,
            "retries": self.retries,
            "seconds": round(self.seconds, 3),
            "pruned": self.pruned.facts() if self.pruned else None,
            "error": str(self.error) if self.error else None,
            "failed": [{"key": one.key, "what": one.what} for one in _several(self.error)],
        }


class Sending:
    """A release on its way to the ``targets``; all of them are tried."""

    def __init__(
        self, source: Store, release: str, targets: Sequence[Target], config: StaticConfig, *, clear: bool = False,
        verify: bool = False,
    ) -> None:  # fmt: skip
        self.outcomes: list[Outcome] = []
        self._source = source
        self._release = release
        self._targets = targets
        self._config = config
        self._clear = clear
        self._verify = verify

    def run(self, showing: Callable[[Target], AbstractContextManager[Listener]]) -> None:
        """Send to each, ``showing`` what happens. Whatever fails is an outcome."""
        for target in self._targets:
            with showing(target) as listener:
                self.outcomes.append(self._sent(target, listener))

    @property
    def failed(self) -> list[Outcome]:
        """The stores that do not have the release, or not all of it."""
        return [outcome for outcome in self.outcomes if outcome.error is not None]

    @property
    def failure(self) -> str:
        """What failed, where, and where the release is live; empty if nothing failed."""
        failed = self.failed
        if not failed:
            return ""
        several = f" in {len(failed)} of {len(self.outcomes)} stores" if len(self.outcomes) > 1 else ""
        text = "\n".join([f"Sending the release {self._release} failed{several}.", *(one.failure for one in failed)])
        return f"{text}\n{self._live}Correct that and run again: what has arrived is not sent again."

    @property
    def interrupted(self) -> str:
        """What is to be said after Ctrl-C."""
        waiting = [str(target) for target in self._targets[len(self.outcomes) :]]
        where = f"while the release {self._release} was sent to {waiting[0]}" if waiting else ""
        return f"Interrupted {where}: what is live there is whole. {self._live}Run again to finish."

    def facts(self, error: str) -> dict[str, Any]:
        """What became of all, for ``--json``; the ``error`` is empty if there is none."""
        facts = {"release": self._release, "targets": [outcome.facts() for outcome in self.outcomes]}
        return {"error": error} | facts if error else facts

    @property
    def _live(self) -> str:
        live = [str(outcome.target) for outcome in self.outcomes if outcome.live == self._release]
        return f"The release is live in {', '.join(live)}. " if live else ""

    def _sent(self, target: Target, listener: Listener) -> Outcome:
        outcome = Outcome(target, self._release)
        began = time.monotonic()

        def listen(event: Event) -> None:
            outcome.retries += isinstance(event, Retried)
            # After the plain names there is only the pointer left, and what is to be cleared.
            outcome.undecided |= isinstance(event, PhaseEnded) and event.phase == "copy"
            listener(event)

        try:
            outcome.sent = send(
                self._source, self._release, target, kept=kept_of(self._config), clear=self._clear,
                verify=self._verify, listener=listen,
            )  # fmt: skip
        except ShipfilesError as error:
            outcome.error = error
            outcome.live = _live_in(target.store) if outcome.undecided or not _is_silent(error) else None
        else:
            outcome.live = self._release
            if self._config.retain.on_collect and outcome.sent.before != self._release:
                outcome.pruned = prune_target(target, self._config.retain, self._release, listener)
        outcome.seconds = time.monotonic() - began
        return outcome


def kept_of(config: StaticConfig) -> Kept:
    """The manifests that were sent from this machine; none without a build cache."""
    folder = conf.cache_folder(config)
    return Kept(os.path.join(folder, "sent") if folder else "")


def with_manifest_alone(release: str, manifest: Manifest) -> Store:
    """A store that has of ``release`` what it takes to plan that it is sent, and none of its files."""
    store, body = MemoryStore(), dump(manifest)
    store.put(manifest_key(digest_bytes(body)), body)
    sizes = [size_of(entry) for entry in manifest.entries.values()]
    store.put(record_key(release), dump_record(record_of(release, digest_bytes(body), sizes, 0)))
    return store


def _sent_objects(done: Sent) -> int:
    """How many objects of the release were sent, without what is said of it."""
    return sum(change.action != "delete" and change.kind != "manifest" for change in done.changed) - done.copied


def _is_silent(error: ShipfilesError) -> bool:
    """Whether the store did not answer at all, so that it need not be asked what is live there."""
    errors = error.errors if isinstance(error, StoreErrors) else (error,)
    return all(isinstance(one, NoAnswer) and not isinstance(one, Busy) for one in errors)


def _live_in(store: Store) -> str | None:
    """The id of the current release; ``None`` if that cannot be told. It is asked once: it may be what has failed."""
    try:
        body = read_all(unrepeated(store, SMALL), POINTER_KEY)
        return "" if body is None else load_pointer(body, POINTER_KEY).release
    except ShipfilesError:
        return None


def _several(error: ShipfilesError | None) -> Iterator[StoreError]:
    if isinstance(error, StoreErrors):
        yield from sorted(error.errors, key=lambda one: one.key)
    elif isinstance(error, StoreError):
        yield error
