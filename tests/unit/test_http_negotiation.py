"""Accept-Encoding: RFC 9110 section 12.5.3. The contract has the usual cases; here is what any text may do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipfiles.http.negotiation import IDENTITY, accepts, preferred, weights

BOTH = ("br", "gzip")

coding = st.sampled_from(["br", "BR", "gzip", "x-gzip", "identity", "*", "zstd", "x-br", "deflate"])
weight = st.sampled_from(["", ";q=0", ";q=0.0", "; q=0.000", ";q=1", " ; Q=0.5", ";q=0.001", ";q=2", ";q=", ";level=9"])
member = st.builds("".join, st.tuples(coding, weight)) | st.text(max_size=8)
field = st.lists(member, max_size=6).map(",".join)


@given(st.text() | field)
def test_any_text_has_an_answer(text: str) -> None:
    answer = preferred(text, BOTH)
    assert IDENTITY in answer
    assert set(answer) <= {*BOTH, IDENTITY}
    assert len(set(answer)) == len(answer)


@given(field, st.sampled_from(BOTH))
def test_what_is_refused_is_never_picked(text: str, refused: str) -> None:
    assert refused not in preferred(f"{text},{refused};q=0", BOTH)
    assert refused not in preferred(f"{refused.upper()} ; q=0.00,{text}", BOTH)


@given(field)
def test_only_what_is_named_or_starred_is_picked(text: str) -> None:
    given_weights = weights(text)
    for picked in preferred(text, BOTH):
        assert picked == IDENTITY or given_weights.get(picked, given_weights.get("*", 0)) > 0


@given(field)
def test_best_weight_comes_first(text: str) -> None:
    found = weights(text)
    ranks = [found.get(c, found.get("*", 0.0)) for c in preferred(text, BOTH)]
    assert ranks == sorted(ranks, reverse=True)


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        (None, ("identity",)),
        ("", ("identity",)),
        ("gzip, br", ("br", "gzip", "identity")),
        ("br;q=0.5, gzip;q=0.5, identity;q=0.5", ("br", "gzip", "identity")),
        ("gzip;q=0.5, identity", ("identity", "gzip")),
        ("*;q=0", ("identity",)),
        ("br, br;q=0", ("identity",)),
        ("br;q=1.001, *", ("gzip", "identity")),
        ("br;q=0.1234", ("identity",)),
        ("x" * 5000 + ", br", ("br", "identity")),
    ],
)
def test_order(field: str | None, expected: tuple[str, ...]) -> None:
    assert preferred(field, BOTH) == expected


def test_a_file_without_codings_is_not_negotiated() -> None:
    assert preferred("br", ()) == ("identity",)


def test_a_field_with_more_members_than_any_client_sends_is_not_read() -> None:
    """Section 12.5.3 allows identity whatever the field says; reading 50,000 members takes as long as 100 answers."""
    assert preferred("br, " + "x," * 50_000, BOTH) == ("identity",)
    assert preferred("br, " + "x," * 900, BOTH) == ("br", "identity")
    assert not accepts("text/html, " + "x/y," * 50_000, "text/html")
    assert accepts("text/html, " + "x/y," * 900, "text/html")
