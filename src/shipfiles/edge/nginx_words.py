"""What nginx's configuration is put together from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from .nginx_text import pattern, quoted


def joined(what: str, *parts: str) -> str:
    """Text, which is what it is, and variables as one word: the parts that begin with ``$`` name nothing else."""
    word = ""
    for part in parts:
        if part.startswith("$"):
            word += "".join(f"${{{name}}}" for name in part[1:].split("$"))
        else:
            word += quoted(part, what)[1:-1]
    word = re.sub(r"\$\{(\w+)\}(?!\w)", r"$\1", word)
    return f'"{word}"'


def mapped(
    source: str, variable: str, entries: Iterable[tuple[str, str]], default: str = '""', *, volatile: bool = False
) -> Iterator[str]:
    """A ``map`` of words. One that is ``volatile`` is worked out each time, for what it is made from changes."""
    yield f"map {source} {variable} {{"
    if volatile:
        yield "    volatile;"
    # Without one it is empty.
    if default != '""':
        yield f"    default {default};"
    for key, value in entries:
        yield f"    {key} {value};"
    yield "}"


def indented(lines: Iterable[str], depth: int = 1) -> list[str]:
    """``lines``, each further to the right."""
    return [" " * 4 * depth + line if line else line for line in lines]


def regex(text: str, what: str = "a pattern") -> str:
    """``text`` as the word of a map's regular expression."""
    return pattern("~" + text, what)
