"""Read and write manifests: the one of a release, and Django's ``staticfiles.json``.

A manifest is JSON with one file a line, so that a reader may leave a line unparsed until the file is asked for::

    {"schema": 1, "compress": "br=11/...", "files": {
    "css/app.css": {"name": "css/app.3f2a9c81b04d.css", "size": 123, "digest": "sha384-...", ...},
    ...
    }}

It holds no time, no path of the machine that made it and no version of the program: the same input gives the same
bytes.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from . import json_values
from .digest import Digest, digest_bytes, hex_prefix
from .errors import ManifestError
from .line_differences import END
from .lines import DAMAGE, Lines, damaged, entry_of, head_of
from .media_types import is_media_type
from .model import Entry, Plain, Variant
from .paths import RESERVED, path_fault
from .regular import read_regular

SCHEMA = 1
"""The version of the format that this module writes. Readers refuse a newer one."""

DJANGO_VERSION = "1.1"
"""The version of Django's own manifest format that we write: the one since Django 4.0."""

SUFFIXES = {"br": ".br", "gzip": ".gz", "zstd": ".zst"}
"""Content coding → the suffix of a variant's file name. Readers pass over other codings."""


_MOST_IN_HEAD, _MOST_IN_LINE = 1 << 16, 1 << 20
"""Bytes of what a manifest that nobody trusts says of all its files, and of one of them."""


def plain_key(digest: Digest) -> str:
    """Where the source's bytes of a rewritten file are kept, whose plain copy the next release may replace."""
    return f"{RESERVED}/plain/{hex_prefix(digest, 64)}"


def suffix(coding: str) -> str:
    """The file name suffix of a content coding: ``br`` → ``.br``, ``gzip`` → ``.gz``."""
    return SUFFIXES[coding]


@dataclass(frozen=True, slots=True)
class Manifest:
    """The files of one release by logical path."""

    entries: Mapping[str, Entry]
    compress: str = ""
    """The compression settings that its variants were made with."""
    linked: bool = False
    """Whether the plain names are symbolic links to the sources, which have no variants."""
    hashed_only: bool = False
    """Whether the store has no plain names, but those that are hashed names too. None of the files has a ``plain``."""
    spares: bool = True
    """Whether the store keeps the sources of rewritten files under `plain_key`, too."""

    def names(self) -> dict[str, str]:
        """Logical path → hashed name, sorted."""
        if isinstance(self.entries, Lines):
            return dict(self.entries.names.items())
        return {logical: self.entries[logical].name for logical in sorted(self.entries)}

    def by_logical(self) -> Mapping[str, str]:
        """Logical path → hashed name. Of a manifest that was read lazily no name is made before it is asked for."""
        return self.entries.names if isinstance(self.entries, Lines) else self.names()

    def by_name(self) -> Mapping[str, str]:
        """Hashed name → logical path, as `by_logical`."""
        if isinstance(self.entries, Lines):
            return self.entries.logicals
        return {name: logical for logical, name in self.names().items()}

    def rest_in(self, folder: str, skip: int = 0) -> None:
        """Hold what was read lazily no longer in memory, if its file in ``folder``, as errors name it, has it.

        See `Lines.rest_on`.
        """
        if isinstance(self.entries, Lines):
            self.entries.rest_on(os.path.join(folder, self.entries.where), skip)

    def steady(self) -> dict[str, Digest | None]:
        """Hashed name → the digest of its bytes, and ``None`` for names that a bundler gave and that did not hold."""
        names: dict[str, Digest | None] = {entry.name: entry.digest for entry in self.entries.values()}
        names.update((entry.logical, None) for entry in self.entries.values() if entry.unsteady)
        return names

    def keys(self) -> Iterator[str]:
        """Every key of a store that this release consists of: assets, plain copies and what keeps those, variants."""
        for entry in self.entries.values():
            yield entry.name
            yield from (entry.name + suffix(coding) for coding in entry.beside)
            if self.hashed_only:
                continue
            yield entry.logical
            if self.linked:
                continue
            yield from (entry.logical + suffix(coding) for coding in (entry.plain or entry).beside)
            if entry.plain is not None and self.spares:
                yield plain_key(entry.plain.digest)
                yield from (plain_key(entry.plain.digest) + suffix(coding) for coding in entry.plain.codings)


def dump(manifest: Manifest) -> bytes:
    """The manifest as bytes: sorted, one file a line."""
    lines = [_line(manifest.entries[logical]) for logical in sorted(manifest.entries)]
    flags = "".join(
        text
        for text, is_set in (
            (', "linked": true', manifest.linked),
            (', "hashed_only": true', manifest.hashed_only),
            (', "spares": false', not manifest.spares),
        )
        if is_set
    )
    head = f'{{"schema": {SCHEMA}, "compress": {json.dumps(manifest.compress)}{flags}, "files": {{\n'
    return (head + ",\n".join(lines) + "\n}}\n").encode()


