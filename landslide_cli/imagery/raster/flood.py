"""Masks of rasters of any size, and the flood of a raster from its edge in bounded memory."""

import heapq
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.tiling.grid import ceil_div

Bools = NDArray[np.bool_]
Block = tuple[int, int]
Span = tuple[int, int]


class BlockMask:
    """A mask of `height` x `width` pixels, compressed in blocks; false where nothing was put.

    Its memory grows with the outlines in it, not with the raster.

    Args:
        height: rows of the raster.
        width: columns of the raster.
        shape: rows and columns of a block; the last ones are smaller.
    """

    def __init__(self, height: int, width: int, shape: tuple[int, int]) -> None:
        self.height, self.width, self.shape = height, width, shape
        # True stands for a block that is true everywhere.
        self._blocks: dict[Block, bytes | bool] = {}
        self._counts: dict[Block, int] = {}

    def like(self) -> "BlockMask":
        """Return an empty mask of the same blocks."""
        return BlockMask(self.height, self.width, self.shape)

    def __contains__(self, block: Block) -> bool:
        return block in self._blocks

    def __iter__(self) -> Iterator[Block]:
        return iter(sorted(self._blocks))

    @property
    def count(self) -> int:
        """Pixels that are true."""
        return sum(self._counts.values())

    @property
    def block_counts(self) -> tuple[int, int]:
        """How many blocks there are down and across."""
        return ceil_div(self.height, self.shape[0]), ceil_div(self.width, self.shape[1])

    def span(self, block: Block) -> tuple[Span, Span]:
        """Return the rows and columns of a block, each as the first and the one after the last."""
        (row, col), (rows, cols) = block, self.shape
        bottom, right = min(self.height, (row + 1) * rows), min(self.width, (col + 1) * cols)
        return (row * rows, bottom), (col * cols, right)

    def put(self, block: Block, mask: Bools) -> None:
        """Keep the mask of a block, (rows, cols), or (1, 1) if it is the same everywhere."""
        count = int(np.count_nonzero(mask))
        (top, bottom), (left, right) = self.span(block)
        self._counts[block] = count * ((bottom - top) * (right - left) // mask.size)
        mixed = 0 < count < mask.size
        bits = np.packbits(mask).tobytes() if mixed else b""
        self._blocks[block] = zlib.compress(bits, 1) if mixed else bool(count)

    def get(self, block: Block) -> Bools:
        """Return the mask of a block, (rows, cols)."""
        (top, bottom), (left, right) = self.span(block)
        kept, shape = self._blocks.get(block, False), (bottom - top, right - left)
        if isinstance(kept, bool):
            return np.full(shape, kept)
        bits = np.frombuffer(zlib.decompress(kept), np.uint8)
        return np.unpackbits(bits, count=shape[0] * shape[1]).astype(np.bool_).reshape(shape)

    def within(self, rows: Span, cols: Span) -> Bools | None:
        """Return the mask of a rectangle, (rows, cols); None if it is false everywhere."""
        result: Bools | None = None
        for block in self._touching(rows, cols):
            if not self._counts.get(block):
                continue
            if result is None:
                result = np.zeros((rows[1] - rows[0], cols[1] - cols[0]), np.bool_)
            (top, bottom), (left, right) = self.span(block)
            above, before = max(top, rows[0]), max(left, cols[0])
            below, after = min(bottom, rows[1]), min(right, cols[1])
            part = self.get(block)[above - top : below - top, before - left : after - left]
            result[above - rows[0] : below - rows[0], before - cols[0] : after - cols[0]] = part
        return None if result is None or not result.any() else result

    @property
    def mixed(self) -> list[Block]:
        """The blocks that are true in part."""
        return [block for block in self if not isinstance(self._blocks[block], bool)]

    def is_full(self, block: Block) -> bool:
        """Tell a block that is true everywhere."""
        return self._blocks.get(block) is True

    def neighbours(self, block: Block) -> Iterator[Block]:
        """Yield the blocks around a block, up to eight."""
        (row, col), (rows, cols) = block, self.block_counts
        for down in range(max(0, row - 1), min(rows, row + 2)):
            for across in range(max(0, col - 1), min(cols, col + 2)):
                if (down, across) != block:
                    yield down, across

    def _touching(self, rows: Span, cols: Span) -> Iterator[Block]:
        down, across = self.shape
        for row in range(rows[0] // down, ceil_div(rows[1], down)):
            for col in range(cols[0] // across, ceil_div(cols[1], across)):
                yield row, col


@dataclass(frozen=True)
class EdgeLines:
    """A mask of the outermost pixels: `top` and `bottom` (cols,), `left` and `right` (rows,)."""

    top: Bools
    bottom: Bools
    left: Bools
    right: Bools


def flooded(empty: BlockMask, seeds: EdgeLines, passable: Callable[[Block], Bools]) -> BlockMask:
    """Mark what is connected with the seeds by the sides of passable pixels.

    Args:
        empty: gives the raster's size and its blocks.
        seeds: where the flood starts, as far as it is passable there.
        passable: tells the pixels of a block that the flood may enter, (rows, cols); asked once for
            each block that the flood comes to.
    """
    reached, known = empty.like(), empty.like()
    rows, cols = empty.block_counts
    # The first rows come first: rasters in strips are read from top to bottom.
    queue = [block for block in _edge_blocks(rows, cols) if _entry(reached, seeds, block).any()]
    heapq.heapify(queue)
    queued = set(queue)
    while queue:
        block = heapq.heappop(queue)
        queued.discard(block)
        if block not in known:
            known.put(block, passable(block))
        before, after = reached.get(block), _grown(known, block, _entry(reached, seeds, block))
        if block in reached and np.array_equal(before, after):
            continue
        reached.put(block, after)
        gained = after & ~before
        row, col = block
        sides = (
            ((row - 1, col), gained[0]),
            ((row + 1, col), gained[-1]),
            ((row, col - 1), gained[:, 0]),
            ((row, col + 1), gained[:, -1]),
        )
        for other, side in sides:
            inside = 0 <= other[0] < rows and 0 <= other[1] < cols
            if inside and side.any() and other not in queued and not reached.is_full(other):
                heapq.heappush(queue, other)
                queued.add(other)
    return reached


def _edge_blocks(rows: int, cols: int) -> list[Block]:
    edge = [(row, col) for row in {0, rows - 1} for col in range(cols)]
    return edge + [(row, col) for row in range(1, rows - 1) for col in {0, cols - 1}]


def _entry(reached: BlockMask, seeds: EdgeLines, block: Block) -> Bools:
    """Tell the pixels of a block that are seeds, or beside pixels reached in other blocks."""
    (top, bottom), (left, right) = reached.span(block)
    (row, col), (rows, cols) = block, reached.block_counts
    entry = np.zeros((bottom - top, right - left), np.bool_)
    above, below = (row - 1, col), (row + 1, col)
    before, after = (row, col - 1), (row, col + 1)
    entry[0] |= seeds.top[left:right] if row == 0 else reached.get(above)[-1]
    entry[-1] |= seeds.bottom[left:right] if row == rows - 1 else reached.get(below)[0]
    entry[:, 0] |= seeds.left[top:bottom] if col == 0 else reached.get(before)[:, -1]
    entry[:, -1] |= seeds.right[top:bottom] if col == cols - 1 else reached.get(after)[:, 0]
    return entry


def _grown(known: BlockMask, block: Block, entry: Bools) -> Bools:
    """Return the connected areas of a block's passable pixels that are entered."""
    if known.is_full(block):
        return np.full_like(entry, entry.any())
    candidates = known.get(block)
    count, labels = cv2.connectedComponents(candidates.astype(np.uint8), connectivity=4)
    entered = np.zeros(count, np.bool_)
    entered[labels[entry & candidates]] = True
    result: Bools = entered[labels]
    return result
