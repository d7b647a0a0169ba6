"""The references in a style sheet, by CSS Syntax Level 3 (https://www.w3.org/TR/css-syntax-3/).

A tokenizer in Python would look at every byte. Here the few places where a reference can begin are found first, by a
search that knows nothing of comments and strings; then one walk, which skips comments and strings whole, tells which
of those places are code. Search and walk are linear in the size of the file, whatever is in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from heapq import merge
from typing import Final

from ...model import Reference, ReferenceKind
from .css_tokens import (
    BEGINS_NAME,
    COMMENT,
    ESCAPE,
    LETTER,
    NAME,
    SPACE,
    URLS,
    argument,
    components,
    end_of,
    is_token,
    name_of,
    text_of,
    url_token,
    walk,
)
from .reference import is_local
from .source_map import source_map_comment

# Where a reference can begin, or a rule that has none before its block. To look for a byte and then behind it is many
# times faster than to look for names whose letters come in either case.
_CANDIDATE = re.compile(
    rb"[(@](?:(?<=[uU][rR][lL]\()|(?<=[sS][rR][cC]\()|(?<=[eE]-[sS][eE][tT]\()"
    rb"|(?<=@)((?i:import|namespace|supports|container|document|-moz-document))(?!" + LETTER + rb"|\\(?![\n\r\f])))"
)
# A name from its first escape on, with the parenthesis after it.
_ESCAPED_NAME = re.compile(rb"(" + ESCAPE + NAME + rb"*+)(\()?+")
# What can stand before "url" without it being a name of its own: most have none of these, and no longer look is needed.
_NOT_BEFORE_NAME = frozenset(byte for byte in range(256) if re.match(LETTER + rb"|[#@\\]", bytes([byte])))
_LETTERS_BEFORE = re.compile(LETTER + rb"++\Z")

_AT_KEYWORD = re.compile(rb"@" + BEGINS_NAME + rb"(" + NAME + rb"++)")
# What is nothing between the rules of a style sheet (section 5.4.1).
_BETWEEN_RULES = re.compile(rb"(?>" + SPACE + rb"++|" + COMMENT + rb"|<!--|-->)*+")

_SETS: Final = frozenset({b"image-set", b"-webkit-image-set"})
# Before their blocks, no URL is loaded: a namespace is a name, a condition is only compared.
_WITHOUT_URLS: Final = frozenset({b"@namespace", b"@supports", b"@container", b"@document", b"@-moz-document"})
_NAMES: Final = URLS | _SETS | _WITHOUT_URLS | {b"@import"}
# For the property "behavior", which Internet Explorer alone had; pages name it relative to themselves.
_BEHAVIOR: Final = re.compile(r"(?i)[^?#]*\.htc(?:[?#]|\Z)")
_BOM: Final = b"\xef\xbb\xbf"


def references(body: bytes) -> list[Reference]:
    """The references of a style sheet: ``url()``, ``src()``, ``@import``, strings of ``image-set()``, the source map.

    Clauses: CSS Syntax 3 section 4.3 for tokens, CSS Cascade 5 section 2 for ``@import``, CSS Values 4 section 4.5 for
    ``url()`` and ``src()``, CSS Images 4 section 2.4 for ``image-set()``, ECMA-426 for the source map. An ``@import``
    after other rules is not required: browsers ignore it, if those rules are valid to them. Any bytes are accepted;
    text in UTF-16 yields nothing.
    """
    if body.startswith(_BOM):
        body = b"   " + body[3:]  # no part of a name (section 3.2)
    found: list[Reference] = []
    at = 0
    # Up to here are only rules that may stand before an @import; negative once there was another.
    first = 0
    comment = source_map_comment(body, line_comments=False)
    last = comment.opening if comment else -1
    for start, name, end in _candidates(body):
        if at <= last < start:
            at = walk(body, at, last)
            if at == last:
                break
        if start < at:
            continue
        at = walk(body, at, start)
        if at != start:
            continue
        if name == b"@import":
            first = _after_statements(body, first, start) if first >= 0 else first
            at, ended = _import(body, end, first == start, found)
            if first == start:
                first = at if ended else -1
        else:
            at = _read(body, name, end, found)
    if comment and at <= last and walk(body, at, last) == last:
        url = body[comment.start : comment.end].decode("utf-8", "replace")
        if is_local(url, "source-map"):
            found.append(Reference(comment.start, comment.end, url, "source-map", required=False))
    return found


def _candidates(body: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Where a function or rule that matters may begin, its name in lower case, and where its name or ``(`` ends."""
    escaped = list(_escaped_names(body)) if b"\\" in body else []
    # The last letters of a name with an escape look like a whole name. A parenthesis after a rule's name is beyond it.
    plain = _plain_names(body, {end + after for _, name, end in escaped for after in (0, name.startswith(b"@"))})
    if not escaped:
        return plain
    return merge(plain, (name for name in escaped if name[1] in _NAMES))


