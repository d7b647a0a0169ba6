"""What may be asked for: a table from URL paths to files, made from a manifest without looking at the disk."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import NamedTuple, Protocol, TypeVar

from ..config import ServeConfig
from ..digest import Digest
from ..errors import ConfigError, ManifestError
from ..http.added import header_function, with_added
from ..http.headers import Header, entity_tag, file_headers
from ..http.negotiation import IDENTITY
from ..manifest import Manifest, reader_of, suffix
from ..media_types import media_type
from ..model import Entry, Variant
from ..paths import path_fault
from ..records import MANIFESTS_PREFIX, check_release_id
from ..stores.local import LocalStore
from ..stores.opening import open_store
from .default import default_root, default_table
from .following import Following, FollowingTable
from .opened import DigestMemory, Opened, digest_open, modified_at, opened_regular
from .places import Place, Places, may_be_hashed
from .pull import Pull
from .ready import LARGEST, Ready
from .releases import Releases
from .using import Used, log_use, release_to_use

logger = logging.getLogger("shipfiles.serve")

_T = TypeVar("_T")


class Known(NamedTuple):
    """What is certain of a representation without opening it."""

    etag: str
    headers: tuple[Header, ...]
    """From `file_headers`, with the ETag."""


class Resource(Protocol):
    """A file that may be asked for, with all its codings."""

    @property
    def logical(self) -> str:
        """Its logical path."""

    @property
    def codings(self) -> tuple[str, ...]:
        """The content codings that it has beside identity, best first."""

    def known(self, coding: str, /) -> Known | None:
        """The tag and headers of the representation in ``coding``, if they are certain without a look at the disk."""

    def open(self, coding: str, /) -> Opened | None:
        """The representation in ``coding`` (or ``identity``), open; ``None`` if it cannot be had just now.

        Raises ``OSError`` if the machine has no descriptor or memory left.
        """

    def distrust(self, coding: str, /) -> None:
        """The file of that representation has other bytes than it should: until it is replaced there is none."""


class Table(Protocol):
    """What `respond` asks."""

    @property
    def config(self) -> ServeConfig:
        """How files are answered."""

    @property
    def release(self) -> str:
        """The id of the release whose files these are; empty if there is none."""

    @property
    def ready(self) -> Ready | None:
        """The answers that are ready in memory, of the table that answers now; ``None`` if none are ever kept."""

    def find(self, path: str, /) -> Resource | None:
        """The file at the URL path ``path``, decoded; ``None`` if the table has none.

        Raises ``OSError`` if the machine has no descriptor or memory left.
        """

    def may_wait(self, path: str, /) -> bool:
        """Whether to find or open the file at ``path`` may take longer than an event loop should be kept."""

    def is_static(self, path: str, /) -> bool:
        """Whether ``path`` is below a prefix that is for static files alone."""

    def is_lost(self, path: str, /) -> bool:
        """Whether a path without a file is certainly meant for this table, so that the table itself answers 404."""

    def redirect(self, path: str, /) -> str | None:
        """Where the file meant by ``path``, at which there is none, is; relative to ``path``, as in Location."""

    def page(self, path: str, /) -> Resource | None:
        """The page that answers at ``path`` where the application has none; ``None`` if the options name no page.

        Raises ``OSError`` if the machine has no descriptor or memory left.
        """


class FileTable:
    """The files of one release, and under their hashed names those of every other release that is still in ``root``.

    ``prefix`` is what the paths of requests begin with, below the place where the application is mounted (WSGI's
    PATH_INFO): ``/static/``. Each file is found under its hashed name, for ever, and under its logical path, for
    ``config.max_age`` seconds; nothing else under ``root`` is. ``config`` may put files at the root of the site too,
    with the bytes of their hashed names. ``names`` are further files, logical path → hashed name, of which no manifest
    says more than that. ``store`` is the folder as a store, for files that are put there because ``config.pull_from``
    has them; ``release`` is the id of the release. Names are looked up, never joined from a request, so no request can
    leave ``root``. An empty ``root`` has no files. Raises `ConfigError` for a prefix without slashes around it, and for
    a header function that cannot be imported.
    """

    def __init__(
        self,
        manifest: Manifest,
        root: str,
        prefix: str,
        config: ServeConfig | None = None,
        *,
        names: Mapping[str, str] | None = None,
        store: LocalStore | None = None,
        release: str = "",
    ) -> None:
        self.release = release
        self.ready: Ready | None = None
        self.config = config or ServeConfig()
        if self.config.memory:
            self.ready = Ready(self, self.config.memory)
        self._places = Places(prefix, self.config)
        self._count = len(manifest.entries) + len(names or {})
        self._add_headers = header_function(self.config)
        self._root = os.path.abspath(root)
        self._logical = manifest.entries
        self._hashed = manifest.by_name()
        self._unknown = _unknown_files(names or {})
        self._others = Releases(os.path.join(self._root, MANIFESTS_PREFIX.rstrip("/")) if root else "", self._hashed)
        self._pull: Pull | None = None
        if self.config.pull_from is not None and root:
            source = open_store(self.config.pull_from, "OPTIONS['serve']['pull_from']")
            self._pull = Pull(source, store or LocalStore(self._root), self._hashed)
        self._resources: dict[str, _StoredFile] = {}
        self._faults = _Faults()
        self._wrong: dict[str, _State] = {}

    def __str__(self) -> str:
        """Which files these are, as a line in a log says it."""
        release = f"release {self.release}, " if self.release else ""
        return f"{release}{self._count} files, in {self._root}"

    # A process that follows the current release has a table for each. What is kept for a path must not lead back to the
    # table: then the last request that this one answers gives all of it back, its memory and its descriptor.

    def retire(self) -> None:
        """Give back the answers that are ready, and keep no more, for another table answers now."""
        ready, self.ready = self.ready, None
        if ready is not None:
            ready.clear()

    def find(self, path: str) -> Resource | None:
        """The file at the URL path ``path``, decoded. What it takes to answer is worked out on the first request."""
        found = self._resources.get(path)
        if found is None and (place := self._places.below_prefix(path)) is not None:
            found = self._find(path, place)
        if found is None and (place := self._places.at_root(path)) is not None:
            found = self._find(path, place)
        return found

    def _find(self, path: str, place: Place) -> _StoredFile | None:
        name, at_root, is_alias = place
        if not is_alias and (logical := self._asked(self._hashed.get, name)) is not None:
            found = self._own_file(path, logical, immutable=True)
        elif self._has(name):
            found = self._own_file(path, name, immutable=False, at_root=at_root)
        elif (logical := self._unknown.get(name)) is not None:
            found = self._unknown_file(path, name, logical)
        elif is_alias:
            return None
        else:
            may_be_kept = _may_be_kept(name, at_root)
            entry = self._others.entry(name) if may_be_kept else None
            if entry is None and self._pull is not None and may_be_kept and not path_fault(name):
                entry = self._pull.entry(name)
            # Not kept: it is asked for until the last page of that release is closed, and then never again.
            return None if entry is None else self._stored_file(path, entry, immutable=True)
        # As many as there are names in the manifest, never more.
        if found is not None:
            self._resources[path] = found
        return found

    def may_wait(self, path: str) -> bool:
        places = self._places
        if (place := places.below_prefix(path) or places.at_root(path)) is None:
            return False
        if self._pull is None and (found := self._resources.get(path)) is not None:
            return found.must_be_digested()
        name, at_root, is_alias = place
        if is_alias and self._pull is None:
            return False
        if self._asked(self._hashed.__contains__, name):
            return self._pull is not None and not self._pull.has(name)
        if self._has(name) or name in self._unknown:
            found = self._resources.get(path) or self._find(path, place)
            return found is not None and found.must_be_digested()
        if not _may_be_kept(name, at_root):
            return False
        return not self._others.is_known() or (self._pull is not None and not self._pull.has(name))

    def is_static(self, path: str) -> bool:
        return self._places.is_static(path)

    def is_lost(self, path: str) -> bool:
        """Whether ``path`` is a hashed name that no release has: no application would answer it.

        Without a folder of their own, static files share their names with uploads and pages: then it may.
        """
        return self._places.is_static(path) and may_be_hashed(path)

    def redirect(self, path: str) -> str | None:
        return self._places.redirect(path, self._has)

    def page(self, path: str) -> Resource | None:
        """The page in place of a 404: never below the prefix of static files, where it would hide what is missing."""
        logical = self.config.single_page
        if not logical or self._places.is_static(path):
            return None
        return self._resources.get(_PAGE) or self._find(_PAGE, Place(logical, at_root=True, is_alias=True))

    def _unknown_file(self, url: str, name: str, logical: str) -> _StoredFile:
        """The file ``name``, either name of ``logical``, whose bytes nothing vouches for."""
        config, add_headers = self.config, self._add_headers

        def headers(digest: Digest) -> tuple[Header, ...]:
            type_ = media_type(logical, config.media_types)
            made = file_headers(logical, type_, config, immutable=name != logical, digest=digest)
            return with_added(made, add_headers, path, url)

        path = os.path.join(self._root, name)
        return _StoredFile(logical, (), {IDENTITY: _ChangingFile(path, headers, self._faults)})

    def _own_file(self, url: str, logical: str, *, immutable: bool, at_root: bool = False) -> _StoredFile | None:
        """The file ``logical`` of this release, at the path ``url``; ``None`` if its entry is damaged."""
        entry = self._asked(self._logical.get, logical)
        return None if entry is None else self._stored_file(url, entry, immutable=immutable, at_root=at_root)

    def _has(self, logical: str) -> bool:
        """Whether this release has a file ``logical``."""
        return bool(self._asked(self._logical.__contains__, logical))

    def _asked(self, ask: Callable[[str], _T | None], name: str) -> _T | None:
        """What the manifest says to ``ask`` of ``name``; ``None``, said once in the log, if it is damaged there."""
        try:
            return ask(name)
        except ManifestError as error:
            self._faults.say(str(error), str(error))
            return None

    def _stored_file(self, url: str, entry: Entry, *, immutable: bool, at_root: bool = False) -> _StoredFile:
        if immutable or at_root or entry.plain is None:
            # A plain copy has the same bytes as the asset, whose file no later release can change. At the root of the
            # site there never was a plain copy, and so nobody who would expect its bytes.
            name, known, codings = entry.name, Variant(entry.size, entry.digest), entry.codings
        else:
            name, known, codings = entry.logical, None, entry.plain.codings
        path = os.path.join(self._root, name)
        # Of equally welcome codings the smallest is the best.
        order = tuple(sorted(codings, key=lambda coding: (codings[coding].size, coding)))
        config, add_headers, pull = self.config, self._add_headers, self._pull

        def representation(coding: str | None, variant: Variant | None) -> _Representation:
            def headers(digest: Digest) -> tuple[Header, ...]:
                made = file_headers(
                    entry.logical, entry.media_type, config,
                    immutable=immutable, coding=coding, varies=bool(codings), digest=digest,
                )  # fmt: skip
                return with_added(made, add_headers, path, url)

            file = path if coding is None else path + suffix(coding)
            if variant is None:
                return _ChangingFile(file, headers, self._faults)
            fetch = partial(_fetch, pull, entry, coding or IDENTITY) if name == entry.name and pull else None
            return _FixedFile(
                file, variant, headers(variant.digest), self._faults, fetch, self._wrong, steady=immutable
            )

        representations = {c: representation(c, None if known is None else codings[c]) for c in order}
        representations[IDENTITY] = representation(None, known)
        return _StoredFile(entry.logical, order, representations)


def _fetch(pull: Pull, entry: Entry, coding: str) -> bytes | bool:
    """The bytes of ``entry`` in ``coding`` from the other store; else whether they may be on the disk now."""
    if pull.has(entry.name):
        return False
    fetched = pull.fetch(entry)
    return fetched is not None and fetched.get(coding, not fetched)


class _Faults:
    """What is wrong with a release, each thing said once: a file may be asked for a thousand times a second."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def say(self, what: str, text: str) -> None:
        """Say ``text``, unless something has been said of ``what``."""
        if what not in self._said:
            self._said.add(what)
            logger.warning("%s", text)

    def say_of_file(self, path: str, fault: str) -> None:
        """Say what is wrong with the file at ``path``."""
        self.say(path, f"{path} {fault}. Run collectstatic again.")


