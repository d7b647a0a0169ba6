"""What the names in a module stand for, as far as its imports tell."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Collection, Iterable

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
_WANTED = (*URLS, *MEDIA, *ASSETS, _LAZY)
_ELSEWHERE = "?"


class Bindings:
    """The origins of a module's names, whatever their scope: a name that is bound twice may be either."""

    def __init__(self, nodes: Iterable[ast.AST], aliases: Collection[str] = ()) -> None:
        self._like_static = aliases
        self._origins: dict[str, set[str]] = {}
        others: Counter[str] = Counter()
        assigned: list[tuple[str, ast.expr]] = []
        for node in nodes:
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                self._take_import(node)
            elif isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
                assigned.append((node.targets[0].id, node.value))
            elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                others[node.name] += 1
            elif isinstance(node, ast.arg):
                others[node.arg] += 1
            elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
                others[node.id] += 1
        # A second time, for aliases of the imported: ``static_lazy = lazy(static, str)``.
        targets = {name for name, value in assigned if self._is_alias(name, value)}
        for name, times in others.items():
            if name in self._origins and times > (name in targets):
                self._origins[name].add(_ELSEWHERE)

    def _take_import(self, node: ast.Import | ast.ImportFrom) -> None:
        for alias in node.names:
            if isinstance(node, ast.Import):
                name, origin = (alias.asname, alias.name) if alias.asname else (alias.name.partition(".")[0],) * 2
            else:
                name = alias.asname or alias.name
                origin = _ELSEWHERE if node.level else f"{node.module}.{alias.name}"
            self._origins.setdefault(name, set()).add(origin)

    def _is_alias(self, name: str, value: ast.expr) -> bool:
        if not isinstance(value, (ast.Name, ast.Attribute, ast.Call)) or name in self._origins:
            return False
        origins = self.of(value) & (URLS | MEDIA | ASSETS)
        if origins:
            self._origins[name] = set(origins)
        return bool(origins)

    def of(self, node: ast.expr) -> set[str]:
        """The dotted paths that an expression may stand for; empty if none of them concerns static files."""
        origins = {_STATIC if self._is_like_static(origin) else origin for origin in self._resolved(node)}
        return origins if any(_concerns(origin) for origin in origins) else set()

    def _is_like_static(self, origin: str) -> bool:
        return bool(self._like_static) and origin.rpartition(".")[2] in self._like_static

    def _resolved(self, node: ast.expr) -> set[str]:
        trail: list[str] = []
        while True:
            if isinstance(node, ast.Attribute):
                trail.append(f".{node.attr}")
                node = node.value
            elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
                trail.append(f"[{node.slice.value!r}]")
                node = node.value
            elif isinstance(node, ast.Call) and not trail and node.args and self._resolved(node.func) == {_LAZY}:
                node = node.args[0]
            else:
                break
        if not isinstance(node, ast.Name):
            return set()
        behind = "".join(reversed(trail))
        return {origin if origin == _ELSEWHERE else origin + behind for origin in self._origins.get(node.id, ())}


def _concerns(origin: str) -> bool:
    return origin in _WANTED
