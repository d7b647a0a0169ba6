"""Every error that Shipfiles raises on purpose.

    ShipfilesError
    ├── ConfigError               an option is unknown, missing or contradicts another
    ├── BuildError                the sources cannot become a release
    │   ├── SourceError           one source file cannot be read or must not have that name
    │   │   └── SourceErrors      several, found in one run
    │   ├── BrokenReferences      files, templates or Python refer to files that do not exist (also a ValueError)
    │   └── KeyCollision          two files claim one place in the release
    ├── ManifestError             a manifest cannot be read (also a ValueError)
    │   ├── MissingEntry          a name is not in the manifest (also a ValueError)
    │   └── OtherRecord           in the place of a release's record is another release's (also a ValueError)
    ├── ReleaseError              a release cannot be named, found or made
    │   ├── ReleaseIdError        an id that cannot be one, or that nobody can tell
    │   ├── ReleaseTaken          the id belongs to other files
    │   │   ├── ReleaseTwin       or differs only in case from one that does
    │   │   └── ReleaseUnclear    or to files that nobody can tell any more
    │   ├── UnknownRelease        the store has no such release
    │   │   └── ReleaseNotMade    and a process is to use it
    │   ├── NoEarlierRelease      there is none so far back in time
    │   ├── ReleaseDamaged        files of the release are not as its manifest says
    │   └── ArchiveError          an archive of a release cannot be read, or holds what it must not
    ├── UploadRefused             an upload is not taken: by its name, its bytes, or who looked at it
    ├── LinkRefused               a signed URL is not, or no longer, one that was signed here
    ├── PurgeError                a CDN or cache in front did not forget what it was to forget
    └── StoreError                a store did not do what it was asked
        ├── KeyNotFound           it has no such key
        ├── KeyExists             a key that must not be overwritten is taken
        ├── Replaced              other bytes are under a key than when it was first read
        ├── Denied                who asks may not do that there
        ├── BadCredentials        it does not know who asks
        ├── OtherBytes            what was to be put does not hold the bytes that it was to have
        ├── NoAnswer              whether it did cannot be told; asking again may help
        │   └── Busy              it did not: it asks for fewer requests
        └── StoreErrors           several keys, in one run

Errors are written for people: what happened, where, what to do. They carry their facts as attributes, so that a
caller need not parse the text.
"""

from __future__ import annotations

import difflib
import errno
import os
import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .model import Problem


_MOST_COMPARISONS = 100_000
_MOST_KEYS = 20


class ShipfilesError(Exception):
    """The root of all errors of this package; its text is fit to be shown to a person without a traceback."""


class ConfigError(ShipfilesError):
    """An option is unknown, missing or contradicts another.

    ``options`` are those that there are, beside one that is unknown.
    """

    def __init__(self, text: str, options: Sequence[str] = ()) -> None:
        self.options = tuple(options)
        super().__init__(text)


class BuildError(ShipfilesError):
    """The sources cannot become a release. Nothing was published."""


class SourceError(BuildError):
    """One source file cannot be used.

    ``path`` is the file as the developer knows it.
    """

    def __init__(self, path: str, what: str, hint: str = "") -> None:
        self.path = path
        super().__init__(f"{printable(path)}: {what}" + (f"\n  {hint}" if hint else ""))


_PASS = {
    ("rewrite", "own_missing"): "all files of the project",
    ("rewrite", "package_missing"): "all files of installed packages",
    ("rewrite", "optional_missing"): "all references without which nothing is lost",
    ("proof", "own_missing"): "all templates and modules of the project",
    ("proof", "package_missing"): "all templates and modules of installed packages",
}
"""Section and option → what that option decides on as a whole."""


class SourceErrors(SourceError):
    """Several source files cannot be used: ``errors`` has them all, in the order in which they were found.

    ``path`` is the first one's.
    """

    def __init__(self, errors: Sequence[SourceError]) -> None:
        self.errors = tuple(errors)
        self.path = self.errors[0].path
        listed = textwrap.indent("\n".join(map(str, self.errors)), "  ")
        Exception.__init__(self, f"{len(self.errors)} source files cannot be used:\n{listed}\nNothing was published.")