# The page's key among the files by URL path, of which none is empty.
_PAGE = ""


def _may_be_kept(name: str, at_root: bool) -> bool:
    """Whether ``name`` may be the hashed name of a file in another release, ours or a bundler's.

    Only so that the manifests of other releases are not read for the first request for no file at all, and at the root
    of the site not for every page of the application.
    """
    if at_root:
        return may_be_hashed(name)
    file_name = name.rpartition("/")[2]
    return any(c.isdigit() or c.isupper() for c in file_name)


def _unknown_files(names: Mapping[str, str]) -> dict[str, str]:
    """Either name of each file → its logical path, from logical path → hashed name."""
    safe = {logical: name for logical, name in names.items() if not path_fault(logical) and not path_fault(name)}
    return {name: logical for logical in safe for name in (logical, safe[logical])}


class _StoredFile:
    """A `Resource` of a `FileTable`."""

    __slots__ = ("_representations", "codings", "logical")

    def __init__(self, logical: str, codings: tuple[str, ...], representations: Mapping[str, _Representation]) -> None:
        self.logical = logical
        self.codings = codings
        self._representations = representations

    def known(self, coding: str) -> Known | None:
        return self._representations[coding].known

    def open(self, coding: str) -> Opened | None:
        return self._representations[coding].open()

    def distrust(self, coding: str) -> None:
        self._representations[coding].distrust()

    def must_be_digested(self) -> bool:
        """Whether a large file has to be read from end to end before it can be answered with."""
        return any(
            isinstance(made, _ChangingFile) and made.must_be_digested() for made in self._representations.values()
        )


