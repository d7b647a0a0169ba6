"""What is said of references that lead nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from shipfiles.build.find import ignore_matcher, walk
from shipfiles.build.pipeline import Build, build
from shipfiles.config import MissingRule, RewriteConfig, StaticConfig, from_mapping
from shipfiles.errors import BrokenReferences, ConfigError
from shipfiles.model import SourceFile


def sources(root: Path, *, own: bool = True) -> list[SourceFile]:
    return [SourceFile(logical, path, own) for logical, path in walk(str(root), ignore_matcher([]))]


def body_of(built: Build, logical: str) -> bytes:
    (asset,) = [a for a in built.assets if a.logical == logical]
    body = asset.body()
    return body if isinstance(body, bytes) else Path(body).read_bytes()


@pytest.mark.parametrize(
    ("options", "own", "expected"),
    [
        ({}, True, "error"),
        ({}, False, "warning"),
        ({"own_missing": "warning"}, True, "warning"),
        ({"own_missing": "note"}, True, "note"),
        ({"own_missing": "ignore"}, True, "ignore"),
        ({"package_missing": "error"}, False, "error"),
        ({"missing": [{"severity": "warning"}]}, True, "warning"),
        ({"missing": [{"severity": "note", "files": "css/*"}]}, True, "note"),
        ({"missing": [{"severity": "note", "files": "CSS/*"}]}, True, "error"),
        ({"missing": [{"severity": "note", "files": "*.js"}]}, True, "error"),
        ({"missing": [{"severity": "note", "references": "../img/*.png"}]}, True, "note"),
        ({"missing": [{"severity": "note", "references": "img/lost.png"}]}, True, "note"),
        ({"missing": [{"severity": "note", "references": "*.gif"}]}, True, "error"),
        ({"missing": [{"severity": "ignore", "files": "css/a.*", "references": "*lost*"}]}, True, "ignore"),
        ({"missing": [{"severity": "error", "files": "css/*"}]}, False, "error"),
        ({"missing": [{"severity": "note", "files": "*.css"}, {"severity": "warning"}]}, True, "note"),
    ],
)
def test_what_a_missing_file_means(write, options, own, expected) -> None:
    root = write({"css/a.css": "a{background:url(../img/lost.png)}"})
    config = from_mapping(RewriteConfig, options)
    try:
        result = build(sources(root, own=own), config)
    except BrokenReferences:
        assert expected == "error"
    else:
        kinds = {"warning": result.warnings, "note": result.notes}
        assert {kind: len(found) for kind, found in kinds.items()} == {kind: kind == expected for kind in kinds}
        assert body_of(result, "css/a.css") == b"a{background:url(../img/lost.png)}"


@pytest.mark.parametrize(
    ("options", "own", "expected"),
    [
        ({}, True, "note"),
        ({"optional_missing": "warning"}, False, "warning"),
        ({"optional_missing": "error"}, False, "error"),
        ({"optional_missing": "ignore"}, True, "ignore"),
        ({"missing": [{"severity": "error", "references": "*.map"}]}, False, "error"),
    ],
)
def test_what_a_missing_source_map_means(write, options, own, expected) -> None:
    root = write({"a.js": "1\n//# sourceMappingURL=a.js.map\n"})
    try:
        result = build(sources(root, own=own), from_mapping(RewriteConfig, options))
    except BrokenReferences:
        assert expected == "error"
    else:
        assert (len(result.warnings), len(result.notes)) == (expected == "warning", expected == "note")
        assert body_of(result, "a.js") == b"1\n//# sourceMappingURL=a.js.map\n"


@pytest.mark.parametrize(
    ("there", "text"), [("js/util.js", "./util"), ("js/util.mjs", "./util"), ("js/util/index.js", "./util")]
)
def test_a_module_without_its_extension(write, there, text) -> None:
    # HTML Standard, "resolve a module specifier": the URL is taken as it stands.
    root = write({"js/app.js": f"import '{text}'", there: ""})
    with pytest.raises(BrokenReferences) as caught:
        build(sources(root), RewriteConfig())
    assert str(caught.value.problems[0]).endswith(
        f"./util: no static file 'js/util'; browsers add no extension. Did you mean '{there}'?"
    )


def test_errors_come_with_the_warnings_and_notes(write) -> None:
    root = write({"a.css": "a{b:url(x.png)} c{d:url(y.gif)}\n/*# sourceMappingURL=a.map */"})
    rules = (MissingRule("warning", references="*.gif"),)
    with pytest.raises(BrokenReferences) as caught:
        build(sources(root), RewriteConfig(missing=rules))
    error = caught.value
    assert [[p.text for p in found] for found in (error.problems, error.warnings, error.notes)] == [
        ["x.png"], ["y.gif"], ["a.map"],
    ]  # fmt: skip
    assert "a.css:1:9: x.png: no static file 'x.png'" in str(error)


def test_skipped_files_are_published_as_they_are(write) -> None:
    root = write({"vendor/a.css": "a{b:url(lost.png)}", "b.css": "a{b:url(x.png)}", "x.png": ""})
    result = build(sources(root), RewriteConfig(skip=("vendor/*",)))
    assert [bool(a.edits) for a in result.assets] == [True, False, False]


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"files": "*"}, r"\['missing'\]\[0\] needs the key 'severity'"),
        ({"severity": "fatal"}, r"\['missing'\]\[0\]\['severity'\] must be one of 'error'"),
        ({"severity": "note", "file": "x"}, r"\['missing'\]\[0\]\['file'\] is not an option. Did you mean 'files'"),
        ("*.css", "must be a dict"),
    ],
)
def test_a_wrong_rule_is_named(rule, words) -> None:
    with pytest.raises(ConfigError, match=words):
        from_mapping(StaticConfig, {"rewrite": {"missing": [rule]}})


def rewritten(built: Build, logical: str) -> bool:
    return bool(next(a for a in built.assets if a.logical == logical).edits)


def test_a_worker_script_may_be_loaded_for_another_folder(write) -> None:
    # HTML Standard, "import scripts into worker global scope": against the worker's URL, so "c.js" in lib/a.js is
    # worker/c.js for worker/main.js. lib/b.js is loaded by lib/a.js, and so for worker/main.js too.
    root = write({
        "worker/main.js": "importScripts('../lib/a.js', '/static/lib/b.js')",
        "worker/c.js": "",
        "lib/a.js": "importScripts('c.js', 'b.js', 'missing.js', '../../above.js', '/static/lib/d.js')",
        "lib/b.js": "importScripts('c.js')",
        "lib/c.js": "",
        "lib/d.js": "",
    })  # fmt: skip
    result = build(sources(root), RewriteConfig())
    assert rewritten(result, "worker/main.js")
    body = body_of(result, "lib/a.js")
    assert body.startswith(b"importScripts('c.js', 'b.js', 'missing.js', '../../above.js', '/static/lib/d.")
    assert b"d.js" not in body
    assert body_of(result, "lib/b.js") == b"importScripts('c.js')"
    assert sorted(note.text for note in result.notes) == ["../../above.js", "missing.js"]
    assert not result.warnings


def test_a_worker_script_of_the_same_folder_is_rewritten(write) -> None:
    root = write({"w/main.js": "importScripts('a.js')", "w/a.js": "importScripts('b.js', 'lost.js')", "w/b.js": ""})
    result = build(sources(root), RewriteConfig())
    assert rewritten(result, "w/main.js")
    assert rewritten(result, "w/a.js")
    assert [note.text for note in result.notes] == ["lost.js"]


def test_a_worker_itself_must_find_its_scripts(write) -> None:
    with pytest.raises(BrokenReferences):
        build(sources(write({"w/main.js": "importScripts('lost.js', 'a.js')", "w/a.js": ""})), RewriteConfig())


def test_what_was_written_for_the_site_is_found_in_a_bucket(write) -> None:
    """Stock Django rewrites such references wherever the files are, so style sheets have them."""
    cdn = "https://cdn.example.com/assets/"
    root = write(
        {
            "css/a.css": "a{background:url(/static/img/i.png?v=1#x)}b{background:url('/static/img/none.png')}",
            "js/a.js": "import '/static/js/kept-Bx3kQ9dZ.js'",
            "js/kept-Bx3kQ9dZ.js": "export default '/static/img/i.png'",
            "page.html": '<base href="https://other.example.com/"><img src="/static/img/i.png">',
            "img/i.png": b"png",
        }
    )  # fmt: skip
    config = RewriteConfig(bundled_names=("js/kept-*",))
    built = build(sources(root), config, static_url=cdn, site_url="/static/")
    image = next(asset.name for asset in built.assets if asset.logical == "img/i.png")
    assert body_of(built, "css/a.css").decode() == (
        f"a{{background:url({cdn}{image}?v=1#x)}}b{{background:url('/static/img/none.png')}}"
    )
    # A name that is kept is at another place all the same.
    assert body_of(built, "js/a.js").decode() == f"import '{cdn}js/kept-Bx3kQ9dZ.js'"
    assert body_of(built, "js/kept-Bx3kQ9dZ.js") == b"export default '/static/img/i.png'"
    assert b'src="/static/img/i.png"' in body_of(built, "page.html")
    # A bucket of its own has no folder, and perhaps uploads beside the static files.
    urls = ("/static/img/i.png", "/media/b.png", "/img/i.png")
    write({"css/a.css": "".join(f"a{{background:url({url})}}" for url in urls)})
    whole = build(sources(root), config, static_url="https://cdn.example.com/", site_url="/static/")
    name = image.rpartition("/")[2]
    assert body_of(whole, "css/a.css").decode() == (
        f"a{{background:url(https://cdn.example.com/{image})}}a{{background:url(/media/b.png)}}"
        f"a{{background:url(/img/{name})}}"
    )
    cdn_alone = "https://cdn.example.com/"
    assert b"url(/media/b.png)" in body_of(
        build(sources(root), config, static_url=cdn_alone, site_url=cdn_alone), "css/a.css"
    )
    write({"css/a.css": "a{background:url(/static/img/i.png?v=1#x)}"})
    # Where nothing is elsewhere, nothing is other than it was.
    assert b"url(/static/img/i.png?" in body_of(build(sources(root), config, static_url=cdn), "css/a.css")
