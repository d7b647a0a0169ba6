"""What bundlers call their files, by their documentation and by what they make; and what only looks like it."""

from __future__ import annotations

import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipfiles.bundler_names import inserted_part, is_bundled, is_random, is_scrambled, may_be_bundled
from shipfiles.digest import digest_bytes, hashed_name

from ..oracles.corpora import folder

# Where the form is documented; names of that form, made by the bundler unless the documentation has them.
CERTAIN = {
    "webpack, output.filename '[name].[contenthash].js', 20 digits by output.hashDigestLength": [
        "main.11593f3b9364a7cd8292.js", "static/js/main.11593f3b9364a7cd8292.css", "polyfills.b30c22ba3bd04b4e8d9a.js",
    ],
    "webpack, output.assetModuleFilename '[hash][ext][query]'": [
        "7d66109521ddc8992b9a.png", "img/29822eaa871e8eadeaa4.png",
    ],
    "Angular and others, 16 digits": ["main.2f3a4b5c6d7e8f90.js", "styles.9a8b7c6d5e4f3a2b.css"],
    "file-loader, '[name].[hash].[ext]' with MD5": ["static/media/logo.6ce24c58023cc2f8fd88fe9d219db6c6.svg"],
}  # fmt: skip

SCRAMBLED = [
    "static/js/main.a2b5c8d1.js", "index.f5a8b1b0.js", "styles.e7a3c4d2.css", "assets/index-4b3c2a1d.js",
    "787.b1f4e50c.chunk.js", "assets/index-aB3dE5gH.js", "lib-BWk3p2Q9.mjs", "chunk-K4MQ7RB2.js",
]  # fmt: skip

# What only a manifest can tell from a name that a person gave, although bundlers made each of them.
DOUBTFUL = [
    "assets/shared-ChJ_j-JJ.css", "assets/foo-BRBmoGS9.js", "assets/shared-B7PI925R.js", "assets/foo-5UjPuW-k.css",
    "assets/main-AyVl-YFZ.js", "assets/baz-B2H3sXNv.js", "vite/assets/logo-cp8Lj6LG.png",
    # The names that Django's ManifestStaticFilesStorage and Shipfiles give: such files are copied from live sites.
    "css/base.6f6ea4ff2d83.css", "css/base.6f6ea4ff2d83.min.css", "dup.5c571e9807d1.png",
    "assets/lazy-B5GqjigA.css", "main-6ZIYGZRG.js", "chunk-OSFIK4XL.js", "js/chunk-EXISGGLL.js", "main-3ZIY2ZRG.js",
    "assets/lazy-Do1KEM5_.js", "assets/index.BWx3k2p9.js", "assets/index_BWx3k2p9.js", "BWx3k2p9Qa.js",
    "static/js/787.174a754d.chunk.js", "js/chunk-vendors.77daf991.js",
]  # fmt: skip

# A person's: comparisons, versions, products, chemistry, dates, resolutions, words in camel case, colours.
EVERYDAY = Path(__file__).with_name("everyday_names.txt").read_text().split()

NEVER = [
    # Words, versions, dates, sizes, numbers.
    "app.css", "jquery-3.7.1.min.js", "bootstrap.bundle.min.js", "pdf-renderer.js", "app-frontend.js",
    "input-TextArea.js",
    "report.20240131.pdf", "spritesheet-1694777276.png", "bg-1024x768.png", "bg.19201080.png", "icon-192x192.png",
    "chunk-vendors.js", "deadbeef.js", "app.deadbeef.js", "app.facade.js", "swatch-ff000000.png", "logo-VERSION2.png",
    "poster-A4FORMAT.pdf", "icon-iPhone6S.svg", "Adobe-Japan1-3.bcmap", "app-v1-2-RC3.js", "photo-Section2.jpg",
    "emoji/1f468-200d-1f4bb.svg", "f/550e8400-e29b-41d4-a716-446655440000.png", "d41d8cd98f00b204e9800998ecf8427e.png",
    # A folder's name is not the file's.
    "main.11593f3b9364a7cd8292.js/readme.txt", "assets-BWx3k2p9/index.js",
    # The hash in the name is that of the script, whose bytes are the same with another map.
    "main.11593f3b9364a7cd8292.js.map", "assets/index-BWx3k2p9.js.map", "assets/index-BWx3k2p9.css.map",
    # Compressed by a plug-in; and the licences that webpack's minimizer takes out of a script.
    "assets/index-BWx3k2p9.js.gz", "assets/index-BWx3k2p9.js.br", "main.11593f3b9364a7cd8292.js.LICENSE.txt",
    "", "/", "x" * 300 + ".11593f3b9364a7cd8292.js",
]  # fmt: skip


