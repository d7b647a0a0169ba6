"""Manifests line by line: which names are in one, and where, without making values of what nobody asks for.

`manifest.dump` writes one file a line, sorted and in ASCII. Here such bytes are searched; a manifest that is written in
any other way, by hand or by a program that lays JSON out, is told apart and left to `manifest.load`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from typing import Any

from .errors import ManifestError
from .model import Entry

# Stands once in each line of a file, behind its logical path: inside of a string its second quotation mark would have a
# backslash, and no object within a line has a name.
_NAME = re.compile(rb'": \{"name":"([^"]*+)"')
_LINE = re.compile(rb'"((?>(?:[^"\\\n]++|\\.)*))": \{"name":"((?>(?:[^"\\\n]++|\\.)*))"[^\n]*+\n')
_STRING_REST = re.compile(rb'(?>(?:[^"\\\n]++|\\.)*)"')
END = b"\n}}\n"
"""What a manifest ends with."""

Parse = Callable[[str, Any], Entry]
"""Makes the entry of a logical path from its plain JSON. Raises what damage raises."""

DAMAGE = (AttributeError, KeyError, TypeError, ValueError, RecursionError)
"""What a `Parse` raises for an entry that is damaged."""


def head_of(body: bytes) -> dict[str, Any] | None:
    """What a manifest in ``body`` says beside its files; ``None`` if it is not laid out as `manifest.dump` does it."""
    first = body[: body.find(b"\n") + 1]
    if not first.endswith(b'"files": {\n') or not body.endswith(END):
        return None
    try:
        head = json.loads(first + b"}}")
    except (ValueError, RecursionError):
        return None
    return head if isinstance(head, dict) else None


def foreign_names(body: bytes, own: Container[bytes]) -> dict[str, int] | None:
    """The hashed names in ``body`` that are not among ``own``, and where their lines begin.

    ``own`` are names `as_written`. ``None`` if there is a line that `manifest.dump` does not write. Raises
    ``ValueError`` for bytes that are no text.
    """
    found = _NAME.findall(body)
    if len(found) != _files_in(body):
        return None
    names, at = {}, 0
    for raw in found:
        if raw not in own:
            at = body.index(b'": {"name":"' + raw + b'"', at + 1)
            # A quotation mark in a name has a backslash before it: then what is found is the beginning of the name.
            name = _text(body, at + 12) if b"\\" in raw else raw.decode()
            names[name] = body.rfind(b"\n", 0, at) + 1
    return names


def as_written(names: Iterable[str]) -> set[bytes]:
    """``names`` as they stand in a manifest, less those with a quotation mark."""
    return {
        name.encode() if name.isascii() and "\\" not in name else json.dumps(name)[1:-1].encode()
        for name in names
        if '"' not in name
    }


def _files_in(body: bytes) -> int:
    """How many lines of files are in a ``body`` that has a head."""
    return body.count(b"\n") - 2


def _text(body: bytes, start: int) -> str:
    """The JSON string whose text begins at ``start``. Raises ``ValueError``."""
    found = _STRING_REST.match(body, start)
    if found is None:
        raise ValueError("a string has no end")
    return str(json.loads(b'"' + found[0]))


def entry_at(body: bytes, start: int, parse: Parse) -> Entry:
    """The entry whose line begins at ``start``. Raises one of `DAMAGE`."""
    stop = body.find(b"\n", start)
    return entry_of(body[start : stop if stop >= 0 else len(body)], parse)


def entry_of(line: bytes, parse: Parse) -> Entry:
    """The entry of a ``line``. Raises one of `DAMAGE`."""
    ((logical, raw),) = json.loads(b"{" + line.strip().removesuffix(b",") + b"}").items()
    return parse(logical, raw)


class Lines(Mapping[str, Entry]):
    """The entries of a manifest by logical path, each made when it is asked for and not kept.

    Who asks for all of them (``values``, ``items``) has them kept from then on: that is quicker than line by line, and
    takes several times the memory. Asking raises `ManifestError`, which names the damaged entry.
    """

    __slots__ = ("_all", "_body", "_parse", "_starts", "_where", "names")

    names: dict[str, str]
    """Logical path → hashed name, sorted as the lines are."""

    def __init__(self, body: bytes, where: str, parse: Parse) -> None:
        """``body`` must have a head; ``where`` names it in errors. Raises ``ValueError`` if a line is not `dump`'s."""
        self._body = body
        self._where = where
        self._parse = parse
        self._all: dict[str, Entry] | None = None
        self.names = {}
        self._starts: dict[str, int] = {}
        for line in _LINE.finditer(body):
            raw, raw_name = line.groups()
            logical = raw.decode() if b"\\" not in raw else json.loads(b'"' + raw + b'"')
            self.names[logical] = raw_name.decode() if b"\\" not in raw_name else json.loads(b'"' + raw_name + b'"')
            self._starts[logical] = line.start()
        if len(self.names) != _files_in(body):
            raise ValueError("a line is not laid out as it should be")

    def __getitem__(self, logical: str) -> Entry:
        if (made := self._all) is not None:
            return made[logical]
        start = self._starts[logical]
        try:
            return entry_at(self._body, start, self._parse)
        except DAMAGE as error:
            raise damaged(self._where, logical, error) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def __contains__(self, logical: object) -> bool:
        return logical in self.names

    def __repr__(self) -> str:
        return f"<the {len(self)} files of {self._where}>"

    def values(self) -> Any:
        return self._made().values()

    def items(self) -> Any:
        return self._made().items()

    def _made(self) -> dict[str, Entry]:
        if self._all is None:
            files = _files(self._body, self._where)
            made = {}
            for logical, raw in files.items():
                try:
                    made[logical] = self._parse(logical, raw)
                except DAMAGE as error:
                    raise damaged(self._where, logical, error) from None
            self._all = made
            self._body = b""
        return self._all


def _files(body: bytes, where: str) -> dict[str, Any]:
    try:
        files = json.loads(body)["files"]
    except DAMAGE as error:
        raise ManifestError(f"{where}: damaged: {error}. Run collectstatic again.") from None
    if not isinstance(files, dict):
        raise ManifestError(f"{where}: damaged: 'files' is not an object. Run collectstatic again.")
    return files


def damaged(where: str, logical: str, error: BaseException) -> ManifestError:
    """The error for a damaged entry of the manifest ``where``."""
    return ManifestError(f"{where}: damaged at {logical!r}: {type(error).__name__}: {error}. Run collectstatic again.")
