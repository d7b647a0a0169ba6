"""Names of static files in Python source, by its syntax tree. Nothing is imported or run."""

from __future__ import annotations

import ast
import importlib.util
import re
import warnings
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from .bindings import ASSETS, MEDIA, URLS, Scope
from .guards import guarded_by
from .names import NameUse, shortened
from .scopes import Walk

_ABSOLUTE = ("http://", "https://", "/")
"""What Django's Media takes for a URL rather than a name."""
_ARGUMENTS = ("path", "name", "src", "href")

_MEDIA = re.compile(rb"\bMedia(?:Asset)?\b").search
_CLASS = re.compile(r"^[ \t]*class[ \t]+(\w+)[ \t]*\(([^()]*)", re.MULTILINE)
_DJANGOS = re.compile(r"Form|Widget|Input|Select|Textarea|Admin|Inline|Field|Block|Adapter|Panel|Media")
_OTHERS = re.compile(r"[Cc]omponent")
_ANCESTORS = 4
_NAMINGS = 4
"""So often a name may be given to what has a name already: ``a = static``, ``b = a``."""
_WORDS = r"static|staticfiles_storage|storages|Media|MediaAsset|Script|Stylesheet"


def may_name_files(body: bytes, aliases: Collection[bytes] = ()) -> bool:
    """Whether a module's bytes are worth parsing."""
    return (
        b"templatetags.static" in body
        or b"staticfiles_storage" in body
        or (b"storages" in body and b"staticfiles" in body)
        or (b"templatetags import" in body and b"static" in body)
        or (b"Media" in body and _MEDIA(body) is not None)
        or (b"forms" in body and (b"Script" in body or b"Stylesheet" in body))
        or any(alias in body for alias in aliases)
    )


def uses_in(source: bytes, path: str, own: bool, aliases: Collection[str] = ()) -> list[NameUse]:
    """The static files that a module names: in calls for their URLs, and in the Media of forms, widgets and admins.

    ``aliases`` are imported functions that take a name as ``static`` does.

    Raises ``SyntaxError``, ``ValueError``, ``RecursionError`` or ``MemoryError`` for what Python cannot parse either.
    """
    text = importlib.util.decode_source(source)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(text)
    walk = _walked(tree, text, aliases)
    reader = _Reader(text, path, own, aliases, walk)
    for call, scope, guarded in walk.calls:
        before = len(reader.uses)
        reader.call(call, scope)
        if guarded:
            reader.unsure(before)
    bases = _bases(text)
    for class_, guarded in walk.classes:
        before = len(reader.uses)
        reader.class_(class_)
        if guarded or not _is_djangos(class_, bases):
            reader.unsure(before)
    return sorted(reader.uses, key=lambda use: (use.line, use.column))


def _walked(tree: ast.Module, text: str, aliases: Collection[str]) -> Walk:
    """The part of ``tree`` that concerns static files, under whatever names."""
    walk = Walk(tree, _lines_to_read(text, aliases))
    walk.resolve(aliases)
    named: set[str] = set()
    for _ in range(_NAMINGS):
        # The module has names of its own for them: lines with those are to be read as well.
        if named >= (made := walk.aliases(aliases)):
            break
        named |= made
        walk = Walk(tree, _lines_to_read(text, {*aliases, *named}))
        walk.resolve(aliases)
    return walk


def _lines_to_read(text: str, aliases: Collection[str]) -> list[int]:
    """The lines with an import or with a word that concerns static files, for most of a module does neither."""
    words = "|".join((_WORDS, *map(re.escape, aliases)))
    renamed = re.findall(rf"\b(?:{words})\s+as\s+(\w+)", text)
    words = "|".join((words, *map(re.escape, sorted(set(renamed)))))
    lines = []
    at, line = 0, 1
    for found in re.finditer(rf"^[ \t]*(?:from|import)\b|\b(?:{words})\b", text, re.MULTILINE):
        line += text.count("\n", at, found.start())
        at = found.start()
        lines.append(line)
    return lines


def _bases(text: str) -> dict[str, str]:
    """The bases of the classes of a module, as they are written."""
    return dict(_CLASS.findall(text))


def _is_djangos(node: ast.ClassDef, bases: Mapping[str, str]) -> bool:
    """Whether a class seems to be one of forms, widgets, admins, whose Media means names of static files.

    By the names of its bases: to other libraries a Media may be anything.
    """
    written = [*node.bases, *(keyword.value for keyword in node.keywords if keyword.arg == "metaclass")]
    names = " ".join(map(ast.unparse, written))
    for _ in range(_ANCESTORS):
        if _OTHERS.search(names):
            return False
        if _DJANGOS.search(names):
            return True
        names = " ".join(bases.get(name, "") for name in set(re.findall(r"\w+", names)))
    return False


