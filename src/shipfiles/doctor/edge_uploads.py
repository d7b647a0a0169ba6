"""Asks a live address for uploads: public ones as they are answered, and others that nobody may have without a link."""

from __future__ import annotations

import os
from collections.abc import Iterator

from ..edge.policy import EdgePolicy, MediaPolicy
from ..media.safety import delivered_headers, media_type_of
from ..paths import RESERVED, is_temporary
from ..regular import open_regular, read_at_most
from ..serve.respond import Response
from .edge_asking import Asker

_MOST_LOOKED_AT = 5_000
_LARGEST = 256 * 1024
_CLOSE = "install what 'ship config --include-media' writes, and let nothing else give files of that folder"


def ask_for_uploads(policy: EdgePolicy, asker: Asker) -> None:
    """One file of each storage that has any, by what is there on this machine's disk; its name is shown.

    Raises `NotReached`.
    """
    for media in policy.media:
        name = f"upload-{media.alias}"
        if media.config.access == "public":
            _public(media, name, asker)
        elif found := next(_files(media.root), None):
            what = f"an upload of STORAGES[{media.alias!r}], which is {media.config.access}, without a link"
            # Of private ones the view has the URL; below that of the storage there is nothing then, or a view of ours.
            if media.prefix:
                asker.not_there(name, what, media.prefix + found, _CLOSE)
            if media.config.delivery.mechanism == "x-accel-redirect":
                inner = f"/{media.config.delivery.internal_url.strip('/')}/{found}"
                asker.not_there(
                    f"{name}-inside", f"the same where the server has it for itself: {inner}", inner, _CLOSE
                )


def _public(media: MediaPolicy, name: str, asker: Asker) -> None:
    for found in _files(media.root, media.closed):
        body = _body(os.path.join(media.root, found))
        if body is None:
            continue
        type_ = media_type_of(found, media.config.safety)
        wanted = Response(200, [*delivered_headers(found, type_, media.config)], body)
        asker.compare(name, f"an upload of STORAGES[{media.alias!r}]", media.prefix + found, wanted)
        break
    for number, folder in enumerate(media.closed):
        inner = os.path.relpath(folder, media.root)
        if kept := next(_files(folder), None):
            path = f"{media.prefix}{inner.replace(os.sep, '/')}/{kept}"
            asker.not_there(f"{name}-closed-{number}", f"a file of the closed folder {inner}", path, _CLOSE)


def _files(root: str, without: tuple[str, ...] = ()) -> Iterator[str]:
    """Paths of files below ``root``, with slashes; of the first thousands that are there."""
    looked_at = 0
    for folder, folders, files in os.walk(root):
        left_out = {RESERVED} if folder == root else set()
        folders[:] = [f for f in sorted(folders) if f not in left_out and os.path.join(folder, f) not in without]
        for file in sorted(files):
            path = os.path.join(folder, file)
            plain = not file.startswith(".") and not is_temporary(file) and file.isprintable()
            if plain and not os.path.islink(path):
                yield os.path.relpath(path, root).replace(os.sep, "/")
        looked_at += len(files) + len(folders)
        if looked_at > _MOST_LOOKED_AT:
            return


def _body(path: str) -> bytes | None:
    """The bytes of a file; ``None`` if it is large or cannot be read."""
    try:
        with open_regular(path) as file:
            body = read_at_most(file, _LARGEST + 1)
    except OSError:
        return None
    return body if len(body) <= _LARGEST else None
