"""Which release a process uses: one answer for the names in its pages and for the files that it serves."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property

from ..digest import digest_bytes
from ..errors import ManifestError, ReleaseError, ReleaseIdError, ReleaseNotMade
from ..manifest import Manifest, load
from ..records import Read, check_release_id, read_current, read_manifest_body, read_record, read_release

logger = logging.getLogger("shipfiles")

_SCHEMA = 1


@dataclass(frozen=True)
class Used:
    """The release that a process uses."""

    release: str
    manifest: Manifest
    why: str
    """Why this one, as the log says it."""
    quoted: dict[str, str] = field(default_factory=dict, repr=False, compare=False)
    """Logical path → hashed name as it stands in a URL, of those that were asked for."""

    @cached_property
    def names(self) -> Mapping[str, str]:
        """Logical path → hashed name."""
        return self.manifest.by_logical()

    @cached_property
    def all_names(self) -> dict[str, str]:
        """`names`, each of them made."""
        return self.manifest.names()


OwnId = Callable[[], tuple[str, str]]
"""Tells the id of the release that belongs to the code of this process, and who says so; both empty if nobody can."""


def _nobody() -> tuple[str, str]:
    return "", ""


def release_to_use(
    read: Read, where: str, *, own: OwnId = _nobody, file: str = "", follow: bool = False, strict: bool = True
) -> Used | None:
    """The release that this process uses; ``None`` if there is none yet.

    Its ``own``; else that in the ``file`` that was baked into its image; else the current one, and with ``follow``
    always the current one. ``read`` gives the keys of the store that ``where`` names. Unless it is ``strict``, an own
    release that cannot be told or found does not count, nor does a damaged file. Raises `ReleaseError` and
    `ManifestError`.
    """
    used = None
    if not follow:
        baked = _baked(file, strict=strict) if file else None
        used = _own(read, where, own, baked, strict=strict) or baked
        if used is None and file and strict:
            logger.warning("There is no release file %s: the current release is used.", file)
    if used is None:
        current = read_current(read, lazily=True)
        used = Used(*current, "the current one") if current else None
    if used is not None:
        # Where this is no folder the lines stay in memory.
        used.manifest.rest_in(where)
    return used


def log_use(used: Used, where: str) -> None:
    """Say in the log which release is used."""
    logger.info("Release %s: %s, %d files, in %s.", used.release, used.why, len(used.manifest.entries), where)


def _own(read: Read, where: str, own: OwnId, baked: Used | None, *, strict: bool) -> Used | None:
    try:
        release, who = own()
        if not release:
            return None
        why = f"its own by {who}"
        if baked is not None and baked.release == release:
            return replace(baked, why=f"{why}, {baked.why}")
        manifest = read_release(read, release, lazily=True)
        if manifest is None:
            raise ReleaseNotMade(release, who, where)
        return Used(release, manifest, why)
    except ReleaseIdError:
        # An image has no repository, for one: that is what its release file is for.
        if strict and baked is None:
            raise
    except ReleaseError:
        if strict:
            raise
    return None


def _baked(file: str, *, strict: bool) -> Used | None:
    try:
        return read_release_file(file)
    except ManifestError:
        if strict:
            raise
    return None


def write_release_file(path: str, read: Read, release: str) -> bool:
    """Write the id and the manifest of ``release`` to the file ``path``; whether it had to be written.

    Raises ``OSError``, and `ManifestError` if the store that ``read`` reads does not have the release.
    """
    record = read_record(read, release)
    if record is None:
        raise ManifestError(f"There is no release {release}, so {path} cannot be written. Run collectstatic again.")
    head = json.dumps({"schema": _SCHEMA, "release": release, "manifest": record.manifest})
    body = head.encode() + b"\n" + read_manifest_body(read, record)
    try:
        with open(path, "rb") as file:
            if file.read() == body:
                return False
    except FileNotFoundError:
        pass
    os.makedirs(os.path.dirname(path), exist_ok=True)
    unfinished = f"{path}.{os.getpid()}.unfinished"
    try:
        with open(unfinished, "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(unfinished)
        raise
    return True


def read_release_file(path: str) -> Used | None:
    """The release in the file ``path``; ``None`` if there is none. Raises `ManifestError` for a damaged one."""
    try:
        with open(path, "rb") as file:
            head, _, body = file.read().partition(b"\n")
    except FileNotFoundError:
        return None
    except IsADirectoryError:
        raise ManifestError(f"OPTIONS['release_file'] must name a file, and {path} is a folder.") from None
    except OSError as error:
        raise ManifestError(f"The release file {path} cannot be read: {error.strerror}.") from None
    try:
        raw = json.loads(head)
        schema, release, digest = raw["schema"], check_release_id(raw["release"], path), raw["manifest"]
    except (ValueError, KeyError, TypeError, RecursionError, ReleaseIdError):
        raise ManifestError(f"The release file {path} is damaged. Run collectstatic again.") from None
    if schema != _SCHEMA:
        raise ManifestError(f"The release file {path} was written by a newer Shipfiles. Run collectstatic again.")
    if digest_bytes(body) != digest:
        raise ManifestError(f"The release file {path} is damaged: its digest is another. Run collectstatic again.")
    manifest = load(body, path, lazily=True)
    manifest.rest_in("", skip=len(head) + 1)
    return Used(release, manifest, f"baked into {path}")
