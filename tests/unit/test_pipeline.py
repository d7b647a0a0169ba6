"""From a folder to assets: names inside cycles, hints for what is missing, and folders of any depth."""

from __future__ import annotations

import difflib
import os
import subprocess
from pathlib import Path

import pytest

from shipfiles import errors
from shipfiles.build.cache import Cache
from shipfiles.build.find import ignore_matcher, select, walk
from shipfiles.build.pipeline import Build, build
from shipfiles.config import RewriteConfig
from shipfiles.digest import digest_bytes
from shipfiles.errors import BrokenReferences, SourceError, SourceErrors
from shipfiles.events import Event, PhaseEnded
from shipfiles.model import SourceFile
from shipfiles.regular import read_at_most


def sources(root: Path, *, own: bool = True) -> list[SourceFile]:
    return [SourceFile(logical, path, own) for logical, path in walk(str(root), ignore_matcher([]))]


def bodies(built: Build) -> dict[str, bytes]:
    found = {}
    for asset in built.assets:
        body = asset.body()
        found[asset.name] = body if isinstance(body, bytes) else Path(body).read_bytes()
    return found


@pytest.fixture
def compared(monkeypatch) -> list[str]:
    """The names that were compared with every other."""
    asked: list[str] = []
    real = difflib.get_close_matches

    def counted(name, *args, **kwargs):
        asked.append(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(difflib, "get_close_matches", counted)
    return asked


def test_a_name_inside_a_cycle_belongs_to_one_set_of_bytes(write) -> None:
    root = write({"a.js": "import './b.js'; import('/static/b.js')", "b.js": "import './a.js'"})
    first = bodies(build(sources(root), RewriteConfig(), static_url="/static/"))
    other = bodies(build(sources(root), RewriteConfig(), static_url="/assets/"))
    assert first == bodies(build(sources(root), RewriteConfig(), static_url="/static/"))
    assert sorted(first.values()) != sorted(other.values())
    for name in first.keys() & other.keys():
        assert first[name] == other[name]


def test_a_name_inside_a_cycle_follows_what_its_members_refer_to(write) -> None:
    files = {"a.js": "import './b.js'", "b.js": "import './a.js'; import './c.js'", "c.js": "1"}
    before = {a.logical: a.name for a in build(sources(write(files)), RewriteConfig()).assets}
    after = {a.logical: a.name for a in build(sources(write({"c.js": "2"})), RewriteConfig()).assets}
    assert all(before[logical] != after[logical] for logical in files)


def test_missing_source_maps_have_no_hints(write, compared) -> None:
    root = write({"app.js": "1\n//# sourceMappingURL=app.js.map\n", "other/app.js.map": "{}"})
    (note,) = build(sources(root), RewriteConfig()).notes
    assert note.nearest == ()
    assert compared == []


def test_warnings_have_the_hints_that_cost_nothing(write, compared) -> None:
    root = write({
        "a.css": "a{background:url(Logo.png)} b{background:url(x/icon.svg)} i{background:url(alik.png)}",
        "logo.png": "", "img/icon.svg": "", "alike.png": "",
    })  # fmt: skip
    hints = [w.nearest for w in build(sources(root, own=False), RewriteConfig()).warnings]
    assert hints == [("logo.png",), ("img/icon.svg",), ()]
    assert compared == []


def test_names_are_compared_as_long_as_a_person_waits(write, compared, monkeypatch) -> None:
    monkeypatch.setattr(errors, "_MOST_COMPARISONS", 15)
    root = write({
        "alike.png": "", "img/icon.svg": "",
        "a.css": "".join(f"a{{background:url(alike{i % 8}.png)}}" for i in range(30)) + "a{background:url(icon.svg)}",
    })  # fmt: skip
    with pytest.raises(BrokenReferences) as caught:
        build(sources(root), RewriteConfig())
    hints = [p.nearest for p in caught.value.problems]
    # Three files: five names can be compared with all of them. What is asked again costs nothing.
    assert hints == [("alike.png",) if i % 8 < 5 else () for i in range(30)] + [("img/icon.svg",)]
    assert len(compared) == 5


def test_what_is_further_away_than_the_best_is_no_hint(write) -> None:
    root = write({"css/app.css": "", "css/base.css": "", "css/bom.css": "", "a.css": "@import 'css/ap.css';"})
    with pytest.raises(BrokenReferences) as caught:
        build(sources(root), RewriteConfig())
    assert [p.nearest for p in caught.value.problems] == [("css/app.css",)]


def test_a_walk_is_in_order_and_as_deep_as_the_folders(tmp_path: Path) -> None:
    for name in ("b/x", "a.txt", "a/y", "b.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    assert [r for r, _ in walk(str(tmp_path), ignore_matcher([]))] == ["a/y", "a.txt", "b/x", "b.txt"]
    folder = str(tmp_path / "a")
    try:
        for _ in range(1500):
            folder += "/d"
            os.mkdir(folder)
        Path(folder, "x").write_text("")
        assert [r for r, _ in walk(str(tmp_path / "a"), ignore_matcher([]))] == ["d/" * 1500 + "x", "y"]
    finally:
        # Python's own rmtree, which clears up after the tests, recurses.
        subprocess.run(["rm", "-rf", str(tmp_path / "a")], check=True)


def test_a_folder_inside_itself_is_an_error_but_one_seen_twice_is_not(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/x").write_text("")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert [r for r, _ in walk(str(tmp_path), ignore_matcher([]))] == ["a/x", "b/x"]
    (tmp_path / "a/self").symlink_to(tmp_path)
    with pytest.raises(SourceError, match="makes this folder contain itself"):
        list(walk(str(tmp_path), ignore_matcher([])))


def test_folders_that_cannot_be_read_are_refused_and_the_rest_is_walked(tmp_path: Path) -> None:
    # Longer than a path may be (PATH_MAX): not even root can list it by its whole name.
    name = "d" * 250
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        for _ in range(17):
            os.mkdir(name, dir_fd=folder)
            above, folder = folder, os.open(name, os.O_RDONLY, dir_fd=folder)
            os.close(above)
        (tmp_path / "a").mkdir()
        (tmp_path / "a/self").symlink_to(tmp_path)
        (tmp_path / "x").write_text("")
        refused: list[SourceError] = []
        assert [r for r, _ in walk(str(tmp_path), ignore_matcher([]), refused.append)] == ["x"]
        loop, long = map(str, refused)
        assert loop.startswith(f"{tmp_path}/a/self: a symbolic link makes this folder contain itself\n  ")
        assert f"{name}/{name}: the folder cannot be read: the name is too long" in long
        assert long.endswith("or leave it out with --ignore.")
        with pytest.raises(SourceErrors) as caught:
            select((SourceFile(r, p) for r, p in walk(str(tmp_path), ignore_matcher([]), refused.append)), refused)
        assert len(caught.value.errors) == 4
        assert caught.value.path == caught.value.errors[0].path == f"{tmp_path}/a/self"
    finally:
        os.close(folder)
        subprocess.run(["rm", "-rf", str(tmp_path / name)], check=True)


def test_a_root_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    refused: list[SourceError] = []
    assert list(walk(str(tmp_path / "gone"), ignore_matcher([]), refused.append)) == []
    (error,) = refused
    # No --ignore leaves it out.
    assert str(error) == f"{tmp_path}/gone: the folder cannot be read: no such file"
    with pytest.raises(SourceError):
        list(walk(str(tmp_path / "gone"), ignore_matcher([])))


BROKEN = '{"name": "é",\n "icons": [{"src": "a.png"},]}'
JSON = [
    # The name, what media types are set besides, and whether only JSON is of use in it.
    ("site.webmanifest", {}, True),
    ("app/site.WEBMANIFEST", {}, True),
    ("importmap.json", {}, True),
    ("app.importmap.json", {}, True),
    ("app.importmap", {}, True),
    ("site.app", {".app": "application/manifest+json"}, True),
    # Extensions and bundlers have files of this name, too, and templates of them.
    ("manifest.json", {}, False),
    ("other.json", {}, False),
]


@pytest.mark.parametrize(("name", "types", "told"), JSON)
def test_a_manifest_that_is_not_json_is_told_with_its_place(
    write, tmp_path: Path, name: str, types: dict[str, str], told: bool
) -> None:
    root = write({name: BROKEN})
    with Cache(str(tmp_path / "cache")) as cache:
        first, built = [build(sources(root), RewriteConfig(), media_types=types, cache=cache) for _ in range(2)]
    assert first == built
    assert [str(problem) for problem in built.warnings] == [
        f"{root / name}:2:29: not JSON from here on; browsers make nothing of it, and it is published as it is"
    ] * told
    assert [asset.source_digest for asset in built.assets] == [asset.digest for asset in built.assets]
    (root / name).write_text(BROKEN.replace(",]", "]").replace("a.png", "https://h/a.png"))
    assert build(sources(root), RewriteConfig(), media_types=types).warnings == ()


@pytest.mark.parametrize(
    ("body", "place"),
    [(b"", "1:1"), (b'{"a":\r\n', "2:1"), (b"[" * 200_000, "1:200001"), ("{}".encode("utf-16"), "1:1")],
)
def test_a_manifest_that_is_cut_deep_or_in_utf16(write, body: bytes, place: str) -> None:
    root = write({"a.webmanifest": body})
    (warning,) = build(sources(root), RewriteConfig()).warnings
    assert str(warning).startswith(f"{root / 'a.webmanifest'}:{place}: ")
    assert "JSON" in str(warning)


def test_a_manifest_that_is_not_rewritten_is_not_looked_at(write) -> None:
    root = write({"a.webmanifest": "{"})
    assert build(sources(root), RewriteConfig(json=False)).warnings == ()
    assert build(sources(root), RewriteConfig(skip=("*.webmanifest",))).warnings == ()


def test_a_deep_manifest_is_json(write) -> None:
    root = write({"a.webmanifest": '{"a":' + "[" * 200_000 + "]" * 200_000 + "}"})
    assert build(sources(root), RewriteConfig()).warnings == ()


@pytest.mark.parametrize("text", ["a{background:url(gone.png)}", "a{background:url(here.png)}"])
@pytest.mark.parametrize("added", ["", " "])
def test_a_file_that_changes_after_it_was_scanned(write, text: str, added: str) -> None:
    """What was found in other bytes is told of none, and replaced in none."""
    root = write({"a.css": text, "here.png": "x"})

    def change(event: Event) -> None:
        if isinstance(event, PhaseEnded) and event.phase == "read":
            (root / "a.css").write_text(text.swapcase() + added)

    config = RewriteConfig(own_missing="warning")
    with pytest.raises(SourceError, match=r"a\.css: the file changed while it was collected; run again"):
        build(sources(root), config, listener=change)


@pytest.mark.skipif(not os.path.exists("/proc/self/limits"), reason="has no file that is larger than it says")
def test_a_file_that_is_larger_than_it_said_it_was() -> None:
    """As one that grows while it is read; proc(5) has files of 0 bytes to fstat(2)."""
    source = SourceFile("a.css", "/proc/self/limits")
    assert os.stat(source.path).st_size == 0
    built = build([source], RewriteConfig(max_size=100))
    assert [problem.what for problem in built.warnings] == [
        "larger than rewrite.max_size (100 bytes), published as it is"
    ]
    with open(source.path, "rb", buffering=0) as file:
        body = file.readall()
        assert built.assets[0].size == len(body) > 100
        assert built.assets[0].digest == digest_bytes(body)
        for most in (0, 5, len(body) - 1, len(body), len(body) + 1):
            file.seek(0)
            assert read_at_most(file, most) == body[:most]
