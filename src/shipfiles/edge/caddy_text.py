"""Words of a Caddyfile: text and patterns that mean there what they are, or are refused.

https://caddyserver.com/docs/caddyfile/concepts, and ``caddyconfig/caddyfile/lexer.go``.
"""

from __future__ import annotations

import re

from .words import refused, sound


def quoted(text: str, what: str) -> str:
    """``text`` as one word, in which nothing stands for something else. ``what`` is how an error calls it.

    Raises `ConfigError` for control characters, backticks, and braces, with which placeholders begin.
    """
    found = re.search(r"[{}]", text)
    if found:
        raise refused(text, what, "Caddy", f"{found[0]!r}, as placeholders have it")
    return pattern(text, what)


def pattern(text: str, what: str) -> str:
    """The same for a regular expression, in which braces mean what they do there."""
    if "`" in text:
        raise refused(text, what, "Caddy", "a backtick")
    if "{$" in text:
        raise refused(text, what, "Caddy", "'{$', which begins a variable")
    # Between backticks nothing is escaped, and so nothing need be.
    return f"`{sound(text, what, 'Caddy')}`"


def leading_pattern(text: str, what: str) -> str:
    """The same between quotes, in which a backslash counts before a quote alone."""
    if text.endswith("\\") or '\\"' in text:
        raise refused(text, what, "Caddy", "a backslash where the word or a part of it ends")
    return '"' + pattern(text, what)[1:-1].replace('"', r"\"") + '"'


def path(text: str, what: str) -> str:
    """The same for the path of a matcher, in which ``*`` is a wildcard and ``%`` begins an escape."""
    found = re.search(r"[*%]", text)
    if found:
        raise refused(text, what, "Caddy", f"{found[0]!r}, which means something in its paths")
    return quoted(text, what)


def folder(text: str, what: str) -> str:
    """The same for a folder whose files ``file`` matches, which takes it for a pattern of names."""
    found = re.search(r"[*?\[\]\\]", text)
    if found:
        raise refused(text, what, "Caddy", f"{found[0]!r}, which means something in patterns of names")
    return quoted(text, what)
