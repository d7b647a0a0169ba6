"""The names under which uploads are stored: what is proposed for one, and what is tried if that is taken."""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable
from datetime import datetime
from pathlib import PurePosixPath

from ..digest import Digest, digest_bytes, hex_prefix
from ..paths import folder_of, split_name
from .config import NamesConfig

_LETTERS = string.ascii_letters + string.digits
_RANDOM = 7
_CONTENT = 40
# What most file systems take as the name of a file. Bytes.
_PART_BYTES = 255
KEY_BYTES = 1024
"""What S3 and Google take as the name of an object. Bytes."""


def proposed(
    name: str, config: NamesConfig, when: datetime, digest: Digest | None, most: int | None = KEY_BYTES
) -> str:
    """Under which name an upload called ``name`` is stored at the time ``when``, if nothing else is there.

    With ``config.content`` the ``digest`` of its bytes is its name: 40 hexadecimal digits of it, for equal names must
    mean equal bytes even if somebody wishes otherwise. A file's name too long for a file system is shortened, its
    extension kept. Raises ``ValueError`` for one that cannot be: a folder's name is too long, or all of it has more
    than ``most`` bytes.
    """
    folder = folder_of(name)
    if config.content and digest is not None:
        file = hex_prefix(digest, _CONTENT) + split_name(name)[1]
        shards = file
    else:
        file = name[len(folder) :]
        shards = hex_prefix(digest_bytes(name.encode("utf-8", "surrogateescape")))
    prefix = when.strftime(config.prefix).strip("/") if config.prefix else ""
    parts = [prefix] if prefix else []
    parts += [shards[2 * number : 2 * number + 2] for number in range(config.shards)]
    return _fitting("/".join([*parts, folder + file]), most)


def alternative(name: str, max_length: int | None, rename: Callable[[str, str], str] | None = None) -> str:
    """Another name for ``name``, which is taken or too long: ``photo_Xs71aB0.jpg``, as Django makes them.

    ``rename`` makes it from the part before the extensions and these; Django's own way if not given. The first is
    shortened so that the result has at most ``max_length`` characters. If nothing of it is left, only the last of the
    extensions is taken for one: in ``Dr. Who and the ….pdf`` the others are none. Raises ``ValueError`` if nothing is
    left then.
    """
    rename = rename or _suffixed
    folder = folder_of(name)
    file = name[len(folder) :]
    for extension in ("".join(PurePosixPath(file).suffixes), split_name(file)[1]):
        root = file.removesuffix(extension)
        while root:
            found = folder + rename(root, extension)
            over = len(found) - max_length if max_length else 0
            over = max(over, _bytes_over(found))
            if over <= 0:
                return found
            root = root[:-over]
    raise ValueError(f"no name like {name!r} is short enough")


def _suffixed(root: str, extension: str) -> str:
    return f"{root}_{''.join(secrets.choice(_LETTERS) for _ in range(_RANDOM))}{extension}"


def _bytes_over(name: str) -> int:
    """How many bytes too long the last part of ``name`` is."""
    return len(name.rpartition("/")[2].encode("utf-8", "surrogateescape")) - _PART_BYTES


def _fitting(name: str, most: int | None) -> str:
    *folders, file = name.split("/")
    if over := max(0, _bytes_over(file)):
        stem, extension = split_name(file)
        stem = stem.encode("utf-8", "surrogateescape")[:-over].decode("utf-8", "ignore")
        if not stem:
            raise ValueError(f"the extension of {name!r} is longer than a file's name may be")
        file = stem + extension
    if any(_bytes_over(folder) > 0 for folder in folders):
        raise ValueError(f"a folder of {name!r} has a name longer than {_PART_BYTES} bytes")
    name = "/".join([*folders, file])
    if most is not None and len(name.encode("utf-8", "surrogateescape")) > most:
        raise ValueError(f"{name!r} is longer than {most} bytes")
    return name
