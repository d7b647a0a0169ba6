"""Files that a bundler has hashed: which they are, and that their names and bytes are left alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipfiles.build.bundled import bundled
from shipfiles.build.bundler_manifest import hashed, named_in
from shipfiles.build.find import ignore_matcher, walk
from shipfiles.build.pipeline import Build, build
from shipfiles.config import CompressConfig, RewriteConfig
from shipfiles.digest import Digest, digest_bytes, hashed_name
from shipfiles.errors import BrokenReferences, StoreError
from shipfiles.events import Event, Notice
from shipfiles.manifest import Manifest, dump, load
from shipfiles.model import SourceFile
from shipfiles.records import MANIFESTS_PREFIX, POINTER_KEY, RELEASES_PREFIX, read_current
from shipfiles.release.publish import publish, publish_plain
from shipfiles.serve.respond import Request, Response, respond
from shipfiles.serve.table import FileTable, read_table
from shipfiles.stores.local import LocalStore
from shipfiles.stores.memory import MemoryStore
from shipfiles.stores.store import Store, read_all

from .test_bundler_names import EVERYDAY

FAST = CompressConfig(brotli_quality=4, gzip_level=6)
ENTRY = "dist/assets/main-AyVl-YFZ.js"
SHARED = "dist/assets/shared-Cpw7KS3l.js"
CSS = "dist/assets/main-DDEDmIVm.css"
LOGO = "dist/assets/logo-cp8Lj6LG.png"
WORDY = "dist/assets/extra-Abcdefgh.js"
VITE = {
    "_shared-Cpw7KS3l.js": {"file": "assets/shared-Cpw7KS3l.js", "name": "shared"},
    "src/logo.png": {"file": "assets/logo-cp8Lj6LG.png", "src": "src/logo.png"},
    "src/extra.js": {"file": "assets/extra-Abcdefgh.js", "name": "extra", "src": "src/extra.js"},
    "src/main.js": {
        "file": "assets/main-AyVl-YFZ.js", "name": "main", "src": "src/main.js", "isEntry": True,
        "imports": ["_shared-Cpw7KS3l.js"], "css": ["assets/main-DDEDmIVm.css"], "assets": ["assets/logo-cp8Lj6LG.png"],
    },
}  # fmt: skip
SITE: dict[str, str | bytes] = {
    ENTRY: "import { s } from './shared-Cpw7KS3l.js';\n"
    + "s();\n" * 80
    + "//# sourceMappingURL=main-AyVl-YFZ.js.map\n",
    ENTRY + ".map": "{}",
    SHARED: "export const s = () => 1;\n",
    WORDY: "export default 2;\n",
    CSS: ".a{background:url(/static/dist/assets/logo-cp8Lj6LG.png)}\n",
    LOGO: b"\x89PNG" * 99,
    "js/page.js": "import '../dist/assets/shared-Cpw7KS3l.js';\nimport './own.js';\n",
    "js/own.js": "export default 3;\n",
}
KEPT = {ENTRY, SHARED, WORDY, CSS, LOGO}


def sources(root: Path) -> list[SourceFile]:
    # As collectstatic does without --no-default-ignore: what begins with a dot is left out.
    return [SourceFile(logical, path) for logical, path in walk(str(root), ignore_matcher([".*"]))]


def made(root: Path, config: RewriteConfig | None = None, current: Manifest | None = None) -> Build:
    return build(sources(root), config or RewriteConfig(), steady=current.steady() if current else None)


def kept(built: Build) -> set[str]:
    return {asset.logical for asset in built.assets if asset.kept}


def current(store: Store) -> Manifest:
    found = read_current(lambda key: read_all(store, key))
    assert found is not None
    return found[1]


@pytest.fixture
def site(write) -> Path:
    return write({**SITE, "dist/.vite/manifest.json": json.dumps(VITE)})


@pytest.fixture(params=["memory", "local"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return MemoryStore() if request.param == "memory" else LocalStore(str(tmp_path / "root"))


# Which they are.

METAFILE = {  # https://esbuild.github.io/api/#metafile
    "inputs": {},
    "outputs": {
        "out/main-6ZIYGZRG.js": {"entryPoint": "src/main.js", "cssBundle": "out/main-2WKJDYHI.css"},
        "out/main-6ZIYGZRG.js.map": {"imports": []},
        "out/main-2WKJDYHI.css": {},
        "out/other-5XQ2W4IU.js": {"entryPoint": "src/other.js"},
        "out/chunk-OS4IK4XL.js": {},
        "out/plain.js": {"entryPoint": "src/plain.js"},
    },
}
MANIFESTS: dict[str, tuple[object, set[str]]] = {
    # https://vite.dev/guide/backend-integration
    "Vite": (VITE, {path.removeprefix("dist/") for path in KEPT}),
    "Vite, told to leave the hashes out": (
        {
            "src/icon-iPhone6S.svg": {"file": "assets/icon-iPhone6S.svg", "src": "src/icon-iPhone6S.svg"},
            "views/foo-TextArea.js": {"file": "assets/foo-TextArea.js", "name": "foo-TextArea", "isEntry": True,
                                      "css": ["assets/foo-TextArea.css"]},
        },
        set(),
    ),
    # https://github.com/shellscape/webpack-manifest-plugin
    "webpack-manifest-plugin": (
        {
            "main.js": "https://cdn.example.com/static/dist/main.11593f3b9364a7cd8292.js?x#y",
            "170.b1f4e50c.chunk.js": "/static/dist/170.b1f4e50c.chunk.js",
            "logo.png": "/static/dist/7d66109521ddc8992b9a.png",
            "main.js.map": "/static/dist/main.11593f3b9364a7cd8292.js.map",
            "vendor.js": "/static/dist/vendor.bundle.js",
            "index.html": "/static/dist/index.html",
        },
        {
            "https://cdn.example.com/static/dist/main.11593f3b9364a7cd8292.js", "/static/dist/170.b1f4e50c.chunk.js",
            "/static/dist/7d66109521ddc8992b9a.png",
        },
    ),
    "create-react-app": (
        {"files": {"main.css": "/static/css/main.18259311.css", "main.js": "/static/js/main.a2b5c8d1.js"},
         "entrypoints": ["static/css/main.18259311.css"]},
        {"/static/css/main.18259311.css", "/static/js/main.a2b5c8d1.js"},
    ),
    "webpack-assets-manifest with integrity": (
        {"main.js": {"src": "main-BWx3k2p9.js", "integrity": "sha384-x"}}, {"main-BWx3k2p9.js"},
    ),
    # https://github.com/django-webpack/webpack-bundle-tracker
    "webpack-bundle-tracker": (
        {"status": "done", "chunks": {"main": ["main.11593f3b9364a7cd8292.js"]},
         "assets": {"main.11593f3b9364a7cd8292.js": {"name": "main"}, "style.css": {}, "a.11593f3b.js.map": {}}},
        {"main.11593f3b9364a7cd8292.js"},
    ),
    "webpack, told to write twelve digits": (
        {"main.js": "/static/dist/main.6f6ea4ff2d83.js"}, {"/static/dist/main.6f6ea4ff2d83.js"},
    ),
    "esbuild": (
        METAFILE,
        {"out/main-6ZIYGZRG.js", "out/other-5XQ2W4IU.js", "out/chunk-OS4IK4XL.js", "out/main-2WKJDYHI.css"},
    ),
    # https://www.w3.org/TR/appmanifest/
    "a web app's": (
        {"name": "An app", "start_url": "/?v=BWx3k2p9", "icons": [{"src": "icon-192.png"}], "id": "BWx3k2p9Qa"}, set(),
    ),
    "Django's": ({"paths": {"a.css": "a.6f6ea4ff2d83.css"}, "version": "1.1", "hash": "3cb6ed58ca8d"}, set()),
    "a list": (["assets/a-BWx3k2p9.js"], set()),
    "numbers": ({"a": 1, "b": {"file": 2, "css": 3, "assets": [4]}, "outputs": 5}, set()),
}  # fmt: skip


@pytest.mark.parametrize("form", MANIFESTS)
def test_what_a_manifest_names(form: str) -> None:
    manifest, expected = MANIFESTS[form]
    assert {named.path for named in hashed(named_in(manifest))} == {path.split("?")[0] for path in expected}


JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner) | st.dictionaries(
        st.sampled_from(["file", "src", "name", "css", "assets", "chunks", "files", "outputs"]) | st.text(), inner
    ),
)  # fmt: skip


@given(JSON)
def test_any_manifest_is_answered(manifest: object) -> None:
    hashed(named_in(manifest))


HASHED = ["main.2f3a4b5c6d7e8f90.js", "polyfills.1a2b3c4d5e6f7a8b.js", "styles.9a8b7c6d5e4f3a2b.css"]


def test_no_bundle_vouches_for_a_file_beside_it(write) -> None:
    short = ["main.a2b5c8d1.js", "787.b1f4e50c.chunk.js", "app-aB3dE5gH.js", "lib-BWk3p2Q9.js", "chunk-K4MQ7RB2.js"]
    root = write(dict.fromkeys((*HASHED, *short, *EVERYDAY), "1"))
    assert kept(made(root)) == set(HASHED)


def test_a_hashed_script_beside_pictures(write) -> None:
    others = ["appleTouchIcon.png", "socialShareImage.jpg", "OpenSansBold2.woff2", "productList2024.json"]
    assert kept(made(write(dict.fromkeys((*HASHED, *others), "1")))) == set(HASHED)


def test_a_list_of_sounds_is_no_bundlers_manifest(write) -> None:
    sounds = {"click": "clickSoundLoud.mp3", "bg": "audio/backgroundMusicLoop.mp3"}
    files = ["game/clickSoundLoud.mp3", "game/audio/backgroundMusicLoop.mp3", "other/app/clickSoundLoud.mp3"]
    root = write({"game/sounds-manifest.json": json.dumps(sounds), **dict.fromkeys(files, "1")})
    assert kept(made(root)) == set()


@pytest.mark.parametrize("name", EVERYDAY)
def test_a_list_of_files_is_no_bundlers_manifest(write, name: str) -> None:
    stem, _, extension = name.rpartition(".")
    first = stem.partition("-")[0].partition(".")[0]
    listed = {f"{first}.{extension}": name, first: f"/static/x/{name}", name: name, "a": f"x/{name}"}
    assert kept(made(write({"x/assets-manifest.json": json.dumps(listed), f"x/{name}": "1"}))) == set()


@pytest.mark.parametrize("key", ["icons", "start_url", "display", "short_name", "manifest_version"])
def test_a_web_apps_manifest_is_no_bundlers(write, key: str) -> None:
    name = "main.a2b5c8d1.js"
    manifest = {key: [], "background_image": "heroImageWide.png", "main.js": name}
    root = write({"manifest.json": json.dumps(manifest), "heroImageWide.png": "1", name: "2"})
    assert kept(made(root)) == set()
    write({"manifest.json": json.dumps({"main.js": name})})
    assert kept(made(root)) == {name}


@pytest.mark.parametrize(
    ("manifest", "url", "expected"),
    [
        ("dist/manifest.json", "main.a2b5c8d1.js", "dist/main.a2b5c8d1.js"),
        ("dist/manifest.json", "js/main.a2b5c8d1.js", "dist/js/main.a2b5c8d1.js"),
        ("dist/manifest.json", "/static/dist/js/main.a2b5c8d1.js", "dist/js/main.a2b5c8d1.js"),
        ("dist/manifest.json", "https://cdn.example.com/x/js/main.a2b5c8d1.js?y", "dist/js/main.a2b5c8d1.js"),
        ("manifest.json", "/static/dist/js/main.a2b5c8d1.js", "dist/js/main.a2b5c8d1.js"),
        ("dist/manifest.json", "../other/main.a2b5c8d1.js", None),
        ("dist/manifest.json", "gone/main.a2b5c8d1.js", None),
    ],
)
def test_where_a_manifest_means_a_file_to_be(write, manifest: str, url: str, expected: str | None) -> None:
    places = ["dist/main.a2b5c8d1.js", "dist/js/main.a2b5c8d1.js", "other/main.a2b5c8d1.js"]
    root = write({manifest: json.dumps({"main.js": url}), **dict.fromkeys(places, "1")})
    assert kept(made(root)) == ({expected} if expected else set())


def test_a_manifest_above_the_folder_that_a_finder_lists(write) -> None:
    name = "main.a2b5c8d1.js"
    root = write({"webpack-stats.json": json.dumps({"assets": {name: {"name": "main.js"}}, "chunks": {}}),
                  f"out/{name}": "1"})  # fmt: skip
    for prefix in ("", "dist/", "out/"):
        found = bundled([SourceFile(prefix + name, str(root / "out" / name))], RewriteConfig())
        assert found.told == {prefix + name}


def test_vite_s_pictures_without_a_hash() -> None:
    """``assetFileNames: "assets/[name][extname]"``: the scripts have one all the same."""
    listed = ["assets/chart-B2BvsB2C.png", "assets/hero-TextArea.png", "assets/review-PS4vsPS5.jpg"]
    manifest = {
        **{f"src/{path[7:]}": {"file": path, "src": f"src/{path[7:]}"} for path in listed[:2]},
        "src/main.js": {"file": "assets/main-Cpw7KS3l.js", "name": "main", "assets": listed},
        "src/other.js": {"file": "assets/other-cp8Lj6LG.js", "name": "other", "css": ["assets/other.css"]},
    }
    assert {named.path for named in hashed(named_in(manifest))} == {
        "assets/main-Cpw7KS3l.js", "assets/other-cp8Lj6LG.js"
    }  # fmt: skip


def test_what_an_option_adds_to_all_names_is_no_hash() -> None:
    manifest = {
        f"src/{name}.js": {"file": f"assets/{name}-TextArea.js", "name": name, "isEntry": True} for name in "abc"
    }
    assert hashed(named_in(manifest)) == set()


@pytest.mark.parametrize("place", ["dist/manifest.json", "dist/.vite/manifest.json", "dist/vite-manifest.json"])
def test_the_places_of_a_manifest(write, place: str) -> None:
    only = {name: body for name, body in SITE.items() if name in (WORDY, LOGO)}
    assert WORDY not in kept(made(write(only)))
    # Vite's other names say that eight characters are put into them.
    assert kept(made(write({**only, place: json.dumps(VITE)}))) == {WORDY, LOGO}


@pytest.mark.parametrize("body", ["", "{", "[" * 100_000, "\x00", '"' + "x" * 100 + '"', "{}"])
def test_a_damaged_manifest_names_nothing(write, body: str) -> None:
    assert kept(made(write({WORDY: "1", "dist/manifest.json": body}))) == set()


def test_a_copy_of_a_file_that_a_storage_has_named_is_a_file_like_others(write) -> None:
    name = "img/dup.5c571e9807d1.png"
    root = write({name: "1", "img/webpack.11593f3b9364a7cd8292.png": "2"})
    built = made(root)
    assert kept(built) == {"img/webpack.11593f3b9364a7cd8292.png"}
    assert hashed_name(name, digest_bytes(b"1")) in {asset.name for asset in built.assets}
    write({"img/manifest.json": json.dumps({"dup.png": "/static/img/dup.5c571e9807d1.png"})})
    assert name in kept(made(root))


def test_options(site: Path) -> None:
    found = sources(site)

    def bundled_with(config: RewriteConfig) -> set[str]:
        told, guessed = bundled(found, config)
        return {*told, *guessed}

    assert bundled_with(RewriteConfig()) == KEPT
    assert bundled_with(RewriteConfig(bundled=False)) == set()
    assert bundled_with(RewriteConfig(bundled=False, bundled_names=("js/*",))) == {"js/page.js", "js/own.js"}
    assert bundled_with(RewriteConfig(unbundled_names=("*.css", "*.png"))) == KEPT - {CSS, LOGO}
    built = made(site, RewriteConfig(unbundled_names=("*/shared-*",)))
    # A bundler's module imports it, but the project has said what it is.
    assert kept(built) == KEPT - {SHARED}


def test_what_a_told_module_imports_is_a_bundlers(write) -> None:
    root = write({
        "js/main.js": "import './deep-aB3dE5gH.js'; import './plain.js'; import './chart-B2BvsB2C.js'",
        "js/deep-aB3dE5gH.js": f"import('./{HASHED[0]}')", f"js/{HASHED[0]}": "1",
        "js/plain.js": "2", "js/away-aB3dE5gH.js": "3", "js/chart-B2BvsB2C.js": "4",
    })  # fmt: skip
    built = made(root, RewriteConfig(bundled_names=("js/main.js",)))
    assert kept(built) == {"js/main.js", "js/deep-aB3dE5gH.js", f"js/{HASHED[0]}"}


def test_a_guessed_module_is_kept_only_with_all_that_it_imports(write) -> None:
    main, polyfills, _ = HASHED
    root = write({main: f"import './{polyfills}'", polyfills: "import './a.js'", "a.js": "1", HASHED[2]: "2"})
    # All three scripts are rewritten then, so that the browser has one of each.
    assert kept(made(root)) == {HASHED[2]}
    write({polyfills: "3"})
    assert kept(made(root)) == set(HASHED)


# That they are left alone.


def test_names_and_bytes_stay(site: Path) -> None:
    built = made(site)
    assert kept(built) == KEPT
    by_logical = {asset.logical: asset for asset in built.assets}
    for logical in KEPT:
        asset = by_logical[logical]
        assert (asset.name, asset.edits, asset.body()) == (logical, (), str(site / logical))
        assert asset.digest == asset.source_digest
    assert by_logical[ENTRY].references == (ENTRY + ".map", SHARED)
    page = by_logical["js/page.js"].body()
    assert isinstance(page, bytes)
    assert b"'../dist/assets/shared-Cpw7KS3l.js'" in page
    assert hashed_name("js/own.js", by_logical["js/own.js"].digest).encode().removeprefix(b"js/") in page


def test_references_to_kept_files_stay_as_they_are_written(write) -> None:
    text = "import '/static/dist/./assets//shared%2DCpw7KS3l.js?a b#c'\n"
    built = made(write({SHARED: "1", "a.js": text}), RewriteConfig(bundled_names=(SHARED,)))
    assert [asset.edits for asset in built.assets] == [(), ()]


def test_a_circle_of_kept_files_is_no_circle(write) -> None:
    root = write(
        {
            "a-aB3dE5gH.js": "import './b-aB3dE5gH.js'",
            "b-aB3dE5gH.js": "import './a-aB3dE5gH.js'; import './c.js'",
            "c.js": "import './b-aB3dE5gH.js'",
        }
    )
    names = {asset.logical: asset.name for asset in made(root, RewriteConfig(bundled_names=("[ab]-*",))).assets}
    assert names == {
        "a-aB3dE5gH.js": "a-aB3dE5gH.js", "b-aB3dE5gH.js": "b-aB3dE5gH.js",
        "c.js": hashed_name("c.js", digest_bytes(b"import './b-aB3dE5gH.js'")),
    }  # fmt: skip


def test_broken_references_in_kept_files_are_reported(write) -> None:
    with pytest.raises(BrokenReferences) as caught:
        made(write({SHARED: "import './gone.js'"}), RewriteConfig(bundled_names=(SHARED,)))
    (problem,) = caught.value.problems
    assert (problem.logical, problem.line, problem.column, problem.text) == (SHARED, 1, 9, "./gone.js")


# What is published.


def test_a_release(store: Store, site: Path) -> None:
    published = publish(made(site), store, FAST)
    manifest = current(store)
    assert {logical for logical, entry in manifest.entries.items() if entry.kept} == KEPT
    django = json.loads(read_all(store, "staticfiles.json") or b"")
    for logical in KEPT:
        assert django["paths"][logical] == logical
        assert read_all(store, logical) == (site / logical).read_bytes()
        assert manifest.entries[logical].plain is None
    # Once: neither a second copy of the file nor of a variant.
    stem = ENTRY.removesuffix(".js")
    assert {s.key for s in store.list() if s.key.startswith(stem) and ".map" not in s.key} == {
        ENTRY, ENTRY + ".br", ENTRY + ".gz",
    }  # fmt: skip
    assert [c.key for c in published.changed if c.kind == "plain"].count(ENTRY) == 1
    again = publish(made(site, current=manifest), store, FAST, current=(published.release, manifest))
    assert again.changed == []
    assert sorted(again.unchanged) == sorted(manifest.entries)


def test_a_kept_name_that_lies_is_not_kept_again(store: Store, site: Path) -> None:
    publish(made(site), store, FAST)
    (site / SHARED).write_text("export const s = () => 'other';\n")
    for warnings in (1, 0):
        built = made(site, current=current(store))
        assert kept(built) == KEPT - {SHARED}
        said = [problem for problem in built.warnings if problem.logical == SHARED]
        assert len(said) == warnings
        assert all("its bytes changed but its name" in problem.what for problem in said)
        publish(built, store, FAST)
        entry = current(store).entries[SHARED]
        body = (site / SHARED).read_bytes()
        assert entry.name == hashed_name(SHARED, digest_bytes(body))
        assert read_all(store, SHARED) == read_all(store, entry.name) == body
        assert entry.unsteady
        # As it was in the first release: it would be immutable again with other bytes.
    (site / SHARED).write_bytes(str(SITE[SHARED]).encode())
    assert SHARED not in kept(made(site, current=current(store)))


def test_a_name_that_was_ours_in_the_last_release_is_not_taken_over(store: Store, write) -> None:
    first = publish(made(write({"a.js": "1"})), store, FAST)
    name = first.manifest.entries["a.js"].name
    # The name alone would not do: it has our own form.
    write({"manifest.json": json.dumps({"a.js": f"/static/{name}"})})
    assert kept(made(write({"a.js": "1", name: "1"}), current=current(store))) == {name}
    assert kept(made(write({"a.js": "2", name: "3"}), current=current(store))) == set()


def test_other_bytes_than_another_run_has_published_meanwhile(store: Store, site: Path) -> None:
    publish(made(site), store, FAST)
    before = current(store)
    (site / SHARED).write_text("other")
    with pytest.raises(StoreError, match="Run again"):
        publish(made(site), store, FAST)
    assert current(store) == before
    assert read_all(store, SHARED) == SITE[SHARED].encode()  # type: ignore[union-attr]


def test_leftovers_under_a_kept_name_are_replaced(tmp_path: Path, site: Path) -> None:
    store = LocalStore(str(tmp_path / "root"))
    store.put(ENTRY, b"left by stock Django")
    other = tmp_path / "other"
    other.write_bytes((site / SHARED).read_bytes())
    store.symlink(str(other), SHARED)
    publish(made(site), store, FAST)
    for logical in KEPT:
        assert read_all(store, logical) == (site / logical).read_bytes()
        assert not (tmp_path / "root" / logical).is_symlink()
    assert other.read_bytes() == (site / SHARED).read_bytes()


def test_an_older_release_of_ours_that_hashed_them_again(store: Store, site: Path) -> None:
    publish(made(site, RewriteConfig(bundled=False)), store, FAST)
    before = current(store)
    publish(made(site, current=before), store, FAST)
    for entry in before.entries.values():
        assert digest_bytes(read_all(store, entry.name) or b"") == entry.digest
    publish(made(site, current=current(store)), store, FAST, clear=True)
    assert read_all(store, before.entries[ENTRY].name) is None
    apart = (POINTER_KEY, RELEASES_PREFIX, MANIFESTS_PREFIX, ".shipfiles/lock", ".shipfiles/swap")
    left = {stored.key for stored in store.list() if not stored.key.startswith(apart)}
    assert left == {"staticfiles.json", *current(store).keys()}


def test_links_lead_to_no_kept_file(tmp_path: Path, site: Path) -> None:
    root = tmp_path / "root"
    store = LocalStore(str(root))
    for _ in range(2):
        publish(made(site), store, FAST, link=True)
        assert (root / "js/own.js").is_symlink()
        assert not any((root / logical).is_symlink() for logical in KEPT)
        assert (root / (ENTRY + ".br")).exists()


def test_no_run_that_only_copies_changes_a_kept_file(tmp_path: Path, site: Path) -> None:
    store = LocalStore(str(tmp_path / "root"))
    publish(made(site), store, FAST)
    (site / SHARED).write_text("other")
    heard: list[Event] = []
    plain = RewriteConfig(skip=("*",), bundled=False)
    published = publish_plain(made(site, plain), store, link=True, listener=heard.append)
    assert read_all(store, SHARED) == str(SITE[SHARED]).encode()
    assert not any((tmp_path / "root" / logical).is_symlink() for logical in KEPT)
    assert set(published.unchanged) >= KEPT
    (notice,) = [event.text for event in heard if isinstance(event, Notice)]
    assert SHARED in notice
    # Into an empty place all are copied.
    empty = MemoryStore()
    publish_plain(made(site), empty)
    assert {stored.key for stored in empty.list()} == set(SITE)


@given(bodies=st.lists(st.binary(max_size=60), min_size=1, max_size=4))
def test_a_kept_file_has_the_bytes_of_its_source(tmp_path_factory: pytest.TempPathFactory, bodies: list[bytes]) -> None:
    root = tmp_path_factory.mktemp("src")
    for i, body in enumerate(bodies):
        (root / f"a{i}-aB3dE5gH.css").write_bytes(b"@import '/static/b.css';" + body)
    (root / "b.css").write_bytes(b"")
    store = MemoryStore()
    publish(build(sources(root), RewriteConfig(own_missing="warning", bundled_names=("a*",))), store, FAST)
    for i, body in enumerate(bodies):
        assert read_all(store, f"a{i}-aB3dE5gH.css") == b"@import '/static/b.css';" + body


def test_the_manifest_says_which_names_did_not_hold(store: Store, site: Path) -> None:
    publish(made(site), store, FAST)
    (site / SHARED).write_text("other")
    publish(made(site, current=current(store)), store, FAST)
    manifest = current(store)
    assert load(dump(manifest), "x") == manifest
    steady: dict[str, Digest | None] = manifest.steady()
    assert steady[SHARED] is None
    assert steady[LOGO] == digest_bytes((site / LOGO).read_bytes())


# How it is served.


def get(table: FileTable, path: str) -> Response | None:
    return respond(table, Request("GET", path, {}.get))


def cache_control(response: Response | None) -> str:
    assert response is not None
    if hasattr(response.body, "close"):
        response.body.close()
    return dict(response.headers)["Cache-Control"]


def test_kept_names_are_immutable(tmp_path: Path, site: Path) -> None:
    root = tmp_path / "root"
    publish(made(site), LocalStore(str(root)), FAST)
    table = read_table(str(root), "/static/")
    for logical in KEPT:
        assert cache_control(get(table, f"/static/{logical}")) == "max-age=31536000, public, immutable"
    assert "immutable" not in cache_control(get(table, f"/static/{ENTRY}.map"))
    # Missing: not the application's to answer, and not to be kept by a CDN.
    lost = get(table, "/static/dist/assets/gone-aB3dE5gH.js")
    assert lost is not None
    assert (lost.status, cache_control(lost)) == (404, "no-store")
    assert get(table, "/static/dist/assets/gone.js") is None


def test_kept_files_of_other_releases_are_served(tmp_path: Path, site: Path) -> None:
    root = tmp_path / "root"
    store = LocalStore(str(root))
    publish(made(site), store, FAST)
    old = read_table(str(root), "/static/")
    new = "dist/assets/shared-Dqx8LT4m.js"
    (site / SHARED).rename(site / new)
    listed = site / "dist/.vite/manifest.json"
    listed.write_text(listed.read_text().replace("Cpw7KS3l", "Dqx8LT4m"))
    (site / ENTRY).unlink()
    (site / "js/page.js").unlink()
    publish(made(site, current=current(store)), store, FAST)
    for table in (old, read_table(str(root), "/static/")):
        for logical in (SHARED, ENTRY, new):
            assert cache_control(get(table, f"/static/{logical}")) == "max-age=31536000, public, immutable"
