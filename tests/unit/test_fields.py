"""The header fields of objects: what browsers and CDNs are told by a bucket is what they are told by us."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipfiles.config import ServeConfig
from shipfiles.digest import digest_bytes
from shipfiles.header_rules import field_fault
from shipfiles.http.headers import file_headers
from shipfiles.media_types import media_type
from shipfiles.release.fields import fields_of, not_held
from shipfiles.release.items import Item
from shipfiles.stores.object_fields import canonical

DIGEST = digest_bytes(b"")
# Amazon S3 user guide, "Working with object metadata", system-defined metadata that users can modify; Google Cloud
# Storage, "Object metadata", fixed-key metadata; Azure, "Put Blob", x-ms-blob-* headers: what all three have.
HELD = {"Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Type"}


def item(logical: str, *, hashed: bool = True, coding: str = "") -> Item:
    return Item(logical, (logical,), 1, DIGEST, logical, media_type(logical), coding, hashed)


def of(logical: str, config: Mapping[str, Any] = {}, **more: Any) -> dict[str, str]:
    return fields_of(item(logical, **more), ServeConfig(**config))


@pytest.mark.parametrize(
    ("logical", "type_"),
    [
        ("a.css", "text/css; charset=utf-8"),
        # RFC 9239 section 6: text/javascript, which has a charset; RFC 8259 section 11: JSON has none.
        ("a.mjs", "text/javascript; charset=utf-8"),
        ("a.json", "application/json"),
        ("a.png", "image/png"),
        ("a.woff2", "font/woff2"),
        # The type of what is there, which is no coding of anything here: nobody decodes it on the way.
        ("a.js.gz", "application/gzip"),
    ],
)
def test_types(logical: str, type_: str) -> None:
    assert of(logical) == {"Content-Type": type_, "Cache-Control": "max-age=31536000, public, immutable"}


def test_lifetimes() -> None:
    # RFC 8246 section 2; RFC 9111 section 5.2.2.
    assert of("a.css")["Cache-Control"] == "max-age=31536000, public, immutable"
    assert of("a.css", hashed=False)["Cache-Control"] == "max-age=60, public"
    assert of("a.css", {"max_age": 0}, hashed=False)["Cache-Control"] == "no-cache"
    assert of("a.html", {"single_page": "a.html"}, hashed=False)["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("hashed", [False, True])
@pytest.mark.parametrize("coding", ["br", "gzip", "zstd"])
def test_what_is_stored_in_a_coding_says_so_and_has_the_type_of_the_file(coding: str, hashed: bool) -> None:
    """RFC 9110 section 8.4: stored under the file's own name, or beside it with a suffix, for who asks for that name or
    is led there."""
    found = of("a.css", hashed=hashed, coding=coding)
    assert (found["Content-Type"], found["Content-Encoding"]) == ("text/css; charset=utf-8", coding)


def test_a_packed_picture() -> None:
    # SVG 2 section 13.3.
    found = of("a.svgz")
    assert (found["Content-Type"], found["Content-Encoding"]) == ("image/svg+xml", "gzip")


RULES = {
    "*": {"X-Robots-Tag": "noindex", "cache-control": "max-age=5"},
    "docs/*.pdf": {"content-disposition": "attachment", "Content-Language": "de", "X-Own": "1"},
    "docs/none.pdf": {"Cache-Control": None, "Content-Disposition": None},
    "fonts/*": "cors",
}


def test_rules_by_pattern() -> None:
    config = {"headers": RULES, "default_headers": {"Referrer-Policy": "same-origin"}}
    assert of("docs/a.pdf", config, hashed=False) == {
        "Content-Type": "application/pdf",
        "Cache-Control": "max-age=5",
        "Content-Disposition": "attachment",
        "Content-Language": "de",
    }
    # Whatever anybody says, the name stands for these bytes.
    assert of("docs/a.pdf", config)["Cache-Control"] == "max-age=31536000, public, immutable"
    assert of("docs/none.pdf", config, hashed=False) == {"Content-Type": "application/pdf", "Content-Language": "de"}


def test_what_no_object_can_hold_is_told() -> None:
    config = ServeConfig(
        headers=RULES | {"*.txt": {"Content-Disposition": 'inline; filename="\xe4.txt"', "X-Gone": None}},
        default_headers={"Referrer-Policy": "same-origin"}, release_header="X-Release", add_headers="a.b",
    )  # fmt: skip
    assert not_held(config) == [
        "Access-Control-Allow-Origin", "Content-Disposition", "X-Own", "X-Release", "X-Robots-Tag",
        "serve.add_headers",
    ]  # fmt: skip
    assert "Content-Disposition" not in of("a.txt", {"headers": config.headers})
    assert not_held(ServeConfig()) == []


names = st.sampled_from([*HELD, "content-language", "CACHE-CONTROL", "X-Own", "Link", "Access-Control-Allow-Origin"])
values = st.none() | st.text(st.characters(min_codepoint=9, max_codepoint=255), max_size=8)
fields = st.dictionaries(names, values, max_size=4).map(
    lambda found: {
        name: value for name, value in found.items() if not field_fault(name, "" if value is None else value)
    }
)


@given(
    st.dictionaries(st.sampled_from(["*", "*.css", "a*"]), fields), fields, st.booleans(),
    st.sampled_from(["", "br", "gzip"]), st.sampled_from(["a.css", "b.svgz", "c"]),
)  # fmt: skip
def test_every_store_takes_them_and_none_says_other_than_we(rules, default, hashed: bool, coding: str, logical: str):
    config = ServeConfig(headers=rules, default_headers=default)
    found = fields_of(item(logical, hashed=hashed, coding=coding), config)
    assert found.keys() <= HELD
    served = file_headers(logical, media_type(logical), config, immutable=hashed, coding=coding or None)
    assert found.items() <= {name.title(): value for name, value in served}.items()
    for own in ("x-amz-meta-", "x-goog-meta-", "x-ms-meta-"):
        assert canonical(found, own, "a") == found
    # And nothing is lost that could be held, unless it is told.
    lost = {name.title() for name, value in served if value} - found.keys()
    computed = {"Accept-Ranges", "X-Content-Type-Options", "Access-Control-Allow-Origin"}
    assert lost <= {*not_held(config), *computed, *(name.title() for name in default)}
