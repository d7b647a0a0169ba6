"""What WhiteNoise's settings mean: its documentation (version 6.12, "Configuration attributes") has each of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from wsgiref.headers import Headers

import pytest

from shipfiles.config import ServeConfig, StaticConfig, from_mapping
from shipfiles.django import whitenoise
from shipfiles.errors import ConfigError

# What its documentation of 6.12 lists for Django, and what each has as its example or another value than its default.
DOCUMENTED: dict[str, Any] = {
    "WHITENOISE_ADD_HEADERS_FUNCTION": lambda headers, path, url: None,
    "WHITENOISE_ALLOW_ALL_ORIGINS": False,
    "WHITENOISE_AUTOREFRESH": True,
    "WHITENOISE_CHARSET": "latin-1",
    "WHITENOISE_IMMUTABLE_FILE_TEST": r"^.+[.-][0-9a-zA-Z_-]{8,12}\..+$",
    "WHITENOISE_INDEX_FILE": True,
    "WHITENOISE_KEEP_ONLY_HASHED_FILES": True,
    "WHITENOISE_MANIFEST_STRICT": False,
    "WHITENOISE_MAX_AGE": 300,
    "WHITENOISE_MIMETYPES": {".foo": "application/x-foo"},
    "WHITENOISE_ROOT": "/srv/site",
    "WHITENOISE_SKIP_COMPRESS_EXTENSIONS": ("jpg", "map"),
    "WHITENOISE_STATIC_PREFIX": "assets",
    "WHITENOISE_USE_FINDERS": True,
}


def meaning(name: str, value: Any, *, debug: bool = False) -> whitenoise.Meaning:
    (meant,) = whitenoise.meanings({name: value}, debug=debug)
    assert meant.setting == name
    return meant


def add(headers: Headers, path: str, url: str) -> None:
    headers["X-Path"] = path


def configured(name: str, value: Any, *, debug: bool = False, **given: Any) -> StaticConfig:
    return from_mapping(StaticConfig, whitenoise.fall_back(given, meaning(name, value, debug=debug)))


@pytest.mark.parametrize("name", DOCUMENTED)
@pytest.mark.parametrize("debug", [True, False])
def test_none_is_ignored_silently(name: str, debug: bool) -> None:
    meant = meaning(name, DOCUMENTED[name], debug=debug)
    assert bool(meant.option) + meant.heeded + meant.same + bool(meant.why) == 1
    if meant.why or meant.heeded:
        assert meant.instead


def test_those_with_an_option(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert configured("WHITENOISE_ADD_HEADERS_FUNCTION", add).serve.add_headers is add
    assert configured("WHITENOISE_INDEX_FILE", True).serve.index_file == "index.html"
    assert configured("WHITENOISE_INDEX_FILE", "home.html").serve.index_file == "home.html"
    assert configured("WHITENOISE_ROOT", Path("/srv/site")).serve.root_folder == "/srv/site"
    monkeypatch.chdir(tmp_path)
    assert configured("WHITENOISE_ROOT", "site").serve.root_folder == str(tmp_path / "site")
    assert configured("WHITENOISE_ALLOW_ALL_ORIGINS", False).serve.allow_all_origins is False
    assert configured("WHITENOISE_AUTOREFRESH", True).serve.follow_current is True
    assert configured("WHITENOISE_CHARSET", "latin-1").serve.charset == "latin-1"
    assert configured("WHITENOISE_MANIFEST_STRICT", False).manifest_strict is False
    assert configured("WHITENOISE_MAX_AGE", 300).serve.max_age == 300
    assert configured("WHITENOISE_MIMETYPES", {".foo": "a/b"}).serve.media_types == {".foo": "a/b"}
    assert configured("WHITENOISE_SKIP_COMPRESS_EXTENSIONS", ["map"]).compress.skip_extensions == ("map",)


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [("/static/", "/static/"), ("static", "/static/"), ("a/b/", "/a/b/"), ("", "/"), (None, "/"), ("/", "/")],
)
def test_a_prefix_has_slashes_around_it(prefix: Any, expected: str) -> None:
    assert configured("WHITENOISE_STATIC_PREFIX", prefix).served_prefix == expected


def test_options_count_more() -> None:
    assert configured("WHITENOISE_MAX_AGE", 300, serve={"max_age": 5}).serve.max_age == 5
    assert configured("WHITENOISE_MANIFEST_STRICT", False, manifest_strict=True).manifest_strict is True


def test_the_rest_of_a_section_stays() -> None:
    serve = configured("WHITENOISE_MAX_AGE", 300, serve={"charset": ""}).serve
    assert (serve.max_age, serve.charset) == (300, "")


def test_a_section_that_is_whole_says_all_of_it() -> None:
    section = from_mapping(StaticConfig, {"serve": {"charset": ""}}).serve
    assert configured("WHITENOISE_MAX_AGE", 300, serve=section).serve.max_age == 60


@pytest.mark.parametrize(
    ("name", "value", "debug"),
    [
        ("WHITENOISE_USE_FINDERS", True, True),
        ("WHITENOISE_USE_FINDERS", False, False),
        ("WHITENOISE_AUTOREFRESH", True, True),
        ("WHITENOISE_AUTOREFRESH", False, False),
        ("WHITENOISE_KEEP_ONLY_HASHED_FILES", False, False),
        ("WHITENOISE_ADD_HEADERS_FUNCTION", None, False),
        ("WHITENOISE_IMMUTABLE_FILE_TEST", None, False),
        ("WHITENOISE_INDEX_FILE", None, False),
        ("WHITENOISE_INDEX_FILE", False, False),
        ("WHITENOISE_ROOT", None, False),
        ("WHITENOISE_ROOT", "", False),
        ("WHITENOISE_MIMETYPES", None, False),
        ("WHITENOISE_MANIFEST_STRICT", None, False),
    ],
)
def test_what_happens_anyway(name: str, value: Any, debug: bool) -> None:
    assert meaning(name, value, debug=debug) == whitenoise.Meaning(name, same=True)


@pytest.mark.parametrize(
    ("name", "value", "debug"),
    [
        ("WHITENOISE_USE_FINDERS", True, False),
        ("WHITENOISE_USE_FINDERS", False, True),
        ("WHITENOISE_AUTOREFRESH", False, True),
        ("WHITENOISE_KEEP_ONLY_HASHED_FILES", True, False),
        ("WHITENOISE_MAX_AGE", None, False),
        ("WHITENOISE_MAXAGE", 1, False),
    ],
)
def test_what_is_not_heeded_says_why(name: str, value: Any, debug: bool) -> None:
    meant = meaning(name, value, debug=debug)
    assert meant.why
    assert meant.instead
    assert not meant.option


@pytest.mark.parametrize(
    ("test", "immutable"),
    [
        (r"\.[0-9a-f]{4}\.js$", True),
        (re.compile(r"static"), True),
        (r"^app", False),
        (lambda path, url: path == "/srv/app.12ab.js", True),
        (lambda path, url: False, False),
    ],
)
@pytest.mark.parametrize("function", [add, f"{__name__}.add", None])
def test_what_a_test_calls_immutable(test: Any, immutable: bool, function: Any) -> None:
    config = whitenoise.with_immutable_test(ServeConfig(immutable_max_age=9, add_headers=function), test)
    headers = Headers([("Cache-Control", "max-age=60, public")])
    assert callable(config.add_headers)
    config.add_headers(headers, "/srv/app.12ab.js", "/static/app.12ab.js")
    assert headers["Cache-Control"] == ("max-age=9, public, immutable" if immutable else "max-age=60, public")
    assert headers["X-Path"] == ("/srv/app.12ab.js" if function else None)


def test_the_function_counts_more_than_the_test() -> None:
    def override(headers: Headers, path: str, url: str) -> None:
        headers["Cache-Control"] = "no-store"

    config = whitenoise.with_immutable_test(ServeConfig(add_headers=override), ".")
    headers = Headers([])
    assert callable(config.add_headers)
    config.add_headers(headers, "/srv/a", "/static/a")
    assert headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("test", ["(", 3, b"a"])
def test_what_is_no_test(test: Any) -> None:
    with pytest.raises(ConfigError, match="WHITENOISE_IMMUTABLE_FILE_TEST"):
        whitenoise.with_immutable_test(ServeConfig(), test)


def test_settings_of_others_are_none_of_them() -> None:
    assert whitenoise.meanings({"STATIC_URL": "/static/", "DEBUG": True}, debug=True) == []
