"""Names that bundlers give: which of them hold a hash of the file's bytes, as far as a name alone can tell.

To take a name for hashed by mistake does harm: browsers then keep for a year what may change tomorrow. So `is_bundled`
accepts only what can hardly be anything else, and misses some; who knows more of a file asks `may_be_bundled`.

The forms are the bundlers' defaults: webpack ``[name].[contenthash].js`` and, for assets, ``[hash][ext]`` with 20
hexadecimal digits (output.hashDigestLength; 8 are common); Parcel ``name.<8 hex>.js``; esbuild ``[name]-[hash]`` with 8
characters of base32; Vite and Rollup ``[name]-[hash].js`` with 8 of base64url, or of hexadecimal before Rollup 4.

Twelve hexadecimal digits are the form of Django and Shipfiles themselves: only a manifest makes them a bundler's.

A source map is never among them, whatever it is called: its name holds the hash of the script, and a comment in a
source changes the map alone. Nor is a compressed file, whose bytes depend on the compressor too.
"""

from __future__ import annotations

import re
from typing import Final

_LONGEST = 255
# Hexadecimal digits in the names that Django's ManifestStaticFilesStorage and Shipfiles give. People take such files
# from a site into their sources and go on editing them, so that these names prove nothing; no bundler's default is 12.
_COLLECTED: Final = 12
# What may stand behind the hash: an extension, and before it what webpack's users put there.
_TAIL = (
    r"(?:\.(?:async|bundle|chunk|entry|legacy|min|module|worker))?"
    r"\.(?!(?:map|gz|br|zst)\Z)[A-Za-z][A-Za-z0-9]{0,11}\Z"
)
_DOT_HEX = re.compile(r"[^.]\.([0-9a-f]{8,64})" + _TAIL)
_ONLY_HEX = re.compile(r"\A([0-9a-f]{20})" + _TAIL)
_DASH = re.compile(r".-([A-Za-z0-9_-]{8})" + _TAIL)
_ESBUILD_CHUNK = re.compile(r"\Achunk-[A-Z2-7]{8}" + _TAIL)
# Any form: a part without separators, or the eight characters of Rollup, which may have some.
_PART = re.compile(r"(?:\A|[-._~])([A-Za-z0-9]{8,64})" + _TAIL)

_RUN = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
_HEX = re.compile(r"[0-9a-f]{8,64}")
_BASE32 = re.compile(r"[A-Z2-7]{8}")
_DATE = re.compile(r"(?:19|20)[0-9]{6}")
_SIZE = re.compile(r"[0-9]+x[0-9]+")


def is_bundled(path: str) -> bool:
    """Whether the name of ``path`` can only come from a bundler that put a hash into it.

    Counted over many names, not proved: random text changes between capitals, small letters and digits all the time,
    words, versions, dates and sizes do not.
    """
    name = _name(path)
    if found := _DOT_HEX.search(name) or _ONLY_HEX.search(name):
        part = found[1]
        return len(part) != _COLLECTED and _runs(part) >= 3 and not _SIZE.fullmatch(part)
    if _ESBUILD_CHUNK.search(name):
        return True
    found = _DASH.search(name)
    if found is None:
        return False
    part = found[1]
    if _HEX.fullmatch(part) or _BASE32.fullmatch(part):
        return _runs(part) >= 4
    mixed = re.search("[a-z]", part) and re.search("[A-Z]", part) and re.search("[0-9]", part)
    return bool(mixed) and part.isalnum() and _runs(part) >= 5


def may_be_bundled(path: str) -> bool:
    """Whether the name of ``path`` may hold a hash, if something else says that a bundler named it."""
    return any(map(is_random, last_parts(path)))


def last_parts(path: str) -> list[str]:
    """What may be the hash in the name of ``path``: the last part without separators, and Rollup's eight characters."""
    name = _name(path)
    return [found[1] for found in (_PART.search(name), _DASH.search(name)) if found]


def has_hex(path: str) -> bool:
    """Whether webpack or Parcel may have named ``path``: its last part is behind a dot, hexadecimal and no date."""
    found = _DOT_HEX.search(_name(path))
    return found is not None and is_random(found[1])


def may_be_chunk(path: str) -> bool:
    """Whether ``path`` may be a module that a bundler named, if one that certainly is imports it."""
    found = _DASH.search(_name(path))
    return may_be_bundled(path) or (found is not None and _runs(found[1]) >= 2)


def is_random(part: str) -> bool:
    """Whether ``part`` of a name, eight characters or more, is more likely a hash than a word, a date or a size."""
    if _DATE.fullmatch(part) or _SIZE.fullmatch(part):
        return False
    if _HEX.fullmatch(part):
        return not part.isalpha()
    return _runs(part) >= 3


def inserted_part(path: str, plain: str) -> str | None:
    """What a bundler has put into the name of ``path`` behind that of ``plain``; ``None`` if nothing.

    ``index-BWx3k2_9.js`` and ``src/index.tsx`` give ``BWx3k2_9``.
    """
    name, stem = _name(path), _name(plain).partition(".")[0]
    found = re.search(r"[-._~]([A-Za-z0-9_-]{6,64})" + _TAIL, name[len(stem) :]) if name.startswith(stem) else None
    return found[1] if stem and found and found.start() == 0 else None


def _name(path: str) -> str:
    name = path.rpartition("/")[2]
    return name if len(name) <= _LONGEST else ""


def _runs(part: str) -> int:
    """How many words and numbers ``part`` is made of: ``iPhone6`` has three."""
    return len(_RUN.findall(part))
