"""Tries every permission that is needed on a store, with keys of its own that it deletes again."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from ..errors import BadCredentials, Denied, KeyExists, NoAnswer, ShipfilesError, StoreError, fit_to_show
from ..http.headers import file_headers
from ..paths import PROBES
from ..records import POINTER_KEY
from ..stores.permissions import Verb
from ..stores.store import Conditions, Copies, Permissions, Refields, hurried, read_all
from .public import Fetch, fetch, public_fault
from .question import Question, named
from .steps import Examined, Steps, Use
from .visit import READ, Sent, visit

_APART = 600.0  # seconds; see release.clocks
_LEFT_OVER = 3600.0  # seconds
_HELD = ("content-type", "cache-control")
# More than the 1,000 bytes below which CDNs compress nothing.
_TEXT = b"// Put here by 'manage.py ship store check', to be deleted at once. It may be deleted at any time.\n" * 20
_FONT = b"wOF2" + bytes(range(256)) * 4
_SILENT = "the store does not answer"
BARE = "a folder holds none: its web server sends them"
CREDENTIALS = (
    "give credentials of this account that are neither revoked nor expired: key and secret as the provider shows them, "
    "among OPTIONS or in the environment"
)
CREATE = "put an object that is not there"
CHANGE = "change the header fields of what is there"
CHANGING: tuple[Use, ...] = ("publish", "prune", "metadata")
"""The uses that change something."""
PUBLISH: tuple[Use, ...] = ("publish",)
PRUNE: tuple[Use, ...] = ("prune",)
METADATA: tuple[Use, ...] = ("metadata",)
WEB: tuple[Use, ...] = ("web",)


def examine(question: Question, ask: Fetch = fetch, pause: Callable[[float], None] = time.sleep) -> Examined:
    """Try everything. What fails is told in the steps; nothing is raised.

    ``pause`` waits so many seconds; that is only needed where a cache keeps errors.
    """
    return _Probe(question).run(ask, pause)


class _Probe:
    def __init__(self, question: Question) -> None:
        self._question = question = replace(question, store=hurried(question.store))
        self._store = question.store
        self._steps = Steps(question.uses)
        base = f"{PROBES}/{secrets.token_hex(8)}"
        self._absent = f"{base}/absent"
        self._module, self._font, self._copy = f"{base}/module.js", f"{base}/font.woff2", f"{base}/copy.js"
        self._pointer, self._coded, self._taken = f"{base}/pointer.json", f"{base}/coded.js", f"{base}/taken"
        self._fresh, self._early = f"{base}/fresh.js", f"{base}/early.js"
        self._silent = False
        self._unknown = False  # are these credentials to the store
        self._reads_nothing = False
        self._bare = False
        self._put: list[str] = []
        serve = question.serve
        # As a plain name and as a hashed one, since a cache in between may change one of the two.
        self._fields = {
            self._module: _held(file_headers("module.js", "text/javascript", serve, immutable=False)),
            self._font: _held(file_headers("font.woff2", "font/woff2", serve, immutable=True)),
        }

    def run(self, ask: Fetch, pause: Callable[[float], None]) -> Examined:
        try:
            self._look()
            if self._silent:
                self._steps.add("create", CREATE, CHANGING, "not tried", _SILENT)
            elif self._unknown:
                self._steps.add("create", CREATE, CHANGING, "not tried", "the store does not accept the credentials")
            elif self._steps.wanted(*CHANGING):
                self._write()
            self._say_once()
            if self._silent:
                self._steps.add("public", READ, ("pages",), "not tried", _SILENT)
            elif self._steps.wanted("pages"):
                visit(self._question, self._steps, self._sent(), ask, pause)
        finally:
            left = self._delete()
        url = self._question.public_url
        return Examined(named(self._store), "" if url and public_fault(url) else url, self._steps.done, left)

    def _try(
        self,
        name: str,
        what: str,
        uses: Sequence[Use],
        verb: Verb,
        work: Callable[[], str | None],
        after: str = "",
        *,
        needed: bool = True,
    ) -> None:
        """A step that is well if ``work`` gives nothing, or else why not; only tried ``after`` one that was well."""
        if not self._steps.wanted(*uses):
            return
        if self._silent:
            # Not again and again, each as long as a request may take.
            self._steps.add(name, what, uses, "not tried", _SILENT)
            return
        if after and not self._steps.ok(after):
            before = self._steps.of(after)
            self._steps.add(name, what, uses, "not tried", f"needs: {before.what if before else after}")
            return
        try:
            why = work()
        except ShipfilesError as error:
            self._silent |= isinstance(error, NoAnswer)
            self._unknown |= isinstance(error, BadCredentials)
            self._steps.add(name, what, uses, "missing", _told(error), self._grant(error, verb), needed=needed)
        else:
            self._steps.add(name, what, uses, "missing" if why else "ok", why or "", needed=needed)

    def _grant(self, error: ShipfilesError, verb: Verb) -> str:
        """What to grant, or to give, if that is what is missing."""
        if isinstance(error, BadCredentials):
            return CREDENTIALS
        if not isinstance(error, Denied) and not isinstance(error.__cause__, PermissionError):
            return ""
        if isinstance(self._store, Permissions):
            return f"grant {self._store.permission(verb)}"
        return (
            "let this user write in that folder" if verb not in ("read", "list") else "let this user read that folder"
        )

    def _look(self) -> None:
        def absent() -> str | None:
            try:
                return None if self._store.head(self._absent) is None else "the store says that it is there"
            except Denied:
                self._find_cause()
                raise

        name = "absent"
        self._try(name, "tell that a key is not there", ("publish", "web"), "list", absent)
        if self._reads_nothing and isinstance(self._store, Permissions):
            self._steps.change(name, grant=f"grant {self._store.permission('read')}")
        if not self._silent and not self._unknown and not self._steps.wanted("publish"):
            self._current()

    def _find_cause(self) -> None:
        """Ask in other ways about a key that is not there, since the answer to a HEAD request has no body to say why.

        Raises what is wrong with the credentials themselves, or with the request.
        """
        with suppress(Denied):
            read_all(self._store, self._absent)
        with suppress(StoreError):
            next(iter(self._store.list(f"{PROBES}/")), None)
            self._reads_nothing = True  # who may list is told what is not there, if reading is granted

    def _say_once(self) -> None:
        """Leave to the step that reads what is there to say that reading is denied."""
        for name in ("read", "current"):
            step = self._steps.of(name)
            if self._reads_nothing and step is not None and step.failed:
                self._steps.change("absent", grant="", needs=step)

    def _current(self) -> None:
        """Read what any process reads first; of a publisher it is known by then whether it can read."""
        name, what, uses = "current", "read which release is current", WEB
        found: list[bytes | None] = []
        if not self._steps.wanted(*uses):
            return
        self._try(name, what, uses, "read", lambda: found.append(read_all(self._store, POINTER_KEY)))
        if found == [None]:
            self._steps.done.pop()
            self._steps.add(name, what, uses, "not tried", "there is no release yet")

    def _write(self) -> None:
        looks_first = isinstance(self._store, Conditions) and not self._store.relies_on_conditions
        absent = self._steps.of("absent")
        before = "absent" if looks_first and absent is not None and absent.failed else ""
        self._try("create", CREATE, CHANGING, "create", self._create, before)
        self._try("read", "read it back", (*CHANGING, "web"), "read", self._read, "create")
        self._conditions()
        self._held_fields()
        self._try("overwrite", "replace it", (*PUBLISH, *METADATA), "overwrite", self._overwrite, "read")
        self._try("swap", "replace an object that is as it was, and no other", PUBLISH, "overwrite", self._swap, "read")
        self._try("list", "list", CHANGING, "list", self._list, "create")
        self._copies()
        self._refields()
        self._clock()

    def _create(self) -> None:
        for key, body in ((self._module, _TEXT), (self._font, _FONT), (self._fresh, _TEXT)):
            self._put.append(key)  # before: a put of which no answer came may have been done
            self._store.put(key, body, mode="create", fields=self._fields.get(key) or self._fields[self._module])

    def _conditions(self) -> None:
        store = self._store
        trusted = not isinstance(store, Conditions) or store.relies_on_conditions
        meaning = (
            "two publications at the same moment may both believe that they came first. Let only one run at a time"
        )
        looks = "" if trusted else ", so one looks first, too"

        def refused() -> str | None:
            try:
                store.put(self._module, _TEXT, mode="create", fields=self._fields[self._module])
            except KeyExists:
                if not isinstance(store, Conditions):
                    return None
                # Whether that was the store, or a look before: it is asked itself.
                self._put.append(self._taken)
                store.put(self._taken, _TEXT)
                if store.heeds_conditions(self._taken):
                    return None
            return f"the store does not heed conditions{looks}: {meaning}"

        what = "refuse to put what is there already"
        self._try("condition", what, PUBLISH, "create", refused, "read", needed=trusted)

    def _read(self) -> str | None:
        same = read_all(self._store, self._module) == _TEXT
        return None if same else "the bytes are not those that were put"

    def _held_fields(self) -> None:
        name, what, uses = "fields", "keep Content-Type and Cache-Control", (*PUBLISH, *METADATA)

        def kept() -> str | None:
            for key in (self._module, self._font):
                stored = self._store.head(key)
                if stored is None:
                    return "what was put is not there"
                self._bare = not stored.fields and not isinstance(self._store, Permissions)
                for field_, value in () if self._bare else self._fields[key].items():
                    if stored.fields.get(field_) != value:
                        return f"{field_} is {stored.fields.get(field_, 'not there')!r} instead of {value!r}"
            return None

        self._try(name, what, uses, "read", kept, "read")
        if self._bare:
            self._steps.done.pop()
            self._steps.add(name, what, uses, "not tried", BARE)

    def _overwrite(self) -> str | None:
        self._store.put(self._font, _FONT[::-1], fields=self._fields[self._font])
        same = read_all(self._store, self._font) == _FONT[::-1]
        return None if same else "another body is there after that"

    def _swap(self) -> str | None:
        self._put.append(self._pointer)
        if not self._store.swap(self._pointer, None, b"1"):
            return "the store says that there was something already"
        if not self._store.swap(self._pointer, b"1", b"2"):
            return "the store says that it was not as it was"
        if self._store.swap(self._pointer, b"1", b"3"):
            return "the store replaces what has changed meanwhile"
        return None if read_all(self._store, self._pointer) == b"2" else "another body is there after that"

    def _list(self) -> str | None:
        found = {stored.key: stored.modified for stored in self._store.list(f"{PROBES}/")}
        # Those of a probe that was killed: no other takes so long.
        now = time.time()
        self._put += [key for key, modified in found.items() if modified and now - modified > _LEFT_OVER]
        return None if {self._module, self._font} <= found.keys() else "it leaves out what was put"

    def _copies(self) -> None:
        store = self._store
        what = "copy within the store"
        if not isinstance(store, Copies):
            self._steps.add("copy", what, PUBLISH, "not tried", "it cannot: files are put again instead")
            return

        def copied() -> str | None:
            self._put.append(self._copy)
            store.copy(self._module, self._copy)
            return None if read_all(store, self._copy) == _TEXT else "the copy has other bytes"

        self._try("copy", what, PUBLISH, "copy", copied, "read")

    def _refields(self) -> None:
        store = self._store
        if self._bare or not isinstance(store, Refields):
            self._steps.add("metadata", CHANGE, METADATA, "not tried", BARE)
            return
        other = {**self._fields[self._module], "Cache-Control": "max-age=1"}

        def changed() -> str | None:
            store.refield(self._fresh, other)
            stored = store.head(self._fresh)
            if stored is None or any(stored.fields.get(name) != value for name, value in other.items()):
                return "it is answered otherwise after that"
            return None if read_all(store, self._fresh) == _TEXT else "other bytes are there after that"

        self._try("metadata", CHANGE, METADATA, "refield", changed, "read")

    def _clock(self) -> None:
        if self._silent or not self._steps.ok("create"):
            return

        def agrees() -> str | None:
            stored = self._store.head(self._font)
            apart = 0.0 if stored is None or not stored.modified else abs(stored.modified - time.time())
            if apart <= _APART:
                return None
            return f"its clock and that of this machine are {apart / 60:.0f} minutes apart: prune deletes nothing then"

        self._try("clock", "agree on the time", ("prune",), "read", agrees, "read")

    def _sent(self) -> Sent | None:
        """What browsers are to find; ``None`` if nothing could be put."""
        if not self._steps.ok("create"):
            return None
        coded = self._coded if self._question.coding else ""
        return Sent(
            self._module,
            _TEXT,
            self._font,
            self._fresh,
            self._fields,
            coded,
            self._put_coded,
            self._early,
            self._put_early,
        )

    def _put_coded(self, body: bytes) -> None:
        """Put ``body``, which is compressed, as a file that is stored so."""
        fields = {**self._fields[self._module], "Content-Encoding": self._question.coding}
        self._put.append(self._coded)
        self._store.put(self._coded, body, mode="create", fields=fields)

    def _put_early(self) -> None:
        self._put.append(self._early)
        self._store.put(self._early, _TEXT, mode="create", fields=self._fields[self._module])

    def _delete(self) -> list[str]:
        """Delete what was put; the keys that are left."""
        name, what, uses = "delete", "delete", PRUNE
        if not self._put:
            self._steps.add(name, what, uses, "not tried", "nothing was put")
            return []
        fault: StoreError | None = None
        left: list[str] = []
        for key in dict.fromkeys(self._put):
            # One by one: where some cannot be deleted, the others can.
            if isinstance(fault, NoAnswer):
                left.append(key)  # nor would it answer to this
                continue
            try:
                self._store.delete([key])
                deleted = True
            except StoreError as error:
                fault, deleted = fault or error, False
            likely = not deleted and self._steps.ok("create")
            if isinstance(fault, NoAnswer) or self._is_there(key, likely=likely):
                left.append(key)
        created = self._steps.of("create")
        if fault is not None and not isinstance(fault, Denied) and created is not None and created.why == _told(fault):
            self._steps.add(name, what, uses, "not tried", "nothing was put")
        elif fault is not None:
            self._steps.add(name, what, uses, "missing", _told(fault), self._grant(fault, "delete"))
        elif left:
            self._steps.add(name, what, uses, "missing", "what was deleted is there still")
        else:
            self._steps.add(name, what, uses, "ok")
        return left

    def _is_there(self, key: str, *, likely: bool) -> bool:
        try:
            return self._store.head(key) is not None
        except StoreError:
            # Where one may not list, that is also the answer for what is not there.
            return likely


def _held(headers: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Those of ``headers`` that an object can be put with."""
    return {name: value for name, value in headers if name.lower() in _HELD}


def _told(error: ShipfilesError) -> str:
    """What the store says, without the name of our key."""
    return fit_to_show(error.what if isinstance(error, StoreError) else str(error))
