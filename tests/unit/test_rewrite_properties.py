"""What must hold of rewriting for any files: checked against definitions, and with readers of other people's making."""

from __future__ import annotations

import hashlib
import json
import posixpath
import random
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote, unquote, urljoin, urlsplit

import pytest
import tinycss2
import tree_sitter_javascript
from hypothesis import given, settings
from hypothesis import strategies as st
from tree_sitter import Language, Parser

from shipfiles.build.pipeline import Build, build
from shipfiles.build.rewrite import css, javascript
from shipfiles.build.rewrite.reference import Target, renamed, target_of
from shipfiles.build.rewrite.splice import Edit, splice
from shipfiles.config import RewriteConfig
from shipfiles.model import SourceFile
from shipfiles.testing.rewriter import check_spans
from tests.unit.test_plan import reachable
from tests.unit.test_rewrite_css_oracle import SCRAPS

_JAVASCRIPT = Parser(Language(tree_sitter_javascript.language()))
_SCRIPT_SCRAPS = [
    *("import './a.js';", 'import {b} from "./b.js"', "export * from './c.js'\n", "import('./d.js')"),
    *("import(`./e.js`)", "new URL('./f.js', import.meta.url)", "//# sourceMappingURL=g.map"),
    *("importScripts('h.js')", "import", "export"),
    *("'", '"', "`", "${", "}", "{", "(", ")", "/", "//", "/*", "*/", "\n", " ", ";", "a", "=", "\\", "<!--", "é"),
    "\u2028",
]  # fmt: skip
_LANGUAGES = [(css, SCRAPS), (javascript, _SCRIPT_SCRAPS)]

Files = dict[str, bytes]
Graph = dict[str, list[str]]


@pytest.mark.parametrize(("rewriter", "scraps"), _LANGUAGES)
@given(data=st.data())
def test_spans_can_be_edited_and_their_own_text_changes_nothing(rewriter, scraps, data):
    body = "".join(data.draw(st.lists(st.sampled_from(scraps), max_size=12))).encode()
    found = check_spans(rewriter, body)
    assert splice(body, []) is body
    assert splice(body, [Edit(r.start, r.end, body[r.start : r.end]) for r in found]) == body


def built(files: Mapping[str, bytes], *, workers: int = 1, shuffled: random.Random | None = None) -> dict[str, bytes]:
    """Hashed name → bytes of the build of ``files``, in the order in which the build gives them."""
    with tempfile.TemporaryDirectory() as folder:
        sources = []
        for logical, body in files.items():
            path = Path(folder, logical)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
            sources.append(SourceFile(logical, str(path)))
        if shuffled:
            shuffled.shuffle(sources)
        return bodies(build(sources, RewriteConfig(), workers=workers))


def bodies(made: Build) -> dict[str, bytes]:
    found = {}
    for asset in made.assets:
        body = asset.body()
        found[asset.name] = body if isinstance(body, bytes) else Path(body).read_bytes()
    return found


def logical_of(name: str) -> str:
    """The logical path of a hashed name whose file has an extension."""
    return re.sub(r"\.[0-9a-f]{12}(\.\w+)\Z", r"\1", name)


def hash_of(name: str) -> str:
    return name.split(".")[-2]


# Graphs of files, with cycles of every kind: style sheets import and show, modules import and point, both ways.
_NODES = ["a.css", "b.css", "x/c.css", "x/y/d.css", "e.js", "f.js", "x/g.js", "y/h.mjs", "i.png", "x/j.svgz"]


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    nodes = draw(st.lists(st.sampled_from(_NODES), min_size=1, unique=True))
    return {
        n: draw(st.lists(st.sampled_from(nodes), max_size=3)) if n.endswith(("css", "js")) else []
        for n in nodes
    }  # fmt: skip


def written(graph: Graph, changed: str = "") -> Files:
    """Files that refer to each other as ``graph`` says; a comment says which they are, and that one of them changed."""
    return {node: _file(node, targets, node == changed) for node, targets in graph.items()}


