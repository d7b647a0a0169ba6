"""The purger in memory, and how options become purgers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from shipfiles.config import PurgeConfig
from shipfiles.edge.memory import MemoryPurger
from shipfiles.edge.opening import open_purgers
from shipfiles.edge.purger import Purged
from shipfiles.errors import ConfigError
from shipfiles.testing.purger import PurgerContract

MEMORY = "shipfiles.edge.memory.MemoryPurger"
HERE = "tests.unit.test_purgers"


class TestMemoryPurger(PurgerContract):
    @pytest.fixture
    def front(self) -> MemoryPurger:
        return MemoryPurger()

    @pytest.fixture
    def purger(self, front: MemoryPurger) -> MemoryPurger:
        return front


@dataclass(frozen=True)
class Own:
    zone: str
    token: str = field(default="", repr=False)

    def purge(self, urls: Sequence[str], *, reference: str) -> Purged:
        del urls, reference
        return Purged()

    def purge_all(self, *, reference: str) -> Purged:
        del reference
        return Purged()


ready_made = Own("ready made")


def lenient(**options: object) -> Own:
    return Own(",".join(options))


def test_what_options_name() -> None:
    """In their order: classes with what they need, functions, objects."""
    mine = Own("given")
    found = open_purgers(
        PurgeConfig(caches=[
            {"purger": MEMORY, "name": "first"}, mine, {"purger": f"{HERE}.Own", "zone": "z", "token": "t"},
            {"purger": f"{HERE}.lenient", "a": 1, "b": 2}, {"purger": f"{HERE}.ready_made"},
        ])
    )  # fmt: skip
    assert str(found[0]) == "first"
    assert found[1:] == (mine, Own("z", "t"), Own("a,b"), ready_made)
    assert open_purgers(PurgeConfig()) == ()
    assert open_purgers(PurgeConfig(caches=mine)) == (mine,)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"purger": "cloudfrnt"}, "'cloudfrnt' is none of cloudfront, .*. Did you mean 'cloudfront'"),
        ({"purger": "CloudFront"}, "Did you mean 'cloudfront'"),
        ({"purger": "https://x"}, "is none of cloudfront"),
        ({"purger": "nowhere.Purger"}, r"\['purger'\]: 'nowhere.Purger' cannot be imported"),
        ({"purger": f"{HERE}.Owm", "zone": ""}, "cannot be imported"),
        ({"purger": f"{HERE}.Own", "zome": ""}, r"\['zome'\] is not an option. Did you mean 'zone'"),
        ({"purger": f"{HERE}.Own"}, "needs the key 'zone'"),
        ({"purger": f"{HERE}.ready_made", "zone": ""}, "takes no options"),
        ({"purger": "builtins.dict"}, "is no purger"),
    ],
)
def test_what_options_cannot_name(given: object, text: str) -> None:
    """The place is told, and the nearest name."""
    with pytest.raises(ConfigError, match=text) as refused:
        open_purgers(PurgeConfig(caches=[MemoryPurger(), given]))
    assert "OPTIONS['purge']['caches'][1]" in str(refused.value)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"site_url": "https://[a"}, "no URL"), ({"pages": ("http://a:b/",)}, "no URL"),
        ({"pages": ("/a*",)}, "begins"), ({"site_url": "https://*.example.com"}, "a scheme and a host"),
        ({"site_url": "https://u:p@h"}, "a scheme and a host"), ({"pages": ("//h/x",)}, "begins"),
        ({"pages": ("https://[a/",)}, "no URL"),
        ({"pages": ("https://u:p@h/",)}, "one of them holds a name or a password"),
        ({"pages": ("about",)}, "begins"), ({"site_url": "https://a/b"}, "a scheme and a host"),
    ],
)  # fmt: skip
def test_urls_that_are_none(given: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        PurgeConfig(**given)


def test_no_secret_is_shown() -> None:
    """Neither what was given for an unknown key nor beside one."""
    given = {"purger": f"{HERE}.Own", "zone": "z", "tokem": "s3cret"}
    with pytest.raises(ConfigError) as refused:
        open_purgers(PurgeConfig(caches=[given]))
    assert "s3cret" not in str(refused.value)
    assert "s3cret" not in repr(PurgeConfig(caches=[given]))
