"""The references of a script or module, read from the syntax tree that tree-sitter makes of it.

It knows which forms are references, and nothing of how ours finds them: literals are nodes of the tree, spans are those
of the nodes. Where the grammar does not understand the text, ``errors`` says so, and the references are what is left.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import tree_sitter_javascript
from tree_sitter import Language, Node, Parser, Query, QueryCursor

from shipfiles.build.rewrite.reference import is_local
from shipfiles.model import Reference

LANGUAGE = Language(tree_sitter_javascript.language())
_PARSER = Parser(LANGUAGE)
_FORMS = Query(
    LANGUAGE,
    """
    (import_statement source: (string) @module)
    (export_statement source: (string) @module)
    (call_expression function: (import)) @import
    (call_expression function: [(identifier) (member_expression)]) @call
    (new_expression) @new
    """,
)
_COMMENTS = Query(LANGUAGE, "(comment) @comment")
# ECMA-426, MatchSourceMapURL.
_MAP = re.compile(r"[@#]\s*sourceMappingURL=(\S*?)\s*")
_SIMPLE = {"b": "\b", "t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r"}


@dataclass(frozen=True, order=True)
class Found:
    """A reference: what our scanner calls its span, its text and its kind."""

    start: int
    end: int
    url: str
    kind: str


@dataclass(frozen=True)
class Read:
    """What the oracle read."""

    references: list[Found]
    errors: list[tuple[int, int]]
    """The spans that the grammar does not understand; something missing has length 0."""


def found(references: Iterable[Reference]) -> list[Found]:
    """What our scanner found, to be compared."""
    return sorted(Found(r.start, r.end, r.url, r.kind) for r in references)


def read(body: bytes) -> Read:
    """The references of ``body`` by its syntax tree."""
    root = _PARSER.parse(body).root_node
    forms = list(_forms(root, body))
    if source_map := _source_map(root, body):
        forms.append(source_map)
    return Read(sorted(forms), list(_errors(root)))


def _errors(node: Node) -> Iterator[tuple[int, int]]:
    if not node.has_error:
        return
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if node.is_error or node.is_missing:
            yield node.start_byte, node.end_byte
        else:
            waiting += [child for child in node.children if child.has_error or child.is_missing]


def _forms(root: Node, body: bytes) -> Iterator[Found]:
    for form, nodes in QueryCursor(_FORMS).captures(root).items():
        for node in nodes:
            yield from _FORM[form](node, body)


def _module(node: Node, body: bytes) -> Iterator[Found]:
    yield from _literal(node, body, "module", "module")


def _import(node: Node, body: bytes) -> Iterator[Found]:
    for argument in _arguments(node)[:1]:
        yield from _literal(argument, body, "dynamic-import", "module")


def _call(node: Node, body: bytes) -> Iterator[Found]:
    name = _plain(node.child_by_field_name("function"), body)
    if name == "import.meta.resolve":
        for argument in _arguments(node)[:1]:
            yield from _literal(argument, body, "url", "module")
    elif name in ("importScripts", "self.importScripts", "globalThis.importScripts"):
        for argument in _arguments(node):
            if argument.type not in ("string", "template_string") or argument.named_children != _parts(argument):
                break  # what follows may depend on it; ours stops here too
            yield from _literal(argument, body, "script", "url")


def _new(node: Node, body: bytes) -> Iterator[Found]:
    name = _plain(node.child_by_field_name("constructor"), body)
    arguments = _arguments(node)
    if (
        name in ("URL", "self.URL", "globalThis.URL", "window.URL")
        and len(arguments) == 2
        and _plain(_without_empty(arguments[1]), body) == "import.meta.url"
    ):
        yield from _literal(arguments[0], body, "url", "url")


_FORM = {"module": _module, "import": _import, "call": _call, "new": _new}


def _arguments(node: Node) -> list[Node]:
    arguments = node.child_by_field_name("arguments")
    if arguments is None or arguments.type != "arguments":
        return []
    return [child for child in arguments.named_children if child.type not in ("comment", "html_comment")]


def _without_empty(node: Node | None) -> Node | None:
    """What an empty string is added to, before or behind: the same string (section 13.15.3)."""
    while node is not None and node.type == "binary_expression":
        left, operator, right = (node.child_by_field_name(name) for name in ("left", "operator", "right"))
        if operator is None or operator.type != "+":
            return node
        if _is_empty(right):
            node = left
        elif _is_empty(left):
            node = right
        else:
            return node
    return node


def _is_empty(node: Node | None) -> bool:
    return node is not None and node.type in ("string", "template_string") and node.end_byte - node.start_byte == 2


def _plain(node: Node | None, body: bytes) -> str:
    """``a.b.c`` without white space and comments; empty if it is anything else."""
    if node is None:
        return ""
    if node.type in ("identifier", "property_identifier"):
        return body[node.start_byte : node.end_byte].decode("utf-8", "replace")
    if node.type == "meta_property":
        words = [body[c.start_byte : c.end_byte].decode() for c in node.children if c.type != "comment"]
        return "".join(words)
    if node.type == "member_expression" and node.child_by_field_name("optional_chain") is None:
        left = _plain(node.child_by_field_name("object"), body)
        right = _plain(node.child_by_field_name("property"), body)
        return f"{left}.{right}" if left and right else ""
    return ""


def _parts(node: Node) -> list[Node]:
    return [child for child in node.named_children if child.type in ("string_fragment", "escape_sequence")]


def _literal(node: Node, body: bytes, kind: str, rule: str) -> Iterator[Found]:
    """The reference in a string, or in a template without substitution; ``rule`` is which URLs are local."""
    if node.type not in ("string", "template_string") or node.named_children != _parts(node):
        return
    start, end = node.start_byte + 1, node.end_byte - 1
    text, at = "", start
    for part in node.named_children:
        if part.type == "escape_sequence":
            text += body[at : part.start_byte].decode("utf-8", "surrogatepass")
            text += _escaped(body[part.start_byte + 1 : part.end_byte].decode())
            at = part.end_byte
    text += body[at:end].decode("utf-8", "replace")
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if is_local(text, "module" if rule == "module" else "url"):
        yield Found(start, end, text, kind)


def _escaped(text: str) -> str:
    if text[0] in "xu":
        return chr(int(text[1:].strip("{}"), 16))
    if text[0] in "01234567":
        return chr(int(text, 8))
    if text in ("\n", "\r", "\r\n", "\u2028", "\u2029"):
        return ""
    return _SIMPLE.get(text, text)


def _source_map(root: Node, body: bytes) -> Found | None:
    """ECMA-426, JavaScriptExtractSourceMapURL with parsing: from the end back, while there are only comments."""
    comments = QueryCursor(_COMMENTS).captures(root).get("comment", [])
    end = len(body)
    for node in sorted(comments, key=lambda comment: -comment.start_byte):
        if body[node.end_byte : end].decode("utf-8", "replace").strip(" \t\n\r\f\v\u00a0\ufeff\u2028\u2029"):
            return None
        raw = body[node.start_byte + 2 : node.end_byte].decode("utf-8", "surrogateescape")
        text = raw.removesuffix("*/") if body[node.start_byte + 1 : node.start_byte + 2] == b"*" else raw
        if match := _MAP.fullmatch(text):
            start = node.start_byte + 2 + len(text[: match.start(1)].encode("utf-8", "surrogateescape"))
            url = match[1]
            if not is_local(url, "source-map"):
                return None
            return Found(start, start + len(url.encode("utf-8", "surrogateescape")), url, "source-map")
        end = node.start_byte
    return None