def _file(node: str, targets: list[str], changed: bool) -> bytes:
    lines = [f"/* {node}{', changed' * changed} */"]
    for i, target in enumerate(targets):
        url = posixpath.relpath(target, posixpath.dirname(node) or ".")
        url = url if url.startswith(".") else f"./{url}"
        if node.endswith("css"):
            forms = [f'@import "{url}";' if target.endswith("css") else "", f"a{{b:url({url}?v#{i})}}"]
        else:
            forms = [f'import "{url}"' if target.endswith("js") else "", f"new URL('{url}', import.meta.url)"]
        lines.append(next(form for form in forms[i % 2 :] if form))
    # @import has to come first.
    return "\n".join(sorted(lines, key=lambda line: not line.startswith(("/*", "@import")))).encode()


@given(graphs(), st.data())
@settings(deadline=None, max_examples=60)
def test_a_change_reaches_the_names_of_those_that_reach_it_and_no_other(graph, data):
    changed = data.draw(st.sampled_from(sorted(graph)))
    before = {logical_of(name): name for name in built(written(graph))}
    after = {logical_of(name): name for name in built(written(graph, changed))}
    edges = {node: set(targets) for node, targets in graph.items()}
    expected = {node for node in graph if node == changed or changed in reachable(edges, node)}
    assert {node for node in graph if before[node] != after[node]} == expected


@given(graphs())
@settings(deadline=None, max_examples=60)
def test_a_cycle_has_a_hash_of_its_own_and_every_other_name_is_the_digest_of_the_bytes(graph):
    found = built(written(graph))
    names = {logical_of(name): name for name in found}
    edges = {node: set(targets) for node, targets in graph.items()}
    reach = {node: reachable(edges, node) for node in graph}
    for node in graph:
        cycle = {other for other in graph if other in reach[node] and node in reach[other]}
        if cycle:
            assert {other for other in graph if hash_of(names[other]) == hash_of(names[node])} == cycle
        else:
            assert hash_of(names[node]) == hashlib.sha384(found[names[node]]).hexdigest()[:12]


@given(graphs())
@settings(deadline=None, max_examples=60)
def test_rewriting_twice_is_rewriting_once(graph):
    # In what was rewritten every reference leads to a hashed name already: a second time there is nothing to do.
    found = built(written(graph))
    names = {logical_of(name): name for name in found}
    for node, targets in graph.items():
        if not targets:
            continue
        name = names[node]
        references = (css if name.endswith("css") else javascript).references(found[name])
        reached = []
        for reference in references:
            target = target_of(reference.url, name, "/static/")
            assert isinstance(target, Target)
            assert renamed(reference.url, target.logical) == reference.url
            reached.append(target.logical)
        assert sorted(reached) == sorted(names[target] for target in targets)


@given(graphs(), st.randoms(use_true_random=False), st.integers(2, 4))
@settings(deadline=None, max_examples=30)
def test_neither_the_order_of_the_sources_nor_the_number_of_workers_matters(graph, chance, workers):
    files = written(graph)
    once = built(files)
    other = built(files, workers=workers, shuffled=chance)
    assert list(other.items()) == list(once.items())


def test_a_chain_of_ten_thousand_files():
    count = 10_000
    files = {f"{i:05}.css": f'@import "{i + 1:05}.css";'.encode() for i in range(count - 1)}
    files[f"{count - 1:05}.css"] = b"a{}"
    found = built(files)
    names = {logical_of(name): name for name in found}
    for i in range(count - 1):
        assert found[names[f"{i:05}.css"]] == f'@import "{names[f"{i + 1:05}.css"]}";'.encode()


