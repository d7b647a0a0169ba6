"""What no configuration can say, in whatever language."""

from __future__ import annotations

import re

from ..errors import ConfigError

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def sound(text: str, what: str, server: str) -> str:
    """``text`` if it is a line of UTF-8 without control characters. Raises `ConfigError`."""
    if _CONTROL.search(text):
        raise refused(text, what, server, "a control character, or one that UTF-8 cannot write")
    return text


def refused(text: str, what: str, server: str, why: str) -> ConfigError:
    """The error for ``text``, of which ``what`` says what it is."""
    return ConfigError(f"{what}: {text!a} cannot stand in the configuration of {server}: it has {why}.")