_State = tuple[int, int, int]
_MOST_WRONG = 1024


def _state(status: os.stat_result) -> _State:
    return status.st_mtime_ns, status.st_size, status.st_ino


class _FixedFile:
    """A file whose bytes the manifest vouches for: hashed names, which are written once."""

    __slots__ = ("_faults", "_fetch", "_path", "_size", "_steady", "_wrong", "known")

    def __init__(
        self,
        path: str,
        variant: Variant,
        headers: tuple[Header, ...],
        faults: _Faults,
        fetch: Callable[[], bytes | bool] | None,
        wrong: dict[str, _State],
        *,
        steady: bool,
    ) -> None:
        self._path = path
        self._size = variant.size
        self.known = Known(entity_tag(variant.digest), headers)
        self._faults = faults
        self._steady = steady
        self._fetch = fetch
        self._wrong = wrong

    def open(self) -> Opened | None:
        found = opened_regular(self._path)
        if found is None and self._fetch is not None:
            fetched = self._fetch()
            if isinstance(fetched, bytes):
                fd = os.open(os.devnull, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
                return Opened(fd, len(fetched), None, *self.known, self._steady, body=fetched)
            found = opened_regular(self._path) if fetched else None
        if found is None:
            self._faults.say_of_file(self._path, "cannot be opened as a file")
            return None
        fd, status = found
        if status.st_size != self._size:
            os.close(fd)
            self._faults.say_of_file(self._path, f"has {status.st_size} bytes, and the manifest says {self._size}")
            return None
        if self._wrong and self._wrong.get(self._path) == _state(status):
            os.close(fd)
            return None
        return Opened(fd, self._size, modified_at(status), *self.known, self._steady)

    def distrust(self) -> None:
        with suppress(OSError):
            if len(self._wrong) >= _MOST_WRONG:
                self._wrong.clear()
            self._wrong[self._path] = _state(os.stat(self._path))


class _ChangingFile:
    """A file that a later release may overwrite while this process lives: its tag comes from the bytes it has now."""

    __slots__ = ("_faults", "_headers", "_memory", "_path")

    known = None

    def __init__(self, path: str, headers: Callable[[Digest], tuple[Header, ...]], faults: _Faults) -> None:
        self._path = path
        self._headers = headers
        self._memory = DigestMemory()
        self._faults = faults

    def open(self) -> Opened | None:
        opened = open_changing(self._path, self._headers, self._memory)
        if opened is None:
            self._faults.say_of_file(self._path, "cannot be read as a file")
        return opened

    def must_be_digested(self) -> bool:
        """As of a `_StoredFile`."""
        try:
            status = os.stat(self._path)
        except (OSError, ValueError):
            return False
        return status.st_size > LARGEST and not self._memory.is_known(status)

    def distrust(self) -> None:
        """Its tag is that of the bytes it has, whatever these are."""


_Representation = _FixedFile | _ChangingFile


def open_changing(path: str, headers: Callable[[Digest], tuple[Header, ...]], memory: DigestMemory) -> Opened | None:
    """The file at ``path`` with a tag of the bytes that it has now; ``headers`` makes its headers from their digest."""
    found = opened_regular(path)
    if found is None:
        return None
    fd, status = found
    known = digest_open(fd, status, memory)
    if known is None:
        os.close(fd)
        return None
    digest, body = known
    return Opened(fd, status.st_size, modified_at(status), entity_tag(digest), headers(digest), steady=False, body=body)


def read_table(root: str, prefix: str, config: ServeConfig | None = None, *, release: str = "") -> FileTable:
    """The table of ``release``, by default the current one, in the folder ``root``.

    Raises `ConfigError`, `ReleaseError` and `ManifestError`.
    """
    used = _used(root, release)
    return FileTable(used.manifest, root, prefix, config, release=used.release)


def _used(root: str, release: str, *, follow: bool = False) -> Used:
    def own() -> tuple[str, str]:
        return (check_release_id(release, "release"), "release=") if release else ("", "")

    try:
        used = release_to_use(reader_of(root), root, own=own, follow=follow)
    except OSError as error:
        raise ConfigError(f"The release in {root!r} cannot be read: {error.strerror}.") from None
    if used is None:
        raise ConfigError(
            f"There is no release in {root!r}. root= names a folder into which collectstatic has published, as a rule "
            "STATIC_ROOT: run 'manage.py collectstatic' first. The files of any other folder belong in "
            "STATICFILES_DIRS, or in OPTIONS['serve']['root_folder'] for the root of the site."
        )
    log_use(used, root)
    return used


def choose_table(
    table: Table | None,
    root: str | os.PathLike[str] | None,
    prefix: str | None,
    config: ServeConfig | None,
    release: str = "",
) -> Table:
    """The table that the arguments of a StaticApp mean. Raises `ConfigError` if they contradict each other."""
    if root is not None:
        if table is not None:
            raise ConfigError("StaticApp takes table= or root=, not both.")
        place, prefix = os.fspath(root), "/static/" if prefix is None else prefix
        if config is None and (own := default_root()) and os.path.realpath(own) == os.path.realpath(place):
            logger.warning(
                "StaticApp was given root=%r, the folder of the static files storage, and so does not heed the OPTIONS "
                "of that. Leave root= and prefix= out: then it does.", place,
            )  # fmt: skip
        if config is None or not config.follow_current:
            return read_table(place, prefix, config, release=release)
        if release:
            raise ConfigError("StaticApp takes release= or follow_current, not both.")

        def table_of(used: Used | None) -> FileTable:
            return FileTable(
                used.manifest if used else Manifest({}), place, prefix, config, release=used.release if used else ""
            )

        return FollowingTable(Following(place, _used(place, "", follow=True)), table_of)
    if prefix is not None or config is not None or release:
        raise ConfigError("StaticApp takes prefix=, config= and release= only together with root=.")
    return default_table() if table is None else table
