"""Which release is made, and which a process uses: by the options, the process and the place."""

from __future__ import annotations

import os
import sys

from django.conf import settings

from ..config import StaticConfig
from ..serve import using
from ..serve.origins import Folder, Origin
from ..serve.using import Used
from .conf import RemoteConfig, home, in_tests, release_file


def id_to_make(config: StaticConfig) -> str:
    """The id of the release that ``collectstatic`` is to make; empty if it is made from the contents.

    Raises `ReleaseIdError`.
    """
    from ..release import identity

    return identity.id_to_make(config.release_id, config.release_id_strategy, home())


def uncommitted(config: StaticConfig) -> frozenset[str]:
    """What is not as in the commit that the release is to be called by: see `identity.uncommitted`."""
    from ..release import identity

    if config.release_id is not None or not identity.is_git_commit(config.release_id_strategy):
        return frozenset()
    return identity.uncommitted(home())


def _id_of_process(config: StaticConfig) -> tuple[str, str]:
    """As `identity.id_of_process`, which a process whose options name no release does not load."""
    if config.release_id is None and config.release_id_strategy is None:
        return "", ""
    from ..release import identity

    return identity.id_of_process(config.release_id, config.release_id_strategy, home())


def release_to_use(config: StaticConfig) -> Used | None:
    """The release that this process uses, said once in the log; ``None`` if there is none yet.

    In development, in tests and while a release is made, a release of its own that cannot be told or was not made yet
    is no error: then it is the next best, and of a remote store's the one that was built here, but none in tests: what
    this machine has once built is no matter of theirs. Raises `ReleaseError`, `ManifestError`.
    """
    if isinstance(config, RemoteConfig) and in_tests():
        return None
    origin = origin_here(config)
    used = _release_to_use(config, origin, strict=not _is_lenient())
    if used is not None and origin is not None and not _makes_releases():
        using.log_use(used, origin.where)
    return used


def _is_lenient() -> bool:
    return settings.DEBUG or in_tests() or _makes_releases()


def asks_remote(config: StaticConfig) -> bool:
    """Whether this process asks a store over the network for releases and files.

    Not in development and in tests, which need neither network nor keys, and not while a release is made.
    """
    return isinstance(config, RemoteConfig) and not _is_lenient()


def origin_of(config: StaticConfig) -> Origin | None:
    """Where web processes find the release that they use; ``None`` if there is no such place."""
    return config.remote if isinstance(config, RemoteConfig) else build_folder(config)


def origin_here(config: StaticConfig) -> Origin | None:
    """Where this process finds it: see `asks_remote`."""
    return origin_of(config) if asks_remote(config) else build_folder(config)


def build_folder(config: StaticConfig) -> Folder | None:
    return Folder(os.path.abspath(config.location)) if config.location else None


def may_be_pinned(config: StaticConfig) -> bool:
    """Whether a process may use another release than the current one."""
    named = config.release_id is not None or config.release_id_strategy is not None or bool(config.release_file)
    return named and not config.serve.follow_current


def release_of_processes(config: StaticConfig) -> Used | None:
    """The release that a web process uses which starts with these settings now; ``None`` if there is none yet.

    Raises `ReleaseError`, `ManifestError`: then it does not start.
    """
    return _release_to_use(config, origin_of(config), strict=True)


def _release_to_use(config: StaticConfig, origin: Origin | None, *, strict: bool) -> Used | None:
    if origin is None:
        return None
    return using.release_to_use(
        origin.read,
        origin.where,
        own=lambda: _id_of_process(config),
        file=release_file(config),
        follow=config.serve.follow_current,
        strict=strict,
    )


def _makes_releases() -> bool:
    # Modules that ask for a URL when they are imported are imported by these commands too, before there is a release.
    return sys.argv[1:2] in (["collectstatic"], ["ship"])
