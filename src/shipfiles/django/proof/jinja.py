"""Names of static files in Jinja2 templates. Used only where such an engine is in the TEMPLATES setting."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import suppress
from itertools import filterfalse
from typing import Any

from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.files.storage import Storage
from django.templatetags.static import static

from ..sources import ownership
from .names import NameUse, Scan, is_left_over, shortened

with suppress(ModuleNotFoundError):
    # Jinja2 is no dependency of ours: where it is not installed no engine needs this module.
    from jinja2 import Environment, TemplateNotFound, TemplateSyntaxError, nodes

_STORAGE: Any = staticfiles_storage
# As Jinja2 counts lines; other separators are no ends of lines to it.
_NEWLINE = re.compile(r"\r\n|\r|\n")


def uses_in(source: str, path: str, own: bool, environment: Environment, tags: Collection[str]) -> Iterator[NameUse]:
    """The static files that the template ``source`` names: calls of ``static`` and of globals that are Django's.

    Raises ``TemplateSyntaxError`` for what the environment cannot parse.
    """
    lines = _NEWLINE.split(source)
    at: dict[int, int] = {}
    tree = environment.parse(source)
    bound = _bound(tree)
    aliases = set(_aliases(tree, bound, environment, tags))
    found: list[Any] = [*tree.find_all(nodes.Call), *tree.find_all(nodes.Filter)]
    for node in sorted(found, key=lambda node: node.lineno):
        asks = _asks(node, environment, {*tags, *aliases})
        if not asks:
            continue
        is_filter = isinstance(node, nodes.Filter)
        argument = node.node if is_filter else next(iter(node.args), None)
        line = lines[node.lineno - 1] if 0 < node.lineno <= len(lines) else ""
        for name in _literals(argument):
            # Jinja2's tree has no columns: the call is looked for in its line.
            pattern = _place(asks, name, is_filter)
            place = pattern.search(line, at.get(node.lineno, 0)) or pattern.search(line)
            if place:
                at[node.lineno] = place.end()
            text = place[0] if place else f"{asks}({'...' if name is None else repr(name)})"
            # A name that the template gives a meaning of its own may be anything.
            head = asks.partition(".")[0]
            known = None if head in bound.keys() - aliases or _is_foreign(head, environment) else name
            yield NameUse(path, node.lineno, place.start() + 1 if place else 0, shortened(text), known, "Jinja2", own)


def _bound(tree: nodes.Template) -> Counter[str]:
    """How often a template sets, imports or takes as a parameter each name that it gives a meaning of its own."""
    bound = Counter(node.name for node in tree.find_all(nodes.Name) if node.ctx != "load")
    bound.update(node.name for node in tree.find_all(nodes.Macro))
    bound.update(node.target for node in tree.find_all(nodes.Import))
    for node in tree.find_all(nodes.FromImport):
        bound.update(name if isinstance(name, str) else name[1] for name in node.names)
    return bound


def _aliases(
    tree: nodes.Template, bound: Counter[str], environment: Environment, tags: Collection[str]
) -> Iterator[str]:
    """The names that a template gives to what gives URLs, and to nothing else: ``{% set s = static %}``."""
    for node in tree.find_all(nodes.Assign):
        if isinstance(node.target, nodes.Name) and bound[node.target.name] == 1:
            stands_for = _function(node.node, environment, tags)
            if stands_for and stands_for.partition(".")[0] not in bound:
                yield node.target.name


def _asks(node: nodes.Call | nodes.Filter, environment: Environment, tags: Collection[str]) -> str:
    """How the function is written that a call or a filter uses, if it gives the URLs of static files; else nothing."""
    if isinstance(node, nodes.Filter):
        return node.name if environment.filters.get(node.name) is static and node.node is not None else ""
    return _function(node.node, environment, tags)


def _function(callee: nodes.Node, environment: Environment, tags: Collection[str]) -> str:
    """How a function that gives the URLs of static files is written, if ``callee`` is one; else nothing."""
    if isinstance(callee, nodes.Name):
        known = callee.name in tags or _gives_urls(environment.globals.get(callee.name))
        return callee.name if known else ""
    if isinstance(callee, nodes.Getattr) and isinstance(callee.node, nodes.Name):
        storage = environment.globals.get(callee.node.name)
        return f"{callee.node.name}.url" if callee.attr == "url" and _is(storage, _STORAGE) else ""
    return ""


def _is_foreign(name: str, environment: Environment) -> bool:
    """Whether a global that is called as Django's function is another one, which may do anything with a name."""
    return name == "static" and not _gives_urls(environment.globals.get(name, static))


