"""Which files of a release are asked for at a live address."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from ..config import ROOT_PREFIX
from ..edge.policy import StaticPolicy
from ..manifest import Manifest, suffix
from ..model import Entry
from ..stores.store import Store, read_all

_LARGEST = 256 * 1024


@dataclass(frozen=True, slots=True)
class Sample:
    """Files of the release that say most, each ``None`` if there is none such."""

    text: Entry | None
    """With variants."""
    other: Entry | None
    """Without."""
    root: tuple[str, Entry] | None
    """At the root of the site: URL path, file."""


def sample_of(manifest: Manifest, static: StaticPolicy) -> Sample:
    """Which files to ask for, with those variants that are there."""
    text = other = root = None
    best = (0, 0)
    aliases = {logical: path for path, logical in static.serve.root_files.items()}
    for entry in manifest.entries.values():
        if not 16 <= entry.size <= _LARGEST or entry.stored:
            continue
        has = [coding for coding in static.codings if coding in entry.codings]
        if (path := _path_at_root(entry, static, aliases)) and root is None:
            root = path, entry
        if entry.kept or entry.logical.startswith(ROOT_PREFIX) or "/." in f"/{entry.logical}":
            continue
        if has and (text is None or (len(has), -entry.size) > best):
            text, best = entry, (len(has), -entry.size)
        elif not has and (other is None or entry.name.endswith(".woff2")):
            other = entry
    return Sample(
        text and _with_variants(text, static),
        other and _with_variants(other, static),
        root and (root[0], _with_variants(root[1], static)),
    )


def _path_at_root(entry: Entry, static: StaticPolicy, aliases: Mapping[str, str]) -> str:
    """Where ``entry`` is at the root of the site; empty if it is not there."""
    if entry.logical in aliases:
        return aliases[entry.logical]
    path = "/" + entry.logical.removeprefix(ROOT_PREFIX)
    is_there = static.serve.root_folder is not None and entry.logical.startswith(ROOT_PREFIX) and "/." not in path
    is_index = path.rpartition("/")[2] == static.serve.index_file
    return path if is_there and not is_index else ""


def _with_variants(entry: Entry, static: StaticPolicy) -> Entry:
    """``entry`` with those variants alone that are sent to the web server."""
    plain = entry.plain
    if plain is not None:
        plain = replace(plain, codings={c: plain.codings[c] for c in plain.codings if c in static.codings})
    return replace(entry, codings={c: entry.codings[c] for c in entry.codings if c in static.codings}, plain=plain)


def entries_of(sample: Sample) -> Iterator[Entry]:
    """Those that there are."""
    yield from (entry for entry in (sample.text, sample.other, sample.root and sample.root[1]) if entry)


def fetch_entry(store: Store, entry: Entry, static: StaticPolicy, folder: str) -> None:
    """The files of ``entry`` from the store, put where the table finds them."""
    for name in {entry.name, entry.logical}:
        for end in ("", *(suffix(coding) for coding in static.codings)):
            if (body := read_all(store, name + end)) is not None:
                path = os.path.join(folder, name + end)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "wb") as file:
                    file.write(body)
