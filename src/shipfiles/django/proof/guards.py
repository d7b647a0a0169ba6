"""Which parts of a module production may never reach, or reaches only if the file is there."""

from __future__ import annotations

import ast
from collections.abc import Collection

_LOOKS = frozenset(("exists", "find", "is_file", "isfile"))


def guarded_by(node: ast.AST) -> Collection[ast.AST]:
    """The children of ``node`` that run only in development, only where a file was found, or may fail."""
    if isinstance(node, ast.Try):
        return set(node.body) if any(_catches(handler) for handler in node.handlers) else ()
    if not isinstance(node, (ast.If, ast.IfExp)):
        return ()
    test, reverse = node.test, False
    while isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        test, reverse = test.operand, not reverse
    if not _tells(test):
        return ()
    children = node.orelse if reverse else node.body
    return set(children) if isinstance(children, list) else {children}


def _catches(handler: ast.ExceptHandler) -> bool:
    # What storages raise for a missing name. Who catches everything has not thought of that.
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(kind is not None and _last(kind) == "ValueError" for kind in kinds)


def _tells(test: ast.expr) -> bool:
    """Whether a condition that holds means development, or that a file is there."""
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        return any(_tells(value) for value in test.values)
    if isinstance(test, ast.NamedExpr):
        return _tells(test.value)
    if isinstance(test, ast.Call):
        return _last(test.func) in _LOOKS
    return _last(test) in ("DEBUG", "debug")


def _last(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
