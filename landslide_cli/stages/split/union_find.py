"""Groups: scenes that belong together, directly or through others (union-find)."""

from collections.abc import Iterable, Sequence


def connected(names: Sequence[str], pairs: Iterable[tuple[str, str]]) -> list[list[str]]:
    """Join names that are linked by pairs, however long the chain.

    Returns:
        The groups, each in the order of `names`, by their first members; single names included.
    """
    parent = {name: name for name in names}

    def root(name: str) -> str:
        while parent[name] != name:
            # Halving the path keeps every later search short.
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for first, second in pairs:
        parent[root(first)] = root(second)
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(root(name), []).append(name)
    return list(groups.values())
