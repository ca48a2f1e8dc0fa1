"""A network as a picture: its operations joined to blocks, and where each block is drawn."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# First word of the names of an encoder's layers.
_ENCODER = "encoder"

# With as few blocks as these a picture of as many operations shows nothing.
_FEWEST_BLOCKS, _MANY_OPERATIONS = 3, 12


@dataclass(frozen=True)
class Operation:
    """An operation of a network, in the order in which they run.

    Args:
        name: of the layer.
        shape: of its output, without the batch: (rows, cols, channels) for features.
        parameters: how many it has.
        inputs: indices of the operations whose output it takes.
    """

    name: str
    shape: tuple[int, ...]
    parameters: int
    inputs: tuple[int, ...]


@dataclass(frozen=True)
class Block:
    """Operations that are drawn as one box.

    Args:
        name: of the operations in it.
        shape: of the output of the last one.
        parameters: of all of them.
        operations: how many there are.
        inputs: indices of the blocks whose output it takes.
        column: how many blocks there are before it at least.
        row: how often the side of the image is halved up to its output.
        lane: number among the blocks of the same column and row.
    """

    name: str
    shape: tuple[int, ...]
    parameters: int
    operations: int
    inputs: tuple[int, ...]
    column: int
    row: int
    lane: int


def blocks_of(operations: Sequence[Operation]) -> list[Block]:
    """Join operations to blocks, and lay these out.

    Operations whose names begin alike up to a number, as in `decoder_2_first` and
    `decoder_2_second`, are one block, with all that lies between them. Operations without
    parameters belong to what they prepare. Then blocks of equal size in a row are joined, as long
    as nothing else takes what is between them.
    """
    singly = list(range(len(operations)))
    named = _with_all_between(operations, _by_name(operations))
    # Where both sides of a network have the same names, these join all of it.
    is_one = len(set(named)) <= _FEWEST_BLOCKS and len(operations) >= _MANY_OPERATIONS
    group_of = _chained(operations, _without_idle(operations, singly if is_one else named))
    return _laid_out(operations, group_of)


def _by_name(operations: Sequence[Operation]) -> list[int]:
    """Number groups by the names up to a word with a number."""
    numbers: dict[str, int] = {}
    return [numbers.setdefault(_stem(operation.name), len(numbers)) for operation in operations]


def _stem(name: str) -> str:
    """Return what names a block: `decoder_2` of `decoder_2_first`, `block3a` of an encoder."""
    words = name.split("_")
    for count, word in enumerate(words, start=1):
        is_kind = word.endswith("2d") and not word.startswith("block")  # of layer: max_pooling2d
        if any(character.isdigit() for character in word) and not is_kind:
            # Some layers of an encoder bear its name in front, others do not.
            prefix = words[0] == _ENCODER and not word.isdigit()
            return "_".join(words[prefix:count])
    return name


def _with_all_between(operations: Sequence[Operation], group_of: Sequence[int]) -> list[int]:
    """Join groups that take each other's output, even through others."""
    edges = _edges(operations, group_of)
    before = {group: _reached(edges, group) for group in edges}
    first_of = {
        group: min([group, *(early for early in before[group] if group in before[early])])
        for group in edges
    }
    return [first_of[group] for group in group_of]


def _reached(edges: Mapping[int, set[int]], start: int) -> set[int]:
    """Return all groups whose output a group takes, even through others."""
    reached: set[int] = set()
    ahead = list(edges[start])
    while ahead:
        group = ahead.pop()
        if group not in reached:
            reached.add(group)
            ahead += edges[group]
    return reached


def _edges(operations: Sequence[Operation], group_of: Sequence[int]) -> dict[int, set[int]]:
    """Return the groups whose output each group takes."""
    edges: dict[int, set[int]] = {group: set() for group in group_of}
    for index, operation in enumerate(operations):
        edges[group_of[index]] |= {group_of[at] for at in operation.inputs}
    return {group: inputs - {group} for group, inputs in edges.items()}


def _has_order(operations: Sequence[Operation], group_of: Sequence[int]) -> bool:
    """Whether no group takes, even through others, its own output."""
    edges = _edges(operations, group_of)
    while ready := [group for group, inputs in edges.items() if not inputs]:
        for group in ready:
            del edges[group]
        edges = {group: inputs - set(ready) for group, inputs in edges.items()}
    return not edges


def _without_idle(operations: Sequence[Operation], group_of: Sequence[int]) -> list[int]:
    """Add groups without parameters to the only group that takes what they give."""
    result = list(group_of)
    for group in dict.fromkeys(group_of):
        members = [index for index, own in enumerate(result) if own == group]
        if any(operations[index].parameters for index in members) or not members:
            continue
        takers = {own for own, inputs in _edges(operations, result).items() if group in inputs}
        is_image = any(not operations[index].inputs for index in members)
        if len(takers) == 1 and not is_image:
            (taker,) = takers
            merged = [taker if own == group else own for own in result]
            result = merged if _has_order(operations, merged) else result
    return result


def _chained(operations: Sequence[Operation], group_of: Sequence[int]) -> list[int]:
    """Join groups of equal size that follow each other, and that nothing else lies between."""
    result = list(group_of)
    last = {group: index for index, group in enumerate(result)}
    for group in dict.fromkeys(result):
        inputs = _edges(operations, result)[group]
        if len(inputs) != 1:
            continue
        (before,) = inputs
        takers = [own for own, taken in _edges(operations, result).items() if before in taken]
        sides = [operations[last[each]].shape[:-1] for each in (before, group)]
        if takers == [group] and sides[0] == sides[1] and operations[last[before]].inputs:
            result = [group if own == before else own for own in result]
    return result


def _laid_out(operations: Sequence[Operation], group_of: Sequence[int]) -> list[Block]:
    edges = _edges(operations, group_of)
    members = {
        group: [index for index, own in enumerate(group_of) if own == group] for group in edges
    }
    # The last operation of a group is after all that it takes.
    order = sorted(edges, key=lambda group: members[group][-1])
    number = {group: index for index, group in enumerate(order)}
    side = max(operations[0].shape[0] or 1, 1)
    blocks: list[Block] = []
    lanes: dict[tuple[int, int], int] = {}
    for group in order:
        inputs = tuple(sorted(number[each] for each in edges[group]))
        own = [operations[index] for index in members[group]]
        shape = own[-1].shape
        column = max((blocks[at].column + 1 for at in inputs), default=0)
        has_side = len(shape) > 1 and shape[0] > 0
        row = round(math.log2(side / shape[0])) if has_side else 0
        lane = lanes.get((column, row), 0)
        lanes[column, row] = lane + 1
        parameters = sum(operation.parameters for operation in own)
        blocks.append(Block(_name(own), shape, parameters, len(own), inputs, column, row, lane))
    return blocks


def _name(operations: Sequence[Operation]) -> str:
    """Name a block after its operations with parameters: the first and the last."""
    named = [operation.name for operation in operations if operation.parameters]
    names = named or [operation.name for operation in operations]
    stems = list(dict.fromkeys(_stem(name) for name in names))
    name = stems[0] if len(stems) == 1 else f"{stems[0]} to {stems[-1]}"
    is_bare = names[0].startswith(_ENCODER) and not name.startswith(_ENCODER)
    return f"{_ENCODER}_{name}" if is_bare else name
