"""A small site with pages, drawings, a web app manifest and an import map, built whole; and digests in pages."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

from shipfiles.build.cache import Cache
from shipfiles.build.find import ignore_matcher, walk
from shipfiles.build.pipeline import Build, build
from shipfiles.config import RewriteConfig
from shipfiles.model import SourceFile

PAGE = """<!DOCTYPE html>\r
<html><head><meta charset=utf-8><title>a.css</title>
<link rel="stylesheet" href="css/app.css?v=1&amp;w=2" integrity="sha384-{css}">
<link rel=manifest href=app.webmanifest><link rel=canonical href=index.html>
<script type="importmap">{{"imports": {{"app": "./js/app.js", "./js/old.js": "./js/app.js"}}}}</script>
<script type=module>import "app"; import './js/app.js';</script>
<script src=js/plain.js integrity=sha384-{plain}></script>
</head><body style="background: url(&quot;img/a&amp;b.png&quot;)">
<!-- <img src="img/none.png"> -->
<a href="index.html"><img src='/static/img/a&amp;b.png' srcset="img/a&amp;b.png 1x, img/two.png 2x"></a>
<svg><use href="img/sprite.svg#star"/></svg>
</body></html>
"""
SPRITE = """<?xml version="1.0"?>
<svg xmlns="http://www.w3.org/2000/svg" xmlns:x="http://www.w3.org/1999/xlink">
<style><![CDATA[a{fill:url("two.png?b&c")}]]></style><symbol id="star"><image x:href="a&amp;b.png"/></symbol>
<a href="../index.html"><use href="#star"/></a></svg>
"""
MANIFEST = '{"start_url": "index.html", "icons": [{"src": "img\\/two.png"}]}\n'


def sri(text: str | bytes) -> str:
    """The digest of ``text`` without the prefix, by Subresource Integrity section 3.2."""
    body = text if isinstance(text, bytes) else text.encode()
    return base64.b64encode(hashlib.sha384(body).digest()).decode()


CSS = "a{background:url(../img/two.png)}"
FILES = {
    "index.html": PAGE.format(css=sri(CSS), plain=sri("1")),
    "app.webmanifest": MANIFEST,
    "css/app.css": CSS,
    "js/app.js": "import './old.js';",
    "js/old.js": "1",
    "js/plain.js": "1",
    "img/a&b.png": "a",
    "img/two.png": "2",
    "img/sprite.svg": SPRITE,
}


def built(root: Path) -> tuple[Build, dict[str, str], dict[str, bytes]]:
    """The build of the files below ``root``, their names and their bytes."""
    sources = [SourceFile(logical, path) for logical, path in walk(str(root), ignore_matcher([]))]
    made = build(sources, RewriteConfig(), static_url="/static/")
    names = {asset.logical: asset.name for asset in made.assets}
    bodies = {}
    for asset in made.assets:
        body = asset.body()
        bodies[asset.logical] = body if isinstance(body, bytes) else Path(body).read_bytes()
    return made, names, bodies


def test_a_site_refers_to_hashed_names_and_is_else_as_it_was(write):
    made, names, bodies = built(write(FILES))
    assert made.warnings == made.notes == ()

    def name(logical: str) -> str:
        return names[logical].rpartition("/")[2].replace("&", "&amp;")

    page = FILES["index.html"]
    for written, logical in [
        ('href="css/app.css?', "css/app.css"), ("href=app.webmanifest>", "app.webmanifest"),
        ('"./js/app.js",', "js/app.js"), ('"./js/old.js":', "js/old.js"), ('"./js/app.js"}', "js/app.js"),
        ("'./js/app.js'", "js/app.js"), ("src=js/plain.js", "js/plain.js"), ("quot;img/a&amp;b.png&", "img/a&b.png"),
        ("static/img/a&amp;b.png'", "img/a&b.png"), ('"img/a&amp;b.png 1x', "img/a&b.png"),
        ("img/two.png 2x", "img/two.png"), ("img/sprite.svg#", "img/sprite.svg"),
    ]:  # fmt: skip
        last = logical.rpartition("/")[2].replace("&", "&amp;")
        assert page.count(written) == 1
        page = page.replace(written, written.replace(last, name(logical)))
    page = page.replace(sri(CSS), sri(bodies["css/app.css"]))
    assert bodies["index.html"].decode() == page
    assert sri(CSS) not in page
    assert sri("1") in page  # not rewritten, and as good as before

    sprite = SPRITE.replace('"two.png?', f'"{name("img/two.png")}?').replace(
        '"a&amp;b.png"', f'"{name("img/a&b.png")}"'
    )
    assert bodies["img/sprite.svg"].decode() == sprite
    assert bodies["app.webmanifest"].decode() == MANIFEST.replace("img\\/two.png", "img/" + name("img/two.png"))


def test_all_hashed_names_in_a_site_are_those_of_its_files(write):
    _, names, bodies = built(write(FILES))
    known = {name.rpartition("/")[2] for name in names.values()}
    written = re.findall(
        r"[\w&]+\.[0-9a-f]{12}\.\w+", " ".join(b.decode() for b in bodies.values()).replace("&amp;", "&")
    )
    assert len(written) == 12 + 2 + 1 + 1 + 1
    assert set(written) <= known


def test_a_page_with_a_digest_follows_the_digest(write):
    first = built(write(FILES))[1]["index.html"]
    second = built(write({"img/two.png": "3"}))[1]["index.html"]
    assert first != second


def test_a_digest_within_a_cycle_is_reported(write):
    root = write({
        "a.html": "<html>\n<script src=a.js integrity=sha384-x></script>",
        "a.js": "new URL('./a.html', import.meta.url)",
    })  # fmt: skip
    made, names, bodies = built(root)
    (warning,) = made.warnings
    assert (warning.line, warning.column, warning.text) == (2, 28, "sha384-x")
    assert "'a.js'" in warning.what
    assert bodies["a.html"].decode() == f"<html>\n<script src={names['a.js']} integrity=sha384-x></script>"


def test_an_import_map_has_the_digests_of_what_its_modules_became(write):
    text = '{"integrity": {"./a.js": "sha384-x", "./b.js": "sha384-y", "./none.js": "sha384-z"}}'
    root = write({"importmap.json": text, "a.js": "import './b.js'", "b.js": "1"})
    made, names, bodies = built(root)
    expected = text.replace("a.js", names["a.js"]).replace("b.js", names["b.js"])
    expected = expected.replace("sha384-x", "sha384-" + sri(bodies["a.js"]))
    assert bodies["importmap.json"].decode() == expected
    assert [note.text for note in made.notes] == ["./none.js"]


def test_a_base_is_what_a_page_is_looked_up_from(write):
    root = write({"a/index.html": "<html><base href=../b/><img src=c.png>", "b/c.png": "1"})
    _, names, bodies = built(root)
    assert bodies["a/index.html"].decode() == f"<html><base href=../b/><img src={names['b/c.png'][2:]}>"


def test_pages_in_other_encodings(write):
    root = write({"é.png": "1"})
    (root / "a.html").write_bytes("<html><p>ü<img src='é.png'>".encode("utf-16"))
    _, names, bodies = built(root)
    quoted = names["é.png"].replace("é", "%C3%A9")
    assert bodies["a.html"] == f"<html><p>ü<img src='{quoted}'>".encode("utf-16")


def test_each_language_can_be_left_alone(write):
    root = write(FILES)
    sources = [SourceFile(logical, path) for logical, path in walk(str(root), ignore_matcher([]))]
    made = build(sources, RewriteConfig(html=False, svg=False, json=False), static_url="/static/")
    assert [asset.logical for asset in made.assets if asset.edits] == ["css/app.css", "js/app.js"]


def test_a_cache_does_not_take_one_language_of_json_for_another(write, tmp_path):
    text = '{"icons": [{"src": "a.js"}], "imports": {"a": "./a.js"}}'
    root = write({"manifest.json": text, "importmap.json": text, "a.js": "1"})
    sources = [SourceFile(logical, path) for logical, path in walk(str(root), ignore_matcher([]))]
    starts = []
    for _ in range(2):
        with Cache(str(tmp_path / "cache"), 1 << 20) as cache:
            made = build(sources, RewriteConfig(), cache=cache)
            starts.append({asset.logical: [edit.start for edit in asset.edits] for asset in made.assets})
    expected = {"a.js": [], "importmap.json": [text.index("./a.js")], "manifest.json": [text.index("a.js")]}
    assert starts == [expected, expected]
