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

from ...model import Reference, ReferenceKind
from .reference import is_local
from .source_map import source_map_comment

# White space and names as section 4.2 has them; a byte above 0x7F is part of a letter, a NUL has become U+FFFD.
_S = rb"[ \t\n\r\f]"
_LETTER = rb"[\w\-\x80-\xff\x00]"
_ESCAPE = rb"\\(?:[0-9a-fA-F]{1,6}+(?>\r\n|[ \t\n\r\f])?+|[^\n\r\f0-9a-fA-F])"
_NAME = rb"(?>" + _LETTER + rb"++|" + _ESCAPE + rb")"
_BLANK_OR_COMMENT = rb"(?>[ \t\n\r\f]++|/\*(?>[^*]++|\*(?!/))*+\*/)*+"
_DOUBLE = rb"(?>[^\"\\\n\r\f]++|\\(?:\r\n|[\s\S]))*+"
_SINGLE = rb"(?>[^'\\\n\r\f]++|\\(?:\r\n|[\s\S]))*+"

# Where a reference can begin. To look for a byte and then behind it is many times faster than to look for names whose
# letters come in either case.
_CANDIDATE = re.compile(
    rb"[(@](?:(?<=[uU][rR][lL]\()|(?<=[sS][rR][cC]\()|(?<=[eE]-[sS][eE][tT]\()"
    rb"|(?<=@)([iI][mM][pP][oO][rR][tT]|[nN][aA][mM][eE][sS][pP][aA][cC][eE])(?!" + _LETTER + rb"|\\))"
)
# A name from its first escape on, with the parenthesis after it.
_ESCAPED_NAME = re.compile(rb"(" + _ESCAPE + _NAME + rb"*+)(\()?+")
_LETTERS_BEFORE = re.compile(_LETTER + rb"++\Z")

# From one place in code to the next that needs a look. It never runs past the place it is asked to reach.
_CODE = re.compile(rb"(?>[^\"'/\\]++|\"" + _DOUBLE + rb"\"|'" + _SINGLE + rb"'|/(?!\*)|\\[\s\S])*+")
# A string to its end, or without one: then to the newline or the end of the file (section 4.3.5).
_ANY_STRING = re.compile(rb"\"" + _DOUBLE + rb"\"?+|'" + _SINGLE + rb"'?+")
_QUOTED = re.compile(rb"\"(?P<double>" + _DOUBLE + rb")(?:\"|\Z)|'(?P<single>" + _SINGLE + rb")(?:'|\Z)")
_BLANK = re.compile(_BLANK_OR_COMMENT)
_SPACE = re.compile(_S + rb"*+")
# Section 4.3.6, "consume a url token", and section 4.3.14, "consume the remnants of a bad url".
_UNQUOTED = re.compile(_S + rb"*+((?>[^\"'()\\\x01-\x20\x7f]++|" + _ESCAPE + rb")*+)" + _S + rb"*+(?:\)|\Z)")
_BAD_URL = re.compile(rb"(?>[^)\\]++|\\[\s\S]?+)*+\)?+")
# What follows the string in url("..."): the end, be it in a comment that is never closed, or a modifier (CSS Values 4
# section 4.5.4).
_AFTER_STRING = re.compile(rb"\)|\Z|/\*|\\|" + _LETTER)
# The prefix that a namespace rule declares (CSS Namespaces 3 section 2).
_PREFIX = re.compile(_NAME + rb"++(?!\()" + _BLANK_OR_COMMENT)
_SET_PART = re.compile(
    rb"(?P<blank>" + _S + rb"++|/\*(?>[^*]++|\*(?!/))*+\*/)|(?P<string>[\"'])"
    rb"|(?P<name>[#@]?+" + _NAME + rb"++)(?P<call>\()?+"
    rb"|(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<comma>,)|(?P<unclosed>/\*[\s\S]*+)|(?P<other><!--|[\s\S])"
)

