"""Small programs, by our scanner and by the syntax tree that tree-sitter makes: the same references."""

from __future__ import annotations

import pytest

from shipfiles.build.rewrite import javascript
from shipfiles.testing.rewriter import check_renaming
from tests.oracles import javascript_tree
from tests.oracles.javascript_programs import program

PROGRAMS, SHARDS = 2400, 4


@pytest.mark.parametrize("shard", range(SHARDS))
def test_programs(shard):
    understood = 0
    for seed in range(shard, PROGRAMS, SHARDS):
        body = program(seed).encode()
        read = javascript_tree.read(body)
        if read.errors:
            continue  # one piece in it does not go with another, or the grammar lacks something
        understood += 1
        assert javascript_tree.found(javascript.references(body)) == read.references, f"program {seed}: {body!r}"
        check_renaming(javascript, body)
    assert understood > PROGRAMS / SHARDS / 3
