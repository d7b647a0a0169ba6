"""Names that bundlers give: which of them hold a hash of the file's bytes, as far as a name alone can tell.

To take a name for hashed by mistake does harm: browsers then keep for a year what may change tomorrow. To miss one
costs a second hash. So `is_bundled` accepts long hexadecimal digests alone; the eight characters that most bundlers put
into names can be a person's too (``chart-B2BvsB2C``, ``theme-1a2b3cff``) and need other witnesses: `is_scrambled`.

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

CODE: Final = (".js", ".mjs", ".css")
"""Extensions of what bundlers write themselves; everything else in their folders may have been copied there."""

_LONGEST = 255
# What may stand behind the hash: an extension, and before it what webpack's users put there.
_TAIL = (
    r"(?:\.(?:async|bundle|chunk|entry|legacy|min|module|worker))?"
    r"\.(?!(?:map|gz|br|zst)\Z)[A-Za-z][A-Za-z0-9]{0,11}\Z"
)
# Not 12: Django's ManifestStaticFilesStorage and Shipfiles name files so, and people take such files from a site into
# their sources and go on editing them. No bundler's default is 12.
_LONG_HEX = re.compile(r"(?:[^.]\.([0-9a-f]{16}|[0-9a-f]{20}|[0-9a-f]{32,64})|\A([0-9a-f]{20}))" + _TAIL)
# The version and variant digits of RFC 9562, section 4: random or a time, and no digest of anything.
_UUID = re.compile(r"[0-9a-f]{12}[1-8][0-9a-f]{3}[89ab][0-9a-f]{15}")
_EIGHT = re.compile(r"[^.](?:\.([0-9a-f]{8})|-([A-Za-z0-9_-]{8}))" + _TAIL)
# Any form: a part without separators, or the eight characters of Rollup, which may have some.
_PART = re.compile(r"(?:\A|[-._~])([A-Za-z0-9]{8,64})" + _TAIL)
_DASH = re.compile(r".-([A-Za-z0-9_-]{8})" + _TAIL)

_RUN = re.compile(r"[A-Za-z]+|[0-9]+")
_HEX = re.compile(r"[0-9a-f]{8,64}")
_BASE32 = re.compile(r"[A-Z2-7]{8}")
_YEAR = re.compile(r"(?:19|20)[0-9]{2}")
_SIZE = re.compile(r"[0-9]+x[0-9]+")
# What people write: words, abbreviations beside words, versions (v2), factors (2x) and products (x64).
_WORDY = re.compile(r"[A-Za-z]{4}|[A-Z][a-z]{2}|[a-z]{3}|[A-Z]{3}|[vVxX][0-9]|[0-9][vVxX]|[0-9]{4}|(?i:vs|to)")


def is_bundled(path: str) -> bool:
    """Whether the name of ``path`` can only come from a bundler that put a hash into it."""
    found = _LONG_HEX.search(_name(path))
    if found is None:
        return False
    part = found[1] or found[2]
    return len(_RUN.findall(part)) >= 5 and not _UUID.fullmatch(part)


def eight(path: str) -> tuple[str, str] | None:
    """What is before, and what are, the eight characters that may be a hash in the name of ``path``, a script or sheet.

    ``None`` for other files. ``assets/index-BWx3k2_9.js`` gives ``("index", "BWx3k2_9")``.
    """
    name = _name(path)
    found = _EIGHT.search(name) if name.endswith(CODE) else None
    return (name[: found.start() + 1], found[1] or found[2]) if found else None


def is_scrambled(path: str) -> bool:
    """Whether ``path`` is a script or sheet whose name holds eight characters that hardly a person has put together.

    Three in a hundred of Vite's names are so, a third of those of eight hexadecimal digits. Alone it proves nothing.
    """
    found = eight(path)
    if found is None:
        return False
    part = found[1]
    runs = _RUN.findall(part)
    if _YEAR.match(part) or len(runs) < 4:
        return False
    if _HEX.fullmatch(part):
        # Colours with their opacity double digits: 1a2b3cff.
        return len(runs) >= 5 and not re.search(r"(.)\1", part)
    mixed = re.search("[a-z]", part) and re.search("[A-Z]", part)
    if not (mixed or _BASE32.fullmatch(part)) or not part.isalnum():
        return False
    # Whoever compares or numbers things repeats himself: B2BvsB2C, H264H265.
    return len(set(part.casefold())) == len(part) and not _WORDY.search(part)


def may_be_bundled(path: str) -> bool:
    """Whether the name of ``path`` has a part as long as a hash, so that a manifest that names it may be near."""
    return not all(part.isalpha() and part.islower() for part in last_parts(path))


def last_parts(path: str) -> list[str]:
    """What may be the hash in the name of ``path``: the last part without separators, and Rollup's eight characters."""
    name = _name(path)
    return [found[1] for found in (_PART.search(name), _DASH.search(name)) if found]


def is_random(part: str) -> bool:
    """Whether ``part``, which a manifest shows to have been put into a name, is likelier a hash than anything else.

    Digits must stand among letters at least twice: that capitals and small letters change is true of all words in
    camel case.
    """
    if _YEAR.match(part) or _SIZE.fullmatch(part) or len(part) < 8:
        return False
    runs = _RUN.findall(part)
    if _HEX.fullmatch(part):
        return len(runs) >= 2
    return len(runs) >= 4


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
