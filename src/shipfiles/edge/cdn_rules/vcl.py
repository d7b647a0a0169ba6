"""What the VCL of Varnish and that of Fastly have in common."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ...config import Coding
from ...errors import ConfigError
from ..policy import WELL_KNOWN, StaticPolicy
from .common import DOTS, HIDDEN, WITH_HASH, extensions, sent_by_edge, spelled, url_prefix

HASH = WITH_HASH
_TYPES = "^(text/|image/(svg|x-icon|bmp)|font/(ttf|otf)|application/([a-z.+-]*(json|xml)|wasm))"
"""Types that are worth compressing, where the cache itself does that."""


def quoted(text: str) -> str:
    """``text`` as a string in which nothing stands for anything else. Raises `ConfigError` if it can be none."""
    if not re.fullmatch(r"[ -~]*", text) or '"}' in text:
        raise ConfigError(f"{text!r} cannot be written in VCL: only printable ASCII, without a quote before a brace.")
    return f'{{"{text}"}}'


def at_start(path: str) -> str:
    """A regular expression of paths that begin with ``path``."""
    return f"^{re.escape(path)}"


def hidden(static: StaticPolicy, path: str) -> str:
    """A condition: what is at ``path``, below the prefix, is a record, the names that stock Django reads, or whatever
    else begins with a dot. A bucket undoes percent signs, and VCL does not."""
    prefix = re.escape(url_prefix(static))
    manifest = quoted(f"(?i)^{prefix}(/|%2f)*{spelled(static.manifest_name)}$")
    known = quoted(at_start(f"{url_prefix(static)}{WELL_KNOWN}"))
    dot, dots = quoted(f"(?i){HIDDEN}"), quoted(f"(?i){DOTS}")
    within = "\n        "
    return f"{path} ~ {manifest}{within}|| ({path} ~ {dot}{within}&& ({path} !~ {known} || {path} ~ {dots}))"


def varied(static: StaticPolicy) -> str:
    """A regular expression of paths that may have variants in a bucket."""
    return rf"^{re.escape(url_prefix(static))}.*\.[0-9a-f]{{12}}\.({'|'.join(extensions(static))})$"


def accepted(coding: Coding) -> tuple[str, str]:
    """A regular expression of Accept-Encoding fields that name the coding, and one of those that refuse it (RFC 9110,
    sections 12.4.2 and 12.5.3)."""
    name = "(x-)?gzip" if coding == "gzip" else coding
    weighed = r"[ \t]*;[ \t]*q="
    some = rf"(?i)(^|,)[ \t]*{name}[ \t]*({weighed}(0\.0{{0,2}}[1-9][0-9]{{0,2}}|1(\.0{{0,3}})?)[ \t]*)?(,|$)"
    none = rf"(?i)(^|,)[ \t]*{name}{weighed}0(\.0{{0,3}})?[ \t]*(,|$)"
    return some, none


def fields(static: StaticPolicy, target: str, logical: str) -> Iterator[str]:
    """Statements that give ``target`` the header fields that objects in a bucket cannot hold; ``logical`` is where the
    path of the file is, without prefix and hash."""
    for field in sent_by_edge(static):
        branches = [(f"{logical} ~ {quoted(rule.pattern)}", rule.value) for rule in field.rules]
        word = "if"
        for condition, value in branches:
            yield f"{word} ({condition}) {{ {_given(target, field.name, value)} }}"
            word = "elsif"
        other = _given(target, field.name, field.value)
        yield f"else {{ {other} }}" if branches else other


def _given(target: str, name: str, value: str | None) -> str:
    if not re.fullmatch(r"[A-Za-z0-9-]+", name):
        raise ConfigError(f"The name of the header field {name!r} cannot be written in VCL.")
    return f"unset {target}.http.{name};" if value is None else f"set {target}.http.{name} = {quoted(value)};"


def indented(lines: Iterator[str] | list[str], depth: int) -> str:
    """The lines, each as deep as so many blocks."""
    return "".join(f"{'    ' * depth}{line}\n" for line in lines)


TYPES = _TYPES
