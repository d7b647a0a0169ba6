"""References in drawings and in browser configurations."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shipfiles.build.rewrite import browserconfig, rewriter_for, svg
from shipfiles.testing.rewriter import check_renaming, check_spans
from tests.linear import check_linear

# The clause; what is in the drawing; its references, "kind url" or only the URL where the kind is "url".
CASES: list[tuple[str, str, list[str]]] = [
    # SVG 2 section 16.1: href and xlink:href
    ("SVG 2 12.3 image", "<image href='a.png'/>", ["a.png"]),
    ("SVG 2 12.3 image", '<image xlink:href="a.png" width="1"/>', ["a.png"]),
    ("SVG 2 12.3 image", "<image href='a.png' xlink:href='b.png'/>", ["a.png", "b.png"]),
    ("SVG 2 5.6 use", "<use href='a.svg#b'/><use href='#c'/><use xlink:href=''/>", ["a.svg#b"]),
    ("SVG 2 14 paint servers", "<pattern href='a.svg#b'/><linearGradient xlink:href='c.svg#d'/>",
     ["a.svg#b", "c.svg#d"]),
    ("SVG 2 11.8 textPath", "<textPath href='a.svg#b'/>", ["a.svg#b"]),
    ("Filters 9.17 feImage", "<feImage href='a.png'/>", ["a.png"]),
    ("SVG 1.1 20.8 fonts", "<font-face-uri xlink:href='a.svg#b'/><color-profile xlink:href='c.icc'/>",
     ["a.svg#b", "c.icc"]),
    ("SVG 1.1 16.8 cursor", "<cursor xlink:href='a.png'/>", ["a.png"]),
    ("SVG 2 16.2 a", "<a href='a.html' xlink:href='b.html'><image href='c.png'/></a>", ["c.png"]),
    ("SVG 2 16.3 scripts", "<script href='a.js'/><script xlink:href='b.js'></script>", ["a.js", "b.js"]),
    ("SVG 2 16.3 scripts", "<script>import('./a.js')</script>", ["dynamic-import ./a.js"]),
    ("SVG 2 16.3 scripts", "<script><![CDATA[1 < 2; import('./a.js')]]></script>", ["dynamic-import ./a.js"]),
    ("SVG 2 16.3 scripts", "<script type='module'>import './a.js'</script>", ["module ./a.js"]),
    ("SVG 2 16.3 scripts", "<script type='text/plain'>import('./a.js')</script>", []),
    # Namespaces in XML 1.0
    ("Names 3", "<image xmlns:l='http://www.w3.org/1999/xlink' l:href='a.png'/>", ["a.png"]),
    ("Names 3", "<image l:href='a.png' xmlns:l='http://www.w3.org/1999/xlink'/>", ["a.png"]),
    ("Names 3", "<image xmlns:l='urn:l' l:href='a.png'/>", []),
    ("Names 3", "<x:image xmlns:x='urn:x' href='a.png'/>", []),
    ("Names 3", "<s:image xmlns:s='http://www.w3.org/2000/svg' href='a.png'/>", ["a.png"]),
    ("Names 3", "<h:img xmlns:h='http://www.w3.org/1999/xhtml' src='a.png'/>", ["a.png"]),
    ("Names 3", "<metadata><rdf:li xmlns:rdf='urn:r' rdf:resource='a.png' href='b'/></metadata>", []),
    ("XML 2.3", "<Image HREF='a.png'/>", []),
    # SVG 2 section 12.5
    ("SVG 2 12.5 foreignObject", "<foreignObject><img src='a.png'/></foreignObject><img src='b.png'/>", ["a.png"]),
    # Section 6: styling
    ("SVG 2 6.6 attributes", "<rect fill='url(a.svg#b)' stroke='url(\"c.svg#d\") red'/>", ["a.svg#b", "c.svg#d"]),
    ("SVG 2 6.6 attributes", "<g filter='url(a.svg#b)' mask='url(c.svg#d)' clip-path='url(#e)' cursor='URL(f.cur)'/>",
     ["a.svg#b", "c.svg#d", "f.cur"]),
    ("SVG 2 6.6 attributes", "<path marker-start='url(a.svg#b)' transform='translate(1)' d='M0 0'/>", ["a.svg#b"]),
    ("SVG 2 6.6 attributes", "<path fill='u\\72l(a.svg#b)' stroke='url&#40;c.svg#d)'/>", ["a.svg#b", "c.svg#d"]),
    ("SVG 2 6.6 attributes", "<image href='a&amp;:url(b.svg)'/><a href='c:url(d.svg)'/>", ["a&:url(b.svg)"]),
    ("SVG 2 6.6 attributes", "<text mask='url(a.svg)' marker-mid='url(b.svg#c)' shape-inside='url(d.svg#e)'/>",
     ["a.svg", "b.svg#c", "d.svg#e"]),
    # An address or a text with what would be a function of CSS.
    ("SVG 2 6.6 attributes", '<image href="url(1).png"/><use xlink:href="a.svg#url(b)"/>',
     ["url(1).png", "a.svg#url(b)"]),
    ("SVG 2 6.6 attributes", '<a href="search?q=url(x.png)"/><g data-u="url(y.png)" id="url(z.png)"/>', []),
    ("SVG 2 6.6 attributes", "<g onclick='f(\"url(a.png)\")' class='url(b.png)' values='url(c.png)'/>", []),
    ("SVG 2 6.6 attributes", "<image href='data:image/svg+xml,%3Csvg fill=url(%23a) mask=url(a.png) %3E'/>", []),
    ("SVG 2 6.6 attributes", "<path marker='url(a.svg#b)' mask-image='url(c.png)' FILL='url(d.svg)'/>", []),
    ("SVG 2 6.5 style", "<rect style='fill:url(a.svg#b)'/>", ["a.svg#b"]),
    ("SVG 2 6.5 style", "<rect style=\"fill:url(&quot;a.svg#b&quot;)\"/>", ["a.svg#b"]),
    ("SVG 2 6.2 style", "<style>@import 'a.css'; a{b:url(c.png)}</style>", ["import a.css", "c.png"]),
    ("SVG 2 6.2 style", "<style type='text/css'><![CDATA[a{b:url(\"c.png\")}]]></style>", ["c.png"]),
    ("SVG 2 6.2 style", "<style>a{b:url(&quot;c&amp;d.png&quot;)}</style>", ["c&d.png"]),
    ("SVG 2 6.2 style", "<style>a{b:url(a<!-- -->.png);c:url(d.png)}</style>", ["d.png"]),
    ("SVG 2 6.2 style", "<style type='text/x'>a{b:url(a.png)}</style>", []),
    ("SVG 2 6.2 style", "<s:style xmlns:s='http://www.w3.org/2000/svg'>a{b:url(a.png)}</s:style>", ["a.png"]),
    # XML 1.0
    ("XML 2.5 comments", "<!-- <image href='a.png'/> --><style><!-- a{b:url(a.png)} --></style>", []),
    ("XML 2.7 CDATA", "<text><![CDATA[<image href='a.png'/>]]></text>", []),
    ("XML 4.1 references", "<image href='a&#45;b&amp;c.png?d=1&#x26;e'/>", ["a-b&c.png?d=1&e"]),
    # Only the document type, perhaps in another file, says what an entity but the five of section 4.6 stands for.
    ("XML 4.1 references", "<image href='&x;'/><image xlink:href='a/&x;'/><image href='&x;.png#b'/>", []),
    ("XML 4.1 references", "<image href='a&#45;&amp;x;.png'/><image href='&#38;y;'/>", ["a-&x;.png", "&y;"]),
    ("XML 4.1 references", "<rect fill='url(&x;)' stroke='url(a.svg#b)'/><use href='&\u00e9;'/>", ["a.svg#b"]),
    ("XML 4.1 references", "<rect style='fill:url(&x;/a.svg);stroke:url(\"c.svg&amp;x;\")'/>", ["c.svg&x;"]),
    ("XML 4.1 references", "<style>a{b:url(&x;)}<![CDATA[a{b:url(&x;)}]]></style>", ["&x;"]),
    ("XML 4.1 references", "<script>import('./&x;')</script><script href='&x;'/>", []),
    ("XML 1.2 fatal error", "<image href='a.png'/><image href=b.png /><image href='c.png'/>", ["a.png"]),
    # URLs
    ("RFC 3986 3.1", "<image href='data:image/png;base64,AA=='/><image xlink:href='DATA:,'/>", []),
    ("RFC 3986 4.2", "<image href='../a.png?b#c'/><image href='/static/a.png'/>", ["../a.png?b#c", "/static/a.png"]),
    ("RFC 3987 2", "<image href='é ü.png'/>", ["é ü.png"]),
    ("templates", "<image href='{{ a }}.png'/>", []),
]  # fmt: skip


def found(body: bytes) -> list[str]:
    return [r.url if r.kind == "url" else f"{r.kind} {r.url}" for r in svg.references(body)]


def drawing(text: str) -> bytes:
    return f"<svg xmlns='http://www.w3.org/2000/svg'>{text}</svg>".encode()


@pytest.mark.parametrize(("clause", "text", "expected"), CASES)
def test_case(clause, text, expected):
    assert found(drawing(text)) == expected


@pytest.mark.parametrize(("clause", "text", "expected"), CASES)
def test_what_is_found_is_found_again_after_renaming(clause, text, expected):
    check_renaming(svg, drawing(text))


# As drawing programs declare them.
ENTITIES = "<!ENTITY x 'http://www.w3.org/1999/xlink'> <!ENTITY y \"<image href='a.png'/>\">"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<?xml version='1.0'?><?xml-stylesheet type='text/css' href='a.css'?><svg/>", ["a.css"]),
        ("<?xml-stylesheet href=\"a&amp;b.css\"?><svg/>", ["a&b.css"]),
        ("<?xml-stylesheets href='a.css'?><svg/>", []),
        ('<!DOCTYPE svg [<!ENTITY x "a.png">]><svg><image href="&x;"/><image href="b.png"/></svg>', ["b.png"]),
        ("<?xml-stylesheet href='&x;'?><svg/>", []),
        (f"<!DOCTYPE svg [{ENTITIES}]><svg xmlns:l='&x;'><image l:href='b.png'/></svg>", ["b.png"]),
        ("\ufeff<svg><image href='a.png'/></svg>", ["a.png"]),
        ("<s:svg xmlns:s='http://www.w3.org/2000/svg'><s:image href='a.png'/></s:svg>", ["a.png"]),
    ],
)  # fmt: skip
def test_whole_documents(text, expected):
    assert found(text.encode()) == expected
    check_renaming(svg, text.encode())


def test_an_ampersand_is_escaped_but_in_cdata():
    body = drawing("<image href='a.png'/><style>a{b:url(a.png)}<![CDATA[a{b:url(a.png)}]]></style>")
    assert [r.in_markup for r in svg.references(body)] == [True, True, False]


TILES = """<?xml version="1.0" encoding="utf-8"?>
<browserconfig><msapplication><tile>
<square70x70logo src="a.png"/><square150x150logo src='/static/b.png'/><wide310x150logo src="c&amp;d.png"/>
<square310x310logo src="https://h/e.png"/><TileImage src="f.png"/><TileColor>#2b5797</TileColor>
<TileImage src="&x;"/></tile>
<badge><polling-uri src="g.xml"/></badge><!-- <TileImage src="h.png"/> --></msapplication></browserconfig>
"""


def test_browser_configurations():
    urls = ["a.png", "/static/b.png", "c&d.png", "https://h/e.png", "f.png"]
    assert [r.url for r in check_spans(browserconfig, TILES.encode())] == urls
    check_renaming(browserconfig, TILES.encode())


def test_the_rewriters_are_registered():
    assert rewriter_for("a/b.svg", "image/svg+xml") == ("svg", "svg")
    assert rewriter_for("a/b.SVGZ", "image/svg+xml") is None
    assert rewriter_for("a/BrowserConfig.xml", "application/xml") == ("browserconfig", "json")
    assert rewriter_for("a/other.xml", "application/xml") is None


PIECES = [t for _, text, _ in CASES for t in (text, text[: len(text) // 2], text[len(text) // 2 :])]
PIECES += [
    "<",
    ">",
    '"',
    "'",
    "<!--",
    "-->",
    "<svg>",
    "</svg>",
    "<![CDATA[",
    "]]>",
    "<?",
    "?>",
    "&",
    "\0",
    "<!DOCTYPE a [",
]


@settings(deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_spans_are_sound_in_any_text(text):
    check_spans(svg, text.encode())
    check_spans(browserconfig, text.encode())


@settings(deadline=None)
@given(st.binary(max_size=200) | st.lists(st.sampled_from([p.encode("utf-16") for p in PIECES[:40]])).map(b"".join))
def test_any_bytes_are_read(body):
    check_spans(svg, body)
    check_spans(browserconfig, body)


HOSTILE = [
    "<", "<a ", "<a>", "<a x=''>", "<a x='' ", "<a x='", "</a>", "<!--", "<!-- -", "-->", "<?x ", "<?x ?",
    "<![CDATA[", "]]", "<!DOCTYPE a [", "<!DOCTYPE a '", "<!ENTITY a 'b'>", "<svg>", "<style>", "<style><!--",
    "<script>", "xmlns:a='b' ", "<a xmlns:x='http://www.w3.org/1999/xlink'/>", "<image href='x'/>",
    "<rect fill='url(x)'/>", "&", "&#", "url(", "&x", "&x;",
]  # fmt: skip


@pytest.mark.parametrize("unit", HOSTILE)
@pytest.mark.parametrize("before", ["", "<a ", "<svg>", "<!DOCTYPE a [", "<style>", "<!--"])
def test_reading_is_linear(unit, before):
    check_linear(svg.references, unit.encode(), before.encode(), b"<image href='x.png'/>")


# What grows with the square of the open elements is slow only where there are many.
_MANY = 2000


@pytest.mark.parametrize("opener", ["<svg>", "<foreignObject>", "<style>", "<!--"])
@pytest.mark.parametrize("closer", ["</svg>", "</foreignObject>", "</math>", "-->"])
def test_reading_is_linear_where_much_is_open(opener, closer):
    def read(body: bytes) -> object:
        return svg.references(body + closer.encode() * (len(body) // len(opener)))

    check_linear(read, opener.encode() * _MANY)


def test_very_many_references_are_all_found():
    assert len(svg.references(drawing("<image href='x.png'/>" * 20_000))) == 20_000