class _Reader:
    """Judges the nodes of one module."""

    def __init__(self, text: str, path: str, own: bool, aliases: Collection[str], walk: Walk) -> None:
        self.uses: list[NameUse] = []
        self._text = text
        self._lines: list[str] = []
        self._path = path
        self._own = own
        self._aliases = aliases
        self._inside = walk.inside

    def call(self, node: ast.Call, scope: Scope) -> None:
        """Add what a call names, if it asks for URLs or makes a Media."""
        origins = scope.of(node.func, self._aliases)
        if not origins:
            return
        certain = origins <= URLS or origins <= MEDIA or origins <= ASSETS
        before = len(self.uses)
        if origins & URLS:
            self._names_url(node, f"{next(iter(origins & URLS)).rpartition('.')[2]}()")
        elif origins & ASSETS:
            self._names_asset(node)
        elif origins & MEDIA:
            given = dict(zip(("media", "css", "js"), node.args, strict=False))
            given.update({keyword.arg: keyword.value for keyword in node.keywords if keyword.arg})
            self._media(given.get("css"), given.get("js"), scope)
        if not certain:
            self.uses[before:] = [use.unknown() for use in self.uses[before:]]

    def unsure(self, since: int) -> None:
        """Production may do without what was found ``since``."""
        self.uses[since:] = [replace(use, sure=False) for use in self.uses[since:]]

    def _names_url(self, node: ast.Call, how: str) -> None:
        if argument := _argument(node):
            for _, name, sure in _literals(argument):
                self._add(node, name, how, sure=sure)

    def _names_asset(self, node: ast.Call) -> None:
        if argument := _argument(node):
            for _, name, sure in _literals(argument):
                if name is None or not name.startswith(_ABSOLUTE):
                    self._add(node, name, "Media", sure=sure)

    def class_(self, node: ast.ClassDef) -> None:
        """Add what a ``Media`` inside of a class names."""
        for inner in _statements(node.body):
            if isinstance(inner, ast.ClassDef) and inner.name == "Media" and (scope := self._inside.get(inner)):
                for statement in _statements(inner.body):
                    name, value = _assigned(statement)
                    self._media(value if name == "css" else None, value if name == "js" else None, scope)

    def _media(self, css: ast.expr | None, js: ast.expr | None, scope: Scope) -> None:
        if isinstance(css, ast.Dict):
            for value in css.values:
                self._items(value, scope)
        elif isinstance(css, ast.Call) and isinstance(css.func, ast.Name) and css.func.id == "dict" and not css.args:
            for keyword in css.keywords:
                self._items(keyword.value, scope)
        elif css is not None:
            self._add(css, None, "Media")
        if js is not None:
            self._items(js, scope)

    def _items(self, node: ast.expr, scope: Scope) -> None:
        """Add what a list of assets names."""
        if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
            for item in node.elts:
                if isinstance(item, ast.Starred):
                    self._items(item.value, scope)
                else:
                    self._item(item, scope)
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            self._items(node.left, scope)
            self._items(node.right, scope)
        elif isinstance(node, ast.IfExp):
            self._items(node.body, scope)
            self._items(node.orelse, scope)
        elif not (isinstance(node, ast.Constant) and node.value is None):
            self._add(node, None, "Media")

    def _item(self, item: ast.expr, scope: Scope) -> None:
        if isinstance(item, ast.Call) and scope.of(item.func, self._aliases) & (ASSETS | URLS):
            return  # a call that is read for itself
        for node, name, sure in _literals(item):
            if name is None or not name.startswith(_ABSOLUTE):
                self._add(node, name, "Media", sure=sure)

    def _add(self, node: ast.expr, name: str | None, how: str, *, sure: bool = True) -> None:
        if not self._lines:
            self._lines = self._text.split("\n")
        encoded = self._lines[node.lineno - 1].encode()
        start = node.col_offset
        end = node.end_col_offset if node.end_lineno == node.lineno else None
        text = encoded[start:end].decode(errors="replace")
        column = len(encoded[:start].decode(errors="replace")) + 1
        shown = text if end is not None else shortened(text + "\n")
        self.uses.append(NameUse(self._path, node.lineno, column, shown, name, how, self._own, sure))


def _argument(node: ast.Call) -> ast.expr | None:
    """What a call gives as the name of a file."""
    if node.args:
        return node.args[0]
    return next((keyword.value for keyword in node.keywords if keyword.arg in _ARGUMENTS), None)


def _statements(body: Collection[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a class, those under ``if`` and ``try`` too."""
    stack = list(body)[::-1]
    while stack:
        statement = stack.pop()
        yield statement
        if isinstance(statement, (ast.If, ast.Try)):
            stack += [*statement.body, *statement.orelse]
            if isinstance(statement, ast.Try):
                stack += [*statement.finalbody, *(inner for handler in statement.handlers for inner in handler.body)]


def _assigned(statement: ast.stmt) -> tuple[str, ast.expr | None]:
    """``(name, value)`` of a simple assignment; nothing for any other statement."""
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target: ast.expr = statement.targets[0]
    elif isinstance(statement, (ast.AnnAssign, ast.AugAssign)):
        target = statement.target
    else:
        return "", None
    return (target.id, statement.value) if isinstance(target, ast.Name) else ("", None)


def _literals(node: ast.expr, *, sure: bool = True) -> Iterator[tuple[ast.expr, str | None, bool]]:
    """What an expression can be, each with its place, and whether production asks for it; ``None`` for what only
    running the program could tell.
    """
    if isinstance(node, ast.IfExp):
        guarded = guarded_by(node)
        for value in (node.body, node.orelse):
            yield from _literals(value, sure=sure and value not in guarded)
    elif isinstance(node, ast.BoolOp):
        for value in node.values:
            yield from _literals(value, sure=sure)
    else:
        yield node, _folded(node), sure


def _folded(node: ast.expr) -> str | None:
    """The text of a literal, of literals that are added, and of an f-string of literals alone."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    parts: list[ast.expr] = []
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        parts = [node.left, node.right]
    elif isinstance(node, ast.JoinedStr):
        parts = node.values
    elif isinstance(node, ast.FormattedValue) and node.conversion == -1 and node.format_spec is None:
        parts = [node.value]
    folded = [_folded(part) for part in parts]
    return "".join(part for part in folded if part is not None) if parts and None not in folded else None
