"""Whether an installed configuration still means what would be written now: without comments, blank lines, indents."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_CONTEXT = 3


class _Line(NamedTuple):
    number: int
    """From 1, in the text with its comments."""
    text: str


class _Language(NamedTuple):
    """What begins a comment or a string, each with what ends it."""

    line: tuple[str, ...] = ()
    """What begins a comment that ends with its line."""
    block: tuple[tuple[str, str], ...] = ()
    strings: tuple[tuple[str, str], ...] = ()
    ends: str = ""
    """What ends a word, if comments and strings begin only where one does."""
    closes: str = ""
    """What is a word by itself where one begins, and a letter elsewhere."""
    at_line: bool = False
    """Whether comments begin only where a line does."""
    escapes: bool = True
    """Whether a backslash in a string takes its meaning from the character after it."""
    joins: bool = False
    """Whether a backslash at the end of a line, a comment's too, joins the next one to it."""
    breaks: str = "\n"
    """What ends a line."""
    patterns: bool = False
    """Whether there are regular expressions between slashes, in which quotes and slashes mean nothing."""


# What all of them take for blank; what only some do is left to be seen.
_BLANK = " \t"
_QUOTES = (('"', '"'), ("'", "'"))
_NGINX = _Language(("#",), strings=_QUOTES, ends=f"{_BLANK};{{", closes="}")
_APACHE = _Language(("#",), strings=_QUOTES, at_line=True, ends=_BLANK, joins=True)
_CADDY = _Language(("#",), strings=(('"', '"'), ("`", "`")), ends=_BLANK)
_VCL = _Language(("#", "//"), (("/*", "*/"),), (('{"', '"}'), ('"""', '"""'), ('"', '"')), escapes=False)
_SCRIPT = _Language(("//",), (("/*", "*/"),), (*_QUOTES, ("`", "`")), breaks="\n\r\u2028\u2029", patterns=True)
_PLAIN = _Language()
# ECMA-262 section 12.9.5, of bounded length; and behind what a slash divides nothing.
_PATTERN = re.compile(r"/(?>(?:[^/\\\[]|\\.|\[(?>(?:[^\]\\]|\\.){0,100})\]){1,300})/")
_OPERATORS = frozenset("(,=:[!&|?{};")


def drift(installed: str, wanted: str, name: str, shown_as: str = "") -> str:
    """A unified diff from what is ``installed`` to what is ``wanted``; empty if both mean the same.

    ``name`` is that of the generated file, whose language it tells, and ``shown_as`` that of the installed one. The
    numbers of lines are those of the texts as they are.
    """
    if name.endswith(".json") and _same_json(installed, wanted):
        return ""
    language = _language_of(name)
    old, new = _meaning(installed, language), _meaning(wanted, language)
    found = [*_hunks(old, new)]
    return "\n".join([f"--- {shown_as or name}", f"+++ {name}, as it would be written now", *found]) if found else ""


def _language_of(name: str) -> _Language:
    if name == "Caddyfile":
        return _CADDY
    if name.startswith("apache"):
        return _APACHE
    return {"conf": _NGINX, "vcl": _VCL, "js": _SCRIPT, "mjs": _SCRIPT}.get(name.rpartition(".")[2], _PLAIN)


def _same_json(installed: str, wanted: str) -> bool:
    try:
        one, other = json.loads(installed), json.loads(wanted)
        return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    except (ValueError, RecursionError):
        return False


def _meaning(text: str, language: _Language) -> list[_Line]:
    """The lines that mean something."""
    lines: list[_Line] = []
    inside = ""  # what ends the string or the comment in which a line begins
    in_comment = False
    for number, line in _lines(text, language):
        begins_inside = bool(inside) and not in_comment
        kept, inside, in_comment = _without_comments(line, language, inside, in_comment=in_comment)
        # White space means something within a string.
        kept = kept if begins_inside else kept.lstrip(_BLANK)
        kept = kept if inside and not in_comment else kept.rstrip(_BLANK)
        if kept or begins_inside:
            lines.append(_Line(number, kept))
    return lines


def _lines(text: str, language: _Language) -> Iterator[tuple[int, str]]:
    """Each line with its number, from 1."""
    joined: list[str] = []
    for number, line in enumerate(re.split(f"[{language.breaks}]", text.replace("\r\n", "\n")), 1):
        joined.append(line)
        # Before it asks what is a comment: Apache's `ap_cfg_getline`.
        if not (language.joins and line.endswith("\\")):
            yield number + 1 - len(joined), "\n".join(joined)
            joined.clear()
    if joined:
        yield number + 1 - len(joined), "\n".join(joined)


def _without_comments(line: str, language: _Language, inside: str, *, in_comment: bool) -> tuple[str, str, bool]:
    """``line`` without comments, what ends that in which the next one begins, and whether that is a comment."""
    kept: list[str] = []
    at, is_blank, at_word, may_be_pattern = 0, not inside, True, language.patterns
    while at < len(line):
        if inside:
            end, is_closed = _end_of(line, at, inside, escapes=language.escapes and not in_comment)
            if not in_comment:
                kept.append(line[at:end])
            at = end
            if is_closed:
                inside, in_comment = "", False
            at_word = not language.ends
            continue
        may_be_comment = at_word and (is_blank or not language.at_line)
        if may_be_comment and language.line and line.startswith(language.line, at):
            break
        opening = [(*pair, True) for pair in language.block if line.startswith(pair[0], at)]
        opening += [(*pair, False) for pair in language.strings if at_word and line.startswith(pair[0], at)]
        pattern = _PATTERN.match(line, at) if may_be_pattern and not opening else None
        if opening:
            begin, inside, in_comment = opening[0]
        elif pattern:
            begin = pattern[0]
        else:
            begin = line[at : at + 2] if line[at] == "\\" and language.escapes else line[at]
        if not in_comment:
            kept.append(begin)
        at += len(begin)
        at_word = not language.ends or begin in language.ends or (at_word and begin == language.closes)
        if begin not in _BLANK and not in_comment:
            may_be_pattern = language.patterns and begin in _OPERATORS
        is_blank = is_blank and (in_comment or begin in _BLANK)
    return "".join(kept), inside, in_comment


def _end_of(line: str, at: int, closing: str, *, escapes: bool) -> tuple[int, bool]:
    """Where, behind it, ``closing`` ends from ``at`` on; else the end of the line, and that there is none."""
    while at < len(line):
        if line.startswith(closing, at):
            return at + len(closing), True
        at += 2 if escapes and line[at] == "\\" else 1
    return len(line), False


def _hunks(old: Sequence[_Line], new: Sequence[_Line]) -> Iterator[str]:
    matcher = difflib.SequenceMatcher(None, [line.text for line in old], [line.text for line in new], autojunk=False)
    for group in matcher.get_grouped_opcodes(_CONTEXT):
        first, last = group[0], group[-1]
        yield f"@@ -{_span(old, first[1], last[2])} +{_span(new, first[3], last[4])} @@"
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                yield from (f" {line.text}" for line in old[i1:i2])
                continue
            yield from (f"-{line.text}" for line in old[i1:i2])
            yield from (f"+{line.text}" for line in new[j1:j2])


def _span(lines: Sequence[_Line], start: int, stop: int) -> str:
    """Which lines of the text these are, as a unified diff says it."""
    if start == stop:
        return f"{lines[start - 1].number if start else 0},0"
    first, last = lines[start].number, lines[stop - 1].number
    return f"{first},{last - first + 1}"
