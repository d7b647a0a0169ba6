"""Which content coding to send: RFC 9110 section 12.5.3, Accept-Encoding; and what an Accept field says."""

from __future__ import annotations

import re
from functools import lru_cache

IDENTITY = "identity"

# RFC 9110 section 5.6.2 (token) and 12.4.2 (weight): at most three decimals, and "q" in either case.
_ELEMENT = re.compile(
    r"""[ \t]*(?P<coding>[!#$%&'*+\-.^_`|~0-9a-z]+)
        (?P<weight>[ \t]*;[ \t]*q=(?P<q>0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?
        [ \t]*(?P<rest>.*)""",
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)

# RFC 9110 section 8.4.1.3: "x-gzip" is another name of gzip.
_ALIASES = {"x-gzip": "gzip"}

# A field this long was written by nobody who will send it twice, so that remembering it only costs memory.
_LONGEST_REMEMBERED = 256

# Nor one with so many members by a client; each costs a microsecond, and some servers set no limit to a field.
_MOST_MEMBERS = 1000


def preferred(accept_encoding: str | None, available: tuple[str, ...]) -> tuple[str, ...]:
    """The codings in which a file may be sent, best first; ``identity`` is always among them.

    ``available`` are the codings that the file has beside identity, best first: among equal weights that order counts,
    and identity comes after them. The result has more than one member because a variant's file may turn out to be
    missing; then the next one is tried.

    * No field at all: section 12.5.3 lets the server choose; a client that says nothing often cannot decode anything.
    * ``identity;q=0`` where nothing else is acceptable: "the origin server SHOULD send a response without any
      content coding", so identity stays as the last resort, and there is no 406.
    * A member that cannot be read counts as refused, even under ``*``: what was not understood is no consent. Nor is
      a field with more members than `_MOST_MEMBERS`, which is not read.
    """
    if accept_encoding is None or not available:
        return (IDENTITY,)
    if len(accept_encoding) > _LONGEST_REMEMBERED:
        if accept_encoding.count(",") >= _MOST_MEMBERS:
            return (IDENTITY,)
        return _preferred(accept_encoding, available)
    return _remembered(accept_encoding, available)


def weights(accept_encoding: str) -> dict[str, float]:
    """Coding, ``identity`` or ``*``, in lower case → its weight, 0 to 1; if named twice, the lowest."""
    found: dict[str, float] = {}
    for element in accept_encoding.split(","):
        match = _ELEMENT.fullmatch(element)
        if match is None:  # an empty member (section 5.6.1.2) or no token at all
            continue
        coding = match["coding"].lower()
        coding = _ALIASES.get(coding, coding)
        weight = 0.0 if match["rest"] else float(match["q"] or 1)
        found[coding] = min(weight, found.get(coding, 1.0))
    return found


def _preferred(accept_encoding: str, available: tuple[str, ...]) -> tuple[str, ...]:
    given = weights(accept_encoding)
    rest = given.get("*", 0.0)
    # Sorting is stable: equal weights stay in the order of `available`, identity behind them.
    ranked = sorted((*available, IDENTITY), key=lambda coding: -given.get(coding, rest))
    return tuple(c for c in ranked if c == IDENTITY or given.get(c, rest) > 0)


def accepts(accept: str | None, media_type: str) -> bool:
    """Whether an Accept field (RFC 9110 section 12.5.1) names ``media_type`` itself, not only as part of a range.

    Not if it has more members than anybody means.
    """
    if accept is None or accept.count(",") >= _MOST_MEMBERS:
        return False
    for member in accept.split(","):
        range_, *parameters = (part.strip(" \t").lower() for part in member.split(";"))
        if range_ == media_type:
            return not any(_NO_WEIGHT.fullmatch(parameter) for parameter in parameters)
    return False


_NO_WEIGHT = re.compile(r"q=0(?:\.0*)?")

_remembered = lru_cache(maxsize=1024)(_preferred)
