"""Connected components by union-find: scenes linked by shared ground, directly or in a chain."""

from collections.abc import Iterable, Sequence


def connected(names: Sequence[str], pairs: Iterable[tuple[str, str]]) -> list[list[str]]:
    """Group names that pairs link, directly or in a chain of any length.

    Returns:
        The groups, names without a link included. Members and, by their first member, groups are in
        the order of `names`.
    """
    parent = {name: name for name in names}

    def root(name: str) -> str:
        while parent[name] != name:
            # Path halving keeps later searches short.
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for first, second in pairs:
        parent[root(first)] = root(second)
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(root(name), []).append(name)
    return list(groups.values())
