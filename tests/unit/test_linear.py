"""The check of linear work tells linear work from quadratic, and quadratic from a little more than linear."""

from __future__ import annotations

import re

import pytest

from tests.linear import check_linear


def test_quadratic_work_is_seen():
    # From each "a" on the whole rest is read for a "b" that is not there.
    with pytest.raises(AssertionError, match="8 times as many"):
        check_linear(re.compile(rb"a[^b]*+b").findall, b"a")


def test_quadratic_work_behind_a_head_is_seen():
    with pytest.raises(AssertionError, match="8 times as many"):
        check_linear(lambda body: body.startswith(b"(") and re.findall(rb"a[^b]*+b", body), b"a", head=b"(")


@pytest.mark.parametrize("read", [sorted, re.compile(rb"a[^a]*+").findall, len])
def test_other_work_is_not(read):
    check_linear(read, b"ab")