@pytest.mark.parametrize(("where", "name"), [(where, name) for where, names in CERTAIN.items() for name in names])
def test_names_that_bundlers_give(where: str, name: str) -> None:
    assert is_bundled(name), where


@pytest.mark.parametrize("name", SCRAMBLED)
def test_names_that_a_told_module_or_a_list_vouches_for(name: str) -> None:
    assert not is_bundled(name)
    assert is_scrambled(name)


@pytest.mark.parametrize("name", DOUBTFUL)
def test_names_that_need_a_manifest(name: str) -> None:
    assert not is_bundled(name)
    assert not is_scrambled(name)
    assert may_be_bundled(name)


@pytest.mark.parametrize("name", [*NEVER, *EVERYDAY])
def test_names_that_people_give(name: str) -> None:
    for path in (name, *(f"{name.rpartition('.')[0]}.{extension}" for extension in ("js", "css", "png"))):
        if name in EVERYDAY or path == name:
            assert not is_bundled(path)
            assert not is_scrambled(path)


def test_many_everyday_names_were_tried() -> None:
    assert len(set(EVERYDAY)) > 200


@pytest.mark.parametrize("word", ["TextArea", "iPhone6S", "OpenSansBold2", "productList2024", "clickSoundLoud",
                                  "20240115", "2024a01b", "1024x768", "deadbeef", "Section2"])  # fmt: skip
def test_words_with_a_number_are_not_random(word: str) -> None:
    assert not is_random(word)


@pytest.mark.parametrize(
    ("path", "plain", "part"),
    [
        ("assets/index-BWx3k2_9.js", "src/index.tsx", "BWx3k2_9"),
        ("assets/main-AyVl-YFZ.js", "main", "AyVl-YFZ"),
        ("/static/main.11593f3b9364a7cd8292.js", "main.js", "11593f3b9364a7cd8292"),
        ("static/js/787.174a754d.chunk.js", "787", "174a754d"),
        ("assets/index.js", "src/index.js", None),
        ("assets/indexes-BWx3k2_9.js", "src/index.js", None),
        ("assets/index-BWx3k2_9.js.map", "src/index.js", None),
        ("assets/x-BWx3k2_9.js", "", None),
    ],
)
def test_what_was_put_into_a_name(path: str, plain: str, part: str | None) -> None:
    assert inserted_part(path, plain) == part


@given(body=st.binary())
def test_our_own_names_prove_nothing(body: bytes) -> None:
    assert not is_bundled(hashed_name("css/app.css", digest_bytes(body)))


@given(name=st.text(st.sampled_from(string.ascii_lowercase + "-_./"), max_size=60))
def test_words_alone_are_no_hash(name: str) -> None:
    assert not is_bundled(name)
    assert not is_scrambled(name)


@pytest.mark.services
def test_no_name_in_the_corpora_is_taken_for_a_bundlers() -> None:
    # 13,413 different names, read by eye: not one of these packages ships what a bundler has hashed.
    paths = [path.as_posix() for path in folder().rglob("*") if path.is_file()]
    assert len(paths) > 20_000
    assert list(filter(is_bundled, paths)) == []