def test_a_cycle_of_a_thousand_files():
    files = {f"{i:03}.css": f'@import "{(i + 1) % 1_000:03}.css";'.encode() for i in range(1_000)}
    found = built(files)
    assert len({hash_of(name) for name in found}) == 1
    files["789.css"] += b"/**/"
    assert not found.keys() & built(files).keys()


# File names that mean something to a URL, to CSS, to JavaScript or to nobody.
_PART = st.text(
    st.sampled_from(" '\"()%#?&;,:@+=!$*~`{}[]<>|^.-_é日😀ﬁ\u0301\u00a0\u2028ab1")
    | st.characters(exclude_categories=["Cs", "Cc"]),
    min_size=1, max_size=8,
).map(lambda part: part.replace("/", "_").replace("\\", "_"))  # fmt: skip
_NAME = st.tuples(st.lists(_PART, min_size=1, max_size=3), st.sampled_from([".png", ".css", ".js", ".x y"])).map(
    lambda parts: "/".join(f"d{part}" for part in parts[0]) + parts[1]
)
_HOST = "http://host.example"


_SUFFIX = st.sampled_from(["", "?v=1", "#a", "?#iefix", "?é='(1)'&#\"b\" c"])


@given(_NAME, _SUFFIX, st.sampled_from(["./", "../", "/static/"]))
@settings(deadline=None, max_examples=60)
def test_other_readers_find_the_hashed_file_under_any_name(name, suffix, prefix):
    folder = "top/" if prefix == "./" else ""
    target = f"{folder}{name}"
    # As a careful author writes it, and as one does who only escapes what he must.
    careful = prefix + quote(name) + quote(suffix, safe="?#=&")
    plain = prefix + re.sub("[%?#]|^ | $", lambda match: quote(match[0]), name) + suffix
    sheet = "".join(
        f"a{{b:{form}}}" for url in (careful, plain) for form in (f"url({_css(url)})", f'url("{_css(url)}")')
    )
    sheet = f"@import '{_css(careful)}';{sheet}a{{b:image-set('{_css(plain)}' 1x)}}"
    script = f"import {json.dumps(careful)}\nimport {json.dumps(plain, ensure_ascii=False)}\n"
    script += f"new URL('{careful}', import.meta.url)"
    found = built({"top/it's (a) %23#?.css": sheet.encode(), "top/b.js": script.encode(), target: b"x"})
    [hashed] = [key for key, body in found.items() if body == b"x"]
    for made, body in found.items():
        if body == b"x":
            continue
        urls = list(_urls_in_sheet(body.decode()) if made.endswith(".css") else _urls_in_script(body))
        assert len(urls) == (6 if made.endswith(".css") else 3)
        for url in urls:
            whole = urlsplit(urljoin(f"{_HOST}/static/{quote(made)}", url))
            assert f"{whole.scheme}://{whole.netloc}" == _HOST
            assert unquote(whole.path, errors="strict") == f"/static/{hashed}"
            assert (unquote(whole.query), unquote(whole.fragment)) == (
                urlsplit(suffix).query,
                urlsplit(suffix).fragment,
            )


def _css(url: str) -> str:
    """``url`` as it is written in a url token or a string (CSSOM section 2.1, "serialize a string", and more)."""
    return re.sub(r"""["'()\\ \u00a0\u2028]""", lambda match: f"\\{ord(match[0]):x} ", url)


def _urls_in_sheet(text: str) -> Iterator[str]:
    values = list(tinycss2.parse_component_value_list(text))
    while values:
        value = values.pop(0)
        if value.type in ("url", "string"):
            yield value.value
        values += getattr(value, "content", None) or getattr(value, "arguments", [])


def _urls_in_script(body: bytes) -> Iterator[str]:
    pending = [_JAVASCRIPT.parse(body).root_node]
    assert not pending[0].has_error
    while pending:
        node = pending.pop()
        if node.type == "string":
            assert [child.type for child in node.children[1:-1]] == ["string_fragment"]  # no escapes
            yield str(node.children[1].text, "utf-8")
        pending += node.children
