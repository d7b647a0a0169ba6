"""The objects that a file of a release consists of, and whether one of them is as the manifest says."""

from __future__ import annotations

from collections.abc import Collection, Iterator, MutableMapping
from dataclasses import dataclass, replace
from typing import Literal

from ..decode import decoder_of
from ..digest import Digest, Digester
from ..errors import KeyNotFound, NoAnswer, StoreError
from ..manifest import BUILT, SUFFIXES, Flags, plain_key, suffix
from ..model import Entry, Plain, Variant, under_name
from ..stores.store import Links, Store, Stored

Kind = Literal["missing", "damaged", "unreadable", "stale", "taken", "re-encoded"]
"""``stale`` is a variant beside a plain name that the release does not have and that decodes to other bytes; ``taken``
is what somebody else has put in the place of one (see `Given`); ``re-encoded`` is one that decodes to the right bytes
but is not the one of the manifest, and is no fault."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A key of a release, and what is there."""

    key: str
    size: int
    digest: Digest
    coding: str = ""
    """The content coding of its bytes; empty for none."""
    content: Variant | None = None
    """What they decode to."""
    beside: bool = False
    """Whether it is a variant beside its file, under a name with a suffix."""
    plain: bool = False
    """Whether it is a plain name, or a variant beside one."""
    holder: str = ""
    """Of such a one the key whose bytes are the same and never change; empty if the store has none."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A piece is not as it should be."""

    kind: Kind
    what: str
    """For people; empty where the kind says all."""
    digest: Digest | None = None
    """Of the bytes that are there."""
    coding: str = ""
    """Of what is ``re-encoded``, the coding that it is in."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What bytes were read."""

    size: int
    digest: Digest
    content: Digest | None = None
    """The digest of what they decode to."""
    fault: str = ""
    """Why they do not decode."""


Known = MutableMapping[tuple[str, str], Seen]
"""What was read of a place in the store under a coding: hard links are read once."""


def pieces_of(entry: Entry, flags: Flags = BUILT) -> Iterator[Piece]:
    """The pieces of ``entry``, of a release with ``flags``, that no later release replaces."""
    yield from _with_variants(entry.name, entry)
    if entry.plain is not None and flags.keeps_sources:
        yield from _with_variants(plain_key(entry.plain.digest), entry.plain)


def plain_pieces_of(entry: Entry, taken: Collection[str], flags: Flags = BUILT) -> Iterator[Piece]:
    """The pieces of ``entry`` under its plain name while its release is current, if plain names are no links.

    ``taken`` are logical paths and hashed names: a source may be called what a variant would be called, and wins.
    """
    if entry.kept:
        return
    holder = entry.name if entry.plain is None else plain_key(entry.plain.digest) if flags.keeps_sources else ""
    for piece in _with_variants(entry.logical, entry.plain or entry):
        if not (piece.beside and piece.key in taken):
            end = suffix(piece.coding) if piece.beside else ""
            yield replace(piece, plain=True, holder=holder and holder + end)


def _with_variants(key: str, of: Entry | Plain) -> Iterator[Piece]:
    under, content = under_name(of), Variant(of.size, of.digest)
    yield Piece(key, under.size, under.digest, of.stored, content if of.stored else None)
    for token, variant in of.beside.items():
        yield Piece(key + suffix(token), variant.size, variant.digest, token, content, beside=True)


def look(store: Store, piece: Piece, known: Known) -> Finding | None:
    """What is wrong with ``piece``, nothing if it is as it should be. All of it is read and decoded.

    Raises `NoAnswer`, which says nothing of it.
    """
    try:
        stored = store.head(piece.key)
        if stored is None:
            return Finding("missing", _absent(store, piece.key))
        if not piece.coding and stored.size != piece.size:
            finding = Finding("damaged", f"it has {stored.size:,} bytes, and the manifest says {piece.size:,}")
        elif (judged := _judged(piece, seen(store, stored, piece, known))) is None:
            return None
        else:
            finding = judged
        if finding.kind == "damaged" and (other := _in_other_form(store, stored, piece)) is not None:
            return other
    except KeyNotFound:
        return Finding("missing", "")
    except NoAnswer:
        raise
    except StoreError as error:
        return Finding("unreadable", error.what)
    return finding


def _in_other_form(store: Store, stored: Stored, piece: Piece) -> Finding | None:
    """What is told of a file that is ``stored`` in another coding than its manifest says, and answered accordingly.

    Which one a later release has chosen: under a hashed name there can only be one, and it is the same file.
    """
    coding = stored.fields.get("Content-Encoding", "")
    if piece.beside or not stored.fields or coding == piece.coding or (coding and decoder_of(coding) is None):
        return None
    content = piece.content or Variant(piece.size, piece.digest)
    found = _read(store, replace(piece, coding=coding, content=content if coding else None))
    if (found.content if coding else found.digest) != content.digest:
        return None
    return Finding("re-encoded", "a later release has stored it in another form", found.digest, coding)


def is_file(store: Store, key: str, content: Variant) -> bool:
    """Whether under ``key`` is the file with that ``content``, as it is or in some coding. Raises `StoreError`."""
    for coding in ("", *SUFFIXES):
        found = _read(store, Piece(key, 0, content.digest, coding, content if coding else None))
        if (found.content if coding else found.digest) == content.digest:
            return True
    return False


def _absent(store: Store, key: str) -> str:
    if isinstance(store, Links) and (target := store.link_of(key)) is not None:
        return f"a link to {target} is in its place"
    return ""


def seen(store: Store, stored: Stored, piece: Piece, known: Known) -> Seen:
    """What the bytes ``stored`` under the key of ``piece`` are. Raises `StoreError`."""
    place = (stored.place, piece.coding)
    found = known.get(place) if stored.place else None
    if found is None:
        found = _read(store, piece)
        if stored.place:
            known[place] = found
    return found


def _read(store: Store, piece: Piece) -> Seen:
    raw, content, fault = Digester(), Digester(), ""
    decoder = decoder_of(piece.coding) if piece.coding else None
    most = piece.content.size if piece.content else 0
    for chunk in store.read(piece.key):
        raw.update(chunk)
        if decoder is None or fault:
            continue
        try:
            for part in decoder.feed(chunk):
                content.update(part)
                if content.size > most:
                    fault = f"it decodes to more than {most:,} bytes"
                    break
        except ValueError as error:
            fault = str(error)
    if decoder is None:
        return Seen(raw.size, raw.digest())
    if not fault:
        try:
            decoder.close()
        except ValueError as error:
            fault = str(error)
    return Seen(raw.size, raw.digest(), None if fault else content.digest(), fault)


def _judged(piece: Piece, found: Seen) -> Finding | None:
    right = (found.size, found.digest) == (piece.size, piece.digest)
    if piece.content is None or decoder_of(piece.coding) is None:
        return None if right else Finding("damaged", "it has other bytes than the manifest says", found.digest)
    if found.content == piece.content.digest:
        what = "it was compressed with other settings"
        return None if right else Finding("re-encoded", what, found.digest, piece.coding)
    if found.fault:
        return Finding("damaged", f"it cannot be decoded: {found.fault}", found.digest)
    return Finding("damaged", "it decodes to other bytes than those of its file", found.digest)