class BrokenReferences(BuildError, ValueError):
    """Files, templates or Python refer to static files that do not exist.

    ``problems`` has them all; ``warnings`` and ``notes`` came up too.

    A ``ValueError`` too, because that is what Django's storage raises here.
    """

    def __init__(
        self, problems: Sequence[Problem], warnings: Sequence[Problem] = (), notes: Sequence[Problem] = ()
    ) -> None:
        self.problems = tuple(problems)
        self.warnings = tuple(warnings)
        self.notes = tuple(notes)
        count = len(self.problems)
        head = "1 broken reference" if count == 1 else f"{count} broken references"
        # A template or module is no static file and has no logical path.
        decided = {("rewrite" if p.logical else "proof", p.option) for p in self.problems}
        sections = dict.fromkeys("rewrite" if p.logical else "proof" for p in self.problems)
        rules = " and ".join(f"OPTIONS['{section}']['missing']" for section in sections)
        hint = f"Nothing was published. {rules} can make exceptions."
        hint += "".join(
            f" OPTIONS['{section}']['{option}'] = 'warning' lets {what} pass."
            for (section, option), what in _PASS.items()
            if (section, option) in decided
        )
        super().__init__("\n".join([f"{head}:", *(f"  {p}" for p in self.problems), hint]))


class KeyCollision(BuildError):
    """Two files claim one place in the release, ``key``."""

    def __init__(self, key: str, first: str, second: str, hint: str = "") -> None:
        self.key = key
        super().__init__(
            f"{printable(first)} and {printable(second)} both need the place {printable(key)} in the release."
            + (f"\n  {hint}" if hint else "\n  Rename one of them.")
        )


class ManifestError(ShipfilesError, ValueError):
    """A manifest, a record or the pointer cannot be read: ``what`` is wrong, and ``advice`` is what to do.

    A ``ValueError`` too, because that is what Django's storage raises here.
    """

    def __init__(self, what: str, advice: str = "") -> None:
        self.what = what
        self.advice = advice
        super().__init__(f"{what} {advice}" if advice else what)


class MissingEntry(ManifestError):
    """``name`` is not in the manifest. The text begins as Django's does, because people search for it."""

    def __init__(self, name: str, nearest: Sequence[str] = (), where: str = "") -> None:
        self.name = name
        self.nearest = tuple(nearest)
        text = f"Missing staticfiles manifest entry for '{name}'"
        if where:
            text += f" ({where})"
        super().__init__(text + did_you_mean(nearest))


class OtherRecord(ManifestError):
    """In the place of a release's record is that of the release ``release``."""

    def __init__(self, where: str, release: str) -> None:
        self.release = release
        super().__init__(f"{where}: it is the record of {release!r}: the file was renamed, or names fold case.")


class ReleaseError(ShipfilesError):
    """A release cannot be named, found or made."""


class ReleaseIdError(ReleaseError):
    """``release`` cannot be the id of a release; ``None`` if nobody can tell one."""

    def __init__(self, where: str, release: object, what: str) -> None:
        self.release = release
        fault = "gives no id of a release" if release is None else f"{release!r} cannot be the id of a release"
        super().__init__(f"{where}{' ' if release is None else ': '}{fault}: {what}.")


class ReleaseTaken(ReleaseError):
    """The id ``release`` belongs to other files: ids are never used again."""

    def __init__(self, release: str, made: str, different: Sequence[str]) -> None:
        self.release = release
        shown = ", ".join(printable(name) for name in different[:3])
        more = f" and {len(different) - 3} more" if len(different) > 3 else ""
        verb = "differs" if len(different) == 1 else "differ"
        super().__init__(
            f"The release {release} was made on {made} from other files: {shown}{more} {verb}. An id is never used for "
            "other files. Give this one another id (a new commit, another release_id). Nothing was published."
        )


class ReleaseTwin(ReleaseTaken):
    """The id ``release`` differs only in case from ``taken``, that of a release that is there."""

    def __init__(self, release: str, taken: str) -> None:
        self.release = release
        Exception.__init__(
            self,
            f"The id {release} differs only in case from that of the release {taken}, which is there: on many systems "
            "their records would be one file. Give this release another id. Nothing was changed.",
        )


class ReleaseUnclear(ReleaseTaken):
    """The id ``release`` belongs to files that cannot be told: ``why``."""

    def __init__(self, release: str, why: str) -> None:
        self.release = release
        why = why.removesuffix(" Run collectstatic again.")
        Exception.__init__(
            self,
            f"There is a release {release}, but whether it has these files cannot be told: {why} An id is never used "
            f"for other files. 'manage.py ship verify {release} --repair --from PATH' mends it from an archive or a "
            "folder that has it whole; else give this release another id. The current release stays as it was.",
        )


class UnknownRelease(ReleaseError):
    """There is no release ``release``."""

    def __init__(self, release: str, nearest: Sequence[str], where: str, *, known: bool) -> None:
        self.release = release
        from shlex import quote

        # Without a store the command lists those that are used, which need not be these.
        store = f" --store {quote(where)}" if "://" in where or os.path.isabs(where) else ""
        lists = f". 'manage.py ship releases{store}' lists those that are there"
        hint = did_you_mean(nearest) or (lists if known else "")
        if not known:
            hint = ": there is none yet. Run collectstatic"
        super().__init__(
            f"There is no release {release!r} in {where}{hint}".removesuffix("?") + ("?" if nearest else ".")
        )


