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
        assert not (reference.required and reference.kind == "source-map")
        done = reference.end
    return found


def check_renaming(rewriter: Rewriter, body: bytes) -> None:
    """Given a ``body`` that is valid in its language, the same references are found after each got another name."""
    first = check_spans(rewriter, body)
    names = [renamed(r.url, _AWKWARD.format(i)).encode() for i, r in enumerate(first)]
    rewritten = splice(body, [Edit(r.start, r.end, name) for r, name in zip(first, names, strict=True)])
    again = check_spans(rewriter, rewritten)
    assert [(r.url.encode(), r.kind) for r in again] == list(zip(names, (r.kind for r in first), strict=True))
    assert [rewritten[r.start : r.end] for r in again] == names
