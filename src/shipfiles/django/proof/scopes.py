"""A walk over the parts of a module that may concern static files, each node with the scope of its names."""

from __future__ import annotations

import ast
from bisect import bisect_left
from collections.abc import Collection, Iterable, Sequence

from .bindings import Scope, bound_by
from .guards import guarded_by

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


class Walk:
    """The nodes of the statements that reach over one of the ``lines``, and their scopes.

    The scopes are those of the language reference, 4.2: decorators, defaults, annotations and bases belong to the
    scope around, as does what the first ``for`` of a comprehension goes over.
    """

    def __init__(self, tree: ast.Module, lines: Sequence[int]) -> None:
        self.calls: list[tuple[ast.Call, Scope, bool]] = []
        """Each with whether something guards it."""
        self.classes: list[tuple[ast.ClassDef, bool]] = []
        self.inside: dict[ast.ClassDef, Scope] = {}
        """The scopes that classes make."""
        self._lines = lines
        module = Scope()
        self._scopes = [module]
        self._stack: list[tuple[ast.AST, Scope, bool]] = [(tree, module, False)]
        self._guarded = False
        while self._stack:
            node, scope, self._guarded = self._stack.pop()
            if not isinstance(node, ast.stmt) or self._wanted(node):
                self._visit(node, scope)
        for scope in self._scopes:
            scope.hoist()

    def resolve(self, aliases: Collection[str]) -> None:
        """Make the scopes ready to be asked; those around others first."""
        for scope in self._scopes:
            scope.resolve(aliases)

    def aliases(self, aliases: Collection[str]) -> set[str]:
        """The names that the module gives to what concerns static files, apart from imports."""
        return set().union(*(scope.assigned_names(aliases) for scope in self._scopes))

    def _wanted(self, node: ast.stmt) -> bool:
        decorators = getattr(node, "decorator_list", None)
        first = bisect_left(self._lines, decorators[0].lineno if decorators else node.lineno)
        return first < len(self._lines) and self._lines[first] <= (node.end_lineno or node.lineno)

    def _new(self, kind: str, within: Scope) -> Scope:
        scope = Scope(kind, within)
        self._scopes.append(scope)
        return scope

    def _add(self, nodes: Iterable[ast.AST | None], scope: Scope) -> None:
        self._stack += [(node, scope, self._guarded) for node in nodes if node is not None]

    def _visit(self, node: ast.AST, scope: Scope) -> None:
        if isinstance(node, (*_FUNCTIONS, ast.Lambda)):
            self._function(node, scope)
        elif isinstance(node, ast.ClassDef):
            scope.bind(node.name)
            inner = self.inside[node] = self._new("class", scope)
            self.classes.append((node, self._guarded))
            self._add([*node.decorator_list, *node.bases, *node.keywords], scope)
            self._add(node.body, inner)
        elif isinstance(node, _COMPREHENSIONS):
            self._comprehension(node, scope)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            scope.take_import(node)
        elif isinstance(node, (ast.Global, ast.Nonlocal)):
            scope.declare(node)
        elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.NamedExpr)) and node.value is not None:
            self._assignment(node, node.value, scope)
        else:
            if isinstance(node, ast.Call):
                self.calls.append((node, scope, self._guarded))
            for name in bound_by(node):
                scope.bind(name)
            before = self._guarded
            guarded = guarded_by(node)
            for child in ast.iter_child_nodes(node):
                self._guarded = before or child in guarded
                self._add([child], scope)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, scope: Scope) -> None:
        inner = self._new("function", scope)
        given = node.args
        arguments = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
        for argument in arguments:
            if argument is not None:
                inner.bind(argument.arg)
                self._add([argument.annotation], scope)
        self._add([*given.defaults, *given.kw_defaults], scope)
        if isinstance(node, ast.Lambda):
            self._add([node.body], inner)
        else:
            scope.bind(node.name)
            self._add([*node.decorator_list, node.returns], scope)
            self._add(node.body, inner)

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp, scope: Scope) -> None:
        inner = self._new("comprehension", scope)
        first = node.generators[0]
        self._add([first.iter], scope)
        self._add([first.target, *first.ifs, *node.generators[1:]], inner)
        self._add([node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt], inner)

    def _assignment(self, node: ast.Assign | ast.AnnAssign | ast.NamedExpr, value: ast.expr, scope: Scope) -> None:
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            if isinstance(target, ast.Name):
                scope.assign(target.id, value)
            else:
                self._add([target], scope)
        self._add([value, node.annotation if isinstance(node, ast.AnnAssign) else None], scope)
