"""Dates, ranges and preconditions over any text: RFC 9110 sections 5.6.7, 13 and 14."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipfiles.http.dates import http_date, parse_http_date
from shipfiles.http.preconditions import evaluate, range_applies
from shipfiles.http.ranges import select

ETAG = '"bl2ZgmF9"'
MODIFIED = 784111777
number = st.integers(0, 10**30).map(str) | st.sampled_from(["", "0", "00", "-1", "9" * 5000])
spec = st.builds("{}-{}".format, number, number) | st.text(max_size=10)
range_field = st.lists(spec, min_size=1, max_size=3).map(lambda specs: "bytes=" + ",".join(specs)) | st.text()


@given(range_field, st.integers(0, 10**13))
def test_a_range_lies_within_the_file(field: str, size: int) -> None:
    selection = select(field, size)
    if isinstance(selection, tuple):
        start, stop = selection
        assert 0 <= start < stop <= size


@given(st.binary(min_size=1, max_size=50), st.integers(0, 60), st.integers(0, 60))
def test_a_range_is_the_slice_that_it_says(body: bytes, first: int, last: int) -> None:
    selection = select(f"bytes={first}-{last}", len(body))
    if last < first:
        assert selection is None
    elif first >= len(body):
        assert selection == "unsatisfiable"
    else:
        assert isinstance(selection, tuple)
        assert body[slice(*selection)] == body[first : last + 1]


@given(st.binary(min_size=1, max_size=50), st.integers(0, 60))
def test_a_suffix_is_the_end(body: bytes, length: int) -> None:
    selection = select(f"bytes=-{length}", len(body))
    if length == 0:
        assert selection == "unsatisfiable"
    else:
        assert isinstance(selection, tuple)
        assert body[slice(*selection)] == body[-length:]


date_text = st.integers(0, 10**10).map(http_date)
tags = st.sampled_from([ETAG, "W/" + ETAG, "*", '"a", ' + ETAG, '"', "W/", ",,"])
condition = st.none() | st.text() | tags | date_text


@given(condition, condition, condition, condition, st.none() | st.just(MODIFIED), st.booleans())
def test_any_conditions_have_a_verdict(
    match: str | None,
    unmodified: str | None,
    none_match: str | None,
    since: str | None,
    modified: int | None,
    grow: bool,
) -> None:
    verdict = evaluate(
        if_match=match, if_unmodified_since=unmodified, if_none_match=none_match, if_modified_since=since,
        etag=ETAG, modified=modified, dates_only_grow=grow,
    )  # fmt: skip
    if match is unmodified is none_match is since is None:
        assert verdict == 200
    if verdict == 304:
        assert none_match is not None or since is not None
    if verdict == 412:
        assert match is not None or unmodified is not None


@given(st.text().filter(lambda text: "bl2ZgmF9" not in text and text.strip() != "*"))
def test_only_the_tag_itself_is_not_modified(text: str) -> None:
    verdict = evaluate(
        if_match=None, if_unmodified_since=None, if_none_match=text, if_modified_since=None,
        etag=ETAG, modified=MODIFIED, dates_only_grow=True,
    )  # fmt: skip
    assert verdict == 200


@pytest.mark.parametrize(
    ("since", "grow", "verdict"),
    [(-1, True, 200), (0, True, 304), (1, True, 304), (-1, False, 200), (0, False, 304), (1, False, 200)],
)
def test_a_later_date_proves_something_only_where_dates_never_go_back(since: int, grow: bool, verdict: int) -> None:
    assert verdict == evaluate(
        if_match=None, if_unmodified_since=None, if_none_match=None, if_modified_since=http_date(MODIFIED + since),
        etag=ETAG, modified=MODIFIED, dates_only_grow=grow,
    )  # fmt: skip


@given(st.text())
def test_only_the_validator_itself_lets_a_range_apply(text: str) -> None:
    assert not range_applies(text, etag=ETAG, modified=MODIFIED, date_is_strong=True)


@pytest.mark.parametrize(
    ("fields", "verdict"),
    [
        # RFC 9110 section 13.1.2: weak comparison, so the mark is no part of the tag on either side.
        ({"if_none_match": f"W/{ETAG}"}, 304),
        ({"if_none_match": ETAG}, 304),
        ({"if_none_match": f'"other", W/{ETAG}'}, 304),
        ({"if_none_match": 'W/"other"'}, 200),
        # Section 13.1.1: strong comparison, of which a weak tag has none.
        ({"if_match": f"W/{ETAG}"}, 412),
        ({"if_match": ETAG}, 412),
        ({"if_match": "*"}, 200),
    ],
)
def test_a_weak_tag_of_ours_tells_what_is_unchanged_and_not_what_is_the_same(
    fields: dict[str, str], verdict: int
) -> None:
    conditions: dict[str, str | None] = dict.fromkeys(
        ("if_match", "if_unmodified_since", "if_none_match", "if_modified_since")
    )
    assert evaluate(**conditions | fields, etag=f"W/{ETAG}", modified=None, dates_only_grow=False) == verdict


@pytest.mark.parametrize("if_range", [ETAG, f"W/{ETAG}"])
def test_a_weak_tag_of_ours_lets_no_range_apply(if_range: str) -> None:
    # RFC 9110 section 13.1.5: strong comparison.
    assert not range_applies(if_range, etag=f"W/{ETAG}", modified=MODIFIED, date_is_strong=False)


def test_a_date_that_is_no_strong_validator_lets_no_range_apply() -> None:
    date = http_date(MODIFIED)
    assert range_applies(date, etag=ETAG, modified=MODIFIED, date_is_strong=True)
    assert not range_applies(date, etag=ETAG, modified=MODIFIED, date_is_strong=False)
    assert not range_applies(date, etag=ETAG, modified=None, date_is_strong=True)


@given(st.text())
def test_any_text_is_a_date_or_none(text: str) -> None:
    assert parse_http_date(text) is None


@given(st.integers(0, 253402300799))
def test_dates_return(seconds: int) -> None:
    assert parse_http_date(http_date(seconds)) == seconds


@pytest.mark.parametrize(
    "text",
    ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"],
)
def test_the_three_forms_of_the_rfc(text: str) -> None:
    assert parse_http_date(text) == 784111777


@pytest.mark.parametrize(
    "text",
    [
        "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 6 Nov 1994 08:49:37 GMT", "sun, 06 nov 1994 08:49:37 gmt",
        "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT", "784111777", "",
        "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
    ],
)  # fmt: skip
def test_no_dates(text: str) -> None:
    assert parse_http_date(text) is None


def test_a_year_of_two_digits_is_at_most_fifty_years_ahead() -> None:
    year = dt.datetime.now(dt.UTC).year
    for ahead, expected in ((50, year + 50), (51, year - 49)):
        seconds = parse_http_date(f"Sunday, 06-Nov-{(year + ahead) % 100:02} 08:49:37 GMT")
        assert seconds is not None
        assert dt.datetime.fromtimestamp(seconds, dt.UTC).year == expected


def test_a_leap_second_is_read() -> None:
    assert parse_http_date("Sat, 31 Dec 2016 23:59:60 GMT") == parse_http_date("Sat, 31 Dec 2016 23:59:59 GMT")
