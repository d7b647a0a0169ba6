"""Our own signed URLs, and how long signed URLs work."""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode
from dataclasses import replace
from datetime import timedelta
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipfiles.errors import ConfigError, LinkRefused
from shipfiles.media.config import SignedConfig
from shipfiles.media.expiry import LONGEST, grant
from shipfiles.media.links import check_link, secure_link_query, signed_query
from shipfiles.stores.store import Grant

KEY = b"the key of the tests"
PATH = "/media/Ä +%/a&b=c.pdf"
GRANT = Grant(
    2000, 1000, content_disposition='attachment; filename="ü&=.pdf"', content_type="text/plain; charset=utf-8"
)
WHEN = 1500.0

texts = st.text(max_size=30)


@given(
    texts,
    st.builds(
        Grant, st.integers(1, 10**11), st.just(0), st.sampled_from(["GET", "HEAD", "PUT", "DELETE"]), texts, texts
    ),
)
def test_what_is_signed_is_what_is_allowed(path: str, wanted: Grant) -> None:
    query = signed_query(path, wanted, KEY)
    assert check_link(path, query, wanted.method, [b"another", KEY], wanted.expires - 0.5) == wanted
    assert query.isascii()


def test_a_link_in_the_words_of_its_definition() -> None:
    """RFC 2104 over lines of quoted parts; base64url as of RFC 4648, 5."""
    lines = [
        "shipfiles link 1",
        "GET",
        "2000",
        *(quote(t) for t in (PATH, GRANT.content_disposition, GRANT.content_type)),
    ]
    signature = (
        urlsafe_b64encode(hmac.new(KEY, "\n".join(lines).encode(), hashlib.sha256).digest()).decode().rstrip("=")
    )
    asked = {
        "signature": signature, "expires": "2000", "content_type": GRANT.content_type,
        "content_disposition": GRANT.content_disposition, "utm_source": "letter",
    }  # fmt: skip
    assert check_link(PATH, urlencode(asked), "GET", [KEY], WHEN) == replace(GRANT, starts=0)


def altered() -> list[tuple[str, str, str]]:
    """Paths, queries and methods that nobody has signed."""
    query = signed_query(PATH, GRANT, KEY)
    plain = signed_query(PATH, Grant(2000, 1000), KEY)
    head = signed_query(PATH, Grant(2000, 1000, "HEAD"), KEY)
    signature = query.partition("signature=")[2]
    return [
        (PATH + "x", query, "GET"),
        (PATH.upper(), query, "GET"),
        (PATH, query.replace("expires=2000", "expires=2001"), "GET"),
        (PATH, query.replace("expires=2000", "expires=02000"), "GET"),
        (PATH, query.replace("expires=2000", "expires=%D9%A2000"), "GET"),  # ARABIC-INDIC DIGIT TWO
        (PATH, query.replace("attachment", "inline"), "GET"),
        (PATH, query.replace("plain", "html"), "GET"),
        (PATH, query.replace("content_type=", "content_typo="), "GET"),
        (PATH, query + "&content_type=text%2Fhtml", "GET"),
        (PATH, "content_type=text%2Fhtml&" + query, "GET"),
        (PATH, query + "&method=DELETE", "DELETE"),
        (PATH, query + f"&signature={signature}", "GET"),
        (PATH, plain + "&content_type=text%2Fhtml", "GET"),
        (PATH, plain + "&content_disposition=inline", "GET"),
        (PATH, plain, "PUT"),
        (PATH, plain, "DELETE"),
        (PATH, plain, "get"),
        (PATH, head, "GET"),
        (PATH, head.replace("method=HEAD", "method=GET"), "GET"),
        (PATH, head.replace("method=HEAD", "method=TRACE"), "TRACE"),
        (PATH, query[:-1], "GET"),
        (PATH, query + "=", "GET"),
        (PATH, query.replace(signature, ""), "GET"),
        (PATH, query.replace(signature, "%FF"), "GET"),
        (PATH, "expires=2000", "GET"),
        (PATH, f"signature={signature}", "GET"),
        (PATH, "", "GET"),
        (PATH, query + "&a=1" * 64, "GET"),
        (PATH, query + "&a=" + "1" * 9000, "GET"),
    ]  # fmt: skip


@pytest.mark.parametrize(("path", "query", "method"), altered())
def test_what_was_altered_is_refused(path: str, query: str, method: str) -> None:
    with pytest.raises(LinkRefused) as told:
        check_link(path, query, method, [KEY], WHEN)
    assert not told.value.expired


