"""Words of Apache's configuration: text and patterns that mean there what they are, or are refused.

https://httpd.apache.org/docs/2.4/configuring.html, and ``ap_getword_conf`` and ``ap_resolve_env`` in httpd's
``server/util.c`` and ``server/core.c``.
"""

from __future__ import annotations

import re

from .words import refused, sound

# In a quoted word a backslash counts before another and before a quote.
_ESCAPE = re.compile(r'\\(?=["\\]|\Z)')


def quoted(text: str, what: str) -> str:
    """``text`` as one word. ``what`` is how an error calls it.

    Raises `ConfigError` for control characters, and for ``${``, with which names of Define and of the environment
    begin. In values of ``Header`` a percent sign is written twice besides: that is for the caller.
    """
    return '"' + _ESCAPE.sub(r"\\\\", _checked(text, what)).replace('"', r"\"") + '"'


def raw(text: str, what: str) -> str:
    """The same for a word of mod_rewrite, which reads its line itself (``parseargline``): all up to the next quote
    with its backslashes. So it has no quotes.
    """
    if '"' in text:
        raise refused(text, what, "Apache", "a quote, which ends a word of mod_rewrite")
    return f'"{_checked(text, what)}"'


def _checked(text: str, what: str) -> str:
    if "${" in text:
        raise refused(text, what, "Apache", "'${', which begins a variable")
    return sound(text, what, "Apache")


def section(path: str, what: str) -> str:
    """The same for the path of ``<Directory>``, ``<Files>`` and ``<Location>``, in which ``*?[]`` are wildcards."""
    found = re.search(r"[*?\[\]]", path)
    if found:
        raise refused(path, what, "Apache", f"{found[0]!r}, which is a wildcard")
    return quoted(path, what)
