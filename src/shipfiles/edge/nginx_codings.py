"""Which variant of a file nginx sends, by maps of the field Accept-Encoding: RFC 9110 section 12.5.3.

nginx's own gzip_static asks whether ``gzip`` is named with another weight than 0 and knows no other coding; those for
Brotli and Zstandard are modules of others. None of them sends a part of a variant. Here a variant is a file like any
other, whose name ends otherwise, and which of them are looked for comes from these maps. Each is worked out once for a
request, and only if it is asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import permutations

from ..config import Coding
from ..http.negotiation import IDENTITY, preferred
from ..manifest import SUFFIXES
from .nginx_words import mapped, regex

# Section 12.4.2: a weight is 1 if there is none, and has at most three decimals. What cannot be read is no consent.
_ONE = r"(?:\s*;\s*q=1(?:\.0{0,3})?)?"
_ANY_BUT_NOUGHT = r"(?:\s*;\s*q=(?:1(?:\.0{0,3})?|0\.(?=[0-9]*[1-9])[0-9]{1,3}))?"


# What browsers, and most of what is none, send: not one regular expression is asked about these.
_KNOWN = ("gzip, deflate, br, zstd", "gzip, deflate, br", "gzip, deflate", "gzip", "")


def candidates(codings: Sequence[Coding], of: str) -> tuple[str, ...]:
    """The variables with the ends of the names that are looked for, in this order.

    One that is empty stands for the file itself, where the client takes no more of the codings.
    """
    return tuple(f"${of}_{name}" for name in ("first", "second", "third")[: len(codings)])


def maps_of_codings(codings: Sequence[Coding], of: str) -> Iterator[str]:
    """The maps that give the variables of `candidates`."""
    if not codings:
        return
    ends = {coding: f'"{SUFFIXES[coding]}"' for coding in codings}
    yield "# The coding that a client likes best, to a tenth of its weight (RFC 9110 section 12.5.3)."
    yield from mapped("$http_accept_encoding", f"${of}_liked", _liked(codings))
    for coding, end in ends.items():
        yield f"# Whether it takes {coding} at all."
        yield from mapped("$http_accept_encoding", f"${of}_{coding}", _accepted(_name(coding), end))
    taken = "".join(f"${of}_{coding}" for coding in ends)
    yield "# The ends of the names of the variants that it takes, those first that it likes."
    yield from mapped(f'"{taken}"', f"${of}_any", ((regex("^" + re.escape(end[1:-1])), end) for end in ends.values()))
    liked = [*ends.items(), *([("x-gzip", ends["gzip"])] if "gzip" in ends else []), ('"*"', f"${of}_any")]
    variables = candidates(codings, of)
    yield from mapped(f"${of}_liked", f"{variables[0]}_weighed", liked)
    for number in range(2, len(codings) + 1):
        before = " ".join(f"{name}_weighed" for name in variables[: number - 1])
        entries = _next([SUFFIXES[coding] for coding in codings], number)
        yield from mapped(f'"{before} {taken}"', f"{variables[number - 1]}_weighed", entries)
    yield "# Known fields are not weighed each time."
    for i, name in enumerate(variables):
        yield from mapped("$http_accept_encoding", name, _known(codings, i), f"{name}_weighed")


def _next(ends: list[str], number: int) -> Iterator[tuple[str, str]]:
    """What is looked for as the ``number``th, behind those before it and all that are taken."""
    for *before, end in permutations(ends, number):
        yield regex(rf"^{re.escape(' '.join(before))} .*{re.escape(end)}"), f'"{end}"'


def _known(codings: Sequence[Coding], number: int) -> Iterator[tuple[str, str]]:
    for field in _KNOWN:
        ends = [SUFFIXES[coding] for coding in codings_of(field, codings)]
        yield f'"{field}"', f'"{ends[number] if number < len(ends) else ""}"'


def codings_of(field: str, codings: Sequence[Coding]) -> list[Coding]:
    """Those of ``codings`` that a field Accept-Encoding takes, best first."""
    found = preferred(field, tuple(codings))
    return [coding for name in found[: found.index(IDENTITY)] for coding in codings if coding == name]


def _liked(codings: Sequence[Coding]) -> Iterator[tuple[str, str]]:
    for name, value in [*((_name(c), c) for c in codings), ("identity", '""'), (r"\*", '"*"')]:
        yield _field(name + _ONE), value
    some = "|".join([*(_name(c) for c in codings), "identity", r"\*"])
    for tenth in (*(rf"0\.{digit}[0-9]{{0,2}}" for digit in range(9, 0, -1)), r"0\.0(?:[1-9][0-9]?|0[1-9])"):
        yield _field(rf"(?<ship_named>{some})\s*;\s*q={tenth}"), "$ship_named"


def _accepted(name: str, end: str) -> Iterator[tuple[str, str]]:
    yield _field(name + _ANY_BUT_NOUGHT), end
    yield regex(rf"*^(?!(?:.*,)?\s*{name}\s*(?:[,;]|$))(?:.*,)?\s*\*{_ANY_BUT_NOUGHT}\s*(?:,|$)"), end


def _name(coding: Coding) -> str:
    # Section 8.4.1.3: another name of the same.
    return "(?:x-)?gzip" if coding == "gzip" else coding


def _field(member: str) -> str:
    """The word for fields that have ``member`` in their list."""
    return regex(rf"*(?:^|,)\s*{member}\s*(?:,|$)", "a pattern of Accept-Encoding")