class ReleaseNotMade(UnknownRelease):
    """A process is to use the release ``release``, which has not been made."""

    def __init__(self, release: str, why: str, where: str) -> None:
        self.release = release
        Exception.__init__(
            self,
            f"This process is to use the release {release!r} ({why}), which {where} does not have. Run 'manage.py "
            "collectstatic' from the same code, with the same options, before the process starts.",
        )


class ArchiveError(ReleaseError):
    """The archive or folder ``path`` is none that ``ship export`` wrote, or not all of it: ``what`` is wrong.

    ``outcome`` is what became of the run; by default, of an import.
    """

    def __init__(self, path: str, what: str, outcome: str = "Nothing was imported.") -> None:
        self.path = path
        self.what = what
        super().__init__(f"{printable(path)}: {what}. {outcome}".rstrip())


class NoEarlierRelease(ReleaseError):
    """So many releases were not current before the one that is, or they have been pruned: ``there`` are."""

    def __init__(self, steps: int, there: Sequence[str]) -> None:
        self.there = tuple(there)
        what = "There is no earlier release: no other that was current before is still there"
        if there:
            shown = ", ".join(there[:5]) + (", ..." if len(there) > 5 else "")
            were = "1 that was" if len(there) == 1 else f"{len(there)} that were"
            what = f"There are not {steps} earlier releases, only {were} current before and still there: {shown}"
        more = "'manage.py ship releases' lists all, 'manage.py ship activate' takes any of them"
        super().__init__(f"{what}. {more}.")


class ReleaseDamaged(ReleaseError):
    """Files of ``release``, of those that would become current with it, are missing or have other bytes.

    ``keys`` are theirs, with what is wrong with each.
    """

    def __init__(self, release: str, keys: Sequence[tuple[str, str]]) -> None:
        self.release = release
        self.keys = tuple(keys)
        shown = "\n".join(f"  {printable(key)}: {what}" for key, what in keys[:5])
        more = f"\n  and {len(keys) - 5} more" if len(keys) > 5 else ""
        super().__init__(
            f"The release {release} is damaged, so it was not made current; nothing was changed:\n{shown}{more}\n"
            f"'manage.py ship verify {release}' looks at all of its files and can repair them; so does collectstatic "
            "with its sources."
        )


class UploadRefused(ShipfilesError):
    """An upload is not taken; nothing of it was stored. ``code`` names the reason for programs."""

    def __init__(self, name: str, what: str, code: str = "refused") -> None:
        self.name = name
        self.what = what
        self.code = code
        super().__init__(f"The upload {printable(name)!r} is not taken: {what}")


class LinkRefused(ShipfilesError):
    """A signed URL does not allow what is asked with it. ``expired`` tells one that did so, and no longer does.

    The text says nothing of keys and signatures, and may be shown to who asks.
    """

    def __init__(self, what: str, *, expired: bool = False) -> None:
        self.expired = expired
        super().__init__(what)


class PurgeError(ShipfilesError):
    """A CDN or cache did not forget all that it was to forget. ``purger`` is which, ``left`` the URLs or tags that it
    may still have; none if it was to forget everything. The text holds no credentials.
    """

    def __init__(self, purger: str, what: str, left: Sequence[str] = ()) -> None:
        self.purger = purger
        self.what = what
        self.left = tuple(left)
        super().__init__(f"{printable(purger)}: {what}")


class StoreError(ShipfilesError):
    """A store did not do what it was asked. ``key`` is what it was asked about."""

    def __init__(self, key: str, what: str) -> None:
        self.key = key
        self.what = what
        super().__init__(f"{printable(key)}: {what}")


class KeyNotFound(StoreError):
    """The store has no such key."""

    def __init__(self, key: str) -> None:
        super().__init__(key, "not in the store")


class KeyExists(StoreError):
    """A create-only put found the key taken."""

    def __init__(self, key: str) -> None:
        super().__init__(key, "already in the store, and it must not be overwritten")


class Replaced(StoreError):
    """Other bytes are under a key than when it was first read."""

    def __init__(self, key: str) -> None:
        super().__init__(key, "replaced by other bytes since it was opened; open it again")


class Denied(StoreError):
    """Who asks may not do that there."""


class OtherBytes(StoreError):
    """The file that was to be put does not hold the bytes that it was to have; nothing was put."""


class BadCredentials(StoreError):
    """The store does not know who asks: its credentials are wrong, or there are none."""


class NoAnswer(StoreError):
    """Whether the store did what it was asked cannot be told: no answer came, or none that says it.

    To ask again may help.
    """


class Busy(NoAnswer):
    """The store did not do what it was asked: it asks for fewer requests.

    ``after`` is how long it wants to be left alone, 0 if it does not say. Seconds.
    """

    def __init__(self, key: str, what: str, *, after: float = 0.0) -> None:
        self.after = after
        super().__init__(key, what)


