"""Strings of JSON with their places, and the references of web app manifests and import maps."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shipfiles.build.rewrite import import_map, rewriter_for, web_manifest
from shipfiles.build.rewrite.json_strings import fault_in, strings
from shipfiles.testing.rewriter import check_renaming, check_spans
from tests.linear import check_linear

# The clause of RFC 8259; the text; its strings.
STRINGS: list[tuple[str, str, list[tuple[Any, ...]]]] = [
    ("2 grammar", '"a"', [((), False, "a")]),
    ("2 grammar", ' \t\r\n"a" ', [((), False, "a")]),
    ("2 grammar", "1", []),
    ("2 grammar", "", []),
    ("2 grammar", '"a" "b"', []),
    ("2 grammar", '["a"] x', []),
    ("3 values", '["a",true,false,null,"b"]', [((0,), False, "a"), ((4,), False, "b")]),
    ("3 values", '["a",True]', []),
    ("4 objects", '{"a":"b","c":{}}', [(("a",), True, "a"), (("a",), False, "b"), (("c",), True, "c")]),
    ("4 objects", '{"a":"b","a":"c"}',
     [(("a",), True, "a"), (("a",), False, "b"), (("a",), True, "a"), (("a",), False, "c")]),
    ("4 objects", '{"a":"b",}', []),
    ("4 objects", '{"a","b"}', []),
    ("4 objects", '{"a":"b" "c":"d"}', []),
    ("4 objects", '{"a":"b"', []),
    ("4 objects", '{"a":}', []),
    ("4 objects", "{1:\"a\"}", []),
    ("4 objects", "{'a':'b'}", []),
    ("4 objects", '{"a"]', []),
    ("4 objects", "{]", []),
    ("4 objects", "}", []),
    ("5 arrays", '["a","b"]', [((0,), False, "a"), ((1,), False, "b")]),
    ("5 arrays", '[[],{},[["a"]]]', [((2, 0, 0), False, "a")]),
    ("5 arrays", '["a",]', []),
    ("5 arrays", '[,"a"]', []),
    ("5 arrays", '["a"}', []),
    ("5 arrays", '["a"', []),
    ("6 numbers", '[0,-0.5e+9,12E-1,"a"]', [((3,), False, "a")]),
    ("6 numbers", '[01,"a"]', []),
    ("6 numbers", '[.5,"a"]', []),
    ("6 numbers", '[1.,"a"]', []),
    ("7 strings", '["\\"\\\\\\/\\b\\f\\n\\r\\t"]', [((0,), False, '"\\/\b\f\n\r\t')]),
    ("7 strings", '["\\u0041\\uD83D\\uDE00"]', [((0,), False, "A\U0001f600")]),
    ("7 strings", '["\\uD83D"]', [((0,), False, "\ufffd")]),
    ("7 strings", '["\\x41"]', []),
    ("7 strings", '["\\u12"]', []),
    ("7 strings", '["a\nb"]', []),
    ("7 strings", '["a]', []),
    ("8.1 encoding", '\ufeff["é"]', [((0,), False, "é")]),
    ("9 parsers", '["a"] // b', []),
]  # fmt: skip


@pytest.mark.parametrize(("clause", "text", "expected"), STRINGS)
def test_strings(clause, text, expected):
    assert [(s.path, s.is_key, s.text) for s in strings(text.encode(), 9)] == expected


def walk(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[Any, ...]]:
    """The strings of a value that Python's own parser gave."""
    if isinstance(value, str):
        return [(path, False, value)]
    if isinstance(value, list):
        return [s for i, item in enumerate(value) for s in walk(item, (*path, i))]
    if isinstance(value, dict):
        return [s for key, item in value.items() for s in [((*path, key), True, key), *walk(item, (*path, key))]]
    return []


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(VALUES, st.booleans(), st.sampled_from([None, 1]))
def test_the_strings_are_those_of_another_parser(value, ascii_only, indent):
    body = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()
    found = strings(body, 99)
    assert [(s.path, s.is_key, s.text) for s in found] == walk(value)
    assert all(json.loads(body[s.start - 1 : s.end + 1]) == s.text for s in found)


PARTS = ["{", "}", "[", "]", ":", ",", '"a"', '"', "1", "-", "true", " ", "\\", '"b":', "null", "0.5"]


@settings(deadline=None)
@given(st.lists(st.sampled_from(PARTS), max_size=12).map("".join))
def test_what_another_parser_refuses_has_no_strings(text):
    try:
        json.loads(text)
    except ValueError:
        assert strings(text.encode(), 9) == []
    else:
        assert len(strings(text.encode(), 9)) == text.count('"') // 2


@settings(deadline=None)
@given(st.lists(st.sampled_from(PARTS), max_size=12).map("".join))
def test_faults_are_where_another_parser_has_them_or_where_their_token_begins(text):
    at, expected = fault_in(text.encode()), -1
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        expected = error.pos
    assert (at < 0) == (expected < 0)
    # Python 3.13 points to the comma that nothing follows, earlier ones to what follows; and where a string or number
    # is wrong within, ours is its first character.
    between = text[min(at, expected) : max(at, expected)]
    assert not between.strip() or between.strip() == "," or (at < expected and text[at] in '"-0123456789')


