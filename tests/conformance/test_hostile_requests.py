"""No request makes `respond` fail, and none gets a byte that is not of the release."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from shipfiles.testing import PREFIX, Ask, Site

from . import hostile
from .test_http_contract import CONFIGURED, WAYS

TEXT = st.text(st.characters(max_codepoint=255), max_size=60)
FIELDS = st.dictionaries(st.sampled_from(hostile._FIELDS), TEXT, max_size=4)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(str(tmp_path_factory.mktemp("site")))


@pytest.fixture(scope="module", params=[None, CONFIGURED], ids=["default", "configured"])
def ask(site: Site, request: pytest.FixtureRequest) -> Ask:
    return WAYS["respond"](site, request.param)


@given(method=st.sampled_from(["GET", "HEAD", "POST", "OPTIONS", "get", ""]), known=st.integers(0, 11), fields=FIELDS)
@example(method="GET", known=0, fields={"Range": "bytes=\u00b2-", "If-Range": '"'})
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_fields(ask: Ask, site: Site, method: str, known: int, fields: dict[str, str]) -> None:
    hostile.judge(ask(method, list(hostile.known_targets(site))[known], fields), site)


@given(
    path=st.one_of(st.text(max_size=60), TEXT.map(lambda text: PREFIX + text), TEXT.map(lambda text: "/docs" + text))
)
@settings(deadline=None)
def test_any_path(ask: Ask, site: Site, path: str) -> None:
    hostile.judge(ask("GET", path.encode("utf-8", "surrogatepass").decode("latin-1"), {}), site)


def test_pieces_that_have_a_meaning(ask: Ask, site: Site) -> None:
    chance, elsewhere = random.Random(6), random.Random(6)
    known = list(hostile.known_targets(site))
    seen, told = set(), set()
    for _ in range(3000):
        at = chance.choice(known)
        whole = ask("HEAD", at, {})
        fields = hostile.fields(chance, whole.get("etag") or "", whole.get("last-modified") or "")
        answer = ask("GET", at, fields)
        hostile.judge(answer, site)
        seen.add(answer.status)
        answer = ask("GET", hostile.target(elsewhere).decode("latin-1"), fields)
        hostile.judge(answer, site)
        told.add(answer.status)
    assert seen == {200, 206, 304, 412, 416}
    assert (302 in told) == (ask("GET", "/docs", {}).status == 302)


def test_judge_finds_what_is_not_public(site: Site) -> None:
    answer = WAYS["respond"](site)("GET", site.url("img/dot.png"), {"Range": "bytes=0-9"})
    hostile.judge(answer, site)
    for wrong in (
        type(answer)(200, (), site.secret),
        type(answer)(200, (), Path(site.path("staticfiles.json")).read_bytes()),
        type(answer)(206, answer.fields, b"123456789X"),
        type(answer)(404, (), site.secret),
        *(
            type(answer)(302, (("Location", to),), b"")
            for to in (".//evil.example/", "//evil.example/", "./a\\b/", "./a/?\r")
        ),
        type(answer)(500, (), b""),
    ):
        with pytest.raises(AssertionError):
            hostile.judge(wrong, site)
