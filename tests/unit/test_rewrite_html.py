"""References in HTML pages: cases from the standard, then what must hold for any bytes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shipfiles.build.rewrite import html, rewriter_for, xhtml
from shipfiles.build.rewrite.reference import target_of
from shipfiles.testing.rewriter import check_renaming, check_spans
from tests.linear import check_linear

# The clause of the HTML Standard; a part of a page; its references, "kind url" or only the URL where the kind is "url".
CASES: list[tuple[str, str, list[str]]] = [
    # Embedded content
    ("4.8.3 img", "<img src=a.png>", ["a.png"]),
    ("4.8.3 img", "<IMG SRC='a b.png'>", ["a b.png"]),
    ("4.8.3 img", '<img alt=x src=" a.png\n" width=1>', ["a.png"]),
    ("4.8.3 img", "<img src><img src=''><img src=' '>", []),
    ("4.8.3 img", "<img data-src=a.png src=b.png longdesc=c.html>", ["b.png"]),
    ("4.8.3 img", "<img src=a.png src=b.png>", ["a.png"]),
    ("4.8.3 img", "<image src=a.png>", ["a.png"]),
    ("4.8.2 source", "<picture><source srcset='a.avif 1x, b.avif 2x'><img src=c.png></picture>",
     ["a.avif", "b.avif", "c.png"]),
    ("4.8.5 iframe", "<iframe src=a.html></iframe>", ["a.html"]),
    ("4.8.5 iframe", "<iframe srcdoc='<img src=a.png>'><img src=b.png></iframe>", []),
    ("4.8.6 embed", "<embed src=a.swf>", ["a.swf"]),
    ("4.8.7 object", "<object data=a.svg type=image/svg+xml><img src=b.png></object>", ["a.svg", "b.png"]),
    ("4.8.8 video", "<video src=a.mp4 poster=b.jpg><track src=c.vtt></video>", ["a.mp4", "b.jpg", "c.vtt"]),
    ("4.8.9 audio", "<audio><source src=a.mp3></audio><audio src=b.ogg></audio>", ["a.mp3", "b.ogg"]),
    ("4.10.5.1.18 image button", "<input type=image src=a.png><input type=IMAGE src=b.png>", ["a.png", "b.png"]),
    ("4.10.5 input", "<input src=a.png><input type=text src=a.png>", []),
    ("16.3 background", "<body background=a.png><table background=b.png><td background=c.png>",
     ["a.png", "b.png", "c.png"]),
    ("16.3 background", "<p background=a.png><a background=b.png>", []),
    ("16.2 frame", "<frameset><frame src=a.html></frameset>", ["a.html"]),
    ("4.12.3 template", "<template><img src=a.png></template>", ["a.png"]),
    ("4.12.2 noscript", "<noscript><img src=a.png></noscript>", ["a.png"]),
    # URLs that name no file of the page, and where people go
    ("4.6.1 a", "<a href=a.html ping=b.html><area href=c.html><img src=d.png></a>", ["d.png"]),
    ("4.10.3 form", "<form action=a.html><button formaction=b.html><input type=image src=c.png formaction=d.html>",
     ["c.png"]),
    ("4.4.4 blockquote", "<blockquote cite=a.html><q cite=b.html>", []),
    ("4.2.5 meta", '<meta http-equiv=refresh content="0;url=a.html"><meta property=og:image content=b.png>', []),
    ("URL 4.4", '<img src="data:,x"><img src="about:blank"><script src="JavaScript:a.js"></script>', []),
    ("URL 4.4", "<img src=#a><img src=?a><img src=/><img src=./><img src=..>", []),
    ("13.2.5.43 comment", "<!-- <img src=a.png> --><img src=b.png>", ["b.png"]),
    ("13.2.6.4.7 textarea", "<textarea><img src=a.png></textarea>", []),
    ("13.1.2.3 text", "<p>src=a.png url(b.png) &lt;img src=c.png></p>", []),
    # Templates
    ("templates", "<img src='{{ a }}.png'><img src='{% static \"a.png\" %}'><img src='{% static 'a.png' %}'>", []),
    ("templates", "<img src='${a}/b.png'><img src='<%= a %>.png'><img src='[[a]]/b.png'><img src='<?= $a ?>.png'>", []),
    ("templates", "<img srcset='{{ a }} 1x, b.png 2x'>", []),
    ("templates", "<style>a{b:url({{c}}/d.png);e:url(f.png)}</style>", ["f.png"]),
    # 4.8.4.4.2: srcset
    ("4.8.4.4.2 srcset", "<img srcset=a.png>", ["a.png"]),
    ("4.8.4.4.2 srcset", "<img srcset='a.png 1x,b.png 2x'>", ["a.png", "b.png"]),
    ("4.8.4.4.2 srcset", "<img srcset='a.png, b.png 100w 50h ,c.png'>", ["a.png", "b.png", "c.png"]),
    ("4.8.4.4.2 srcset", "<img srcset='a,b.png 1x, c.png,d.png 2x'>", ["a,b.png", "c.png,d.png"]),
    ("4.8.4.4.2 srcset", "<img srcset=' , ,a.png,, ,b.png, '>", ["a.png", "b.png"]),
    ("4.8.4.4.2 srcset", "<img srcset='a.png (1x, b.png) 2x, c.png'>", ["a.png", "c.png"]),
    ("4.8.4.4.2 srcset", "<img srcset='a.png (1x, b.png 2x'>", ["a.png"]),
    ("4.8.4.4.2 srcset", "<img srcset='a.png\n\t1x\n,\n\tb.png\f2x'>", ["a.png", "b.png"]),
    ("4.8.4.4.2 srcset", "<img srcset='data:image/png;base64,AA== 1x, b.png 2x'>", ["b.png"]),
    ("4.8.4.4.2 srcset", "<img srcset='a.png?b=1&amp;c=2 1x, d&#46;png 2x'>", ["a.png?b=1&c=2", "d.png"]),
    ("4.8.4.4.2 srcset", "<img srcset=''><img srcset=' ,, '>", []),
    # 4.6.7: links
    ("4.6.7 stylesheet", "<link rel=stylesheet href=a.css>", ["a.css"]),
    ("4.6.7 stylesheet", "<link href=a.css rel=' ALTERNATE\nStyleSheet '>", ["a.css"]),
    ("4.6.7 icon", '<link rel="shortcut icon" href=a.ico><link rel=apple-touch-icon href=b.png>', ["a.ico", "b.png"]),
    ("4.6.7 icon", "<link rel=mask-icon href=a.svg><link rel=apple-touch-startup-image href=b.png>",
     ["a.svg", "b.png"]),
    ("4.6.7 manifest", "<link rel=manifest href=a.webmanifest>", ["a.webmanifest"]),
    ("4.6.7 preload", "<link rel=preload as=image href=a.png imagesrcset='a.png 1x, b.png 2x'>",
     ["a.png", "a.png", "b.png"]),
    ("4.6.7 modulepreload", "<link rel=modulepreload href=a.js>", ["a.js"]),
    ("4.6.7 prefetch", "<link rel=prefetch href=a.js><link rel=prefetch href=b.html><link rel=prefetch href=c.htm#d>",
     ["a.js"]),
    ("4.6.7 others", "<link rel=canonical href=a.html><link rel=alternate href=b.xml><link rel=next href=c.html>", []),
    ("4.6.7 others", "<link rel=preconnect href=a><link rel=search href=b.xml><link rel='' href=c><link href=d>", []),
    # 4.12.1: scripts
    ("4.12.1 script", "<script src=a.js></script><script type=module src=b.js></script>", ["a.js", "b.js"]),
    ("4.12.1 script", "<script>import('./a.js')</script>", ["dynamic-import ./a.js"]),
    ("4.12.1 script", "<script type=module>import a from './a.js'; import 'b';</script>", ["module ./a.js"]),
    ("4.12.1 script", "<script type='Text/JavaScript'>import('./a.js')</script>", ["dynamic-import ./a.js"]),
    ("4.12.1 script", "<script type=' module '>import './a.js'</script>", ["module ./a.js"]),
    ("4.12.1 script", "<script type=text/x-template>import('./a.js')<img src=b.png></script>", []),
    ("4.12.1 script", "<script type=application/json>{\"imports\":{\"a\":\"./a.js\"}}</script>", []),
    ("4.12.1 script", "<script src=a.js>import('./b.js')</script>", ["a.js"]),
    ("4.12.1 script", "<script>'&quot;'; import('./a.js') // &amp;</script>", ["dynamic-import ./a.js"]),
    ("4.12.1 script", "<script>'<img src=a.png>'</script><img src=b.png>", ["b.png"]),
    ("4.12.1 script", "<script>x()\n//# sourceMappingURL=a.map\n</script>", ["source-map a.map"]),
    # 8.1.5.4: import maps
    ("8.1.5.4 import map", '<script type=importmap>{"imports":{"a":"./a.js","b/":"./b/"}}</script>', ["module ./a.js"]),
    ("8.1.5.4 import map", '<script type=importmap>{"imports":{"./a.js":"./b.js"}}</script>',
     ["module ./a.js", "module ./b.js"]),
    ("8.1.5.4 import map", '<script type=importmap>{"integrity":{"./a.js":"sha384-x"}}</script>',
     ["module ./a.js", "integrity ./a.js"]),
    ("8.1.5.4 import map", '<script type=importmap>{"imports":{"a":"./a.js"},}</script>', []),
    # 4.2.6 and CSS
    ("4.2.6 style", "<style>a{b:url(a.png)}</style>", ["a.png"]),
    ("4.2.6 style", "<style type=TEXT/CSS>@import 'a.css'; /*url(b.png)*/ </style>", ["import a.css"]),
    ("4.2.6 style", "<style type=text/less>a{b:url(a.png)}</style>", []),
    ("4.2.6 style", "<style>a{b:url(a.png?b&amp;c)}</style>", ["a.png?b&amp;c"]),
    ("Style 3", "<p style='background:url(a.png)'>", ["a.png"]),
    ("Style 3", '<p style="background:url(&quot;a.png&quot;),url(&#39;b.png&#x27;)">', ["a.png", "b.png"]),
    ("Style 3", '<p style="a:url(a&amp;b.png?c&d)">', ["a&b.png?c&d"]),
    ("Style 3", '<p style=a:url(a.png)><p style="/*url(b.png)*/">', ["a.png"]),
    ("Style 3", "<p STYLE=\"a:URL('a.png')\" id=x>", ["a.png"]),
    # 13.2.5.73: character references in URLs
    ("13.2.5.73 references", '<img src="a.png?b=1&amp;c=2"><img src="a.png?b=1&c=2">', ["a.png?b=1&c=2"] * 2),
    ("13.2.5.73 references", '<img src="a.png?b=1&copy=2"><img src="a&#45;b.png">', ["a.png?b=1&copy=2", "a-b.png"]),
    ("13.2.5.73 references", '<img src="&sol;static&sol;a.png">', ["/static/a.png"]),
    ("2.4 URLs", "<img src=../a.png?b#c><img src=/static/a.png><img src=a%20b.png>",
     ["../a.png?b#c", "/static/a.png", "a%20b.png"]),
    ("2.4 URLs", "<img src=é.png>", ["é.png"]),
    # 4.8.16: drawings in the page
    ("4.8.16 SVG", "<svg><image href=a.png /><use xlink:href='b.svg#c'/></svg>", ["a.png", "b.svg#c"]),
    ("4.8.16 SVG", "<svg><a href=a.html><a xlink:href=b.html></a></a><use href=#c /></svg>", []),
    ("4.8.16 SVG", "<svg><rect fill='url(a.svg#b)' style='mask:url(c.svg#d)'/></svg>", ["a.svg#b", "c.svg#d"]),
    ("4.8.16 SVG", "<svg><style>a{b:url(&quot;a.png&quot;)}<![CDATA[c{d:url(\"&.png\")}]]></style></svg>",
     ["a.png", "&.png"]),
    ("4.8.16 SVG", "<svg><foreignObject><img src=a.png><link rel=stylesheet href=b.css></foreignObject></svg>",
     ["a.png", "b.css"]),
    ("4.8.16 SVG", "<svg><script href=a.js></script><script>import('./b.js')</script></svg>",
     ["a.js", "dynamic-import ./b.js"]),
    ("4.8.16 SVG", "<svg><image href='url(1).png'/><a href='?q=url(x.png)' onclick='url(y.png)' data-u='url(z.png)'>",
     ["url(1).png"]),
    ("4.8.16 SVG", "<use href=a.svg></use><rect fill='url(b.svg)'>", []),
    # 3.2.6: integrity
    ("SRI 3.6", "<script src=a.js integrity=sha384-x></script>", ["a.js", "integrity a.js"]),
    ("SRI 3.6", "<link integrity='sha384-x' rel=stylesheet href=a.css>", ["integrity a.css", "a.css"]),
    ("SRI 3.6", "<script src=data:,a integrity=sha384-x></script><img src=b.png integrity=x>", ["b.png"]),
    ("SRI 3.6", "<script src=a.js integrity=''></script><script integrity=x></script>", ["a.js"]),
]  # fmt: skip


def found(body: bytes) -> list[str]:
    return [r.url if r.kind == "url" else f"{r.kind} {r.url}" for r in html.references(body)]


@pytest.mark.parametrize(("clause", "text", "expected"), CASES)
def test_case(clause, text, expected):
    assert found(text.encode()) == expected


@pytest.mark.parametrize(("clause", "text", "expected"), CASES)
def test_what_is_found_is_found_again_after_renaming(clause, text, expected):
    check_renaming(html, text.encode())


@pytest.mark.parametrize(
    ("text", "bases"),
    [
        ("<base href=../b/><img src=a.png>", ["../b/"]),
        ("<base target=_top><base href=b/><base href=c/><img src=a.png>", ["b/"]),
        ("<base href='b&amp;c/'><p style='a:url(a.png)'><script>import('./a.js')</script>", ["b&c/", "b&c/"]),
        ("<base href=https://h/b/><img src=a.png>", ["https://h/b/"]),
        # 4.2.3: these are not used
        ("<base href=data:,b><img src=a.png>", [""]),
        ("<base href=JavaScript:b><img src=a.png>", [""]),
        # What stands before is fetched before the base is known.
        ("<link rel=icon href=a.ico><base href=b/><img src=a.png>", ["", "b/"]),
        # Without its value, only what does not need it can be known.
        ("<base href='{{ b }}'><img src=a.png><img src=/static/a.png><img src=https://h/a.png>", ["", ""]),
        ("<base href=b/><img src=/static/a.png>", [""]),
        ("<base href=//h><img src=/static/a.png><img src=https://i/a.png>", ["//h", ""]),
    ],
)
def test_base(text, bases):
    assert [r.base for r in html.references(text.encode())] == bases


@pytest.mark.parametrize("page", ["<!DOCTYPE html>", "<html lang=en>", "<head>", "<BODY\n>"])
def test_in_a_page_all_must_be_there(page):
    (reference,) = html.references(f"{page}<img src=a.png>".encode())
    assert reference.required


def test_in_a_part_of_a_page_only_what_any_page_finds_must_be_there():
    body = b"<header><img src=a.png><img src=/static/a.png><script>import('./a.js');import('/static/a.js')</script>"
    assert [r.required for r in html.references(body)] == [False, True, False, True]


def test_an_ampersand_is_escaped_where_markup_is_read():
    body = (
        b"<img src=a.png><p style='a:url(a.png)'><style>a{b:url(a.png)}</style><script>import('./a.js')</script>"
        b"<svg><style>a{b:url(a.png)}<![CDATA[a{b:url(a.png)}]]></style></svg>"
    )
    assert [r.in_markup for r in html.references(body)] == [True, True, False, False, True, False]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<html><img src='a.png'/><p style=\"a:url('b.png')\"/></html>", ["a.png", "b.png"]),
        ("<html><img src=a.png></html>", []),
        ("<html><script type='module'><![CDATA[import './a.js']]></script></html>", ["./a.js"]),
        (
            "<html xmlns:s='http://www.w3.org/2000/svg'><s:use href='a.svg#b'/><svg><use href='c.svg#d'/></svg></html>",
            ["a.svg#b", "c.svg#d"],
        ),
        ("<html><IMG SRC='a.png'/></html>", []),
        # XML 1.0 section 4.1: what an entity of the document type stands for is not known.
        ("<html><img src='&x;.png' srcset='&x; 1x, b.png 2x'/><link rel='icon' href='&x;'/></html>", ["b.png"]),
        ("<html><script src='&x;' integrity='sha384-x'/></html>", []),
        ("<html><head><base href='&x;'/></head><img src='a.png'/><img src='/static/b.png'/></html>", ["/static/b.png"]),
    ],
)  # fmt: skip
def test_xhtml(text, expected):
    assert [r.url for r in check_spans(xhtml, text.encode())] == expected
    check_renaming(xhtml, text.encode())


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
    "<script>",
    "</script>",
    "<style>",
    "&",
    "\0",
    "\ufeff",
]


@settings(deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_spans_are_sound_in_any_text(text):
    check_spans(html, text.encode())
    check_spans(xhtml, text.encode())


@settings(deadline=None)
@given(st.binary(max_size=200) | st.lists(st.sampled_from([p.encode("utf-16") for p in PIECES[:40]])).map(b"".join))
def test_any_bytes_are_read(body):
    check_spans(html, body)
    check_spans(xhtml, body)


@settings(deadline=None)
@given(st.lists(st.sampled_from([p.encode("latin-1", "ignore") for p in PIECES] + [b"\xe9", b"\xc3"]), max_size=12))
def test_spans_are_sound_in_what_is_not_utf8(pieces):
    check_spans(html, b"".join(pieces))


def test_the_rewriters_are_registered():
    assert rewriter_for("a/b.html", "text/html") == ("html", "html")
    assert rewriter_for("a/b.xhtml", "application/xhtml+xml") == ("xhtml", "html")


# Units that a careless pattern would read again and again.
HOSTILE = [
    "<", "<a ", "<a>", "<a x=", "<a x='", "</", "</a", "<!", "<!--", "<!-- --!", "-->", "<?", "x=", "&", "&#", "&#x",
    "&a", "<svg>", "<svg/", "<svg><title>", "</svg>", "<script>", "<script><!--", "</script", "<script><!--<script>",
    "<style>", "<svg><style>", "<svg><style><!--", "<svg><style><![CDATA[", "<![CDATA[", "<textarea>", "<title>",
    "</title", "<img src=x>", "<img srcset='", "<base href=x>", "<p style='", "<p style='&quot;",
    "<link rel=icon href=x>", "<script type=importmap>{", "<svg a=b/", '"', "'", "=", "/",
]  # fmt: skip


@pytest.mark.parametrize("unit", HOSTILE)
@pytest.mark.parametrize("before", ["", "<a ", "<p style='", "<svg><style>", "<script type=importmap>"])
def test_reading_is_linear(unit, before):
    check_linear(html.references, unit.encode(), before.encode(), b"<img src=x.png>")


# What grows with the square of the open elements is slow only where there are many.
_MANY = 2000


@pytest.mark.parametrize("opener", ["<svg>", "<math>", "<svg><g href=a>", "<svg><desc>"])
@pytest.mark.parametrize("closer", ["</svg>", "</math>", "</desc>", "</title>", "<p>"])
def test_reading_is_linear_where_much_is_open(opener, closer):
    def read(body: bytes) -> object:
        return html.references(body + closer.encode() * (len(body) // len(opener)))

    check_linear(read, opener.encode() * _MANY)


@pytest.mark.parametrize("folder", ["a/", "../", "%61/", "x"])
@pytest.mark.parametrize("before", ["", "/", "https://host/"])
def test_a_page_with_a_long_base_takes_no_longer(folder, before):
    def read(body: bytes) -> object:
        base = f"<base href='{before}{folder * (len(body) // len(folder))}/'>".encode()
        return [target_of(r.url, "b/c.html", "https://host/", r.base) for r in html.references(base + body)]

    check_linear(read, b"<img src=x.png>")


def test_nothing_is_relative_to_a_base_that_no_file_can_have():
    # S3 takes 1024 bytes for a whole name.
    for length, bases in ((1024, ["a" * 1023 + "/", ""]), (1025, [""])):
        body = f"<base href='{'a' * (length - 1)}/'><img src=b.png><img src=/static/c.png>".encode()
        assert [r.base for r in html.references(body)] == bases


def test_a_tag_with_very_many_attributes():
    (reference,) = html.references(b"<img " + b"x=1 " * 500_000 + b"src=x.png>")
    assert reference.url == "x.png"
    assert html.references(b"<a " + b"x=" * 1_000_000) == []


def test_very_many_references_are_all_found():
    assert len(html.references(b"<img src=x.png>" * 20_000)) == 20_000
    assert len(html.references(b"<img srcset='" + b"x.png 1x, " * 100_000 + b"'>")) == 100_000
    assert len(html.references(b"<p style='" + b"a:url(&quot;x.png&quot;);" * 20_000 + b"'>")) == 20_000