def replaced(body: bytes, logicals: Iterable[str], entries: Mapping[str, Entry]) -> bytes:
    """The manifest in ``body``, as `dump` wrote it for ``logicals``, with other ``entries`` for some of its files.

    What `dump` would give for all entries, in a fraction of the time.
    """
    lines = body.split(b"\n")
    for number, logical in enumerate(sorted(logicals), start=1):
        if logical in entries:
            lines[number] = _line(entries[logical]).encode() + (b"," if lines[number].endswith(b",") else b"")
    return b"\n".join(lines)


def part_of(raw: Mapping[str, Any], logicals: Iterable[str]) -> Manifest:
    """Those files of the manifest ``raw``, which is plain JSON that was written by `dump`, that ``logicals`` names."""
    entries = {logical: _from_json(logical, raw["files"][logical]) for logical in logicals}
    return _of(entries, raw)


def load(body: bytes, where: str, *, lazily: bool = False) -> Manifest:
    """The manifest in ``body``; ``where`` names it in errors. Raises `ManifestError`.

    ``lazily`` makes an entry when it is asked for, in a fraction of the time and memory; a damaged one raises its
    `ManifestError` then. Only for a ``body`` whose digest is that of what was published.
    """
    if lazily and (head := head_of(body)) is not None:
        check_schema(head, where)
        try:
            return _of(Lines(body, where, _from_json), head)
        except ValueError:
            pass  # laid out in another way
    stored = json_object(body, where)
    check_schema(stored, where)
    files = stored.get("files")
    if not isinstance(files, dict):
        raise ManifestError(f"{where}: damaged: 'files' is not an object. Run collectstatic again.")
    entries = {}
    for logical, raw in files.items():
        try:
            entries[logical] = _from_json(logical, raw)
        except DAMAGE as error:
            raise damaged(where, logical, error) from None
    return _of(entries, stored)


def check_schema(raw: Mapping[str, Any], where: str, newest: int = SCHEMA) -> None:
    """Raise `ManifestError` unless ``raw`` has a version of its format that is read: 1 to ``newest``.

    ``where`` names it.
    """
    schema = raw.get("schema")
    if not isinstance(schema, int) or isinstance(schema, bool) or schema < 1:
        raise ManifestError(f"{where}: not written by Shipfiles: it has no schema number. Run collectstatic again.")
    if schema > newest:
        raise ManifestError(
            f"{where}: written by a newer Shipfiles (schema {schema}, this one reads up to {newest}). "
            "Install the version that wrote it, or run collectstatic again."
        )


def load_line_by_line(body: bytes, where: str) -> Manifest:
    """As `load`, but of nothing but what `dump` writes; for a ``body`` that nobody trusts. Raises `ManifestError`.

    It never makes values of more than one line at a time, and a line has no more than 1 MiB.
    """
    start = body.find(b"\n") + 1
    head = head_of(body[:start] + END[1:]) if start <= _MOST_IN_HEAD and body.endswith(END) else None
    if head is None:
        raise ManifestError(f"{where}: not laid out as Shipfiles writes it, one file a line.")
    check_schema(head, where)
    entries = {}
    for number, line in enumerate(io.BytesIO(body[start : -len(END)]), start=2):
        try:
            if len(line) > _MOST_IN_LINE:
                raise ValueError(f"{len(line):,} bytes in one line")
            entry = line_entry(line)
        except DAMAGE as error:
            raise ManifestError(f"{where}: damaged in line {number}: {type(error).__name__}: {error}.") from None
        if entry.logical in entries:
            raise ManifestError(f"{where}: damaged in line {number}: {entry.logical!r} is in it twice.")
        entries[entry.logical] = entry
    return _of(entries, head)


def line_entry(line: bytes) -> Entry:
    """The entry in a ``line`` of a manifest. Raises one of `DAMAGE`."""
    return entry_of(line, _from_json)


def _of(entries: Mapping[str, Entry], raw: Mapping[str, Any]) -> Manifest:
    return Manifest(entries, str(raw.get("compress", "")), *flags_of(raw))


class Flags(NamedTuple):
    """What a manifest says of all its files; see `Manifest`."""

    linked: bool = False
    hashed_only: bool = False
    spares: bool = True

    @property
    def keeps_sources(self) -> bool:
        """Whether the sources of rewritten files are in the store under `plain_key`."""
        return self.spares and not self.linked

    @property
    def mark(self) -> bytes:
        """Another one for all flags with which a line means another thing. At most 64 bytes."""
        return b" ".join(name.encode() for name, flag in self._asdict().items() if flag is not (name == "spares"))


BUILT = Flags()
"""Those of a release where it was built."""


def flags_of(head: Mapping[str, Any]) -> Flags:
    """The flags in the ``head`` of a manifest."""
    return Flags(
        linked=head.get("linked") is True,
        hashed_only=head.get("hashed_only") is True,
        spares=head.get("spares") is not False,
    )


