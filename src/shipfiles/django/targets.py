"""The stores that releases are sent to, from the options of a static storage."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from ..config import PublishConfig, StaticConfig
from ..errors import ConfigError
from ..release.items import Shape
from ..release.target import Target
from ..serve.origins import Remote
from ..stores.local import LocalStore
from ..stores.opening import open_store
from ..stores.store import Store


def targets_of(config: StaticConfig, own: Store | None) -> tuple[Target, ...]:
    """The storage's ``own`` store, if releases are used from one, and those of OPTIONS["publish"]["to"].

    Raises `ConfigError`, also for two that are one.
    """
    found = [] if own is None else [_target(own, config, config.publish)]
    assert isinstance(config.publish.to, tuple)
    for number, to in enumerate(config.publish.to):
        where = f"OPTIONS['publish']['to'][{number}]"
        found.append(_of(to, config, where))
        if any(str(found[-1].store) == str(other.store) for other in found[:-1]):
            raise ConfigError(f"{where} is {found[-1].store}, to which releases are sent already.")
    return tuple(found)


def target_named(text: str, config: StaticConfig, remote: Remote | None, where: str) -> Target:
    """The store that ``text`` names, a URL, the path of a folder or a dotted path; ``where`` is what says it in errors.

    With the options of the storage for the same store; or else with those for another folder of the same bucket or
    server, which are the way to it, too. Raises `ConfigError`.
    """
    for target in targets_of(config, remote.store if remote else None):
        if text.rstrip("/") == str(target.store).rstrip("/"):
            return target
    assert isinstance(config.publish.to, tuple)
    for number, to in enumerate(config.publish.to):
        url = to["url"] if isinstance(to, Mapping) else to
        if isinstance(url, str) and url.rstrip("/") == text.rstrip("/"):
            return _of(to, config, f"OPTIONS['publish']['to'][{number}]")
        if isinstance(to, Mapping) and _beside(text, to["url"]):
            return _of({**{name: to[name] for name in to if name not in _FOLDERS}, "url": text}, config, where)
    if remote is not None and (folder := _beside(text, remote.where)):
        place: Any = remote.place
        known = {f.name for f in dataclasses.fields(place)} & _FOLDERS.keys()
        changed = {name: _FOLDERS[name] + folder.strip("/") for name in known}
        return _target(dataclasses.replace(place, **changed).store(), config, config.publish)
    return _of(text, config, where, here=True)


_FOLDERS = {"location": "", "root_path": "/"}
"""The options that say which folder, and what stands before it."""
_SERVER_AND_FOLDER = re.compile(r"([a-z0-9]+://[^/]+)(/.*|)", re.IGNORECASE)


def _beside(text: str, other: str) -> str:
    """Which folder ``text`` names in the bucket or on the server that ``other`` names, from its slash on, at least
    that; empty if it is not the same.
    """
    one, two = _SERVER_AND_FOLDER.fullmatch(text), _SERVER_AND_FOLDER.fullmatch(other)
    return (one[2] or "/") if one and two and one[1] == two[1] else ""


def _of(to: object, config: StaticConfig, where: str, *, here: bool = False) -> Target:
    options: dict[str, Any] = {}
    publish = config.publish
    if isinstance(to, Mapping):
        publish, options = publish.differing(to, where)
        to = to["url"]
    store = open_store(to, where, options)
    if (
        not here
        and isinstance(store, LocalStore)
        and config.location
        and store.root == LocalStore(config.location).root
    ):
        raise ConfigError(f"{where} is the folder in which releases are built, {store.root!r}: they are there already.")
    return _target(store, config, publish)


def _target(store: Store, config: StaticConfig, publish: PublishConfig) -> Target:
    if publish.coding and publish.coding not in config.compress.codings:
        raise ConfigError(f"publish.coding is {publish.coding!r}, which is not among compress.codings.")
    variants = publish.variants
    if variants is None:
        variants = is_served_by_another(store) and not publish.coding
    shape = Shape(variants=variants, hashed_only=publish.hashed_only, coding=publish.coding)
    return Target(store, shape, config.serve, publish.django_manifest, publish.at_once)


def is_served_by_another(store: Store) -> bool:
    """Whether a web server stands before ``store`` that can choose among variants; a bucket answers by itself."""
    from ..stores.ssh_store import SshStore

    return isinstance(store, (LocalStore, SshStore))
