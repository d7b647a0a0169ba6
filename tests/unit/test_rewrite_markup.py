"""Tags and attributes of HTML and XML: cases from the standards, and the same tags that other parsers find."""

from __future__ import annotations

from xml.parsers import expat

import html5lib
import pytest
from html5lib import _tokenizer
from hypothesis import given, settings
from hypothesis import strategies as st

from shipfiles.build.rewrite.elements import Elements
from shipfiles.build.rewrite.html_tags import HtmlMarkup
from shipfiles.build.rewrite.markup import Attribute, Decoded, Markup, Piece, Tag
from shipfiles.build.rewrite.xml_tags import XmlMarkup

# The clause; the document; its start tags: the name, then name=value of each attribute that has a value.
HTML: list[tuple[str, str, list[str]]] = [
    # HTML Standard 13.2.5.32 to .40: attributes
    ("13.2.5.8 tag name", "<A><a-b><a\0b><a<b>", ["a", "a-b", "a\0b", "a<b"]),
    ("13.2.5.8 tag name", "<a/b=1><a\fb=1>", ["a b=1", "a b=1"]),
    ("13.2.5.32 before name", "<a =b=c>", ["a =b=c"]),
    ("13.2.5.32 before name", "<a / b=1 / / c=2>", ["a b=1 c=2"]),
    ("13.2.5.33 name", "<a B=1 b=2>", ["a b=1"]),
    ("13.2.5.33 name", "<a b b=2>", ["a"]),
    ("13.2.5.33 name", "<a b\"c=1 d'=2 e<f=3>", ["a b\"c=1 d'=2 e<f=3"]),
    ("13.2.5.34 after name", "<a b = 1 c\n=\t2 d\r\n=\r\n3>", ["a b=1 c=2 d=3"]),
    ("13.2.5.34 after name", "<a b c d=1>", ["a d=1"]),
    ("13.2.5.35 before value", "<a b=><i c=1>", ["a", "i c=1"]),
    ("13.2.5.35 before value", "<a b= >x", ["a"]),
    ("13.2.5.36 double-quoted", '<a b="x\'>y"c=1>', ["a b=x'>y c=1"]),
    ("13.2.5.37 single-quoted", "<a b='x\">y'c=1>", ['a b=x">y c=1']),
    ("13.2.5.38 unquoted", "<a b=x/y c=/z/>", ["a b=x/y c=/z/"]),
    ("13.2.5.38 unquoted", "<a b=x\"'`=<y>", ["a b=x\"'`=<y"]),
    ("13.2.5.40 self-closing", "<a/><a b/><a b=1/>", ["a", "a", "a b=1/"]),
    # End of file in a tag: there is none
    ("13.2.5.8 tag name", "<a b=1", []),
    ("13.2.5.36 double-quoted", '<i><a b="x>y', ["i"]),
    ("13.2.5.37 single-quoted", "<i><a b='x>y", ["i"]),
    ("13.2.5.35 before value", "<a b=", []),
    # 13.2.5.6: what is no tag
    ("13.2.5.6 tag open", "a < b <1 <> <= <é><b>", ["b"]),
    ("13.2.5.7 end tag open", "</a b='<i>'></><b>", ["b"]),
    ("13.2.5.7 end tag open", "</ <a>><b>", ["b"]),
    ("13.2.5.6 tag open", "<?x <a> ?><b>", ["b"]),
    ("13.2.5.42 markup declaration", "<!doctype html '<a>'><!x <a><b>", ["b"]),
    # Comments
    ("13.2.5.43 comment start", "<!--<a>--><b>", ["b"]),
    ("13.2.5.43 comment start", "<!--><a>", ["a"]),
    ("13.2.5.44 comment start dash", "<!---><a>", ["a"]),
    ("13.2.5.43 comment start", "<!----><a>", ["a"]),
    ("13.2.5.50 comment end dash", "<!-- - -- <a> --><b>", ["b"]),
    ("13.2.5.52 comment end bang", "<!-- --!><a>", ["a"]),
    ("13.2.5.52 comment end bang", "<!-- --!-><a>--><b>", ["b"]),
    ("13.2.5.45 comment", "<!-- <!-- <a> --><b>", ["b"]),
    ("13.2.5.45 comment", "<!-- <a>", []),
    # 13.2.6.4: content that is no markup
    ("13.2.6.4.7 textarea", "<textarea><a></textarea x><b>", ["textarea", "b"]),
    ("13.2.6.4.4 title", "<TITLE><a></tItLe><b>", ["title", "b"]),
    ("13.2.6.4.7 iframe", "<iframe><a></iframex></iframe/><b>", ["iframe", "b"]),
    ("13.2.6.4.7 xmp", "<xmp><a></xmp\n><b><noembed><i></noembed><noframes><i>", ["xmp", "b", "noembed", "noframes"]),
    ("13.2.6.4.7 plaintext", "<plaintext><a></plaintext><b>", ["plaintext"]),
    ("13.2.6.4.4 style", "<style><a><!--</style><b>", ["style", "b"]),
    ("13.2.6.4.7 noscript", "<body><noscript><a></noscript><b>", ["body", "noscript", "a", "b"]),
    # 13.2.5.15 to .31: scripts
    ("13.2.5.15 end tag", "<script>'<a></scriptx>'</SCRIPT ><b>", ["script", "b"]),
    ("13.2.5.20 escaped", "<script><!-- </script><b>", ["script", "b"]),
    ("13.2.5.26 double escape", "<script><!-- <script></script><a></script><b>", ["script", "b"]),
    ("13.2.5.27 double escaped", "<script><!-- <script></script>--><a></script><b>", ["script", "b"]),
    ("13.2.5.27 double escaped", "<script><!-- <script>--></script><b>", ["script", "b"]),
    ("13.2.5.18 escape start", "<script><!--><script></script><b>", ["script", "b"]),
    ("13.2.5.26 double escape", "<script><!-- <scripty></script><b>", ["script", "b"]),
    # 13.2.6.5: foreign content
    ("13.2.6.5 style", "<svg><style><a></style></svg><style><a></style>", ["svg", "style", "a", "style"]),
    ("13.2.5.69 CDATA", "<svg><![CDATA[<a>]]><b></svg><![CDATA[<a>]]><i>", ["svg", "b", "i"]),
    ("13.2.6.5 integration", "<svg><desc><style><a></style></desc>", ["svg", "desc", "style"]),
    ("13.2.6.5 integration", "<svg><title><i></title></svg><title><i>", ["svg", "title", "i", "title"]),
    ("13.2.6.5 breakout", "<svg><div><style><a></style>", ["svg", "div", "style"]),
    (
        "13.2.6.5 empty",
        "<svg/><style><a></style><svg a=b/><style><a></style>",
        ["svg", "style", "svg a=b/", "style", "a"],
    ),
    ("13.2.6.5 empty", "<svg><title/><style/><a></svg>", ["svg", "title", "style", "a"]),
    ("13.2.6.5 end tag", "<svg><svg></svg><style><a></style></svg>", ["svg", "svg", "style", "a"]),
    # 13.2.5.72 to .80: character references
    ("13.2.5.73 named", '<a b="&lt;&LT;&amp;&notin;" c=&copy;>', ["a b=<<&∉ c=©"]),
    ("13.2.5.73 no semicolon", '<a b="?x&copy=1&copyx&copy-&ampx&lt" c=&amp>', ["a b=?x&copy=1&copyx©-&ampx< c=&"]),
    ("13.2.5.73 two characters", "<a b=&NotEqualTilde;>", ["a b=≂̸"]),
    ("13.2.5.74 ambiguous", '<a b="&xyzzy;&x=1& &;">', ["a b=&xyzzy;&x=1& &;"]),
    ("13.2.5.75 numeric", '<a b="&#65;&#x42;&#X43;&#68">', ["a b=ABCD"]),
    ("13.2.5.75 numeric", '<a b="&#;&#x;&#xg;">', ["a b=&#;&#x;&#xg;"]),
    ("13.2.5.80 end state", '<a b="&#0;&#xD800;&#x110000;&#99999999999999999999;">', ["a b=" + "\ufffd" * 4]),
    ("13.2.5.80 end state", '<a b="&#x80;&#x99;&#x81;">', ["a b=€™\x81"]),
]

