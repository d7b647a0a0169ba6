"""The stores that releases are sent to, from the options of a static storage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..config import PublishConfig, StaticConfig
from ..errors import ConfigError
from ..release.items import Shape
from ..release.target import Target
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


def _of(to: object, config: StaticConfig, where: str) -> Target:
    options: dict[str, Any] = {}
    publish = config.publish
    if isinstance(to, Mapping):
        publish, options = publish.differing(to, where)
        to = to["url"]
    store = open_store(to, where, options)
    if isinstance(store, LocalStore) and config.location and store.root == LocalStore(config.location).root:
        raise ConfigError(f"{where} is the folder in which releases are built, {store.root!r}: they are there already.")
    return _target(store, config, publish)


def _target(store: Store, config: StaticConfig, publish: PublishConfig) -> Target:
    if publish.coding and publish.coding not in config.compress.codings:
        raise ConfigError(f"publish.coding is {publish.coding!r}, which is not among compress.codings.")
    variants = publish.variants
    if variants is None:
        variants = _picks(store) and not publish.coding
    shape = Shape(variants=variants, hashed_only=publish.hashed_only, coding=publish.coding)
    return Target(store, shape, config.serve, publish.django_manifest, publish.at_once)


def _picks(store: Store) -> bool:
    """Whether a web server stands before ``store`` that can choose among variants; a bucket answers by itself."""
    from ..stores.ssh_store import SshStore

    return isinstance(store, (LocalStore, SshStore))
