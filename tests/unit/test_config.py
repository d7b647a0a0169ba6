"""Options: a wrong one is an error that names the key and the nearest right one."""

from __future__ import annotations

from pathlib import Path

import pytest

from shipfiles.config import CompressConfig, StaticConfig, from_mapping
from shipfiles.errors import ConfigError


def test_defaults_and_sections() -> None:
    config = from_mapping(StaticConfig, {"compress": {"codings": ["gzip"]}, "location": Path("/x"), "workers": 3})
    assert config.compress == CompressConfig(codings=("gzip",))
    assert config.location == "/x"
    assert from_mapping(StaticConfig, {"compress": CompressConfig(margin=0.5)}).compress.margin == 0.5
    assert from_mapping(StaticConfig, {"compress": {"margin": 0}}).compress.margin == 0
    assert from_mapping(StaticConfig, {"serve": {"media_types": {".foo": "text/foo"}}}).serve.media_types == {
        ".foo": "text/foo"
    }


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"comress": {}}, r"OPTIONS\['comress'\] is not an option. Did you mean 'compress'"),
        ({"compress": {"codngs": []}}, r"OPTIONS\['compress'\]\['codngs'\] .* Did you mean 'codings'"),
        ({"compress": []}, "must be a dict"),
        ({"compress": {"codings": "br"}}, "must be a list"),
        ({"compress": {"codings": ["brotli"]}}, r"\['codings'\]\[0\] must be one of 'br', 'gzip'"),
        ({"compress": {"brotli_quality": 12}}, "from 0 to 11"),
        ({"compress": {"gzip_level": True}}, "must be a whole number, not"),
        ({"compress": {"gzip_level": 13}}, "from 1 to 12"),
        ({"compress": {"profile": "fats"}}, r"must be one of 'small', 'fast', not 'fats'. Did you mean 'fast'"),
        ({"compress": {"min_size": -1}}, "must not be negative"),
        ({"serve": {"max_age": "60"}}, "must be a whole number, not"),
        ({"serve": {"media_types": {".a": 1}}}, "dict of strings"),
        ({"serve": {"media_types": {".a": "text"}}}, r"'media_types'\]\['.a'\] 'text' is not a media type"),
        ({"serve": {"media_types": {".a": "text/a\r\nX: y"}}}, "is not a media type"),
        ({"serve": {"charset": "utf-8\r\nX: y"}}, "is not the name of a charset"),
        ({"manifest_strict": 1}, "must be True or False, not 1"),
        ({"location": 5}, "must be a string, not 5"),
        ({"compress": {"margin": "a"}}, r"^OPTIONS\['compress'\]\['margin'\] must be a number, not 'a'$"),
        ({"release_id_strategy": 5}, "must be a string or a callable, not 5"),
        # The place is there once, as it is written in the settings, whoever finds what is wrong.
        ({"compress": {"gzip_level": 13}}, r"^OPTIONS\['compress'\]\['gzip_level'\] must be from 1"),
        ({"serve": {"index_file": "a/b"}}, r"^OPTIONS\['serve'\]\['index_file'\] 'a/b' is not"),
        ({"serve": {"headers": {"*": "no"}}}, r"^OPTIONS\['serve'\]\['headers'\]\['\*'\]: 'no' is none"),
        ({"retain": {"younger_than": "x"}}, r"^OPTIONS\['retain'\]\['younger_than'\]: "),
        ({"manifest_name": "../a"}, r"^OPTIONS: manifest_name '../a' cannot"),
        ({5: 5}, r"OPTIONS\[5\] is not an option"),
        ({"publish": {"to": [None]}}, r"^OPTIONS\['publish'\]\['to'\]\[0\] must be a URL"),
        ({"publish": {"to": ["s3://a", {"bucket_name": "a"}]}}, r"\['to'\]\[1\] needs the key 'url'"),
        ({"publish": {"coding": "deflate"}}, r"must be one of '', 'br', 'gzip', 'zstd', not 'deflate'"),
        ({"publish": {"coding": "zstd"}}, r"publish.coding is 'zstd', which is not among compress.codings"),
        (
            {"publish": {"coding": "gzip", "variants": True}},
            r"^OPTIONS\['publish'\]\['variants'\]: files that are stored",
        ),
        ({"publish": {"at_once": 0}}, r"^OPTIONS\['publish'\]\['at_once'\] must be from 1 to 256"),
        ({"publish": {"django_manifest": "{id}/a.json"}}, r"\['django_manifest'\] .* is all that may stand in braces"),
        ({"publish": {"django_manifest": "{release"}}, "is all that may stand in braces"),
        ({"publish": {"django_manifest": "{release}/"}}, "it must name a file"),
        ({"publish": {"django_manifest": "/{release}.json"}}, "an empty part"),
        ({"publish": {"django_manifest": ".shipfiles/{release}.json"}}, "is reserved for Shipfiles"),
    ],
)
def test_wrong_options(options: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        from_mapping(StaticConfig, options)


@pytest.mark.parametrize(
    ("serve", "part"),
    [
        ({"media_types": {".a": "text"}}, "'text' is not a media type"),
        ({"media_types": {".a": "text/a\r\nX-A: b"}}, "is not a media type"),
        ({"media_types": {".a": "text/a; b"}}, "is not a media type"),
        ({"media_types": {"a/b.txt": "text/a"}}, "neither an extension"),
        ({"charset": "utf-8\r\nX-A: b"}, "not the name of a charset"),
        ({"charset": "utf 8"}, "not the name of a charset"),
        ({"root_files": {"favicon.ico": "a.ico"}}, "does not begin with '/'"),
        ({"root_files": {"/../x": "a.ico"}}, "cannot be a path of the site"),
        ({"root_files": {"//host/x": "a.ico"}}, "cannot be a path of the site"),
        ({"root_files": {"/x": "../a.ico"}}, "cannot be a static file"),
        ({"root_files": {"/x": 1}}, "dict of strings"),
        ({"index_file": "a/b.html"}, "not the name of a file"),
        ({"index_file": ".."}, "not the name of a file"),
        ({"single_page": "/index.html"}, "cannot be a static file"),
        ({"headers": {"*": {"X-A": "a\r\nSet-Cookie: b=1"}}}, "line break"),
        ({"headers": {"*": {"X-A": "a\nb"}}}, "line break"),
        ({"headers": {"*": {"X-A": "a\0b"}}}, "control character"),
        ({"headers": {"*": {"X-A": "snow \u2603"}}}, "not in Latin-1"),
        ({"headers": {"*": {"X-A": " a"}}}, "a space at its end"),
        ({"headers": {"*": {"X A": "a"}}}, "'X A' is not the name of a header"),
        ({"headers": {"*": {"X-A\r\nX-B": "a"}}}, "is not the name of a header"),
        ({"headers": {"*": {"X-A:": None}}}, "is not the name of a header"),
        ({"headers": {"*": {"": "a"}}}, "is not the name of a header"),
        ({"headers": {"*": {"content-length": "1"}}}, "content-length cannot be set: it is computed"),
        ({"headers": {"*": {"ETag": None}}}, "ETag cannot be set: it is computed"),
        ({"headers": {"*": {"Content-Type": "a/b"}}}, "media_types"),
        ({"headers": {"*": {"Set-Cookie": "a=1"}}}, "caches that many people share"),
        ({"headers": {"*": {"Transfer-Encoding": "chunked"}}}, "belongs to the connection"),
        ({"headers": {"*": {"X-A": 1}}}, "must be a string"),
        ({"headers": {"*": "inret"}}, "'inert'"),
        ({"headers": {"*": ["cors", 1]}}, "a dict of headers, the name of a preset or a list"),
        ({"headers": {1: "cors"}}, "strings as keys"),
    ],
)
def test_what_is_wrong_with_files_at_the_root_and_headers_is_said(serve: dict[str, object], part: str) -> None:
    with pytest.raises(ConfigError) as raised:
        from_mapping(StaticConfig, {"serve": serve})
    assert part in str(raised.value)


def test_headers_may_be_presets_dicts_and_lists_of_these() -> None:
    given = {"*": "cors", "*.svg": ["timing", {"X-A": "1", "X-B": None}], "*.txt": {}}
    config = from_mapping(StaticConfig, {"serve": {"headers": given}}).serve
    assert config.headers == {
        "*": {"Access-Control-Allow-Origin": "*"},
        "*.svg": {"Timing-Allow-Origin": "*", "X-A": "1", "X-B": None},
        "*.txt": {},
    }


@pytest.mark.parametrize("prefix", ["", "static/", "/static", "static"])
def test_a_served_prefix_needs_its_slashes(prefix: str) -> None:
    assert from_mapping(StaticConfig, {"served_prefix": "/"}).served_prefix == "/"
    with pytest.raises(ConfigError, match="served_prefix"):
        from_mapping(StaticConfig, {"served_prefix": prefix})


def test_where_releases_are_sent() -> None:
    def targets(to: object) -> object:
        return from_mapping(StaticConfig, {"publish": {"to": to}}).publish.to

    assert targets(()) == ()
    assert targets("s3://bucket") == ("s3://bucket",)
    assert targets({"url": "s3://bucket"}) == ({"url": "s3://bucket"},)
    assert targets(["s3://bucket", Path("/srv/static")]) == ("s3://bucket", Path("/srv/static"))


@pytest.mark.parametrize(
    "key", ["", "staticfiles.json", "{release}/staticfiles.json", "staticfiles-{release}.json", "a/{release}/{release}"]
)
def test_where_djangos_manifest_may_be_put(key: str) -> None:
    assert from_mapping(StaticConfig, {"publish": {"django_manifest": key}}).publish.django_manifest == key


def test_what_is_different_for_one_store() -> None:
    config = from_mapping(StaticConfig, {"publish": {"hashed_only": True, "at_once": 8}}).publish
    here, rest = config.differing({"url": "s3://a", "at_once": 9, "region_name": "eu-west-1"}, "OPTIONS")
    assert (here.hashed_only, here.at_once, rest) == (True, 9, {"region_name": "eu-west-1"})
    with pytest.raises(ConfigError, match=r"OPTIONS\['at_once'\] must be a whole number"):
        config.differing({"url": "s3://a", "at_once": "9"}, "OPTIONS")


def test_no_secret_of_a_store_is_told() -> None:
    config = from_mapping(StaticConfig, {"publish": {"to": {"url": "s3://a", "secret_key": "hush"}}})
    assert "hush" not in repr(config)
    for to in ([{"secret_key": "hush"}], [b"hush"]):
        with pytest.raises(ConfigError) as told:
            from_mapping(StaticConfig, {"publish": {"to": to}})
        assert "hush" not in str(told.value)
