"""Words of nginx's configuration: text and patterns that mean there what they are, or are refused.

https://nginx.org/en/docs/ngx_core_module.html, and ``ngx_conf_read_token`` in nginx's ``src/core/ngx_conf_file.c``.
"""

from __future__ import annotations

import re

from .words import refused, sound

# In a quoted word these letters behind a backslash make one character of the two; any other leaves both.
_ESCAPE = re.compile(r"""\\(?=["'\\trn]|\Z)""")
# NGX_CONF_BUFFER, less what stands around a word.
_LONGEST = 4000


def quoted(text: str, what: str) -> str:
    """``text`` as one word, in which nothing stands for something else. ``what`` is how an error calls it.

    Raises `ConfigError` for what cannot be said: control characters, and ``$``, with which variables begin.
    """
    if "$" in text:
        raise refused(text, what, "nginx", "'$', which begins a variable")
    return pattern(text, what)


def pattern(text: str, what: str) -> str:
    """The same where nginx knows no variables: a regular expression, or the prefix of a ``location``."""
    word = '"' + _ESCAPE.sub(r"\\\\", sound(text, what, "nginx")).replace('"', r"\"") + '"'
    if len(word.encode()) > _LONGEST:
        raise refused(text, what, "nginx", f"more than {_LONGEST} bytes")
    return word