_ESCAPED = re.compile(r"\\(?:([0-9a-fA-F]{1,6})(?:\r\n|[ \t\n\r\f])?|(\r\n|[\n\r\f])|([\s\S]))")
_URLS = frozenset({"url", "src"})
_SETS = frozenset({"image-set", "-webkit-image-set"})
_RULES = frozenset({"@import", "@namespace"})
_NAMES = _URLS | _SETS | _RULES


def references(body: bytes) -> list[Reference]:
    """The references of a style sheet: ``url()``, ``src()``, ``@import``, strings of ``image-set()``, the source map.

    Clauses: CSS Syntax 3 section 4.3 for tokens, CSS Cascade 5 section 2 for ``@import``, CSS Values 4 section 4.5 for
    ``url()`` and ``src()``, CSS Images 4 section 2.4 for ``image-set()``, ECMA-426 for the source map. Any bytes are
    accepted; text in UTF-16 yields nothing.
    """
    found: list[Reference] = []
    at = 0
    # Where an @import or @namespace expects its URL, and what a URL there is.
    expected, kind_there = -1, ""
    for start, name, end in _candidates(body):
        if start < at:
            continue
        at = _walk(body, at, start)
        if at != start:
            continue
        kind: str = kind_there if start == expected else "url"
        if name in _URLS:
            at = _url(body, name, end, kind, found)
        elif name in _SETS:
            at = _image_set(body, end, found)
        else:
            kind_there = "import" if name == "@import" else ""
            at, expected = _rule(body, end, kind_there, found)
    comment = source_map_comment(body, line_comments=False)
    if comment and at <= comment.opening and _walk(body, at, comment.opening) == comment.opening:
        _add(found, body, comment.start, comment.end, "source-map")
    return found


def _candidates(body: bytes) -> Iterator[tuple[int, str, int]]:
    """Where a function or rule that matters may begin, its name in lower case, and where its name or ``(`` ends."""
    escaped = list(_escaped_names(body)) if b"\\" in body else []
    # The last letters of a name with an escape look like a whole name. A parenthesis after a rule's name is beyond it.
    plain = _plain_names(body, {end + after for _, name, end in escaped for after in (0, name.startswith("@"))})
    if not escaped:
        return plain
    return merge(plain, (name for name in escaped if name[1] in _NAMES))


def _plain_names(body: bytes, ends_of_others: AbstractSet[int]) -> Iterator[tuple[int, str, int]]:
    for match in _CANDIDATE.finditer(body):
        start = match.start()
        if match[1]:
            yield start, "@" + match[1].decode("ascii").lower(), match.end()
        elif match.end() not in ends_of_others:
            begin = _name_start(body, start)
            name = body[begin:start].decode("latin-1").lower()
            # After "#" it is a hash, after "@" a rule's name; after "\" only a part of the name.
            if name in _NAMES and body[begin - 1 : begin] not in (b"#", b"@", b"\\"):
                yield begin, name, match.end()


def _escaped_names(body: bytes) -> Iterator[tuple[int, str, int]]:
    """All functions and rules whose name has an escape, whether they matter or not."""
    for match in _ESCAPED_NAME.finditer(body):
        begin = _name_start(body, match.start())
        sign = body[begin - 1 : begin]
        if sign == b"@":
            yield begin - 1, "@" + _text(body[begin : match.end(1)]).lower(), match.end(1)
        elif match[2]:
            yield begin, "#" * (sign == b"#") + _text(body[begin : match.end(1)]).lower(), match.end()


def _name_start(body: bytes, at: int) -> int:
    """Where the name begins that the letters before ``at`` belong to, as far as its first escape."""
    # The longest name that matters has 17 letters; of longer ones a part is enough to see that they are others.
    before = _LETTERS_BEFORE.search(body, max(0, at - 20), at)
    begin = before.start() if before else at
    # "<!--" is a token of its own, section 4.3.1.
    return begin + 2 if body.startswith(b"--", begin) and body[begin - 2 : begin] == b"<!" else begin


