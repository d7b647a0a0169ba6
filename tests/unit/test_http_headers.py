"""The one function from which a file's headers come."""

from __future__ import annotations

import tracemalloc

import pytest

from shipfiles.config import ServeConfig
from shipfiles.digest import digest_bytes
from shipfiles.http.headers import cache_control, encoded, entity_tag, file_headers, options_headers
from shipfiles.serve.ready import Answer


def test_all_of_them_in_order() -> None:
    digest = digest_bytes(b"x")
    assert file_headers(
        "a.css", "text/css", ServeConfig(), immutable=True, coding="br", varies=True, digest=digest
    ) == (
        ("Content-Type", "text/css; charset=utf-8"),
        ("Content-Encoding", "br"),
        ("Cache-Control", "max-age=31536000, public, immutable"),
        ("ETag", entity_tag(digest)),
        ("Vary", "Accept-Encoding"),
        ("Accept-Ranges", "bytes"),
        ("Access-Control-Allow-Origin", "*"),
        ("X-Content-Type-Options", "nosniff"),
    )


def test_the_options_are_heeded() -> None:
    config = ServeConfig(max_age=5, immutable_max_age=7, allow_all_origins=False, charset="")
    headers = dict(file_headers("a.css", "text/css", config, immutable=False))
    assert headers == {
        "Content-Type": "text/css", "Cache-Control": "max-age=5, public", "Accept-Ranges": "bytes",
        "X-Content-Type-Options": "nosniff",
    }  # fmt: skip
    assert cache_control("a.css", config, immutable=True) == "max-age=7, public, immutable"
    assert not [name for name, _ in options_headers("a.css", config) if name.startswith("Access-Control")]


def test_a_lifetime_of_nothing() -> None:
    assert cache_control("a.css", ServeConfig(max_age=0), immutable=False) == "no-cache"


def test_an_entity_tag_is_one() -> None:
    tag = entity_tag(digest_bytes(b""))
    assert tag[0] == tag[-1] == '"'
    assert len(tag) == 26
    assert all(c == "!" or "#" <= c <= "~" for c in tag[1:-1])


@pytest.mark.parametrize("harm", ["a\r\nSet-Cookie: b=c", "a\nb", "a\rb", "a\0b", "\u2603"])
def test_no_header_makes_another_one(harm: str) -> None:
    """RFC 9110 section 5.5. Whoever lets it come so far, it is not sent."""
    with pytest.raises(ValueError, match="cannot be sent"):
        file_headers("a.css", f"text/{harm}", ServeConfig(), immutable=True)
    for headers in ((("X-A", harm),), ((harm, "a"),)):
        with pytest.raises(ValueError, match="cannot be sent"):
            encoded(headers)
        with pytest.raises(ValueError, match="cannot be sent"):
            Answer(200, list(headers), b"")
    assert encoded((("X-A", "\xe4\t!"),)) == ((b"x-a", b"\xe4\t!"),)


def test_what_a_client_wrote_is_not_remembered() -> None:
    """A redirect repeats the query, and there is no end of different ones."""
    tracemalloc.start()
    try:
        for number in range(200):
            assert encoded((("Location", f"./docs/?{number}{'x' * 50_000}"),))[0][0] == b"location"
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 1_000_000
