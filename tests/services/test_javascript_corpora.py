"""Every script and module of the corpora, by our scanner and by two parsers that know nothing of it.

The references are the same, in every file. Where a parser cannot read a file, the reason is in a table here, in the
words of ECMA-262, and the other parser answers for it.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from shipfiles.build.rewrite.javascript import references
from tests.oracles import corpora, javascript_node, javascript_tree
from tests.oracles.javascript_programs import program
from tests.oracles.javascript_tree import Found

pytestmark = pytest.mark.services

SHARDS = 8
TRIED = range(int(os.environ.get("TRIED", "1")))
"""Of the files so many eighths; TRIED=8 has all."""
PROGRAMS = 12_000
# Where tree-sitter's grammar fails on JavaScript that is right.
TREE_SITTER_FAILS = {
    "site-packages/bench_django_grappelli__grappelli/static/grappelli/jquery/ui/jquery-ui.js": (
        'section 14.3.1: "using" is an identifier unless a name follows; the grammar takes "using =" for a declaration'
    ),
    "site-packages/bench_drf_spectacular_sidecar__drf_spectacular_sidecar/static/drf_spectacular_sidecar/"
    "swagger-ui-dist/swagger-ui-bundle.js": (
        "section 12.9.6, NotEscapeSequence: a tagged template may hold any backslash, as in String.raw`\\uc1`"
    ),
}


def candidates(shard: int) -> list[Path]:
    """The files of a shard that could have a reference; for the others it is shown here that none is found."""
    chosen = []
    for path in corpora.shard(corpora.files(".js", ".mjs", ".cjs"), shard, SHARDS):
        body = path.read_bytes()
        if b"import" in body or b"sourceMappingURL" in body or (b"export" in body and b"from" in body):
            chosen.append(path)
        else:
            assert not references(body), path
    return chosen


@pytest.mark.parametrize("shard", TRIED)
def test_by_tree_sitter(shard):
    different, failed = {}, set()
    for path in candidates(shard):
        body = path.read_bytes()
        read = javascript_tree.read(body)
        found = javascript_tree.found(references(body))
        if found != read.references:
            different[corpora.name(path)] = set(found) ^ set(read.references)
        if read.errors:
            failed.add(corpora.name(path))
    assert not different
    mine = {corpora.name(path) for path in corpora.shard(corpora.files(".js", ".mjs", ".cjs"), shard, SHARDS)}
    assert failed == TREE_SITTER_FAILS.keys() & mine


def test_the_table_names_files_of_the_corpora():
    assert TREE_SITTER_FAILS.keys() <= {corpora.name(path) for path in corpora.files(".js", ".mjs", ".cjs")}


@pytest.mark.parametrize("shard", TRIED)
def test_by_acorn(shard):
    assert different(javascript_node.read(candidates(shard))) == {}


def test_programs_by_acorn(tmp_path):
    paths = []
    for seed in range(PROGRAMS):
        paths.append(tmp_path / f"{seed}.js")
        paths[-1].write_bytes(program(seed).encode())
    read = {path: found for path, found in javascript_node.read(paths).items() if not isinstance(found, str)}
    assert len(read) > PROGRAMS / 2
    assert {path.read_bytes(): found for path, found in different(read).items()} == {}


def different(read: dict[Path, list[Found] | str]) -> dict[Path, object]:
    """What acorn sees and we do not, and the other way round; for files that it cannot read, why."""
    wrong: dict[Path, object] = {}
    for path, theirs in read.items():
        ours = [found for found in javascript_tree.found(references(path.read_bytes())) if found.kind != "source-map"]
        if isinstance(theirs, str):
            wrong[path] = theirs
        elif ours != theirs:
            wrong[path] = set(ours) ^ set(theirs)
    return wrong
