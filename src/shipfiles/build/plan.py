"""The order in which files are rewritten: a file after all that it refers to, a cycle of files as one group."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping


def groups(edges: Mapping[str, Collection[str]]) -> Iterator[tuple[str, ...]]:
    """The strongly connected components of the graph ``edges`` (node → the nodes that it refers to).

    In topological order: a group comes after every group that it refers to. Members of a group are sorted. A node that
    only ever is referred to is a group too. Tarjan's algorithm (SIAM Journal on Computing 1, 1972) without recursion:
    a chain of ten thousand files is no problem. The order is the same for the same graph.
    """
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    on_stack: set[str] = set()
    stack: list[str] = []
    for root in sorted(edges):
        if root in index:
            continue
        work: list[tuple[str, Iterator[str]]] = []
        _enter(root, edges, index, low, stack, on_stack, work)
        while work:
            node, targets = work[-1]
            for target in targets:
                if target not in index:
                    _enter(target, edges, index, low, stack, on_stack, work)
                    break
                if target in on_stack:
                    low[node] = min(low[node], index[target])
            else:
                work.pop()
                if work:
                    parent = work[-1][0]
                    low[parent] = min(low[parent], low[node])
                if low[node] == index[node]:
                    members = []
                    while True:
                        member = stack.pop()
                        on_stack.discard(member)
                        members.append(member)
                        if member == node:
                            break
                    yield tuple(sorted(members))


def _enter(
    node: str,
    edges: Mapping[str, Collection[str]],
    index: dict[str, int],
    low: dict[str, int],
    stack: list[str],
    on_stack: set[str],
    work: list[tuple[str, Iterator[str]]],
) -> None:
    index[node] = low[node] = len(index)
    stack.append(node)
    on_stack.add(node)
    work.append((node, iter(sorted(edges.get(node, ())))))