def test_a_signature_has_one_spelling() -> None:
    """The last character of an unpadded base64 text of 32 bytes has two bits that mean nothing (RFC 4648, 3.5)."""
    query = signed_query(PATH, GRANT, KEY)
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    taken = []
    for letter in letters:
        try:
            check_link(PATH, query[:-1] + letter, "GET", [KEY], WHEN)
        except LinkRefused:
            continue
        taken.append(letter)
    assert taken == [query[-1]]


def test_no_part_runs_over_into_the_next() -> None:
    query = signed_query("/a", Grant(2000, 0, content_disposition="b\nc", content_type="d"), KEY)
    other = signed_query("/a", Grant(2000, 0, content_disposition="b", content_type="c\nd"), KEY)
    assert query.rpartition("=")[2] != other.rpartition("=")[2]


def test_time_and_keys() -> None:
    query = signed_query(PATH, GRANT, KEY)
    assert check_link(PATH, query, "HEAD", [KEY], 1999.9).expires == 2000
    with pytest.raises(LinkRefused) as told:
        check_link(PATH, query, "GET", [KEY], 2000)
    assert told.value.expired
    for keys in ([], [b""], [b"another"]):
        with pytest.raises(LinkRefused):
            check_link(PATH, query, "GET", keys, WHEN)
    with pytest.raises(ConfigError):
        signed_query(PATH, GRANT, b"")
    # An empty key among several signs for nobody.
    empty = urlsafe_b64encode(hmac.digest(b"", b"", "sha256")).decode()
    with pytest.raises(LinkRefused):
        check_link(PATH, f"expires=2000&signature={empty}", "GET", [b"", KEY], WHEN)


def test_secure_link_says_what_it_cannot_do() -> None:
    """https://nginx.org/en/docs/http/ngx_http_secure_link_module.html: base64url of MD5, without padding."""
    digest = hashlib.md5(b"2000/media/\xc3\xa4 b.pdf KEY").digest()
    md5 = urlsafe_b64encode(digest).decode().rstrip("=")
    assert secure_link_query("/media/ä b.pdf", Grant(2000, 1000), "KEY") == f"md5={md5}&expires=2000"
    for wanted in (GRANT, Grant(2000, 1000, content_type="a/b"), Grant(2000, 1000, "PUT")):
        with pytest.raises(ConfigError, match="secure_link"):
            secure_link_query("/a", wanted, "KEY")
    for key in ("", "hid den", 'hid"den', "hid$den", "hid;den", "hiddén", "hid\nden"):
        with pytest.raises(ConfigError, match="visible ASCII") as told:
            secure_link_query("/a", Grant(2000, 1000), key)
        assert "hid" not in str(told.value)


@given(
    st.floats(0, 4e9),
    st.integers(1, LONGEST) | st.integers(LONGEST, 40_000_000),
    st.none() | st.integers(0, 2_000_000),
)
def test_a_url_works_as_long_as_promised(now: float, expires: int, rounding: int | None) -> None:
    pieces = None if rounding is None else timedelta(seconds=rounding)
    wanted = grant(SignedConfig(timedelta(seconds=expires), pieces), now)
    assert wanted.starts <= now
    lasts = wanted.expires - wanted.starts
    if expires < LONGEST:
        assert wanted.expires >= now + expires
    assert lasts <= max(LONGEST, expires + max(rounding or 0, expires // 4, 1))
    if expires <= LONGEST:
        assert lasts <= LONGEST
    # Whatever is made within one piece is the same, and its beginning is in it.
    again = grant(SignedConfig(timedelta(seconds=expires), pieces), wanted.starts)
    assert again == wanted


def test_rounding() -> None:
    hour = SignedConfig()
    made = {grant(hour, now) for now in range(9000, 9900)}
    assert made == {Grant(9000 + 900 + 3600, 9000)}
    assert grant(hour, 9900) == Grant(9900 + 900 + 3600, 9900)
    each = SignedConfig(rounding=timedelta())
    assert grant(each, 9000.5) == Grant(9000 + 1 + 3600, 9000)
    assert grant(each, 9000.5, expire=0.2, method="PUT") == Grant(9002, 9000, "PUT")
    assert grant(hour, 9100, expire=400, disposition="inline", content_type="a/b") == Grant(
        9100 + 100 + 400, 9100, "GET", "inline", "a/b"
    )
    # Who says how long a URL shall work gets no half hour for a minute.
    half = SignedConfig(rounding=timedelta(minutes=30))
    assert grant(half, 9000) == Grant(9000 + 1800 + 3600, 9000)
    assert grant(half, 9100, expire=60) == Grant(9090 + 15 + 60, 9090)
    assert grant(half, 9100, expire=36_000) == Grant(9000 + 1800 + 36_000, 9000)
    for never in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ConfigError):
            grant(hour, 9000, expire=never)
