"""Options as a person would write them into the settings, to be copied from a terminal and pasted there."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

_INDENT = "    "


class Pasted(NamedTuple):
    """An option to be written."""

    option: tuple[str, ...]
    """Its place in OPTIONS."""
    value: Any
    setting: str
    """The setting that it is written in place of."""
    comment: str = ""
    """What stands above it."""


def block(options: Iterable[Pasted]) -> str:
    """``"OPTIONS": {...},`` with all ``options``, sections nested.

    A value that cannot be written down is a comment that says whose it is.
    """
    sections: dict[str, list[str]] = {}
    for pasted in sorted(options, key=lambda pasted: (len(pasted.option), pasted.option)):
        section, name = (pasted.option[0], pasted.option[1]) if len(pasted.option) > 1 else ("", pasted.option[0])
        written = _written(pasted.value)
        entry = f"{_text(name)}: {written}," if written else f"# {_text(name)}: the value of {pasted.setting},"
        comments = [f"# {pasted.comment}"] if pasted.comment else []
        sections.setdefault(section, []).extend([*comments, *entry.split("\n")])
    lines: list[str] = []
    for section, entries in sections.items():
        lines += entries if not section else [f"{_text(section)}: {{", *_indented(entries), "},"]
    return "\n".join(['"OPTIONS": {', *_indented(lines), "},"])


def _indented(lines: Iterable[str]) -> Iterator[str]:
    return (_INDENT + line for line in lines)


def _text(text: str) -> str:
    plain = repr(text)
    return f'"{text}"' if plain == f"'{text}'" and '"' not in text else plain


def _written(value: Any) -> str:
    """``value`` as Python, or the dotted path of a callable; empty if that is not certain to give it again."""
    if callable(value):
        module, name = getattr(value, "__module__", None) or "", getattr(value, "__qualname__", "")
        found = getattr(sys.modules.get(module), name, None)
        return _text(f"{module}.{name}") if found is value else ""
    if isinstance(value, (set, frozenset)):
        value = sorted(value, key=repr)
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        pairs = {key: _written(item) for key, item in value.items()}
        if not pairs or not all(pairs.values()):
            return "" if pairs else "{}"
        return "\n".join(["{", *_indented(f"{_text(key)}: {item}," for key, item in pairs.items()), "}"])
    if isinstance(value, (list, tuple)):
        items = [_written(item) for item in value]
        return f"[{', '.join(items)}]" if all(items) else ""
    if isinstance(value, str):
        return _text(str(value))
    try:
        return repr(value) if ast.literal_eval(repr(value)) == value else ""
    except (ValueError, SyntaxError):
        return ""
