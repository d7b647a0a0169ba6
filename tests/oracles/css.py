"""The references in a style sheet as tinycss2 sees them: a tokenizer and parser of other people's making.

The file is given to tinycss2 as Latin-1, so that each byte is one character, and what is above 0x7F is part of a name
in either encoding. What tinycss2 makes of the file (component values and rules) says what is a reference; here only
lines and columns become offsets, and the same definition is applied as the scanner's docstring gives.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import tinycss2
from tinycss2.ast import Node

from shipfiles.build.rewrite.reference import is_local

BOM = b"\xef\xbb\xbf"
_LINE_END = re.compile(r"\r\n|[\r\n\f]")
# From the start of a token to its text, and the text: with escapes whole, up to what ends it.
_STRING = re.compile(r"(?P<before>[\"'])(?P<text>(?:\\[\s\S]|(?!(?P=before))[^\\])*)")
_HEX = r"\\[0-9a-fA-F]{1,6}(?:\r\n|[ \t\n\r\f])?"
_URL = re.compile(rf"(?:{_HEX}|\\.|[^\\(])+\([ \t\n\r\f]*(?P<text>(?:{_HEX}|\\[\s\S]|\\\Z|[^\\) \t\n\r\f])*)")
# A source map's comment, without the characters that open and close it: ECMA-426 section 11.1.2.1.
_SOURCE_MAP = re.compile(r"[@#][ \t\n\r\f\v]*sourceMappingURL=(?P<text>[^ \t\n\r\f\v]+)[ \t\n\r\f\v]*")
_SETS = ("image-set", "-webkit-image-set")
_WITHOUT_URLS = ("namespace", "supports", "container", "document", "-moz-document")
_SURROGATE = re.compile("[\ud800-\udfff]")


class Found(NamedTuple):
    """A reference."""

    start: int
    end: int
    url: str
    kind: str
    required: bool


def references(body: bytes) -> list[Found]:
    """The references in ``body``, in order."""
    return _Sheet(body).references()


class _Sheet:
    def __init__(self, body: bytes) -> None:
        self._begin = len(BOM) if body.startswith(BOM) else 0
        self._text = body[self._begin :].decode("latin-1")
        self._lines = [0] + [end.end() for end in _LINE_END.finditer(self._text)]
        self._values = tinycss2.parse_component_value_list(self._text)
        self._required = self._required_imports()

    def references(self) -> list[Found]:
        urls: list[tuple[Node, str, bool]] = []
        _urls_in(self._values, urls, self._required)
        found = [self._found(*self._span(node), kind, required) for node, kind, required in urls]
        found += self._source_map()
        return sorted(f for f in found if f.start < f.end and is_local(f.url, f.kind))  # type: ignore[arg-type]

    def _required_imports(self) -> set[tuple[int, int]]:
        """Line and column of each ``@import`` that nothing but statements precedes, and that ends with a semicolon."""
        required: set[tuple[int, int]] = set()
        for rule in tinycss2.parse_stylesheet(self._values, skip_comments=True, skip_whitespace=True):
            if rule.type != "at-rule" or rule.content is not None or rule.lower_at_keyword == "namespace":
                # An "@import" with a block is no valid rule: nothing that follows from it is asked here.
                break
            if any(value.type == "error" and value.kind in ")]}" for value in rule.prelude):
                break
            if rule.lower_at_keyword == "import":
                required.add((rule.source_line, rule.source_column))
        return required

    def _offset(self, node: Node) -> int:
        return self._lines[node.source_line - 1] + node.source_column - 1

    def _span(self, node: Node) -> tuple[int, int]:
        """Where the text of a string or url token is."""
        match = (_STRING if node.type == "string" else _URL).match(self._text, self._offset(node))
        assert match is not None, f"line {node.source_line}, column {node.source_column}: no {node.type}"
        return match.span("text")

    def _found(self, start: int, end: int, kind: str, required: bool) -> Found:
        raw = self._text[start:end]
        url = raw.encode("latin-1").decode("utf-8", "replace")
        if kind != "source-map":
            url = _value(url, self._text[start - 1])
        # What only Internet Explorer ever asked for, relative to the page, is no fault when it is missing.
        behavior = url.partition("#")[0].partition("?")[0].lower().endswith(".htc")
        return Found(start + self._begin, end + self._begin, url, kind, required and not behavior)

    def _source_map(self) -> Iterator[Found]:
        """The last comment, if it names a source map and only comments and white space follow."""
        comments = list(_comments(self._values))
        for node in reversed(comments):
            if match := _SOURCE_MAP.fullmatch(node.value.replace("\ufffd", "\0")):
                start = self._offset(node) + 2
                after = self._text[start:]
                closed = after.find("*/")
                rest = tinycss2.parse_component_value_list(after[closed + 2 :]) if closed >= 0 else [node]
                if closed >= 0 and all(v.type in ("whitespace", "comment") for v in rest):
                    assert after.startswith(match[0][:1])
                    text = _SOURCE_MAP.match(after[:closed])
                    assert text is not None
                    yield self._found(start + text.start("text"), start + text.end("text"), "source-map", False)
                return


def _value(raw: str, before: str) -> str:
    """What tinycss2 makes of the text of a string or url token; half a surrogate pair is U+FFFD (section 4.3.7)."""
    begin, end = (before, before) if before in ("'", '"') else ("url(", ")")
    written = begin + raw + end * (not re.search(r"(?<!\\)(?:\\\\)*\\\Z", raw))
    [token] = [t for t in tinycss2.parse_component_value_list(written) if t.type != "error"]
    assert token.type in ("string", "url")
    return _SURROGATE.sub("\ufffd", token.value)


def _comments(values: Sequence[Node]) -> Iterator[Node]:
    stack = [iter(values)]
    while stack:
        for value in stack[-1]:
            if value.type == "comment":
                yield value
            if inner := _inside(value):
                stack.append(iter(inner))
                break
        else:
            stack.pop()


def _inside(value: Node) -> Sequence[Node]:
    if value.type == "function":
        return value.arguments
    return value.content if value.type in ("() block", "[] block", "{} block") else ()


def _urls_in(values: Sequence[Node], urls: list[tuple[Node, str, bool]], required: set[tuple[int, int]]) -> None:
    """The string and url tokens that are the text of a reference; those inside blocks and functions too."""
    values = [v for v in values if v.type not in ("whitespace", "comment")]
    at = 0
    while at < len(values):
        value = values[at]
        at += 1
        if value.type == "at-keyword" and value.lower_value in ("import", *_WITHOUT_URLS):
            if value.lower_value == "import" and at < len(values):
                token = values[at] if values[at].type == "string" else _url_of(values[at])
                if token:
                    urls.append((token, "import", (value.source_line, value.source_column) in required))
            while at < len(values) and not _ends_prelude(values[at]):
                at += 1
        elif token := _url_of(value):
            urls.append((token, "url", True))
            _urls_in(_inside(value), urls, required)
        elif value.type == "function" and value.lower_name in _SETS:
            _urls_in_set(value.arguments, urls, options=True)
        else:
            _urls_in(_inside(value), urls, required)


def _urls_in_set(values: Sequence[Node], urls: list[tuple[Node, str, bool]], *, options: bool) -> None:
    """All URLs in an ``image-set()``; with ``options``, also a string at the beginning and after each comma."""
    values = [v for v in values if v.type not in ("whitespace", "comment")]
    begins = options
    for value in values:
        if token := _url_of(value):
            urls.append((token, "url", True))
        elif value.type == "string" and begins:
            urls.append((value, "url", True))
        _urls_in_set(_inside(value), urls, options=False)
        begins = options and value == ","


def _ends_prelude(value: Node) -> bool:
    return value == ";" or value.type == "{} block" or (value.type == "error" and value.kind in ")]}")


def _url_of(value: Node) -> Node | None:
    """The token with the text of a url token, ``url()`` or ``src()``."""
    if value.type == "url":
        return value
    if value.type == "function" and value.lower_name in ("url", "src"):
        arguments = [v for v in value.arguments if v.type not in ("whitespace", "comment")]
        # Modifiers are identifiers and functions: CSS Values 4 section 4.5.4. What they are to be is not looked at, so
        # that a bad url there does not take the good one with it.
        if arguments and arguments[0].type == "string":
            after = arguments[1].type if len(arguments) > 1 else "function"
            may_follow = after == "error" and arguments[1].kind in ("eof-in-string", "bad-url")
            if after in ("ident", "function", "url") or may_follow:
                return arguments[0]
    return None
