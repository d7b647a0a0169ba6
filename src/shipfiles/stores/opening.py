"""From what a setting says to a store."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import unquote, urlsplit

from ..config import from_mapping
from ..dotted import imported
from ..errors import ConfigError
from .local import LocalStore
from .store import Store

if TYPE_CHECKING:
    from .azure import Azure
    from .google import Google
    from .s3 import S3

_VERBS = ("put", "swap", "head", "read", "list", "delete")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_BUCKETS = frozenset({"s3", "gs", "az"})
P = TypeVar("P")
_DOTTED = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)+")


def open_store(place: object, where: str, options: Mapping[str, Any] | None = None) -> Store:
    """The store that ``place`` means; ``where`` names the option in errors. Raises `ConfigError`.

    A store itself; the absolute path of a folder, or its ``file://`` URL; ``s3://bucket/folder`` with the options of
    `S3`, ``gs://bucket/folder`` with those of `Google`, ``az://container/folder`` with those of `Azure`;
    ``ssh://user@host:port/folder`` with those of `Ssh`, user and port as OpenSSH's configuration says them if they are
    left out; ``memory://``, a new one that ends with the process; or the dotted path of a store or of a callable
    without arguments that gives one. Nothing is asked over the network yet.
    """
    if isinstance(place, str) and (scheme := _SCHEME.match(place)):
        if scheme[1].lower() in _BUCKETS:
            return _bucket(place, scheme[1].lower(), options or {}, where)
        if scheme[1].lower() == "ssh":
            return _server(place, options or {}, where)
        if scheme[1].lower() == "memory":
            return _memory(place, options or {}, where)
        if scheme[1].lower() != "file":
            raise ConfigError(
                f"{where}: there is no store for {scheme[1]}:// yet. It can be the absolute path of a folder, a "
                "file://, s3://, gs://, az://, ssh:// or memory:// URL, or a store object of your own or its dotted "
                "path."
            )
        if options:
            raise ConfigError(f"{where}: a folder has no options.")
        url = urlsplit(place)
        if url.netloc not in ("", "localhost"):
            raise ConfigError(f"{where}: {place!r} names another machine. Write file:///, with three slashes.")
        return LocalStore(_absolute(unquote(url.path), where))
    if options:
        raise ConfigError(f"{where}: only a store at s3://, gs://, az:// or ssh:// has options, not {place!r}.")
    if isinstance(place, os.PathLike) or (isinstance(place, str) and not _DOTTED.fullmatch(place)):
        return LocalStore(_absolute(os.fspath(place), where))
    found = imported(place, where) if isinstance(place, str) else place
    if not _is_store(found) and callable(found):
        found = found()
    if not _is_store(found) or isinstance(found, type):
        raise ConfigError(f"{where}: {place!r} is no store: it must have {', '.join(_VERBS)}.")
    return cast("Store", found)


def _bucket(place: str, scheme: str, options: Mapping[str, Any], where: str) -> Store:
    """The bucket or container at the URL ``place``."""
    # Loaded when there is one: what a site with a folder does not use costs it nothing.
    kind: type[S3 | Google | Azure]
    if scheme == "s3":
        from .s3 import S3

        kind = S3
    elif scheme == "gs":
        from .google import Google

        kind = Google
    else:
        from .azure import Azure

        kind = Azure
    found = _of_bucket(place, scheme, _honoured(options, getattr(kind, "not_honoured", {}), where), where)
    return checked_place(kind, found, where).store()


_BUCKET_OPTION = {"s3": "bucket_name", "gs": "bucket_name", "az": "azure_container"}


def of_url(place: str, options: Mapping[str, Any], where: str) -> tuple[str, dict[str, Any]]:
    """The scheme of a URL that names a bucket or a server, and ``options`` with what the URL says; empty and those for
    what is not such a URL. Raises `ConfigError` if the two contradict each other.
    """
    found = _SCHEME.match(place)
    scheme = found[1].lower() if found else ""
    if scheme in _BUCKETS:
        return scheme, _of_bucket(place, scheme, options, where)
    return (scheme, _of_server(place, options, where)) if scheme == "ssh" else ("", dict(options))


def _of_bucket(place: str, scheme: str, options: Mapping[str, Any], where: str) -> dict[str, Any]:
    bucket, _, location = place[len(scheme) + 3 :].partition("/")
    if "@" in bucket:
        raise ConfigError(f"{where}: credentials do not belong in the URL of a store, but in options of their own.")
    if "?" in place or "#" in place:
        # Not shown: somebody may have put a key behind it.
        raise ConfigError(f"{where} must be {scheme}://bucket/folder; options are given besides, not behind ? or #.")
    found = dict(options)
    for name, value in ((_BUCKET_OPTION[scheme], bucket), ("location", location.strip("/"))):
        if value and found.setdefault(name, value) != value:
            raise ConfigError(f"{where}: {name} is {found[name]!r} in the options and {value!r} in {place!r}.")
    return found


def checked_place(kind: type[P], options: Mapping[str, Any], where: str) -> P:
    """The options of a store as an instance of their class ``kind``. Raises `ConfigError`, which shows no secret."""
    secrets = {f.name for f in dataclasses.fields(kind) if not f.repr and f.type != "object"}  # type: ignore[arg-type]
    for name in secrets & options.keys():
        if not isinstance(options[name], str | None):
            raise ConfigError(f"{where}[{name!r}] must be a string.")
    return from_mapping(kind, options, where)


def _honoured(options: Mapping[str, Any], others: Mapping[str, tuple[object, str]], where: str) -> dict[str, Any]:
    """``options`` without those of ``others`` that ask for nothing. Raises `ConfigError` for one that does."""
    for name, value in options.items():
        if name in others and value not in (None, others[name][0]):
            raise ConfigError(f"{where}[{name!r}] is not honoured: {others[name][1]}. Leave it out.")
    return {name: value for name, value in options.items() if name not in others}


def _server(place: str, options: Mapping[str, Any], where: str) -> Store:
    """The folder of a server at the URL ``place``."""
    from .ssh import Ssh

    return from_mapping(Ssh, _of_server(place, options, where), where).store()


def _of_server(place: str, options: Mapping[str, Any], where: str) -> dict[str, Any]:
    if "?" in place or "#" in place:
        raise ConfigError(f"{where}: an ssh:// URL must be ssh://user@host:port/folder; options are given besides.")
    try:
        url = urlsplit(place)
        port = url.port
    except ValueError:
        raise ConfigError(f"{where}: the host or the port of the ssh:// URL cannot be one.") from None
    if url.password is not None:
        raise ConfigError(f"{where}: a password does not belong in a URL, and is not used: SSH logs in with keys.")
    found = dict(options)
    path = unquote(url.path)
    user = None if url.username is None else unquote(url.username)
    # The case of a name is part of it, where it is a Host of OpenSSH's configuration; urlsplit folds it.
    host = url.netloc.rpartition("@")[2]
    host = host[1 : host.index("]")] if host.startswith("[") else host.partition(":")[0]
    path = path[1:] if path.startswith("/~/") else path
    for name, value in (("host", host), ("root_path", path), ("user", user), ("port", port)):
        if value not in (None, "") and found.setdefault(name, value) != value:
            raise ConfigError(f"{where}: {name} is {found[name]!r} in the options and {value!r} in {place!r}.")
    return found


def _memory(place: str, options: Mapping[str, Any], where: str) -> Store:
    from .memory import MemoryStore

    if options or place[len("memory://") :]:
        raise ConfigError(f"{where}: memory:// is a new, empty store each time; it has no name and no options.")
    return MemoryStore()


def _absolute(path: str | bytes, where: str) -> str:
    path = os.fsdecode(path)
    if not os.path.isabs(path):
        raise ConfigError(f"{where}: the path of a folder must be absolute, not {path!r}.")
    return path


def _is_store(found: object) -> bool:
    return not isinstance(found, type) and all(callable(getattr(found, verb, None)) for verb in _VERBS)