def _plain_names(body: bytes, ends_of_others: AbstractSet[int]) -> Iterator[tuple[int, bytes, int]]:
    for match in _CANDIDATE.finditer(body):
        start = match.start()
        if match[1]:
            yield start, b"@" + match[1].lower(), match.end()
        elif match.end() not in ends_of_others:
            begin = start - 3
            if begin < 1 or body[begin - 1] in _NOT_BEFORE_NAME:
                begin = _name_start(body, start)
            name = body[begin:start].lower()
            # After "#" it is a hash, after "@" a rule's name; after "\" only a part of the name.
            if name in _NAMES and body[begin - 1 : begin] not in (b"#", b"@", b"\\"):
                yield begin, name, match.end()


def _escaped_names(body: bytes) -> Iterator[tuple[int, bytes, int]]:
    """All functions and rules whose name has an escape, whether they matter or not."""
    for match in _ESCAPED_NAME.finditer(body):
        begin = _name_start(body, match.start())
        sign = body[begin - 1 : begin]
        if sign == b"@":
            yield begin - 1, b"@" + name_of(body[begin : match.end(1)]), match.end(1)
        elif match[2]:
            yield begin, b"#" * (sign == b"#") + name_of(body[begin : match.end(1)]), match.end()


def _name_start(body: bytes, at: int) -> int:
    """Where the name begins that the letters before ``at`` belong to, as far as its first escape."""
    # The longest name that matters has 17 letters; of longer ones a part is enough to see that they are others.
    before = _LETTERS_BEFORE.search(body, max(0, at - 20), at)
    begin = before.start() if before else at
    if body.startswith(b"--", begin) and body[begin - 2 : begin] == b"<!":
        # "<!--" is a token of its own (section 4.3.1), unless its "<" is escaped.
        escape = begin - 2
        while body[escape - 1 : escape] == b"\\":
            escape -= 1
        return begin if (begin - escape) % 2 else begin + 2
    return begin


def _read(body: bytes, name: bytes, at: int, found: list[Reference]) -> int:
    """Read on after one of the `_NAMES` other than ``@import``; where to go on."""
    if name in _SETS:
        return _image_set(body, at, found)
    if name in _WITHOUT_URLS:
        return _prelude(body, at)[0]
    # Of a function only the name and the parenthesis are one token; of a url token, all.
    span, at = url_token(body, at) if is_token(body, name, at) else (argument(body, at), at)
    if span:
        _add(found, body, span, "url")
    return at


def _image_set(body: bytes, at: int, found: list[Reference]) -> int:
    """Read an ``image-set(`` to its end: a string that begins an option is the URL of an image."""
    begins = True
    for part in components(body, at, [b")"]):
        at = part.after
        if part.what == "url" or (part.what == "string" and begins and part.depth == 1):
            _add(found, body, (part.start, part.end), "url")
        elif part.what == "close" and part.depth == 0:
            break
        begins = part.what == "other" and body[part.start] == 0x2C
    return at


def _import(body: bytes, at: int, is_first: bool, found: list[Reference]) -> tuple[int, bool]:
    """Read an ``@import``: where it ends, and whether as it must. ``is_first``: it stands where a browser reads it."""
    end, ending, span = _prelude(body, at)
    ended = ending in (b";", b"")
    if span:
        _add(found, body, span, "import", required=is_first and ended)
    return end, ended


def _prelude(body: bytes, at: int) -> tuple[int, bytes, tuple[int, int] | None]:
    """Read what stands between a rule's name and its block or semicolon (section 5.4.2).

    Gives where it ends, by which byte (none at the end of the file), and where its URL is if it begins with one. A
    bracket that closes one from before the rule ends it, too.
    """
    span = None
    for i, part in enumerate(components(body, at, [])):
        if i == 0 and part.what in ("string", "url"):
            span = part.start, part.end
        if part.depth == 0 and part.what in ("open", "other", "stray"):
            byte = body[part.start : part.start + 1]
            if part.what == "stray" or byte == b"{":
                return part.start, byte, span
            if byte == b";":
                return part.after, byte, span
        at = part.after
    return at, b"", span


def _after_statements(body: bytes, at: int, goal: int) -> int:
    """Where the rules from ``at`` on end that may stand before an ``@import`` (CSS Cascade 5 section 2).

    It is not before ``goal``, or negative if there is another rule. ``@charset`` and ``@layer`` without a block may,
    and so may any other rule without one: to browsers it is none, except for ``@namespace``.
    """
    while True:
        at = end_of(_BETWEEN_RULES, body, at)
        if at >= goal:
            return at
        rule = _AT_KEYWORD.match(body, at)
        if rule is None or name_of(rule[1]) == b"namespace":
            return -1
        at, ending, _ = _prelude(body, rule.end())
        if ending != b";":
            return -1


def _add(
    found: list[Reference], body: bytes, span: tuple[int, int], kind: ReferenceKind, *, required: bool = True
) -> None:
    """Note the reference at ``span``, if it could be one."""
    start, end = span
    url = text_of(body[start:end])
    if is_local(url, kind):
        found.append(Reference(start, end, url, kind, required and not _BEHAVIOR.match(url)))