class StoreErrors(StoreError):
    """A store did not do several things, or one after many tries: ``errors`` has one for each key.

    ``key`` and ``what`` are the first one's; ``why`` no more was tried.
    """

    def __init__(self, errors: Sequence[StoreError], why: str = "") -> None:
        self.errors = tuple(errors)
        self.key, self.what = self.errors[0].key, self.errors[0].what
        count = len(self.errors)
        if count == 1 and not why:
            Exception.__init__(self, str(self.errors[0]))
            return
        keys = "1 key" if count == 1 else f"{count} keys"
        lines = [f"The store did not do what it was asked about {keys}{f' ({why})' if why else ''}:"]
        lines += [f"  {error}" for error in self.errors[:_MOST_KEYS]]
        if count > _MOST_KEYS:
            lines.append(f"  and {count - _MOST_KEYS} more")
        Exception.__init__(self, "\n".join(lines))


def printable(text: str) -> str:
    """``text`` if a terminal can show it, else its ``repr``: a name may hold a newline or undecodable bytes."""
    return text if text.isprintable() else repr(text)


def fit_to_show(text: str) -> str:
    """``text`` with escapes for what a terminal would obey or cannot show; lines stay lines."""
    if text.replace("\n", "").isprintable():
        return text
    return "".join(char if char == "\n" or char.isprintable() else ascii(char)[1:-1] for char in text)


class Names:
    """Known names, put in order once, at the first question which of them a wrong one was meant to be."""

    def __init__(self, known: Iterable[str]) -> None:
        self._known: Iterable[str] | None = known
        self._names: list[str] = []
        self._folded: dict[str, list[str]] = {}
        self._last_parts: dict[str, list[str]] = {}
        self._alike: dict[str, list[str]] = {}
        # Each comparison is quadratic at worst: so many are made as a person waits for.
        self._comparisons = _MOST_COMPARISONS

    def _order(self, known: Iterable[str]) -> None:
        self._known, self._names = None, list(known)
        for name in self._names:
            folded = name.casefold()
            self._folded.setdefault(folded, []).append(name)
            self._last_parts.setdefault(folded.rpartition("/")[2], []).append(name)

    def nearest(self, name: str, count: int = 3, *, alike: bool = True) -> list[str]:
        """Up to ``count`` names, best first.

        Names that differ only by case come first, then names with the same last part in another folder; where there
        are none, names that are spelled ``alike``: those cost a comparison with every name, the others a look-up.
        """
        if self._known is not None:
            self._order(self._known)
        folded = name.casefold()
        last_part = folded.rpartition("/")[2]
        found = self._folded.get(folded, [])[:count]
        if last_part:
            found += self._last_parts.get(last_part, [])[:count]
        if alike and not found:
            found = self._spelled_alike(name)[:count]
        return list(dict.fromkeys(found))[:count]

    def _spelled_alike(self, name: str) -> list[str]:
        known = self._alike.get(name)
        if known is None:
            if self._comparisons < len(self._names):
                return []
            self._comparisons -= len(self._names)
            close = difflib.get_close_matches(name, self._names, n=3, cutoff=0.75)
            ratios = [difflib.SequenceMatcher(None, other, name).ratio() for other in close]
            # What is clearly further away than the best is noise.
            known = [other for other, ratio in zip(close, ratios, strict=True) if ratio > ratios[0] - 0.05]
            self._alike[name] = known
        return known


def nearest_names(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """Up to ``count`` of the ``known`` names that ``name`` may have been meant to be, best first: see `Names`."""
    return Names(known).nearest(name, count)


def did_you_mean(names: Sequence[str]) -> str:
    """The closing question of an error about an unknown name; empty without candidates."""
    if not names:
        return ""
    return ". Did you mean " + " or ".join(f"'{n}'" for n in names) + "?"


def os_reason(error: OSError) -> str:
    """What an ``OSError`` means, in words that say what to do where we know it."""
    reason = error.strerror or str(error)
    advice = {
        errno.ENOSPC: "no space left on the device; free some space and run again",
        errno.EDQUOT: "the disk quota is used up; free some space and run again",
        errno.EROFS: "the file system is read-only",
        errno.EACCES: "permission denied",
        errno.EPERM: "operation not permitted",
        errno.ENAMETOOLONG: "the name is too long for the file system; shorten it",
        errno.ENOENT: "no such file",
        errno.ELOOP: "too many symbolic links, perhaps a loop",
        errno.ENOTDIR: "a part of the path is a file, not a folder",
        errno.EISDIR: "a folder stands where the file should be; collectstatic --clear removes an earlier release's",
    }
    return advice.get(error.errno or 0, reason)
