"""Whether a project wraps its application in our StaticApp, as far as its source tells."""

from __future__ import annotations

import ast
from importlib.util import find_spec
from pathlib import Path

from django.conf import settings


def has_static_app() -> bool:
    """Whether a module that a server is told to load names ``shipfiles``' ``StaticApp``."""
    return any(map(_names_static_app, sorted(_modules())))


def _modules() -> set[str]:
    """WSGI_APPLICATION's module, and those that ``startproject`` makes beside it or beside the root URLconf."""
    named = [getattr(settings, name, None) for name in ("WSGI_APPLICATION", "ASGI_APPLICATION")]
    modules = {name.rpartition(".")[0] for name in named if isinstance(name, str)}
    neighbours = [*modules, str(getattr(settings, "ROOT_URLCONF", ""))]
    modules |= {f"{name.rpartition('.')[0]}.{entry}".lstrip(".") for name in neighbours for entry in ("wsgi", "asgi")}
    return modules - {""}


def _names_static_app(module: str) -> bool:
    """The module is not run: to load a site a second time may have effects."""
    try:
        spec = find_spec(module)
        source = Path(spec.origin).read_bytes() if spec and spec.origin else b""
        nodes = list(ast.walk(ast.parse(source)))
    except (ImportError, ValueError, OSError, SyntaxError):
        return False  # there is none, or the server will say what is wrong with it
    names = {alias.name for node in nodes if isinstance(node, (ast.Import, ast.ImportFrom)) for alias in node.names}
    origins = names | {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    names |= {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    return "StaticApp" in names and any(origin.partition(".")[0] == "shipfiles" for origin in origins)
