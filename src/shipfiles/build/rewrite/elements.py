"""What the elements of HTML and SVG refer to: one set of rules for pages, drawings and drawings within pages."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final

from ...model import Reference, ReferenceKind
from . import css, import_map, javascript
from .markup import Attribute, Decoded, Markup, Piece, Tag
from .reference import has_template, is_local

# Element → its attributes with the URL of something that the page fetches by itself. HTML Standard 4.8 (embedded
# content), 4.12.1 (script), and 16.3 for those that are obsolete and still work.
_URLS: Final = {
    "audio": ("src",), "bgsound": ("src",), "embed": ("src",), "frame": ("src",), "iframe": ("src",),
    "image": ("src",), "img": ("src", "lowsrc"), "object": ("data",), "script": ("src",), "source": ("src",),
    "track": ("src",), "video": ("src", "poster"),
    "body": ("background",), "table": ("background",), "tbody": ("background",), "td": ("background",),
    "tfoot": ("background",), "th": ("background",), "thead": ("background",), "tr": ("background",),
}  # fmt: skip
_SETS: Final = {"img": "srcset", "image": "srcset", "source": "srcset", "link": "imagesrcset"}
# Kinds of links that the page itself fetches (HTML Standard 4.6.7, and what the makers of systems added). All others
# lead people elsewhere, or tell machines the page's own address.
_FETCHED_RELS: Final = frozenset({
    "stylesheet", "icon", "manifest", "preload", "modulepreload", "prefetch", "import", "mask-icon", "fluid-icon",
    "apple-touch-icon", "apple-touch-icon-precomposed", "apple-touch-startup-image",
})  # fmt: skip
_PAGE: Final = re.compile(r"(?i)\.x?html?(?:[?#]|\Z)")
# MIME Sniffing section 4.6, "JavaScript MIME type".
_SCRIPT_TYPE: Final = re.compile(
    r"(?i)(?:module|(?:text|application)/(?:x-)?(?:java|ecma)script|text/(?:javascript1\.[0-5]|jscript|livescript))?"
)
# The presentation attributes (SVG 2 section 6.6) whose property takes a URL: by SVG 2 fill, stroke, markers and shapes
# round text; clip-path and mask by CSS Masking, filter by Filter Effects, cursor by CSS Basic User Interface. "marker"
# and "mask-image" are properties only. Every other attribute is text, however much it looks like CSS.
_PRESENTATION: Final = frozenset({
    "clip-path", "cursor", "fill", "filter", "marker-end", "marker-mid", "marker-start", "mask", "shape-inside",
    "shape-subtract", "stroke",
})  # fmt: skip
# A URL in one is in a function, whose name ends so unless it is escaped.
_FUNCTION = re.compile(rb"[lLtTcC]\(|[\\&]")
# A tag with one of these may matter; of most tags nothing more is read. To look for a byte and then behind it is many
# times faster than to look for names in either case.
_MAY_REFER = re.compile(
    rb"[sShHpPdDbB(\\&](?>(?<=[(\\&])|(?<=[sS])(?>[rR][cC]|[tT][yY][lL][eE])|(?<=[hH])[rR][eE][fF]"
    rb"|(?<=[pP])[oO][sS][tT][eE][rR]|(?<=[dD])[aA][tT][aA]|(?<=[bB])[aA][cC][kK][gG][rR][oO][uU][nN][dD])"
)

Finder = Callable[[bytes], Iterable[Reference]]
"""What a rewriter does."""
# A path from the root is one on the host of the base, if that has one.
_WITH_HOST = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.\-]*:)?[/\\]{2}")
# What no page, and no base without a host, can change: a path from the root, a scheme.
_ABSOLUTE = re.compile(r"[/\\]|[A-Za-z][A-Za-z0-9+.\-]*:")
# Characters: about what stores (S3: 1024 bytes) and systems (Windows: 260 characters) take as a whole name.
_LONGEST_BASE: Final = 1024

# HTML Standard 4.8.4.4.2, "parse a srcset attribute".
_CANDIDATE = re.compile(rb"[ \t\n\f\r,]*+([^ \t\n\f\r]++)")
_DESCRIPTORS = re.compile(rb"(?>[^,(]++|\([^)]*+\)?+)*+,?+")
_BLANK = b" \t\n\f\r"


class Elements:
    """Collects the references of one document."""

    def __init__(self, body: bytes, markup: Markup, required: bool = True) -> None:
        """``required`` says whether relative references must lead somewhere."""
        self._body = body
        self._markup = markup
        self._required = required
        self._found: list[Reference] = []
        # The first <base href>, once it was seen; None if only a template engine or an entity knows it, or if it is too
        # long.
        self._base: str | None = ""
        self._has_base = False

    def references(self) -> list[Reference]:
        """All references of the document, in order. Of those that overlap, which no edit could serve, the first."""
        for tag in self._markup.tags():
            if tag.pieces or _MAY_REFER.search(self._body, tag.start, tag.end):
                self._attributes(tag)
        self._found.sort(key=lambda reference: reference.start)
        done = 0
        apart: list[Reference] = []
        for found in self._found:
            if found.start >= done:
                apart.append(found)
                done = found.end
        return apart

    def _attributes(self, tag: Tag) -> None:
        attributes = {attribute.name: attribute for attribute in self._markup.attributes(tag)}
        if tag.space == "svg":
            self._svg(tag, attributes)
        elif tag.space == "html":
            self._html(tag, attributes)
        elif tag.name == "?xml-stylesheet" and "href" in attributes:
            self._url(attributes["href"])
        if tag.space and "style" in attributes:
            self._declarations(attributes["style"])
        if tag.pieces:
            self._text_of(tag, attributes)

    def _html(self, tag: Tag, attributes: dict[str, Attribute]) -> None:
        name = tag.name
        if name == "link":
            self._link(attributes)
        elif name == "base":
            self._set_base(attributes)
        elif name == "input":
            if self._text(attributes.get("type")).lower() == "image" and "src" in attributes:
                self._url(attributes["src"])
        else:
            for of in _URLS.get(name, ()):
                if of in attributes:
                    url = self._url(attributes[of])
                    if name == "script":
                        self._integrity(attributes, url)
        if (several := _SETS.get(name)) and several in attributes:
            self._srcset(attributes[several])

    def _svg(self, tag: Tag, attributes: dict[str, Attribute]) -> None:
        if tag.name != "a":
            for name in ("href", "xlink:href"):
                if name in attributes:
                    self._url(attributes[name])
        for name, attribute in attributes.items():
            if name in _PRESENTATION and _FUNCTION.search(self._body, attribute.start, attribute.end):
                self._declarations(attribute)

    def _link(self, attributes: dict[str, Attribute]) -> None:
        rels = set(self._text(attributes.get("rel")).lower().split())
        if "href" not in attributes or not rels & _FETCHED_RELS:
            return
        # A page that is fetched ahead is one that people go to, under its own address.
        if rels & _FETCHED_RELS == {"prefetch"} and _PAGE.search(self._text(attributes["href"])):
            return
        self._integrity(attributes, self._url(attributes["href"]))

    def _set_base(self, attributes: dict[str, Attribute]) -> None:
        if "href" not in attributes or self._has_base:
            return
        self._has_base = True
        href = attributes["href"]
        url = self._text(href)
        if has_template(url) or self._markup.has_entity(href.start, href.end) or len(url) > _LONGEST_BASE:
            self._base = None
        # HTML Standard 4.2.3, "set the frozen base URL".
        elif not url.lower().startswith(("data:", "javascript:")):
            self._base = url

    def _text_of(self, tag: Tag, attributes: dict[str, Attribute]) -> None:
        """What the text of a ``script`` or ``style`` element refers to."""
        kind = self._text(attributes.get("type")).lower()
        if tag.name == "style":
            if kind in ("", "text/css"):
                self._embedded(tag.pieces, css.references)
        elif not attributes.keys() & {"src", "href", "xlink:href"} or (tag.space == "html" and "src" not in attributes):
            if kind == "importmap":
                self._embedded(tag.pieces, import_map.references)
            elif _SCRIPT_TYPE.fullmatch(kind):
                self._embedded(tag.pieces, javascript.references)

    def _text(self, attribute: Attribute | None) -> str:
        if attribute is None:
            return ""
        raw = self._body[attribute.start : attribute.end]
        if b"&" in raw:
            raw = self._decoded(attribute).text
        return raw.decode("utf-8", "replace").strip(" \t\n\f\r")

    def _url(self, attribute: Attribute) -> str | None:
        """Note the URL that is the value of ``attribute``, if it could be a reference, and return it."""
        raw = self._body[attribute.start : attribute.end]
        start = attribute.start + len(raw) - len(raw.lstrip(_BLANK))
        end = attribute.end - len(raw) + len(raw.rstrip(_BLANK))
        return self._add(start, end, self._text(attribute)) if start < end else None

    def _srcset(self, attribute: Attribute) -> None:
        decoded = self._decoded(attribute)
        text = decoded.text
        if has_template(text.decode("utf-8", "replace")):
            return
        at = 0
        while candidate := _CANDIDATE.match(text, at):
            start, at = candidate.span(1)
            url = candidate[1].rstrip(b",")
            if len(url) == at - start and (rest := _DESCRIPTORS.match(text, at)):
                at = rest.end()
            if url and (span := decoded.span(start, start + len(url))):
                self._add(span[0], span[1], url.decode("utf-8", "replace"))

    def _integrity(self, attributes: dict[str, Attribute], url: str | None) -> None:
        """Note the digest that guards what ``url`` leads to."""
        attribute = attributes.get("integrity")
        if url is not None and attribute and attribute.start < attribute.end:
            self._add(attribute.start, attribute.end, url, "integrity")

    def _add(self, start: int, end: int, url: str, kind: ReferenceKind = "url") -> str | None:
        found = Reference(start, end, url, kind, required=kind != "integrity", in_markup=True)
        return url if is_local(url, "url") and self._note(found) else None

    def _declarations(self, attribute: Attribute) -> None:
        self._embed(self._decoded(attribute), css.references)

    def _embedded(self, pieces: Sequence[Piece], references: Finder) -> None:
        self._embed(Decoded(self._body, pieces, self._markup.character), references)

    def _embed(self, decoded: Decoded, references: Finder) -> None:
        for found in references(decoded.text):
            if span := decoded.span(found.start, found.end):
                start, end, escaped = span
                self._note(replace(found, start=start, end=end, in_markup=escaped))

    def _decoded(self, attribute: Attribute) -> Decoded:
        piece = Piece(attribute.start, attribute.end, True)
        return Decoded(self._body, (piece,), self._markup.character, in_attribute=True)

    def _note(self, found: Reference) -> bool:
        """Keep ``found``, unless a template engine or an entity of the document's own has a say in it."""
        if has_template(found.url) or (found.in_markup and self._markup.has_entity(found.start, found.end)):
            return False
        if not _ABSOLUTE.match(found.url):
            if self._base is None:
                return False
            found = replace(found, base=self._base, required=found.required and self._required)
        elif self._base and found.url.startswith(("/", "\\")) and _WITH_HOST.match(self._base):
            found = replace(found, base=self._base)
        self._found.append(found)
        return True