def dump_django(names: Mapping[str, str]) -> bytes:
    """``staticfiles.json`` as stock Django's ManifestFilesMixin reads it."""
    payload = {"paths": dict(sorted(names.items())), "version": DJANGO_VERSION, "hash": names_hash(names)}
    return json.dumps(payload).encode()


def load_django(body: bytes, where: str) -> tuple[dict[str, str], str]:
    """The names and the hash in a ``staticfiles.json``, ours or Django's. Raises `ManifestError`."""
    stored = json_object(body, where)
    paths, version = stored.get("paths", {}), stored.get("version")
    if version not in ("1.0", "1.1") or not isinstance(paths, dict):
        raise ManifestError(f"Couldn't load manifest '{where}' (version {DJANGO_VERSION}): it says {version!r}")
    return {str(k): str(v) for k, v in paths.items()}, str(stored.get("hash", ""))


def reader_of(root: str) -> Callable[[str], bytes | None]:
    """What gives the body of a key of the folder ``root``. Raises ``OSError`` other than for a missing file."""

    def read(key: str) -> bytes | None:
        try:
            return read_regular(os.path.join(root, key))
        except (FileNotFoundError, NotADirectoryError):
            return None

    return read


def names_hash(names: Mapping[str, str]) -> str:
    """A short hash of all names, for Django's ``manifest_hash``."""
    return hex_prefix(digest_bytes(json.dumps(sorted(names.items())).encode()))


def json_object(body: bytes, where: str) -> dict[str, Any]:
    """The JSON object in ``body``; ``where`` names it in errors. Raises `ManifestError`."""
    try:
        return object_in(body)
    except ValueError as error:
        raise ManifestError(f"Couldn't load manifest '{where}': damaged: {error}. Run collectstatic again.") from None


def object_in(body: bytes) -> dict[str, Any]:
    """The JSON object in ``body``. Raises ``ValueError``."""
    try:
        stored = json.loads(body)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if isinstance(stored, dict):
        return stored
    raise ValueError("no JSON object")


def _line(entry: Entry) -> str:
    return f"{json.dumps(entry.logical)}: {json.dumps(_to_json(entry), separators=(',', ':'))}"


def _to_json(entry: Entry) -> dict[str, Any]:
    raw: dict[str, Any] = {
        "name": entry.name,
        "size": entry.size,
        "digest": entry.digest,
        "type": entry.media_type,
    }
    if entry.codings:
        raw["codings"] = _codings_to_json(entry.codings)
    if entry.stored:
        raw["stored"] = entry.stored
    if entry.references:
        raw["references"] = list(entry.references)
    if entry.plain is not None:
        raw["plain"] = {"size": entry.plain.size, "digest": entry.plain.digest}
        if entry.plain.codings:
            raw["plain"]["codings"] = _codings_to_json(entry.plain.codings)
        if entry.plain.stored:
            raw["plain"]["stored"] = entry.plain.stored
    if entry.unsteady:
        raw["unsteady"] = True
    return raw


def _codings_to_json(codings: Mapping[str, Variant]) -> dict[str, Any]:
    return {token: {"size": codings[token].size, "digest": codings[token].digest} for token in sorted(codings)}


def _from_json(logical: str, raw: Mapping[str, Any]) -> Entry:
    if not isinstance(raw, dict):
        raise TypeError(f"{raw!r} is no object")
    plain = raw.get("plain")
    codings = _codings(raw.get("codings", {}))
    return Entry(
        logical=_path(logical),
        name=_path(raw["name"]),
        size=json_values.count(raw["size"]),
        digest=json_values.digest(raw["digest"]),
        media_type=_media_type(raw["type"]),
        codings=codings,
        references=tuple(map(json_values.text, json_values.items(raw.get("references", [])))),
        plain=None if plain is None else _plain(plain),
        unsteady=raw.get("unsteady") is True,
        stored=_stored(raw, codings),
    )


def _plain(raw: Mapping[str, Any]) -> Plain:
    codings = _codings(raw.get("codings", {}))
    return Plain(json_values.count(raw["size"]), json_values.digest(raw["digest"]), codings, _stored(raw, codings))


def _stored(raw: Mapping[str, Any], codings: Mapping[str, Variant]) -> str:
    # Who does not know what lies under the name must not take it for the file.
    if "stored" in raw and raw["stored"] not in codings:
        raise ValueError(f"stored as {raw['stored']!r}, which is none of its codings that are read here")
    return str(raw.get("stored", ""))


def _codings(raw: Mapping[str, Any]) -> dict[str, Variant]:
    return {
        token: Variant(json_values.count(v["size"]), json_values.digest(v["digest"]))
        for token, v in raw.items()
        if token in SUFFIXES
    }


def _path(value: object) -> str:
    if not isinstance(value, str) or (fault := path_fault(value)):
        raise ValueError(f"{value!r} is no path" + (f": {fault}" if isinstance(value, str) else ""))
    return value


def _media_type(value: object) -> str:
    # It goes into a header as it is.
    if not isinstance(value, str) or not is_media_type(value):
        raise ValueError(f"{value!r} is no media type")
    return value
