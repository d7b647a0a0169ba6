"""Files that this disk does not have, fetched from another store when they are asked for."""

from __future__ import annotations

import io
import logging
import os
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import IO

from ..decode import decoded
from ..digest import Digester, digest_bytes
from ..errors import KeyExists, KeyNotFound, ManifestError, ShipfilesError, StoreError
from ..http.negotiation import IDENTITY
from ..manifest import dump, load, suffix
from ..model import Entry, Variant
from ..records import manifest_key
from ..stores.local import LocalStore
from ..stores.store import Body, Store, read_all
from .flights import Flights
from .forks import renew_in_child
from .patience import PatientStore
from .remote import Found, RemoteNames

logger = logging.getLogger("shipfiles.serve")

_IN_MEMORY = 8 * 1024 * 1024
"""Files up to this size, in bytes, are fetched in memory; larger ones by way of a temporary file."""


class Pull:
    """Fetches from ``source`` what ``disk`` lacks, and puts it there under its own key, variants first.

    Every byte is checked against the digest that a manifest has for it. Of several who want a file at once one fetches
    it. A failure is said in the log, once a minute at most, and is remembered: for a second where the store did not
    answer, longer where it lacks one file. A store that is silent keeps a few threads at most, see `PatientStore`. A
    disk that takes no file is said too; then small files are kept in memory, the last used ones.
    """

    _SAY_EVERY = 60.0
    _REST = 1.0
    _LACKING_FOR = 10.0
    """Seconds until a file that the store did not have as its manifest says is fetched again."""
    _MOST_LACKING = 1024
    _MOST_HELD = 32 * 1024 * 1024

    def __init__(self, source: Store, disk: LocalStore, own: Collection[str]) -> None:
        self._source = PatientStore(source)
        self._disk = disk
        self._names = RemoteNames(self._source, own, self._manifest_here)
        self._flights = Flights[Mapping[str, bytes] | None](self._source.is_silent)
        self._lacking: dict[str, float] = {}
        self._renew()
        renew_in_child(self._renew)
        self._held: OrderedDict[str, Mapping[str, bytes]] = OrderedDict()
        self._entries: dict[str, Entry] = {}
        self._said = self._failed = float("-inf")

    def _renew(self) -> None:
        self._lock = threading.Lock()
        # A store is not made for threads that put and settle at once.
        self._writing = threading.Lock()

    def has(self, name: str) -> bool:
        """Whether the disk has a file ``name``."""
        return os.path.lexists(os.path.join(self._disk.root, name))

    def _manifest_here(self, key: str) -> bytes | None:
        try:
            return read_all(self._disk, key)
        except StoreError:
            return None

    def entry(self, name: str) -> Entry | None:
        """The entry of a name that no manifest on this disk has; ``None`` if no manifest of the store has it either.

        The manifest that has it is put on this disk too, so that the file is one that a manifest names.
        """
        if (known := self._entries.get(name)) is not None:
            return known
        if self._rests():
            return None
        try:
            found = self._names.find(name)
        except (StoreError, ManifestError, OSError) as error:
            self._fail(
                f"{name} cannot be looked for in {self._source!r}: {error}",
                rest=not isinstance(error, (ManifestError, BlockingIOError)),
            )
            return None
        if found is None:
            return None
        try:
            with self._writing, suppress(KeyExists):
                self._disk.put(*_as_kept_here(found), mode="create")
            self._names.forget()
        except StoreError as error:
            self._say(f"{error}. What is fetched from {self._source!r} is kept in memory, if it is small.")
            # Where the manifest is on the disk, it is found there from now on.
            if len(self._entries) >= 1024:
                self._entries = {}
            self._entries[name] = found.entry
        return found.entry

    def fetch(self, entry: Entry) -> Mapping[str, bytes] | None:
        """Make the disk have the asset of ``entry``; ``None`` if it cannot be had.

        The bodies by content coding, with ``identity``, if the disk took none; else there are none in it. Raises
        ``OSError`` if the store is silent.
        """
        with self._lock:
            if (held := self._held.get(entry.name)) is not None:
                self._held.move_to_end(entry.name)
                return held
        if self._rests() or time.monotonic() < self._lacking.get(entry.name, 0.0):
            return None
        return self._flights.run(entry.name, lambda: self._fetch(entry))

    def _fetch(self, entry: Entry) -> Mapping[str, bytes] | None:
        if self.has(entry.name):
            return {}  # the last flight has brought it
        wanted = {coding: (entry.name + suffix(coding), variant, "") for coding, variant in entry.codings.items()}
        # The asset last: where it is, everything is.
        wanted[IDENTITY] = entry.name, Variant(entry.size, entry.digest), entry.stored
        held: dict[str, bytes] = {}
        try:
            for coding, (key, variant, stored) in wanted.items():
                # What is stored there in a coding lies here as it is, with that as a variant: so it can be sent to all.
                place = entry.name if coding == entry.stored else key
                try:
                    others = entry.codings if coding == IDENTITY else {}
                    with self._body(place, variant, stored, others) as body:
                        if not self._put(key, body, variant) and isinstance(body, bytes):
                            held[coding] = body
                except KeyNotFound:
                    if coding == IDENTITY:
                        raise
            with self._writing:
                self._disk.settle()
        except BlockingIOError:
            raise
        except (ShipfilesError, OSError) as error:
            # Of one file nothing follows for others; of a store that does not answer it does.
            of_file = isinstance(error, (KeyNotFound, _Wrong))
            if of_file:
                self._lack(entry.name)
            self._fail(f"{entry.name} cannot be fetched from {self._source!r}: {error}", rest=not of_file)
            return None
        if held:
            self._hold(entry.name, held)
            return held
        if self.has(entry.name):
            return {}
        # Too large to be kept in memory.
        self._lack(entry.name)
        return None

    def _lack(self, name: str) -> None:
        with self._lock:
            if len(self._lacking) >= self._MOST_LACKING:
                self._lacking.clear()
            self._lacking[name] = time.monotonic() + self._LACKING_FOR

    def _put(self, key: str, body: Body, wanted: Variant) -> bool:
        """Whether the disk has ``key`` now."""
        try:
            with self._writing, suppress(KeyExists):
                self._disk.put(key, body, mode="create", digest=wanted.digest)
        except StoreError as error:
            if not isinstance(error.__cause__, OSError):
                raise _Wrong(key, "its bytes do not have the digest that its manifest says") from error
            self._say(f"{error}. What is fetched from {self._source!r} is kept in memory, if it is small.")
            return False
        return True

    def _hold(self, name: str, bodies: Mapping[str, bytes]) -> None:
        with self._lock:
            self._held[name] = bodies
            while sum(len(body) for held in self._held.values() for body in held.values()) > self._MOST_HELD:
                self._held.popitem(last=False)

    @contextmanager
    def _body(self, key: str, wanted: Variant, stored: str, others: Mapping[str, Variant]) -> Iterator[Body]:
        """The bytes of ``key`` of the other store: themselves if they are few, else in a temporary file.

        They are decoded if they are ``stored`` in a coding, and if they are one of the ``others``: this disk's own
        manifest does not say in what form a release was sent elsewhere.
        """
        if wanted.size <= _IN_MEMORY:
            memory = io.BytesIO()
            self._into(memory, key, wanted, stored, others)
            yield memory.getvalue()
            return
        with tempfile.NamedTemporaryFile(prefix="shipfiles-") as file:
            self._into(file, key, wanted, stored, others)
            file.flush()
            yield file.name

    def _into(self, file: IO[bytes], key: str, wanted: Variant, stored: str, others: Mapping[str, Variant]) -> None:
        """Write the bytes that are ``wanted`` into ``file``. Raises `_Wrong` if they are not there."""
        found = self._copied(file, key, wanted.size, stored)
        if found != wanted:
            # Stored there in another coding than the manifest says, or in one after all.
            coding = "" if stored else next((token for token, variant in others.items() if variant == found), "")
            found = self._copied(file, key, wanted.size, coding) if coding != stored else found
        if found != wanted:
            raise _Wrong(key, "its bytes are not those that its manifest says")

    def _copied(self, file: IO[bytes], key: str, most: int, stored: str) -> Variant | None:
        """Put what is under ``key`` of the other store into ``file``, decoded if it is ``stored`` in a coding.

        What it is, ``None`` if it does not decode; no more is written than is ``most``.
        """
        file.seek(0)
        file.truncate()
        digester = Digester()
        chunks = self._source.read(key)
        try:
            for chunk in decoded(chunks, stored) if stored else chunks:
                digester.update(chunk)
                if digester.size > most:
                    break
                file.write(chunk)
        except ValueError:
            return None
        return Variant(digester.size, digester.digest())

    def _rests(self) -> bool:
        return time.monotonic() - self._failed < self._REST

    def _fail(self, text: str, *, rest: bool = True) -> None:
        if rest:
            self._failed = time.monotonic()
        self._say(text)

    def _say(self, text: str) -> None:
        now = time.monotonic()
        with self._lock:
            if now - self._said < self._SAY_EVERY:
                return
            self._said = now
        logger.warning("%s", text)


def _as_kept_here(found: Found) -> tuple[str, bytes]:
    """The key and the body of the manifest of what is fetched: nothing lies here in a coding under its own name."""
    if b'"stored":' not in found.body:
        return found.key, found.body
    manifest = load(found.body, found.key)
    entries = {
        logical: replace(entry, stored="", plain=entry.plain and replace(entry.plain, stored=""))
        for logical, entry in manifest.entries.items()
        if entry.stored or (entry.plain is not None and entry.plain.stored)
    }
    if not entries:
        return found.key, found.body
    body = dump(replace(manifest, entries={**manifest.entries, **entries}))
    return manifest_key(digest_bytes(body)), body


class _Wrong(StoreError):
    """The other store has something else under a key than its manifest says."""
