"""The contract of a rewriter: spans that can be edited, and references that are found again after an edit."""

from __future__ import annotations

from ..build.rewrite import Rewriter
from ..build.rewrite.reference import renamed
from ..build.rewrite.splice import Edit, splice
from ..model import Reference

# What a hashed name may hold that some language gives a meaning.
_AWKWARD = "folder/it's ({0}) `${{{0}}} \\a.0123.x"


def check_spans(rewriter: Rewriter, body: bytes) -> list[Reference]:
    """Given any ``body``, its references are in order, within it and apart from each other. Returns them."""
    found = list(rewriter.references(body))
    done = 0
    for reference in found:
        assert done <= reference.start < reference.end <= len(body)
        assert not (reference.required and reference.kind in ("source-map", "integrity"))
        done = reference.end
    return found


def check_renaming(rewriter: Rewriter, body: bytes) -> None:
    """Given a ``body`` that is valid in its language, the same references are found after each got another name."""
    first = check_spans(rewriter, body)
    names = {r.url: renamed(r.url, _AWKWARD.format(i)) for i, r in enumerate(first)}
    edits = [Edit(r.start, r.end, written(r, names[r.url])) for r in first if r.kind != "integrity"]
    rewritten = splice(body, edits)
    again = check_spans(rewriter, rewritten)
    assert [(r.url, r.kind, r.base) for r in again] == [(names[r.url], r.kind, r.base) for r in first]
    for reference in again:
        if reference.kind != "integrity":
            assert rewritten[reference.start : reference.end] == written(reference, reference.url)


def written(reference: Reference, url: str) -> bytes:
    """How ``url`` is written in the place of ``reference``."""
    return (url.replace("&", "&amp;") if reference.in_markup else url).encode()