def _gives_urls(given: Any) -> bool:
    return given is static or (
        isinstance(getattr(given, "__self__", None), Storage) and getattr(given, "__name__", "") == "url"
    )


def _is(given: Any, known: Any) -> bool:
    return given is known


def _literals(node: nodes.Node | None) -> Iterator[str | None]:
    """What an expression can be; ``None`` for what only running the template could tell."""
    if isinstance(node, nodes.CondExpr):
        yield from _literals(node.expr1)
        yield from _literals(node.expr2)
    else:
        yield _folded(node)


def _folded(node: nodes.Node | None) -> str | None:
    if isinstance(node, nodes.Const):
        return node.value if isinstance(node.value, str) else None
    parts: list[nodes.Expr] = []
    if isinstance(node, nodes.Concat):
        parts = node.nodes
    elif isinstance(node, nodes.Add):
        parts = [node.left, node.right]
    folded = [_folded(part) for part in parts]
    return "".join(part for part in folded if part is not None) if parts and None not in folded else None


def _place(asks: str, name: str | None, is_filter: bool) -> re.Pattern[str]:
    if is_filter:
        literal = r"[\w.]{1,100}" if name is None else rf"""(["']){re.escape(name)}\1"""
        return re.compile(rf"{literal}\s*\|\s*{re.escape(asks)}\b")
    call = rf"\b{re.escape(asks)}\s*\(\s*"
    return re.compile(call + (r"[^()\n]*\)?" if name is None else rf"""(["']){re.escape(name)}\1(?:\s*\))?"""))


def _file(loader: Any, name: str) -> str:
    """Where ``name`` is, as far as a loader that could not decode it tells."""
    folders = getattr(loader, "searchpath", ())
    places = (os.path.join(folder, *name.split("/")) for folder in folders)
    return next(filter(os.path.isfile, places), f"{name} (Jinja2)")


def scan_engine(environment: Environment, tags: Collection[str], scan: Scan) -> None:
    """Add what the templates that ``environment`` lists name."""
    own = ownership()
    by_django = set(scan.names)
    if environment.loader is None:
        return
    words = {*tags, *(name for name, given in environment.filters.items() if _is(given, static))}
    words |= {name for name, given in environment.globals.items() if _gives_urls(given) or _is(given, _STORAGE)}
    try:
        names = environment.loader.list_templates()
    except TypeError as error:
        scan.leave_out(type(environment.loader).__qualname__, str(error))
        return
    for name in filterfalse(is_left_over, names):
        try:
            source, path, _ = environment.loader.get_source(environment, name)
        except UnicodeDecodeError as error:
            # Jinja2 could not load it either. Most such files are pictures; this one speaks of static files.
            if any(word.encode() in error.object for word in words):
                place = _file(environment.loader, name)
                if place not in by_django:
                    scan.leave_out(place, f"not read as a template: {error}")
            continue
        except (TemplateNotFound, OSError) as error:
            scan.leave_out(name, f"not read as a Jinja2 template: {error}")
            continue
        place = path or f"{name} (Jinja2)"
        scan.take(place, name)
        if not any(word in source for word in words):
            continue
        try:
            scan.uses += list(uses_in(source, place, path is None or own(path), environment, tags))
        except TemplateSyntaxError as error:
            if place not in by_django:
                scan.leave_out(place, f"not read as a Jinja2 template: {error.message}", error.lineno)
        # An extension of the project's may raise anything.
        except Exception as error:  # noqa: BLE001
            scan.leave_out(place, f"not read as a Jinja2 template: {type(error).__name__}: {error}")
