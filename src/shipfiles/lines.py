"""Manifests line by line: which names are in one, and where, without making values of what nobody asks for.

`manifest.dump` writes one file a line, sorted and in ASCII. Here such bytes are searched; a manifest that is written in
any other way, by hand or by a program that lays JSON out, is told apart and left to `manifest.load`.
"""

from __future__ import annotations

import json
import re
from array import array
from bisect import bisect_right
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

from .errors import ManifestError
from .kept_file import KeptFile, keep_file
from .line_differences import END
from .model import Entry

# Stands once in each line of a file, behind its logical path: inside of a string its second quotation mark would have a
# backslash, and no object within a line has a name.
_NAME = re.compile(rb'": \{"name":"([^"]*+)"')
_LINE = re.compile(rb'"((?>(?:[^"\\\n]++|\\.)*))": \{"name":"((?>(?:[^"\\\n]++|\\.)*))"[^\n]*+\n')
_STRING_REST = re.compile(rb'(?>(?:[^"\\\n]++|\\.)*)"')
_T = TypeVar("_T")

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


def names_in(body: bytes) -> dict[str, str] | None:
    """Logical path → hashed name of a ``body`` that has a head, in the order of its lines.

    ``None`` if a line is not `dump`'s.
    """
    try:
        names = {_unquoted(line[1]): _unquoted(line[2]) for line in _LINE.finditer(body)}
    except ValueError:
        return None
    return names if len(names) == _files_in(body) else None


