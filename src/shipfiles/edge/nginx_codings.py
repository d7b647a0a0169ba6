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
from typing import NamedTuple

from ..config import Coding
from ..manifest import SUFFIXES
from .nginx_words import mapped, regex

# Section 12.4.2: a weight is 1 if there is none, and has at most three decimals. What cannot be read is no consent.
_ONE = r"(?:\s*;\s*q=1(?:\.0{0,3})?)?"
_ANY_BUT_NOUGHT = r"(?:\s*;\s*q=(?:1(?:\.0{0,3})?|0\.(?=[0-9]*[1-9])[0-9]{1,3}))?"


class Candidate(NamedTuple):
    """A variant that is looked for, in this order."""

    looked_for: str
    """Variable with the end of its name."""
    sent: str
    """Variable with the same if the client takes it; else with nothing, so that the file itself is sent."""


def candidates(codings: Sequence[Coding], of: str) -> tuple[Candidate, ...]:
    """The variants of a file, those first that the client likes; variables begin with ``of``."""
    names = ("first", "second", "third")[: len(codings)]
    return tuple(Candidate(f"${of}_{name}", f"${of}_send_{name}") for name in names)


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
    yield "# The end of the name of the variant for it."
    liked = [*ends.items(), *([("x-gzip", ends["gzip"])] if "gzip" in ends else []), ('"*"', f"${of}_any")]
    yield from mapped(f"${of}_liked", f"${of}_send_first", liked)
    taken = "".join(f"${of}_{coding}" for coding in ends)
    yield from mapped(f'"{taken}"', f"${of}_any", ((regex("^" + re.escape(end[1:-1])), end) for end in ends.values()))
    yield from _orders([*codings], of)


def _liked(codings: Sequence[Coding]) -> Iterator[tuple[str, str]]:
    for name, value in [*((_name(c), c) for c in codings), ("identity", '""'), (r"\*", '"*"')]:
        yield _field(name + _ONE), value
    some = "|".join([*(_name(c) for c in codings), "identity", r"\*"])
    for tenth in (*(rf"0\.{digit}[0-9]{{0,2}}" for digit in range(9, 0, -1)), r"0\.0(?:[1-9][0-9]?|0[1-9])"):
        yield _field(rf"(?<ship_named>{some})\s*;\s*q={tenth}"), "$ship_named"


def _accepted(name: str, end: str) -> Iterator[tuple[str, str]]:
    yield _field(name + _ANY_BUT_NOUGHT), end
    yield regex(rf"*^(?!(?:.*,)?\s*{name}\s*(?:[,;]|$))(?:.*,)?\s*\*{_ANY_BUT_NOUGHT}\s*(?:,|$)"), end


def _orders(codings: list[Coding], of: str) -> Iterator[str]:
    """What to look for, whether it is taken or not: a file that has any of them varies."""
    ends = {coding: SUFFIXES[coding] for coding in codings}
    taken = {end: f"${of}_{coding}" for coding, end in ends.items()}
    best = next(iter(taken))
    yield "# All of them are looked for, those that are taken first: a file that has any varies (12.5.5)."
    yield from mapped(f"${of}_send_first", f"${of}_first", [('""', f'"{best}"')], f"${of}_send_first")
    if len(taken) > 1:
        source = f'"${of}_first {"".join(taken.values())}"'
        yield from mapped(source, f"${of}_second", _second([*taken]), "")
        yield from mapped(f"${of}_second", f"${of}_send_second", _quoted_keys(taken), "")
    if len(taken) > 2:
        orders = {f"{first} {second}": f'"{third}"' for first, second, third in permutations(taken)}
        yield from mapped(f'"${of}_first ${of}_second"', f"${of}_third", _quoted_keys(orders), "")
        yield from mapped(f"${of}_third", f"${of}_send_third", _quoted_keys(taken), "")


def _second(ends: list[str]) -> Iterator[tuple[str, str]]:
    for first in ends:
        rest = [end for end in ends if end != first]
        if len(rest) > 1:
            other = re.escape(rest[1])
            yield regex(rf"^{re.escape(first)} (?!.*{re.escape(rest[0])}).*{other}"), f'"{rest[1]}"'
        yield regex(rf"^{re.escape(first)} "), f'"{rest[0]}"'


def _quoted_keys(entries: dict[str, str]) -> Iterator[tuple[str, str]]:
    return ((f'"{key}"', value) for key, value in entries.items())


def _name(coding: Coding) -> str:
    # Section 8.4.1.3: another name of the same.
    return "(?:x-)?gzip" if coding == "gzip" else coding


def _field(member: str) -> str:
    """The word for fields that have ``member`` in their list."""
    return regex(rf"*(?:^|,)\s*{member}\s*(?:,|$)", "a pattern of Accept-Encoding")
