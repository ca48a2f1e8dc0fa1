"""Operations become the blocks that a person would draw."""

from hypothesis import given
from hypothesis import strategies as st

from landslide_cli.core.diagram import Operation, blocks_of


def unet(levels: int = 2, numbered: bool = True) -> list[Operation]:
    """Two convolutions a level, pooling, upsampling and concatenation, as a U-Net has them."""
    operations = [Operation("image", (64, 64, 3), 0, ())]

    def add(name: str, side: int, parameters: int, *inputs: int) -> int:
        stem = name if numbered else "conv"
        operations.append(Operation(stem, (side, side, 8), parameters, inputs))
        return len(operations) - 1

    last, skips = 0, []
    for level in range(levels):
        side = 64 // 2**level
        if level > 0:
            last = add(f"max_pooling2d_{level}", side, 0, last)
        for position in ("first", "second"):
            last = add(f"encoder_{level}_{position}", side, 10, last)
        skips.append(last)
    skips.pop()
    for level in reversed(range(levels - 1)):
        side = 64 // 2**level
        last = add(f"up_sampling2d_{level}", side, 0, last)
        last = add(f"concatenate_{level}", side, 0, last, skips.pop())
        last = add(f"decoder_{level}_first", side, 10, last)
    add("classes", 64, 5, last)
    return operations


def test_levels_of_a_unet_are_blocks_below_each_other() -> None:
    blocks = blocks_of(unet(levels=3))
    assert [block.name for block in blocks] == [
        "image",
        "encoder_0",
        "encoder_1",
        "encoder_2",
        "decoder_1",
        "decoder_0 to classes",
    ]
    assert [block.row for block in blocks] == [0, 0, 1, 2, 1, 0]
    assert [block.column for block in blocks] == [0, 1, 2, 3, 4, 5]
    assert [block.inputs for block in blocks] == [(), (0,), (1,), (2,), (2, 3), (1, 4)]
    assert [block.parameters for block in blocks] == [0, 20, 20, 20, 10, 15]


def test_branches_side_by_side_have_lanes_of_their_own() -> None:
    side = (16, 16, 4)
    operations = [
        Operation("image", side, 0, ()),
        Operation("pyramid_1", side, 1, (0,)),
        Operation("pyramid_3", side, 1, (0,)),
        Operation("pyramid_6", side, 1, (0,)),
        Operation("join", (16, 16, 12), 0, (1, 2, 3)),
        Operation("fuse", side, 1, (4,)),
    ]
    blocks = blocks_of(operations)
    assert [block.lane for block in blocks] == [0, 0, 1, 2, 0]
    assert blocks[-1].inputs == (1, 2, 3)


def test_residual_blocks_with_names_in_part_are_one_block() -> None:
    side = (16, 16, 4)
    operations = [
        Operation("image", side, 0, ()),
        Operation("encoder_block1a_conv", side, 5, (0,)),
        Operation("block1a_activation", side, 0, (1,)),
        Operation("encoder_block1a_project", side, 5, (2,)),
        Operation("add", side, 0, (1, 3)),
        Operation("encoder_block1a_out", side, 5, (4,)),
    ]
    blocks = blocks_of(operations)
    assert [(block.name, block.operations) for block in blocks] == [
        ("image", 1),
        ("encoder_block1a", 5),
    ]


@given(st.integers(1, 5), st.booleans())
def test_every_operation_is_in_one_block_and_blocks_only_take_earlier_ones(
    levels: int, numbered: bool
) -> None:
    operations = unet(levels, numbered)
    blocks = blocks_of(operations)
    assert sum(block.operations for block in blocks) == len(operations)
    assert sum(block.parameters for block in blocks) == sum(o.parameters for o in operations)
    for index, block in enumerate(blocks):
        assert all(at < index and blocks[at].column < block.column for at in block.inputs)
    assert blocks[-1].shape == operations[-1].shape
    assert len({(block.column, block.row, block.lane) for block in blocks}) == len(blocks)
