"""Packages that stores of the options need, and that are not installed."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as CheckWarning
from django.core.exceptions import ImproperlyConfigured

from ...errors import ShipfilesError
from ...stores.opening import open_store
from ...stores.store import Needs, Store
from .. import conf
from .entry import backend_is_ours, storage_config


def check_extras() -> Iterator[CheckMessage]:
    """E026, W027 (deploy): stores whose packages are missing here, where pages are rendered, or where one publishes."""
    if not backend_is_ours():
        return
    try:
        config = storage_config()
        own = [config.remote.store] if isinstance(config, conf.RemoteConfig) else []
        if config.serve.pull_from is not None:
            own.append(open_store(config.serve.pull_from, "OPTIONS['serve']['pull_from']"))
        others = [target.store for target in conf.targets(config) if target.store not in own]
    except (ImproperlyConfigured, ShipfilesError):
        return  # E010 speaks of it
    for store in own:
        for what, hint in missing_packages(store):
            yield Error(f"{what}.", hint=hint, id="shipfiles.E026")
    for store in others:
        for what, hint in missing_packages(store):
            yield CheckWarning(f"{what}.", hint=f"{hint} Only who publishes needs it.", id="shipfiles.W027")


def missing_packages(store: Store) -> Iterator[tuple[str, str]]:
    """What ``store`` needs and is not installed, and how it is."""
    for package, extra in store.needs.items() if isinstance(store, Needs) else ():
        if not is_installed(package):
            yield f"{store} needs {package}, which is not installed", f"Run: pip install 'shipfiles[{extra}]'."


def is_installed(name: str) -> bool:
    """Whether there is such a module, which is not loaded: that costs time, and who forks must not have done it."""
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False  # a package above it is missing
