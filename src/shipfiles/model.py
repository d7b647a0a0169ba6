"""The values that pass between the rooms. All are frozen; none does any input or output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from .digest import Digest
from .errors import did_you_mean, printable

ReferenceKind = Literal["url", "import", "module", "dynamic-import", "script", "source-map", "integrity"]


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file as a finder names it."""

    logical: str
    """The logical path: ``css/app.css``."""
    path: str
    """The file on this machine's disk."""
    own: bool = True
    """Whether the project's own people wrote it; else it came with an installed package."""
    origin: str = ""
    """Where it really is, if on no disk of this machine; ``path`` is then a copy that goes away after the run."""

    @property
    def place(self) -> str:
        """The file as the developer knows it."""
        return self.origin or self.path


@dataclass(frozen=True, slots=True)
class Reference:
    """A place in a file's bytes that names another file. Found by a rewriter, edited by `splice` only."""

    start: int
    end: int
    """``body[start:end]`` is the URL's text, without quotes; of the kind ``integrity``, a digest of what it names."""
    url: str
    """The URL after the language's own escapes are undone; percent signs stay."""
    kind: ReferenceKind
    required: bool = True
    """Whether a missing target is a fault.

    Not for source maps, an ``@import`` that browsers ignore, keys of import maps, relative URLs in parts of pages, what
    only Internet Explorer loads, and ``new URL()`` of a name without extension, which may well be an address.
    """
    in_markup: bool = False
    """Whether the text stands in HTML or XML, where ``&`` must be written ``&amp;``."""
    base: str = ""
    """A URL that ``url`` is resolved against first, itself relative to the file: HTML's ``<base>``."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a file as a whole, whichever file has that content."""

    what: str
    line: int = 0
    """Counted from 1; 0 if the whole file is meant."""
    column: int = 0
    severe: bool = False
    """Whether the file is published as it is although it may have references."""


@dataclass(frozen=True, slots=True)
class Scan:
    """What was found in the bytes of a file: the same for every file with these bytes and this language."""

    references: tuple[Reference, ...] = ()
    """In the order of the bytes, never overlapping."""
    codec: str = ""
    """Python's name of the encoding that edits must be written in; empty for UTF-8."""
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """A reference that leads nowhere, or a file that could not be treated as it should."""

    path: str
    """The file as the developer knows it."""
    line: int
    """Counted from 1; 0 if the whole file is meant."""
    column: int
    """In characters, counted from 1; 0 if only the line is known."""
    text: str
    """The reference as it is written."""
    what: str
    """What is wrong with it."""
    nearest: tuple[str, ...] = ()
    logical: str = ""
    """The logical path of the file."""
    option: str = ""
    """The option in whose section it was decided how grave this is: "own_missing"; empty if a rule or no option did."""

    @property
    def position(self) -> tuple[str, int, int]:
        """What problems are sorted by."""
        return self.path, self.line, self.column

    def __str__(self) -> str:
        place = ":".join([printable(self.path), *(str(number) for number in (self.line, self.column) if number)])
        shown = self.text if len(self.text) <= 200 else self.text[:197] + "..."
        subject = f" {printable(shown)}:" if shown else ""
        return f"{place}:{subject} {self.what}{did_you_mean(self.nearest)}"


@dataclass(frozen=True, slots=True)
class Variant:
    """One content coding of a file: what its bytes are."""

    size: int
    digest: Digest


@dataclass(frozen=True, slots=True)
class Plain:
    """The copy under the logical path where its bytes differ from the asset's: the source as it was."""

    size: int
    digest: Digest
    codings: Mapping[str, Variant] = field(default_factory=dict)
    stored: str = ""
    """As `Entry.stored`."""

    @property
    def beside(self) -> Mapping[str, Variant]:
        """As `Entry.beside`."""
        return without_stored(self.codings, self.stored)


@dataclass(frozen=True, slots=True)
class Entry:
    """What a manifest says of one logical path."""

    logical: str
    name: str
    """The hashed name."""
    size: int
    digest: Digest
    media_type: str
    codings: Mapping[str, Variant] = field(default_factory=dict)
    """Content coding token (``br``, ``gzip``) → its variant, for those that were worth keeping."""
    references: tuple[str, ...] = ()
    """Logical paths that its bytes refer to, sorted."""
    plain: Plain | None = None
    """Set where rewriting made the asset differ from the source."""
    unsteady: bool = False
    """Whether a bundler seems to have named it and its bytes changed all the same, now or in an earlier release."""
    stored: str = ""
    """The one of ``codings`` whose bytes lie under the name itself, to be answered with its Content-Encoding.

    Empty if the file lies there as it is. ``size`` and ``digest`` are always those of the file as it is."""

    @property
    def kept(self) -> bool:
        """Whether a bundler has put the hash into the logical path, so that it is the hashed name too."""
        return self.name == self.logical

    @property
    def beside(self) -> Mapping[str, Variant]:
        """Those of ``codings`` that have names of their own, with a suffix."""
        return without_stored(self.codings, self.stored)


def without_stored(codings: Mapping[str, Variant], stored: str) -> Mapping[str, Variant]:
    """``codings`` but the one whose bytes lie under the file's own name."""
    return {token: codings[token] for token in codings if token != stored} if stored else codings


def under_name(of: Entry | Plain) -> Variant:
    """The bytes that lie under the name of ``of`` itself."""
    return of.codings[of.stored] if of.stored else Variant(of.size, of.digest)
