"""What the names in a module stand for, scope by scope, as far as its imports tell."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator

_STATIC = "django.templatetags.static.static"
URLS = frozenset(
    (
        _STATIC,
        "django.contrib.staticfiles.templatetags.staticfiles.static",
        "django.contrib.staticfiles.storage.staticfiles_storage.url",
        "django.core.files.storage.storages['staticfiles'].url",
    )
)
"""What gives the URL of a static file for its name."""
MEDIA = frozenset(("django.forms.Media", "django.forms.widgets.Media"))
ASSETS = frozenset(
    f"{module}.{name}"
    for module in ("django.forms", "django.forms.widgets")
    for name in ("MediaAsset", "Script", "Stylesheet")
)
_LAZY = "django.utils.functional.lazy"
_WANTED = URLS | MEDIA | ASSETS | {_LAZY}
_ELSEWHERE = "?"


class Scope:
    """A module, class, function or comprehension, and the origins of the names that it binds.

    A name that is bound twice may be either.
    """

    __slots__ = ("_assigned", "_declared", "_kind", "_origins", "_outer", "_within")

    def __init__(self, kind: str = "module", within: Scope | None = None) -> None:
        self._kind = kind
        self._within = within
        # The names of a class are no names of the functions in it.
        self._outer: Scope | None = within._outer if within is not None and within._kind == "class" else within
        self._origins: dict[str, set[str]] = {}
        self._assigned: list[tuple[str, ast.expr, Scope]] = []
        self._declared: dict[str, str] = {}

    def bind(self, name: str, origin: str = _ELSEWHERE) -> None:
        """``name`` may stand for ``origin`` here."""
        self._origins.setdefault(name, set()).add(origin)

    def declare(self, node: ast.Global | ast.Nonlocal) -> None:
        """Take ``global`` and ``nonlocal``: a binding here is one of another scope."""
        self._declared.update(dict.fromkeys(node.names, type(node).__name__))

    def take_import(self, node: ast.Import | ast.ImportFrom) -> None:
        """Bind what an import binds."""
        for alias in node.names:
            if isinstance(node, ast.Import):
                name = alias.asname or alias.name.partition(".")[0]
                self.bind(name, alias.name if alias.asname else name)
                continue
            module = "." * node.level + (node.module or "") + "."
            if alias.name != "*":
                self.bind(alias.asname or alias.name, module + alias.name)
                continue
            for wanted in _WANTED:
                if wanted.startswith(module) and (name := wanted[len(module) :]).isidentifier():
                    self.bind(name, wanted)

    def assign(self, name: str, value: ast.expr) -> None:
        """``name`` may become ``value``, which `resolve` will judge."""
        # What ``:=`` binds in a comprehension is bound around it.
        target: Scope = self
        while target._kind == "comprehension" and target._within is not None:
            target = target._within
        target._assigned.append((name, value, self))

    def hoist(self) -> None:
        """Hand on what was declared as another scope's."""
        for name, how in self._declared.items():
            target = self._outer or self
            while target._outer is not None and (how == "Global" or not target._binds(name)):
                target = target._outer
            if target is not self:
                target._origins.setdefault(name, set()).update(self._origins.pop(name, ()))
                target._assigned += [assigned for assigned in self._assigned if assigned[0] == name]
                self._assigned = [assigned for assigned in self._assigned if assigned[0] != name]

    def _binds(self, name: str) -> bool:
        return name in self._origins or any(assigned[0] == name for assigned in self._assigned)

    def resolve(self, aliases: Collection[str]) -> None:
        """Judge the assignments: aliases of what is wanted, ``static_lazy = lazy(static, str)``, and all others."""
        for name, value, scope in sorted(self._assigned, key=lambda assigned: assigned[1].lineno):
            origins = scope.of(value, aliases) if isinstance(value, (ast.Name, ast.Attribute, ast.Call)) else set()
            for origin in origins & _WANTED or {_ELSEWHERE}:
                self.bind(name, origin)

    def assigned_names(self, aliases: Collection[str]) -> set[str]:
        """The names of aliases that assignments make."""
        return {
            name
            for name, value, scope in self._assigned
            if isinstance(value, (ast.Name, ast.Attribute, ast.Call)) and scope.of(value, aliases) & _WANTED
        }

    def of(self, node: ast.expr, aliases: Collection[str] = ()) -> set[str]:
        """The dotted paths that an expression may stand for; empty if none of them concerns static files.

        ``aliases`` are the names of imported functions that are like ``static``.
        """
        origins = {
            _STATIC if origin.rpartition(".")[2] in aliases else origin for origin in self._resolved(node, aliases)
        }
        return origins if origins & _WANTED else set()

    def _resolved(self, node: ast.expr, aliases: Collection[str]) -> set[str]:
        trail: list[str] = []
        while True:
            if isinstance(node, ast.Attribute):
                trail.append(f".{node.attr}")
                node = node.value
            elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
                trail.append(f"[{node.slice.value!r}]")
                node = node.value
            elif isinstance(node, ast.Call) and not trail:
                function = _made_lazy(node)
                if function is None or self._resolved(node.func, aliases) != {_LAZY}:
                    return set()
                node = function
            else:
                break
        if not isinstance(node, ast.Name):
            return set()
        behind = "".join(reversed(trail))
        return {origin if origin == _ELSEWHERE else origin + behind for origin in self._origins_of(node.id)}

    def _origins_of(self, name: str) -> set[str]:
        found: set[str] = set()
        scope: Scope | None = self
        while scope is not None:
            here = scope._origins.get(name, set())
            found |= here
            if here and _ELSEWHERE not in here:
                break
            # A parameter may well be given what the name stands for outside.
            scope = scope._outer
        return found


def _made_lazy(node: ast.Call) -> ast.expr | None:
    if node.args:
        return node.args[0]
    return next((keyword.value for keyword in node.keywords if keyword.arg == "func"), None)


def bound_by(node: ast.AST) -> Iterator[str]:
    """The names that a node binds in its scope by itself: handlers and patterns have them as text."""
    if isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)) and node.name:
        yield node.name
    elif isinstance(node, ast.MatchMapping) and node.rest:
        yield node.rest
    elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        yield node.id
