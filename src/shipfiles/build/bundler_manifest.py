"""Bundlers' manifests: which files they name, and into which names they have put a hash."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from ..bundler_names import CODE, inserted_part, is_bundled, is_random, is_scrambled, last_parts
from ..paths import split_name

# Any of these makes it a web app's manifest or a browser extension's. Application Manifest, section 1; a bundler's has
# names of files there, with extensions.
_WEB_APP = frozenset({"icons", "start_url", "display", "short_name", "background_color", "theme_color", "scope"})
_EXTENSION = "manifest_version"
_HEX = re.compile("[0-9a-f]+")
_DIGIT = re.compile("[0-9]")
_YEAR = re.compile("(?:19|20)[0-9]{2}")
_HOST = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*:)?//[^/]*")


class Named(NamedTuple):
    """A file that a manifest names."""

    path: str
    """As it is written; a query or fragment is gone."""
    plain: tuple[str, ...] = ()
    """What it may be called without a hash, as far as the manifest says."""
    plainly: bool = True
    """Whether the form is one that nobody writes by hand, so that the manifest is certainly a bundler's."""
    anywhere: bool = False
    """Whether the path is written from some folder above the output, as metafiles have it."""


def named_in(manifest: object) -> Iterator[Named]:
    """The files that a bundler's ``manifest``, parsed, names; none if it has the form of no bundler's.

    The forms: Vite's build.manifest (``{source: {"file", "name", "css", "assets"}}``); webpack-manifest-plugin and its
    kin (``{name: URL}``, create-react-app's below ``"files"``); webpack-assets-manifest with integrity
    (``{name: {"src"}}``); webpack-bundle-tracker (``"assets"`` by file name, beside ``"chunks"``); esbuild's metafile
    (``"outputs"`` by path).
    """
    if not isinstance(manifest, dict) or _EXTENSION in manifest or not _WEB_APP.isdisjoint(manifest):
        return
    outputs, assets, files = manifest.get("outputs"), manifest.get("assets"), manifest.get("files")
    if isinstance(outputs, dict) and "inputs" in manifest:
        for path, output in outputs.items():
            facts = output if isinstance(output, dict) else {}
            entry, sheet = facts.get("entryPoint"), facts.get("cssBundle")
            made_of = facts.get("inputs")
            # What several entries share is called a chunk by default; what a loader copied, as its one input.
            copied = tuple(map(str, made_of)) if isinstance(made_of, dict) and len(made_of) == 1 else ()
            plain = (entry,) if isinstance(entry, str) else ("chunk", *copied)
            yield Named(str(path), plain, anywhere=True)
            if isinstance(sheet, str):
                yield Named(sheet, plain, anywhere=True)
    elif isinstance(assets, dict) and "chunks" in manifest:
        yield from (Named(str(path), _names_of(facts)) for path, facts in assets.items())
    else:
        yield from _from_entries(files if isinstance(files, dict) else manifest)


def _names_of(facts: object) -> tuple[str, ...]:
    return (
        tuple(str(facts[key]) for key in ("name", "sourceFilename") if key in facts) if isinstance(facts, dict) else ()
    )


def _from_entries(entries: Mapping[Any, Any]) -> Iterator[Named]:
    for key, value in entries.items():
        if isinstance(value, str):
            yield Named(re.split("[?#]", value, maxsplit=1)[0], (str(key),), plainly=False)
        elif isinstance(value, dict):
            file, vite = value.get("file"), True
            if not isinstance(file, str):
                file, vite = value.get("src"), "integrity" in value
            if not isinstance(file, str):
                continue
            plain = (str(key), str(value.get("name", key)))
            yield Named(file, plain, plainly=vite)
            for listed in (value.get("css"), value.get("assets")):
                if isinstance(listed, list):
                    yield from (Named(path, plain) for path in listed if isinstance(path, str))


def hashed(named: Iterable[Named]) -> set[Named]:
    """Those of the ``named`` files whose names hold a hash: a bundler may be told to leave it out.

    A part is a hash's that was put into the name between what the manifest calls the file and the extension, and that
    is random. Many hashes of eight characters look like words. They count where the manifest shows that as many
    characters are put into other names of that extension and are plainly random; or, in a form that is certainly a
    bundler's, that each of several names got other characters: what an option adds to the names is the same in all.
    """
    named = list(named)
    whole = {one.path for one in named if any(_bare(one.path) in (_bare(name), _base(name)) for name in one.plain)}
    found: set[Named] = set()
    doubtful: list[tuple[Named, str, int]] = []
    forms: set[tuple[str, int]] = set()
    added: dict[tuple[str, str], str] = {}
    for one in named:
        extension = split_name(one.path)[1]
        if is_bundled(one.path):
            found.add(one)
            continue
        if one.path in whole:
            # webpack-manifest-plugin has nothing else to call a chunk without a name.
            if one.path.endswith(CODE) and is_scrambled(one.path) and re.search(r"\.[0-9a-f]{8}\.", one.path):
                found.add(one)
            continue
        inserted = [part for name in one.plain if len(part := inserted_part(one.path, name) or "") >= 8]
        certain = next(filter(is_random if one.plainly else _is_digest, inserted), None)
        doubts = [part for part in inserted if not part.islower()]
        if one.plainly:
            # esbuild's are base32: a capital word is a name of one's own.
            added.update({(one.path, part): part for part in doubts if _DIGIT.search(part) or not one.anywhere})
        if certain:
            found.add(one)
            forms |= {(extension, len(certain)), (_kind(one, certain), len(certain))}
        elif one.plainly:
            doubtful += [(one, "", len(part)) for part in doubts]
            doubtful += [(one, extension, len(part)) for part in last_parts(one.path) if not part.islower()]
        else:
            doubtful += [(one, kind, len(part)) for part in doubts for kind in (extension, _kind(one, part))]
    for length in {len(part) for part in added.values()}:
        parts = [part for part in added.values() if len(part) == length]
        if 1 < len(parts) == len(set(parts)):
            forms.add(("", length))
    return found | {one for one, kind, length in doubtful if (kind, length) in forms}


def _kind(one: Named, part: str) -> str:
    """What, beside the extension, other names must have in common with one into which ``part`` was put."""
    return "" if one.plainly else "hex" if _HEX.fullmatch(part) and not _YEAR.match(part) else "other"


def _is_digest(part: str) -> bool:
    """Whether ``part`` is random in a manifest of a form that people write too."""
    if len(part) == 12 and _HEX.fullmatch(part):
        return len(re.findall("[a-f]+", part)) >= 2 and is_random(part)
    return is_bundled(f"x.{part}.js") or is_scrambled(f"x-{part}.js")


def place_of(named: Named, folder: str, logicals: Collection[str]) -> str | None:
    """The logical path, among ``logicals``, of a file that a manifest names whose bundler wrote to ``folder``.

    A path is meant from there. What a URL begins with is the bundler's public path, and a metafile's path begins in the
    folder that esbuild was run in: of these the end counts, as long as there is a file for it.
    """
    path, hosts = _HOST.subn("", named.path, count=1) if _HOST.match(named.path) else (named.path, 0)
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if not parts or ".." in parts:
        return None
    starts = range(len(parts)) if hosts or path.startswith("/") or named.anywhere else range(1)
    ends = (folder + "/".join(parts[start:]) for start in starts)
    return next((end for end in ends if end in logicals), None)


def _base(path: str) -> str:
    return path.rpartition("/")[2]


def _bare(path: str) -> str:
    """The file name of ``path`` without its extension."""
    return split_name(_base(path))[0]