XML: list[tuple[str, str, list[str]]] = [
    ("3.1 tags", "<a b='1' c=\"2\"/>", ["a b=1 c=2"]),
    ("3.1 tags", "<a  b = '1'\n\tc\r\n=\r\n'2' />", ["a b=1 c=2"]),
    ("3.1 tags", "<é.-_:ü b-c.d='1'/>", ["ü b-c.d=1"]),
    ("3.1 tags", "<A><a/></A>", ["A", "a"]),
    ("3.1 tags", "<a b=\"x>'y\" c='>\"'/>", ["a b=x>'y c=>\""]),
    ("3.1 tags", "<a><b c=1/></a>", ["a"]),
    ("3.1 tags", "<a><b c='1'd='2'/></a>", ["a"]),
    ("3.1 tags", "<a><b c/></a>", ["a"]),
    ("3.1 tags", "<a><b c='<'/></a>", ["a"]),
    ("3.1 tags", "<a> < b/></a>", ["a"]),
    ("2.4 text", "<a>x > y ' \" <b/></a>", ["a", "b"]),
    ("2.5 comments", "<!-- <a> --><a><!--<b/>--><c/></a>", ["a", "c"]),
    ("2.5 comments", "<a><!-- <b/></a>", ["a"]),
    ("2.6 instructions", "<?xml version='1.0'?><a><?x <b/> ?><c/></a>", ["a", "c"]),
    ("2.7 CDATA", "<a><![CDATA[<b/>]]]]><c/></a>", ["a", "c"]),
    ("2.7 CDATA", "<a><![CDATA[<b/></a>", ["a"]),
    ("2.8 doctype", "<!DOCTYPE a><a/>", ["a"]),
    ("2.8 doctype", '<!DOCTYPE a PUBLIC "-//>" "http://[x">  <a/>', ["a"]),
    (
        "2.8 doctype",
        '<!DOCTYPE a [<!ENTITY b "]><c/>"> <!-- ]><c/>\' --> <?x ]><c/>" ?> <!ATTLIST a b CDATA #IMPLIED> ] ><a/>',
        ["a"],
    ),
    ("2.8 doctype", "<!DOCTYPE a [<!ENTITY b 'c'><a/>", []),
    ("4.6 predefined", "<a b='&lt;&gt;&amp;&quot;&apos;'/>", ["a b=<>&\"'"]),
    ("4.1 references", "<a b='&#65;&#x42;&#x80;'/>", ["a b=AB\x80"]),
    ("4.1 references", "<a b='&copy;'/>", ["a b=&copy;"]),
]


