"""The order of rewriting: checked against a definition, not against the algorithm."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shipfiles.build.plan import groups

nodes = st.sampled_from("abcdefgh")
graphs = st.dictionaries(nodes, st.sets(nodes, max_size=4))


def reachable(edges: dict[str, set[str]], start: str) -> set[str]:
    seen: set[str] = set()
    pending = list(edges.get(start, ()))
    while pending:
        node = pending.pop()
        if node not in seen:
            seen.add(node)
            pending += edges.get(node, ())
    return seen


@given(graphs)
def test_groups_are_the_mutually_reachable_nodes_in_topological_order(edges: dict[str, set[str]]) -> None:
    found = list(groups(edges))
    everything = set(edges) | {t for targets in edges.values() for t in targets}
    assert sorted(n for group in found for n in group) == sorted(everything)
    where = {node: i for i, group in enumerate(found) for node in group}
    for a in everything:
        for b in everything - {a}:
            together = b in reachable(edges, a) and a in reachable(edges, b)
            assert (where[a] == where[b]) == together
        assert all(where[target] <= where[a] for target in edges.get(a, ()))


@given(graphs)
def test_the_order_does_not_depend_on_the_order_of_the_input(edges: dict[str, set[str]]) -> None:
    assert list(groups(edges)) == list(groups(dict(reversed(edges.items()))))


def test_a_long_chain_needs_no_deep_recursion() -> None:
    edges = {f"{i:06}": {f"{i + 1:06}"} for i in range(20_000)}
    assert [group[0] for group in groups(edges)] == [f"{i:06}" for i in range(20_000, -1, -1)]