# The clause of RFC 8259; the text; where it ceases to be JSON.
FAULTS: list[tuple[str, str, int]] = [
    ("2", "[]", -1),
    ("2", " [1, {}] \n", -1),
    ("2", "\ufeff{}", -1),
    ("2", "", 0),
    ("2", "  ", 2),
    ("2", "[] []", 3),
    ("2", "[", 1),
    ("2", "[}", 1),
    ("3", "[True]", 1),
    ("3", "[NaN]", 1),
    ("4", '{"a": 1,\n }', 10),
    ("4", "{'a': 1}", 1),
    ("4", '{"a" 1}', 5),
    ("4", '{"a": 1', 7),
    ("5", "[1 2]", 3),
    ("6", "[01]", 2),
    ("7", '["a\nb"]', 1),
    ("7", '["\\x"]', 1),
    ("comments", "// a\n{}", 0),
    ("templates", '{"src": {{ a }}}', 9),
]


@pytest.mark.parametrize(("clause", "text", "at"), FAULTS)
def test_where_a_text_ceases_to_be_json(clause, text, at):
    assert fault_in(text.encode()) == at


@pytest.mark.parametrize("unit", ["[", '{"a":', '[{"a":', "1", "[1,", " ", "-"])
def test_faults_are_found_however_deep(unit):
    assert fault_in((unit * (400_000 // len(unit)) + "}").encode()) >= 0
    assert fault_in(b"[" * 100_000 + b"]" * 100_000) == -1


def test_depth():
    body = b'{"a":{"b":["c"]}}'
    assert [s.text for s in strings(body, 1)] == ["a"]
    assert [s.text for s in strings(body, 2)] == ["a", "b"]
    assert [s.text for s in strings(body, 3)] == ["a", "b", "c"]


@pytest.mark.parametrize("unit", ["[", '{"a":', '[{"a":', '"', '"a', '\\"', "1", "[1,", " ", "[]", "-", "e"])
def test_reading_is_linear(unit):
    assert strings((unit * (400_000 // len(unit))).encode(), 9) == []
    check_linear(lambda body: strings(body, 9), unit.encode())


@pytest.mark.parametrize(
    "unit", ['{"src":"a.png"},', '"src",', '{"icons":[', '"\\u0073rc":', "[", "]", '"./a.js":"./b.js",']
)
@pytest.mark.parametrize("head", ['{"icons":[', '{"imports":{', '{"shortcuts":[{"icons_localized":{"fr":['])
def test_references_are_found_in_linear_time(unit, head):
    for rewriter in (web_manifest, import_map):
        check_linear(rewriter.references, unit.encode(), head.encode())


def test_deep_nesting_is_read():
    assert strings(b"[" * 100_000 + b"]" * 100_000, 9) == []
    (found,) = strings(b'["a",' + b"[" * 100_000 + b'"b"' + b"]" * 100_001, 9)
    assert found.text == "a"


# The clause; the manifest; its references.
MANIFESTS: list[tuple[str, str, list[str]]] = [
    ("Manifest 1.9 icons", '{"icons":[{"src":"a.png","sizes":"1x1"},{"src":"/static/b.png"}]}',
     ["a.png", "/static/b.png"]),
    ("Manifest 1.9 icons", '{"icons":[{"sizes":"1x1"},{"src":""},{"src":1},{"src":"data:,"}]}', []),
    ("Manifest 1.9 icons", '{"icons":[{"src":"a\\/b\\u002epng?c#d"}]}', ["a/b.png?c#d"]),
    ("Manifest 1.9 icons", '{"icons":[{"src":"../a b.png"}]}', ["../a b.png"]),
    ("Manifest 1.9 icons", '{"icons":[{"a":{"src":"b.png"}}],"src":"c.png"}', []),
    ("Manifest 1.9 icons", '{"icons":[{"\\u0073rc":"a.png"}]}', ["a.png"]),
    ("Application info 2.1", '{"screenshots":[{"src":"a.png"}]}', ["a.png"]),
    ("Manifest 3.1 shortcuts", '{"shortcuts":[{"url":"/x","icons":[{"src":"a.png"}]},{"icons":[{"src":"b.png"}]}]}',
     ["a.png", "b.png"]),
    ("Incubations file_handlers", '{"file_handlers":[{"action":"/x","icons":[{"src":"a.png"}]}]}', ["a.png"]),
    ("Manifest localized", '{"icons_localized":{"fr":[{"src":"a.png"}],"de":[{"src":"b.png"},{"src":"c.png"}]}}',
     ["a.png", "b.png", "c.png"]),
    ("Manifest localized", '{"shortcuts":[{"url":"/x","icons_localized":{"fr":[{"src":"a.png"}]}}]}', ["a.png"]),
    ("Manifest localized", '{"name_localized":{"fr":{"src":"a.png"}},"icons_localized":[{"src":"b.png"}]}', []),
    ("Manifest localized", '{"file_handlers":[{"icons_localized":{"fr":[{"src":"a.png"}]}}]}', []),
    ("Microsoft widgets", '{"widgets":[{"icons":[{"src":"a.png"}],"screenshots":[{"src":"b.png"}],"data":"c.json"}]}',
     ["a.png", "b.png"]),
    ("Microsoft widgets", '{"shortcuts":[{"screenshots":[{"src":"a.png"}]}],"widgets":[{"src":"b.png"}]}', []),
    ("Manifest 1.8 start_url", '{"start_url":"a.html","scope":"b/","id":"c","icons":[]}', []),
    ("Manifest 1.15 related", '{"related_applications":[{"url":"a.html"}],"prefer_related_applications":true}', []),
    # Others that are called manifest.json
    ("extensions", '{"manifest_version":3,"icons":{"16":"a.png"},"content_scripts":[{"js":["b.js"]}]}', []),
    ("bundlers", '{"main.js":{"file":"main.123.js","src":"main.js","css":["a.css"]}}', []),
    ("bundlers", '{"main.js":"main.123.js"}', []),
    ("lists", '[{"icons":[{"src":"a.png"}]}]', []),
    ("RFC 8259 2", '{"icons":[{"src":"a.png"}],}', []),
]  # fmt: skip


@pytest.mark.parametrize(("clause", "text", "expected"), MANIFESTS)
def test_web_manifests(clause, text, expected):
    assert [r.url for r in check_spans(web_manifest, text.encode())] == expected
    check_renaming(web_manifest, text.encode())


# The clause of the HTML Standard; the import map; its references, with "?" after those that need not exist.
IMPORT_MAPS: list[tuple[str, str, list[str]]] = [
    ("8.1.5.4 addresses", '{"imports":{"a":"./a.js","b":"../b.js","c":"/static/c.js"}}',
     ["./a.js", "../b.js", "/static/c.js"]),
    ("8.1.5.4 addresses", '{"imports":{"a":"a.js","b":null,"c":1,"d":""}}', []),
    ("8.1.5.4 addresses", '{"imports":{"a/":"./a/"}}', []),
    ("8.1.5.4 addresses", '{"imports":{"a":".\\/a.js"}}', ["./a.js"]),
    ("8.1.5.4 keys", '{"imports":{"./a.js":"./b.js"}}', ["./a.js?", "./b.js"]),
    ("8.1.5.4 keys", '{"imports":{"/static/a.js":"./b.js","./c/":"./d/"}}', ["/static/a.js?", "./b.js"]),
    ("8.1.5.4 scopes", '{"scopes":{"a/":{"b":"./b.js"},"./c.js":{"./d.js":"./e.js"},"f.js":{}}}',
     ["./b.js", "./c.js?", "./d.js?", "./e.js", "f.js?"]),
    ("8.1.5.4 integrity", '{"integrity":{"./a.js":"sha384-x","https://h/":"sha384-y"}}', ["./a.js?", "./a.js?"]),
    ("8.1.5.4 integrity", '{"integrity":{"a.js":"sha384-x"}}', []),
    ("8.1.5.4 others", '{"other":{"a":"./a.js"},"imports":{"a":{"b":"./b.js"}}}', []),
    ("8.1.5.4 others", '{"imports":["./a.js"],"scopes":{"a/":["./b.js"]}}', []),
    ("8.1.5.4 others", '[{"imports":{"a":"./a.js"}}]', []),
]  # fmt: skip


@pytest.mark.parametrize(("clause", "text", "expected"), IMPORT_MAPS)
def test_import_maps(clause, text, expected):
    found = check_spans(import_map, text.encode())
    assert [r.url + "?" * (not r.required) for r in found] == expected
    check_renaming(import_map, text.encode())


def test_a_digest_of_an_import_map_belongs_to_its_key():
    body = b'{"integrity":{"./a.js":"sha384-x"}}'
    assert [(r.kind, r.url, body[r.start : r.end]) for r in import_map.references(body)] == [
        ("module", "./a.js", b"./a.js"),
        ("integrity", "./a.js", b"sha384-x"),
    ]


@settings(deadline=None)
@given(st.binary(max_size=100) | st.lists(st.sampled_from([t for _, t, _ in MANIFESTS + IMPORT_MAPS])).map("".join))
def test_any_bytes_are_read(body):
    for rewriter in (web_manifest, import_map):
        check_spans(rewriter, body if isinstance(body, bytes) else body.encode())


@pytest.mark.parametrize(
    ("name", "type_", "expected"),
    [
        ("a.webmanifest", "application/manifest+json", web_manifest),
        ("x/manifest.json", "application/json", web_manifest),
        ("x/Manifest.JSON", "application/json", web_manifest),
        ("importmap.json", "application/json", import_map),
        ("x/app.importmap.json", "application/json", import_map),
        ("x/app.importmap", "application/importmap+json", import_map),
    ],
)
def test_the_rewriters_are_registered(name, type_, expected):
    found = rewriter_for(name, type_)
    assert found is not None
    assert (found.rewriter, found.option) == (expected, "json")


def test_other_json_is_left_alone():
    assert rewriter_for("x/package.json", "application/json") is None
