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
        ({"compress": {"gzip_level": True}}, "must be int"),
        ({"compress": {"gzip_level": 13}}, "from 1 to 12"),
        ({"compress": {"profile": "fats"}}, r"must be one of 'small', 'fast', not 'fats'. Did you mean 'fast'"),
        ({"compress": {"min_size": -1}}, "must not be negative"),
        ({"serve": {"max_age": "60"}}, "must be int"),
        ({"serve": {"media_types": {".a": 1}}}, "dict of strings"),
        ({"manifest_strict": 1}, "must be bool"),
        ({"location": 5}, "must be str"),
        ({5: 5}, r"OPTIONS\[5\] is not an option"),
    ],
)
def test_wrong_options(options: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        from_mapping(StaticConfig, options)