def tags(markup: Markup, body: bytes) -> list[tuple[str, dict[str, str]]]:
    """The start tags that ``markup`` finds, with the attributes that are not empty."""
    return [(tag.name, values(markup, body, tag)) for tag in markup.tags()]


def values(markup: Markup, body: bytes, tag: Tag) -> dict[str, str]:
    found = {}
    for name, start, end in markup.attributes(tag):
        assert tag.start <= start <= end <= tag.end
        text = Decoded(body, (Piece(start, end, True),), markup.character, in_attribute=True).text.decode()
        if text:
            found[name] = text
    return found


def texts(markup: Markup, body: bytes) -> list[str]:
    """The text of scripts and style sheets."""
    return [
        Decoded(body, tag.pieces, markup.character).text.decode().replace("\r\n", "\n").replace("\r", "\n")
        for tag in markup.tags()
        if tag.name in ("script", "style")
    ]


def shown(found: list[tuple[str, dict[str, str]]]) -> list[str]:
    return [" ".join([name, *(f"{key}={value}" for key, value in given.items())]) for name, given in found]


@pytest.mark.parametrize(("clause", "text", "expected"), HTML)
def test_html(clause, text, expected):
    assert shown(tags(HtmlMarkup(text.encode()), text.encode())) == expected


@pytest.mark.parametrize(("clause", "text", "expected"), XML)
def test_xml(clause, text, expected):
    assert shown(tags(XmlMarkup(text.encode(), ""), text.encode())) == expected


class Tokenizer(_tokenizer.HTMLTokenizer):
    """That of html5lib, noting all start tags."""

    seen: list[tuple[str, dict[str, str]]]

    def __iter__(self):
        self.seen = []
        for token in super().__iter__():
            if token["type"] == html5lib.constants.tokenTypes["StartTag"]:
                self.seen.append((token["name"], {key: value for key, value in token["data"].items() if value}))
            yield token


class Html5lib(html5lib.HTMLParser):
    """Another parser of HTML. It sets the states of its own tokenizer."""

    def mainLoop(self):
        self.tokenizer.__class__ = Tokenizer
        super().mainLoop()


def agree_on_html(text: str) -> None:
    parser = Html5lib()
    tree = parser.parse(text)
    body = text.encode()
    found = tags(HtmlMarkup(body), body)
    as_parsed = [
        (name, {key: value.replace("\r\n", "\n").replace("\r", "\n") for key, value in given.items()})
        for name, given in found
    ]
    assert as_parsed == parser.tokenizer.seen
    elements = [e for e in tree.iter() if isinstance(e.tag, str) and e.tag.rpartition("}")[2] in ("script", "style")]
    if not any(len(element) for element in elements):
        assert texts(HtmlMarkup(body), body) == [element.text or "" for element in elements]


# html5lib takes a NUL for U+FFFD and is not asked about it.
@pytest.mark.parametrize("text", [text for _, text, _ in HTML if "\0" not in text and "noscript" not in text])
def test_html_is_read_as_html5lib_reads_it(text):
    agree_on_html(text)