def name_at(body: bytes, start: int) -> str | None:
    """The hashed name in the line that begins at ``start``; ``None`` if the line is not `dump`'s.

    Raises ``ValueError`` for bytes that are no text.
    """
    line = _LINE.match(body, start)
    return None if line is None else _unquoted(line[2])


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

    Until then 16 bytes are held of each file: an `_Index` of either name, from which the line is found. The lines
    themselves are in memory too, unless they `rest_on` a file. Who asks for all of them (``values``, ``items``) has
    them kept from then on: that is quicker than line by line, and takes several times the memory. Asking raises
    `ManifestError`, which names the damaged entry.
    """

    __slots__ = ("_all", "_parse", "_text", "logicals", "names")

    names: _Column
    """Logical path → hashed name, sorted as the lines are."""
    logicals: _Column
    """Hashed name → logical path. Where several files have a name, the last of them."""

    def __init__(self, body: bytes, where: str, parse: Parse, digest: Callable[[str], int] = hash) -> None:
        """``body`` must have a head; ``where`` names it in errors. Raises ``ValueError`` if a line is not `dump`'s.

        ``digest`` makes numbers of names, which need not be different.
        """
        self._parse = parse
        self._all: dict[str, Entry] | None = None
        self._text = _Text(body, where)
        places, name_places, last = [], [], None
        for line in _LINE.finditer(body):
            logical, name, at = _unquoted(line[1]), _unquoted(line[2]), line.start()
            if last is not None and logical <= last:
                raise ValueError("the lines are not sorted")
            last = logical
            places.append(digest(logical) & _DIGEST | at)
            name_places.append(digest(name) & _DIGEST | at)
        if len(places) != _files_in(body) or len(body) > _PLACE:
            raise ValueError("a line is not laid out as it should be")
        self.names = _Column(self._text, _Index(places, digest), 0)
        self.logicals = _Column(self._text, _Index(name_places, digest), 1)

    @property
    def where(self) -> str:
        """What names the manifest in errors."""
        return self._text.where

    def rest_on(self, path: str, skip: int = 0) -> None:
        """Hold the lines no longer in memory if the file at ``path`` has them, behind ``skip`` bytes.

        It stays open, so it may be removed. Who writes into it, which nobody does, damages what is not asked for yet.
        """
        self._text.rest_on(path, skip)

    # Its index is of this process alone, whose hashes are its own.

    def __deepcopy__(self, memo: object) -> Lines:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return Lines, (self._text.body(), self.where, self._parse)

    def __getitem__(self, logical: str) -> Entry:
        if (made := self._all) is not None:
            return made[logical]
        line = self.names.line(logical)
        if line is None:
            raise KeyError(logical)
        try:
            return entry_of(line.text, self._parse)
        except DAMAGE as error:
            raise damaged(self.where, logical, error) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def __contains__(self, logical: object) -> bool:
        return logical in self.names

    def __repr__(self) -> str:
        return f"<the {len(self)} files of {self.where}>"

    def values(self) -> Any:
        return self._made().values()

    def items(self) -> Any:
        return self._made().items()

    def _made(self) -> dict[str, Entry]:
        if self._all is None:
            made = {}
            for logical, raw in _files(self._text.body(), self.where).items():
                try:
                    made[logical] = self._parse(logical, raw)
                except DAMAGE as error:
                    raise damaged(self.where, logical, error) from None
            self._all = made
        return self._all


# A place in a manifest, and above it the upper part of the number that stands for a name.
_PLACE = (1 << 40) - 1
_DIGEST = (1 << 64) - 1 - _PLACE


class _Index:
    """Where the lines of a name may begin: sorted numbers that tell names apart as a rule, with a place in each."""

    __slots__ = ("_digest", "_places")

    def __init__(self, places: list[int], digest: Callable[[str], int]) -> None:
        places.sort()
        self._places = array("Q", places)
        self._digest = digest

    def __len__(self) -> int:
        return len(self._places)

    def starts(self, name: str) -> Iterator[int]:
        """The places of all that have the number of ``name``, the last one first."""
        least = self._digest(name) & _DIGEST
        at = bisect_right(self._places, least | _PLACE)
        while at and (place := self._places[at - 1]) >= least:
            at -= 1
            yield place & _PLACE


class _Column(Mapping[str, str]):
    """One of the two names of each file, and what the other one is."""

    __slots__ = ("_group", "_index", "_text")

    def __init__(self, text: _Text, index: _Index, group: int) -> None:
        self._text = text
        self._index = index
        self._group = group

    def line(self, name: str) -> _Line | None:
        """The line of ``name``. Raises `ManifestError`."""
        for start in self._index.starts(name):
            line = self._text.line(start)
            if line.names[self._group] == name:
                return line
        return None

    def __getitem__(self, name: str) -> str:
        line = self.line(name)
        if line is None:
            raise KeyError(name)
        return line.names[1 - self._group]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.line(name) is not None

    def __len__(self) -> int:
        return len(self._index)

    def __deepcopy__(self, memo: object) -> _Column:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self.items()),)

    def __iter__(self) -> Iterator[str]:
        return (line.names[self._group] for line in self._text.lines())

    def items(self) -> Any:
        key, value = self._group + 1, 2 - self._group
        return {_unquoted(line[key]): _unquoted(line[value]) for line in _LINE.finditer(self._text.body())}.items()


class _Text:
    """The text of a manifest, in memory or in a file."""

    __slots__ = ("_source", "where")

    def __init__(self, body: bytes, where: str) -> None:
        self.where = where
        self._source: bytes | KeptFile = body

    def rest_on(self, path: str, skip: int) -> None:
        """See `Lines.rest_on`."""
        if isinstance(self._source, bytes) and (file := keep_file(path, skip, self._source)) is not None:
            self._source = file

    def line(self, start: int) -> _Line:
        """The line that begins at ``start``. Raises `ManifestError`."""
        return self._asked(
            lambda body: _line(_LINE.match(body, start)), lambda file: _line(_LINE.match(file.line(start)))
        )

    def lines(self) -> Iterator[_Line]:
        """All of them. Raises `ManifestError`."""
        return map(_line, _LINE.finditer(self.body()))

    def body(self) -> bytes:
        """All of it. Raises `ManifestError`."""
        return self._asked(bytes, KeptFile.body)

    def _asked(self, body: Callable[[bytes], _T], file: Callable[[KeptFile], _T]) -> _T:
        source = self._source
        if isinstance(source, bytes):
            return body(source)
        try:
            return file(source)
        except (OSError, ValueError):
            if source.reopen():
                with suppress(OSError, ValueError):
                    return file(source)
        raise ManifestError(f"{self.where}: changed since this process has read it. Restart the process.")


class _Line(NamedTuple):
    names: tuple[str, str]
    """The logical path and the hashed name."""
    text: bytes


def _line(found: re.Match[bytes] | None) -> _Line:
    if found is None:
        raise ValueError("no line begins here")
    return _Line((_unquoted(found[1]), _unquoted(found[2])), found[0])


def _unquoted(raw: bytes) -> str:
    """What a string of JSON says. Raises ``ValueError``."""
    return raw.decode() if b"\\" not in raw else str(json.loads(b'"' + raw + b'"'))


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
