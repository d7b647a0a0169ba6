"""Editing bytes, and telling people where a byte is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipfiles.build.rewrite.splice import Edit, positions, splice


def test_no_edits_give_the_same_object():
    body = b"some bytes"
    assert splice(body, []) is body


def test_edits_are_made_at_once_in_any_order():
    assert splice(b"0123456789", [Edit(8, 10, b""), Edit(0, 0, b"<"), Edit(2, 4, b"long text")]) == b"<01long text4567"


def test_edits_may_touch_and_insertions_may_share_a_place():
    assert splice(b"abc", [Edit(0, 1, b"x"), Edit(1, 2, b"y"), Edit(2, 2, b"+")]) == b"xy+c"


@pytest.mark.parametrize(
    "edits",
    [
        [Edit(0, 3, b""), Edit(2, 4, b"")],
        [Edit(-1, 2, b"")],
        [Edit(4, 12, b"")],
        [Edit(3, 2, b"")],
        [Edit(1, 5, b""), Edit(3, 3, b"inside")],
    ],
)
def test_impossible_edits_are_the_callers_mistake(edits):
    with pytest.raises(ValueError, match="overlaps another or leaves"):
        splice(b"0123456789", edits)


@given(st.binary(), st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=8))
def test_putting_back_what_was_there_changes_nothing(body, places):
    edits = []
    done = 0
    for low, length in sorted(places):
        start = max(done, low)
        if start + length <= len(body):
            edits.append(Edit(start, start + length, body[start : start + length]))
            done = start + length
    assert splice(body, edits) == body


@pytest.mark.parametrize(
    ("body", "offset", "expected"),
    [
        (b"", 0, (1, 1)),
        (b"abc", 2, (1, 3)),
        (b"a\nbc", 3, (2, 2)),
        (b"a\r\nbc", 4, (2, 2)),
        (b"a\rbc", 3, (2, 2)),
        (b"a\n\r\n\rb", 5, (4, 1)),
        ("é€😀x".encode(), 9, (1, 4)),
        (b"\xef\xbb\xbfab", 4, (1, 2)),
        (b"\xef\xbb\xbfab", 0, (1, 1)),
        (b"\xe9\xe8x", 2, (1, 3)),
    ],
)
def test_a_place_has_a_line_and_a_column_in_characters(body, offset, expected):
    assert positions(body, (offset,)) == [expected]


@given(st.text(alphabet="a\r\né😀"), st.data())
def test_many_places_at_once_are_the_same_as_one_by_one(text, data):
    body = text.encode()
    starts = [len(text[:i].encode()) for i in range(len(text) + 1)]
    offsets = sorted(data.draw(st.lists(st.sampled_from(starts))))
    # Between CR and LF there is no place: a reference never begins there.
    offsets = [o for o in offsets if body[o - 1 : o + 1] != b"\r\n"]
    assert positions(body, offsets) == [positions(body, (o,))[0] for o in offsets]
    for offset, (line, column) in zip(offsets, positions(body, offsets), strict=True):
        lines = body[:offset].decode().replace("\r\n", "\n").replace("\r", "\n").split("\n")
        assert (line, column) == (len(lines), len(lines[-1]) + 1)
