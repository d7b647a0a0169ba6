"""The style sheet scanner and tinycss2, a tokenizer of other people's making, find the same references.

On every case of the collection, on text glued together from scraps of the grammar, and (marked ``services``, for the
files have to be fetched) on every style sheet of the corpora.
"""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from shipfiles.build.rewrite.css import references
from tests.oracles import corpora, css
from tests.unit.test_rewrite_css import CASES


def ours(body: bytes) -> list[css.Found]:
    return [css.Found(r.start, r.end, r.url, r.kind, r.required) for r in references(body)]


@pytest.mark.parametrize(("clause", "text", "expected"), CASES)
def test_every_case(clause, text, expected):
    assert ours(text.encode()) == css.references(text.encode())


# Where the two differ: what a text must hold for it, the clause and what it says, a text, our URLs, tinycss2's URLs.
DIFFERENCES: list[tuple[str, str, str, list[str], list[str]]] = [
    # tinycss2 is not what the specification says.
    (
        r"\(\s*[^\s\"'][^)]*\\[\n\r\f]",
        "Syntax 4.3.6: a backslash before a newline begins no valid escape (4.3.8), which makes a url token a bad one",
        "a{b:url(x#\\\n)}", [], ["x#\\"],
    ),
    (
        r"\([\s\S]*\\\\",
        "Syntax 4.3.14: in the remnants of a bad url an escape is consumed whole, a backslash's own too",
        "a{b:url(a b\\\\);c:url(x)}", ["x"], [],
    ),
    (
        r"[uU]\+[0-9a-fA-F?]",
        "Syntax 4.3.1: a unicode-range token is made only where the value of that descriptor is parsed",
        "a{b:U+1url(x)}", [], ["x"],
    ),
    # We are not what ECMA-426 says, or the sheet is one that nobody writes.
    (
        r"sourceMappingURL[\s\S]*/\*",
        "ECMA-426 11.1.2: a comment that is never closed may follow the one that names the source map",
        "/*# sourceMappingURL=x */ /*", [], ["x"],
    ),
    (
        r"sourceMappingURL[\s\S]*\v",
        "Syntax 4.2: a vertical tab is no white space, so that code follows the comment",
        "/*# sourceMappingURL=x */\v", ["x"], [],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("needs", "clause", "text", "mine", "theirs"), DIFFERENCES)
def test_each_known_difference_is_still_one(needs, clause, text, mine, theirs):
    assert re.search(needs, text)
    assert [r.url for r in ours(text.encode())] == mine
    assert [r.url for r in css.references(text.encode())] == theirs


def is_known_to_differ(text: str) -> bool:
    return any(re.search(needs, text) for needs, *_ in DIFFERENCES)


# Tokens whole and in pieces, what begins them and what ends them, and code points that mean something somewhere.
_WORDS = r"""
    url( url(x.png) url("x.png") url('y.png') URL( uRl(z.png) src( src("s.png") my-url( \75rl( u\72l( \url( \000075rl(
    image-set( -webkit-image-set( cross-fade( type( image-set("x.png" "k.png") ,"k.png" url image set src
    "a.png" 'b.png' " ' "a 'b "\" '\" "\a /* */ /*c*/ /*"*/ /**/ /* // \ \" \' \( \) \61 \a \0 \0041 \é \* \<!-- u\
    ( ) [ ] { } , ; : ! . # @ + - -- 1 1e 1e5 1e+ 5. % 10% < <!-- --> <! > * / = | ~ a b x1 é 😀 K x.png url(a url("a
    @ @import @IMPORT @im\70ort @imports @import-x @import"i.css"; @import'i.css' @layer @layer/**/a; @charset @media
    @namespace @n\61mespace @supports @container @document @-moz-document @-moz\2d document @unknown layer( supports(
    a{b: }c{d: &:hover{ --x: progid:a.b(src='x') \9 \0/ !important /*#sourceMappingURL=x.map*/ sourceMappingURL= ?#iefix
"""
SCRAPS = [
    *_WORDS.split(),
    *("\n", "\r", "\f", "\r\n", "\t", " ", " ", "  ", "\0", "\x01", "\x7f", "\v", "\x80", "\ufeff", "\u212a", "\u2028"),
    *("\\\n", "\\\r\n", "\\61 ", "\\61\n", "\\61\r\n", "url(a b", "@layer a;", "@namespace url(n);", "\\\\"),
    *("@import url(j.css) layer(a) print;", "@supports (a:url(x.png)) {", 'image-set("x.png" 1x,'),
    "/*# sourceMappingURL=",
]  # fmt: skip


@given(st.lists(st.sampled_from(SCRAPS), max_size=14).map("".join))
@settings(max_examples=1_000)
@example("@container\\\n(a:url(x.png)){}")
@example('a{b:"\\1\nurl(x.png)"}')
@example("@a @import();@import 'x.css'")
@example("/*# sourceMappingURL=image-set( */")
@example("a{b:url('g'-->)}")
def test_scraps_of_the_grammar(text):
    assume(not is_known_to_differ(text))
    assert ours(text.encode()) == css.references(text.encode())


@given(st.binary(max_size=60), st.sampled_from([f"a{{b:{s}" for s in SCRAPS]), st.binary(max_size=60))
def test_bytes_that_are_no_text(before, scrap, after):
    body = before + scrap.encode() + after
    assume(not is_known_to_differ(body.decode("latin-1")))
    assert ours(body) == css.references(body)


# Path in the corpora → the clause by which the two differ in that file. Each must still differ.
FILES: dict[str, str] = {}
_SHARDS = 4


@pytest.mark.services
@pytest.mark.parametrize("index", range(_SHARDS))
def test_every_style_sheet_of_the_corpora(index):
    read = found = 0
    differ = set()
    for path in corpora.shard(corpora.files(".css"), index, _SHARDS):
        body = path.read_bytes()
        mine = ours(body)
        read, found = read + 1, found + len(mine)
        if mine != css.references(body):
            differ.add(corpora.name(path))
    assert differ == {name for name in FILES if name in differ or not index}
    assert read > 100
    assert found > 500
