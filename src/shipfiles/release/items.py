"""What a release is in a store that it is sent to: the objects there, and the manifest that says so.

A release is built in a folder, where everything lies beside everything: plain and hashed names, the variants of each,
and the sources of rewritten files a second time. Elsewhere each object costs a request, and some of them are of no use.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from ..digest import Digest
from ..errors import ManifestError, printable
from ..manifest import SUFFIXES, Manifest, plain_key, suffix
from ..model import Entry, Plain, Variant, under_name


@dataclass(frozen=True, slots=True)
class Shape:
    """In what form the files of a release are sent."""

    variants: bool = False
    """Whether compressed variants are sent, under names of their own (``app.css.br``)."""
    hashed_only: bool = False
    """Whether plain names are left out."""
    coding: str = ""
    """The content coding that files are stored in under their own names, those that have it; empty for none."""

    def __post_init__(self) -> None:
        if self.coding and self.coding not in SUFFIXES:
            raise ValueError(f"{self.coding!r} is none of the content codings {', '.join(SUFFIXES)}")


@dataclass(frozen=True, slots=True)
class Item:
    """One object of a release in the store that it is sent to."""

    key: str
    sources: tuple[str, ...]
    """Keys of the store that the release was built in that may have its bytes: the first that is there has them.

    Under a plain name there may be a symbolic link to the source instead (``collectstatic --link``): `Store.head` does
    not see it, `Store.read` goes through it.
    """
    size: int
    digest: Digest
    """Of the bytes that are sent."""
    logical: str
    media_type: str
    """Of the file itself, also where this is an encoded form of it."""
    coding: str
    """The content coding of the bytes that are sent; empty for none."""
    hashed: bool
    """Whether the name stands for these bytes for ever."""


def sent_manifest(manifest: Manifest, shape: Shape) -> Manifest:
    """The manifest of a release that was built, as it is in a store where it has another ``shape``.

    It says what is there and no more. Raises `ManifestError` for a release that is itself one of a store that it was
    sent to, and has not all that is asked for.
    """
    if (manifest.hashed_only and not shape.hashed_only) or any(
        of is not None and of.stored for entry in manifest.entries.values() for of in (entry, entry.plain)
    ):
        raise ManifestError(
            "This release was itself sent here, in another form: publish it from the store that it was built in."
        )
    return Manifest(
        {logical: _sent(entry, shape) for logical, entry in manifest.entries.items()},
        # What is not there says nothing of the settings.
        manifest.compress if shape.variants and not manifest.linked else "",
        hashed_only=shape.hashed_only,
        spares=False,
    )


def items_of(sent: Manifest) -> Iterator[Item]:
    """The objects of a release as `sent_manifest` describes it, hashed names first; each key once.

    Raises `ManifestError` if two files claim one place for different bytes: no build makes such a manifest.
    """
    entries = [sent.entries[logical] for logical in sorted(sent.entries)]
    claimed: dict[str, Item] = {}
    for entry in entries:
        for item in _hashed(entry):
            if _is_new(item, claimed):
                yield item
    if sent.hashed_only:
        return
    # A source may be called what a variant would be called (app.js.gz beside app.js): the source wins.
    taken = {key for entry in entries for key in (entry.logical, entry.name)}
    for entry in entries:
        if not entry.kept:
            for item in _plain(entry, taken):
                if _is_new(item, claimed):
                    yield item


def _sent(entry: Entry, shape: Shape) -> Entry:
    codings, stored = _codings(entry.codings, shape)
    plain = entry.plain
    if plain is not None:
        kept, stored_plain = _codings(plain.codings, shape)
        plain = None if shape.hashed_only or entry.kept else replace(plain, codings=kept, stored=stored_plain)
    return replace(entry, codings=codings, stored=stored, plain=plain)


def _codings(there: Mapping[str, Variant], shape: Shape) -> tuple[dict[str, Variant], str]:
    """Those of the codings that are ``there`` that are sent, and the one under the file's own name."""
    # A file that is too small to gain by it, or packed already, has no variant: it is stored as it is.
    stored = shape.coding if shape.coding in there else ""
    return {token: there[token] for token in there if shape.variants or token == stored}, stored


def _hashed(entry: Entry) -> Iterator[Item]:
    for key, coding, variant in _placed(entry.name, entry, entry.beside):
        source = entry.name + (suffix(coding) if coding else "")
        yield Item(key, (source,), variant.size, variant.digest, entry.logical, entry.media_type, coding, True)


def _plain(entry: Entry, taken: Iterable[str]) -> Iterator[Item]:
    of = entry.plain or entry
    # A name whose bytes never change is a better source than one that the next build may replace.
    holder = entry.name if entry.plain is None else plain_key(entry.plain.digest)
    for key, coding, variant in _placed(entry.logical, of, of.beside):
        if key != entry.logical and key in taken:
            continue
        end = suffix(coding) if coding else ""
        sources = (holder + end, entry.logical + end)
        yield Item(key, sources, variant.size, variant.digest, entry.logical, entry.media_type, coding, False)


def _placed(key: str, of: Entry | Plain, beside: Mapping[str, Variant]) -> Iterator[tuple[str, str, Variant]]:
    """Keys, codings and bytes of ``of`` under ``key`` and ``beside`` it."""
    yield key, of.stored, under_name(of)
    for token in sorted(beside):
        yield key + suffix(token), token, beside[token]


def _is_new(item: Item, claimed: dict[str, Item]) -> bool:
    """Whether nothing has ``claimed`` the key of ``item`` yet. Raises `ManifestError` if other bytes have."""
    other = claimed.setdefault(item.key, item)
    if (other.size, other.digest, other.coding) != (item.size, item.digest, item.coding):
        raise ManifestError(
            f"{printable(item.key)}: two files of one release claim this place: {printable(other.logical)} and "
            f"{printable(item.logical)}."
        )
    return other is item