def _walk(body: bytes, at: int, goal: int) -> int:
    """Walk through code from ``at``; ``goal`` if that is code, else the first place after the comment or string."""
    while True:
        match = _CODE.match(body, at, goal)
        assert match is not None  # it matches nothing, too
        at = match.end()
        if at >= goal:
            return at
        byte = body[at]
        if byte == 0x2F:
            end = body.find(b"*/", at + 2)
            at = end + 2 if end >= 0 else len(body)
        elif byte == 0x5C:
            at += 2
        else:
            at = _end(_ANY_STRING, body, at)
        if at >= goal:
            return at


def _rule(body: bytes, at: int, kind: str, found: list[Reference]) -> tuple[int, int]:
    """Read on after ``@import`` or ``@namespace``: where to walk on, and where a ``url()`` belongs to the rule."""
    at = _end(_BLANK, body, at)
    if not kind and (prefix := _PREFIX.match(body, at)):
        at = prefix.end()
    if string := _QUOTED.match(body, at):
        _add(found, body, *_inside(string), kind)
        return string.end(), -1
    return at, at


def _url(body: bytes, name: str, at: int, kind: str, found: list[Reference]) -> int:
    """Read on after ``url(`` or ``src(``; where it ends, or for a function where its first value does."""
    first = _end(_SPACE, body, at)
    if name == "url" and body[first : first + 1] not in (b'"', b"'"):
        token = _UNQUOTED.match(body, at)
        if token is None:
            return _end(_BAD_URL, body, at)
        _add(found, body, *token.span(1), kind)
        return token.end()
    string = _QUOTED.match(body, _end(_BLANK, body, at))
    if string is None:
        return at
    if _AFTER_STRING.match(body, _end(_BLANK, body, string.end())):
        _add(found, body, *_inside(string), kind)
    return string.end()


def _image_set(body: bytes, at: int, found: list[Reference]) -> int:
    """Read an ``image-set(`` to its end: a string that begins an option is the URL of an image."""
    depth = 1
    begins = True
    while depth and (part := _SET_PART.match(body, at)):
        at = part.end()
        what = part.lastgroup
        if what == "blank":
            continue
        if what == "string":
            string = _QUOTED.match(body, part.start())
            if string and begins and depth == 1:
                _add(found, body, *_inside(string), "url")
            at = string.end() if string else _end(_ANY_STRING, body, part.start())
        elif what == "call":
            name = _text(part["name"]).lower()
            if name in _URLS:
                # Of a quoted url() the string is read, and the parenthesis still has to close.
                at = _url(body, name, at, "url", found)
                depth += body[at - 1 : at] in (b'"', b"'", b"(")
            else:
                depth += 1
        elif what == "open":
            depth += 1
        elif what == "close":
            depth -= 1
        begins = what == "comma"
    return at


def _add(found: list[Reference], body: bytes, start: int, end: int, kind: str) -> None:
    """Note the reference at ``body[start:end]``, if it could be one; a namespace's kind is empty and never is."""
    if start == end or not kind:
        return
    url = _text(body[start:end])
    names: dict[str, ReferenceKind] = {"url": "url", "import": "import", "source-map": "source-map"}
    of = names[kind]
    if is_local(url, of):
        found.append(Reference(start, end, url, of, required=of != "source-map"))


def _text(raw: bytes) -> str:
    """What ``raw`` means once escapes are undone (section 4.3.7). Bytes that are not UTF-8 become U+FFFD."""
    text = raw.decode("utf-8", "replace").replace("\0", "\ufffd")
    return _ESCAPED.sub(_unescaped, text) if "\\" in text else text


def _unescaped(match: re.Match[str]) -> str:
    digits, newline, other = match.groups()
    if digits:
        code = int(digits, 16)
        return chr(code) if 0 < code < 0xD800 or 0xDFFF < code < 0x110000 else "\ufffd"
    return "" if newline else str(other)


def _inside(string: re.Match[bytes]) -> tuple[int, int]:
    return string.span("double" if string["double"] is not None else "single")


def _end(pattern: re.Pattern[bytes], body: bytes, at: int) -> int:
    """Where ``pattern``, which matches anywhere at least nothing, ends its match at ``at``."""
    match = pattern.match(body, at)
    return match.end() if match else at