# What makes a parser change its state, without what makes a tree builder drop tags.
PARTS = [
    "<p", "<a", "<svg", "<style", "<script", "<title", "<desc", "<path", "<textarea", "</svg", "</style", "</script",
    "</title", "</desc", "</textarea", "</p", ">", ">", ">", "/>", "/", " ", "\n", "\r\n", "=", "'", '"', "b", "C",
    " d=", " e='f'", ' g="h"', " href=i", "<!--", "-->", "--!>", "-", "<!", "<?", "</", "<", "<![CDATA[", "]]>",
    "&lt;", "&lt", "&amp", "&copy=", "&#65;", "&#x41", "&", ";", "é", "<div>", "text",
]  # fmt: skip


@settings(deadline=None)
@given(st.lists(st.sampled_from(PARTS), max_size=20).map("".join))
def test_any_html_is_read_as_html5lib_reads_it(text):
    agree_on_html("<!doctype html><body>" + text)


def agree_on_xml(text: str) -> None:
    """All tags are those that Expat finds; of a document that is not well-formed, those before its fault."""
    seen: list[tuple[str, dict[str, str]]] = []
    parser = expat.ParserCreate()
    parser.StartElementHandler = lambda name, given: seen.append((name, {k: v for k, v in given.items() if v}))
    try:
        parser.Parse(text.encode(), True)
    except expat.ExpatError:
        whole = False
    else:
        whole = True
    found = [
        (name, {key: " ".join(value.replace("\r\n", "\n").splitlines()) for key, value in given.items()})
        for name, given in tags(XmlMarkup(text.encode(), ""), text.encode())
        if name != "?xml-stylesheet"
    ]
    assert found[: len(seen)] == seen
    assert not whole or len(found) == len(seen)


# Expat expands entities and keeps prefixes.
@pytest.mark.parametrize("text", [text for _, text, _ in XML if "&copy;" not in text and "é.-_:" not in text])
def test_xml_is_read_as_expat_reads_it(text):
    agree_on_xml(text)


XML_PARTS = [
    "<a>", "</a>", "<b/>", "<b c='d'/>", "<b c=\"d\" e='f' />", "<a\n g = '1'>", "<style>", "</style>", "<svg>",
    "</svg>", "<script>", "</script>", "<!--", "-->", " x ", "<![CDATA[", "]]>", "<?x", "?>", "'", '"', "&lt;",
    "&#65;", "<", ">", "é", "<b c='&lt;&#x41;'/>", "<b c='&amp;amp;'/>",
]  # fmt: skip


@settings(deadline=None)
@given(st.lists(st.sampled_from(XML_PARTS), max_size=16).map("".join))
def test_any_xml_is_read_as_expat_reads_it(text):
    agree_on_xml(f"<root>{text}</root>")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<style>a&lt;b</style>", "a<b"),
        ("<style> <![CDATA[a&lt;b]]>&amp;</style>", " a&lt;b&"),
        ("<style>a<!--b-->c<?d?>e</style>", "ace"),
        ("<style>a<b/>c</style>", "a"),
        ("<style/>", ""),
    ],
)
def test_text_of_xml_elements(text, expected):
    assert texts(XmlMarkup(text.encode(), ""), text.encode()) == [expected]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("url(a)", "a"), ("&quot;a&quot;", "a"), ("<![CDATA[a]]>", "a"), ("&#97;", "&#97;"),
        ("x&#97;b&#99;y", "&#97;b&#99;"),
    ],
)  # fmt: skip
def test_what_is_found_in_text_is_found_in_the_bytes(text, written):
    body = f"<style>{text}</style>".encode()
    markup = XmlMarkup(body, "")
    (tag,) = markup.tags()
    decoded = Decoded(body, tag.pieces, markup.character)
    at = decoded.text.index(b"a")
    end = decoded.text.index(b"c") + 1 if b"c" in decoded.text else at + 1
    span = decoded.span(at, end)
    assert span is not None
    assert body[span[0] : span[1]].decode() == written
    assert span[2] == ("CDATA" not in text)


def test_what_markup_interrupts_has_no_place():
    body = b"<style>a<!-- -->b</style>"
    markup = XmlMarkup(body, "")
    (tag,) = markup.tags()
    assert Decoded(body, tag.pieces, markup.character).span(0, 2) is None


class Twice(XmlMarkup):
    """A reader that gives each attribute two names, as a mistake in one would."""

    def attributes(self, tag: Tag) -> list[Attribute]:
        return [Attribute(name, start, end) for _, start, end in super().attributes(tag) for name in ("href", "fill")]


def test_no_two_references_overlap():
    body = b"<svg><image href='url(a).png'/><image href='b.png'/></svg>"
    found = Elements(body, Twice(body, "svg")).references()
    assert [body[r.start : r.end] for r in found] == [b"url(a).png", b"b.png"]
