"""The border around an orthophoto that no nodata value declares, and what JPEG leaves of one.

Orthophotos are often turned in a frame of black, white or another value. What is of (nearly) that
value and connected with the raster's edge is its border: the outermost pixels tell the value, and a
flood from them, pixel by pixel, the area. Only what the flood comes to is read, so that a scene
without a border costs no more than its outermost blocks.

Ground may be of one value too: overexposed roads and snow, black shadow, water. It is told apart by
its outline, which is ragged and fades into values that are nearly the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from landslide_cli.imagery.raster.edge import Edge, Encoding, ReadPixels, Tone, distance, find_tones
from landslide_cli.imagery.raster.flood import Block, BlockMask, Bools, Span, flooded

# An area is a border if it takes half of the raster's edge, if so much of its outline consists of
# straight lines, or if so little of what is beside it is within `_ALIKE` gray levels of its value.
# Measured: borders, also of JPEG, have 0.95 and more of straight outline; of the areas of one value
# at the edges of 3,033 scenes without border none had more than 0.6, nor less than 0.45 alike.
_MOST_OF_THE_EDGE, _STRAIGHT, _LEAST_ALIKE, _ALIKE = 0.5, 0.75, 0.25, 24.0

# A straight line is at least so long, and its pixels so near, in pixels.
_LINE, _OFF_LINE = 24.0, 2.0

# Lossy compression blurs the outline of a border over its blocks of 8 x 8 pixels, or of 16 x 16
# with halved colours. It did if at least half of the pixels beside the border are nearly of its
# value, and of all others at most half as many. Then what is within `_NEAR` levels and connected
# over at most `_RIM` pixels belongs to the border, and so do specks of `_SPECK` pixels within
# `_NEAR_SPECK` levels.
_BLURRED, _NEAR, _RIM = 0.5, 10.0, 16
_NEAR_SPECK, _SPECK = 64.0, 6
_MARGIN = _RIM + 2 * _SPECK

# Blocks that are read at once have about this side.
_BLOCK = 256

# Windows along a side, and their own side, in which the brightness of the raster is measured.
_PROBES, _PROBE_SIDE = 5, 32


@dataclass(frozen=True)
class Border:
    """Pixels at a raster's edge that are no ground although the file does not say so.

    `share` is theirs of all pixels, `values` those that the border has, one for each band.
    """

    share: float
    values: list[list[float]]
    mask: BlockMask

    def within(self, rows: Span, cols: Span) -> Bools | None:
        """Tell the border's pixels in a rectangle, (rows, cols); None if there are none."""
        return self.mask.within(rows, cols)


def find_border(
    read: ReadPixels, height: int, width: int, block_shape: tuple[int, int], encoding: Encoding
) -> Border | None:
    """Find the border of a raster.

    Args:
        read: reads the raster.
        height: its rows.
        width: its columns.
        block_shape: rows and columns of the blocks in which the file stores it.
        encoding: what its numbers mean.

    Returns:
        None if there is no border but what the file declares.
    """
    edge = Edge.read(read, height, width, block_shape[1] >= width > _BLOCK)
    tones = find_tones(edge, encoding)
    if tones or not edge.valid.all():
        encoding = _measured(read, height, width, encoding, edge)
        tones = find_tones(edge, encoding)
    if not tones and edge.valid.all():
        return None
    rows, cols = (
        side * max(1, round(_BLOCK / side)) if side <= 2 * _BLOCK else _BLOCK
        for side in block_shape
    )
    search = _Search(read, BlockMask(height, width, (rows, cols)), edge, encoding.level)
    # Each by itself: beside a border there may be an overexposed road.
    tones = [tone for tone in tones if search.is_border(tone)]
    if not tones and edge.valid.all():
        return None
    undeclared, values = search.undeclared(tones)
    if not undeclared.count:
        return None
    return Border(undeclared.count / (height * width), values, undeclared)


def _measured(
    read: ReadPixels, height: int, width: int, encoding: Encoding, edge: Edge
) -> Encoding:
    """Adapt the gray level to the raster's own brightness: 16 bits may hold only 11."""
    frame, brightest = edge.most_frequent(np.ones_like(edge.valid)), 0.0
    for row in np.linspace(0, height, _PROBES + 2)[1:-1].astype(int).tolist():
        for col in np.linspace(0, width, _PROBES + 2)[1:-1].astype(int).tolist():
            rows, cols = (
                (start, min(length, start + _PROBE_SIDE))
                for start, length in ((row, height), (col, width))
            )
            pixels, valid = read(rows, cols)
            kept = distance(pixels, frame) > 0
            kept = kept if valid is None else kept & valid
            if kept.sum() > kept.size // 4:
                most = float(np.percentile(pixels.max(axis=0)[kept], 90))
                brightest = max(brightest, most - encoding.darkest)
    # Half as bright as white is not dark yet.
    level = min(encoding.level, 2.0 * brightest / 255.0) if brightest else encoding.level
    return replace(encoding, level=level)


class _Search:
    """The search for the areas of a border.

    Args:
        read: reads the raster.
        empty: gives its size and its blocks.
        edge: its outermost pixels.
        level: a gray level in its numbers.
    """

    def __init__(self, read: ReadPixels, empty: BlockMask, edge: Edge, level: float) -> None:
        self._read, self._empty, self._edge, self._level = read, empty, edge, level

    def is_border(self, tone: Tone) -> bool:
        """Tell whether an area of one value is a border, and not ground."""
        if self._edge.share(self._edge.runs(tone, self._level)) >= _MOST_OF_THE_EDGE:
            return True
        area = _Area(self._read, self._empty, self._edge, [tone], self._level)
        mask = area.with_rim()
        if _straight_share(mask) >= _STRAIGHT:
            return True
        return _share_beside(mask, area.alike) <= _LEAST_ALIKE

    def undeclared(self, tones: Sequence[Tone]) -> tuple[BlockMask, list[list[float]]]:
        """Return the pixels of borders that the file does not declare, and their values."""
        area = _Area(self._read, self._empty, self._edge, tones, self._level)
        mask, result = area.with_rim(), self._empty.like()
        for block in mask:
            result.put(block, mask.get(block) & ~area.invalid.get(block))
        shown = [tone.value for tone in tones] or area.values
        values = [
            [int(value) if float(value).is_integer() else float(value) for value in bands]
            for bands in shown
        ]
        return result, values


class _Area:
    """What is connected with a raster's edge by pixels of certain tones, or declared as no data.

    `alike` and `invalid` are the pixels of the blocks read that are like the tones, and declared.
    """

    def __init__(
        self,
        read: ReadPixels,
        empty: BlockMask,
        edge: Edge,
        tones: Sequence[Tone],
        level: float,
    ) -> None:
        self._read, self._tones, self._level = read, tones, level
        # Beneath what is declared lies the value that compression has blurred.
        declared = [] if edge.valid.all() else [edge.most_frequent(~edge.valid)]
        self.values = [tone.value for tone in tones] + declared
        self._near, self.alike, self.invalid = (empty.like() for _ in range(3))
        seeds = ~edge.valid
        for tone in tones:
            seeds |= edge.runs(tone, level)
        self._reached = flooded(empty, edge.lines(seeds), self._passable)

    def _passable(self, block: Block) -> Bools:
        pixels, valid = self._read(*self.invalid.span(block))
        result = np.zeros((1, 1), np.bool_) if valid is None else ~valid
        self.invalid.put(block, result)
        if (pixels == pixels[:, :1, :1]).all():
            # Most blocks of a border: one pixel tells of all.
            pixels = pixels[:, :1, :1]
        distances = [distance(pixels, value) for value in self.values]
        away = np.minimum.reduce(distances)
        self._near.put(block, away <= _NEAR * self._level)
        self.alike.put(block, away <= _ALIKE * self._level)
        # The first values are those of the tones.
        for tone, own in zip(self._tones, distances, strict=False):
            result = result | (own <= tone.tolerance)
        return result

    def _is_blurred(self) -> bool:
        """Tell whether many pixels beside the area are nearly of its value, and few elsewhere."""
        beside, outside, near = _share_beside(self._reached, self._near), 0, 0
        for block in self._reached.mixed:
            ground = ~self._reached.get(block)
            outside += int(ground.sum())
            near += int((ground & self._near.get(block)).sum())
        return beside > max(_BLURRED, 2.0 * near / max(1, outside))

    def with_rim(self) -> BlockMask:
        """Return the area, with what compression left of it around, if it did."""
        noisy = any(tone.noisy for tone in self._tones)
        if not noisy and not self._is_blurred():
            return self._reached
        reached, result = self._reached, self._reached.like()
        blocks = {block for block in reached if reached.get(block).any()}
        beside = {neighbour for block in blocks for neighbour in reached.neighbours(block)}
        for block in sorted(blocks | beside):
            rows, cols = reached.span(block)
            if reached.is_full(block):
                result.put(block, reached.get(block))
                continue
            (top, bottom), (left, right) = (
                (max(0, span[0] - _MARGIN), min(length, span[1] + _MARGIN))
                for span, length in ((rows, reached.height), (cols, reached.width))
            )
            core = reached.within((top, bottom), (left, right))
            if core is None:
                continue
            pixels, valid = self._read((top, bottom), (left, right))
            away = _nearest(pixels, self.values) / max(self._level, 1e-9)
            inside = np.s_[rows[0] - top : rows[1] - top, cols[0] - left : cols[1] - left]
            result.put(block, _grown(core, away)[inside])
            if block not in self.invalid and valid is not None:
                self.invalid.put(block, ~valid[inside])
        return result


def _nearest(pixels: NDArray[Any], values: Sequence[NDArray[np.float64]]) -> NDArray[Any]:
    """Return the distance of (bands, rows, cols) from the nearest of the values, (rows, cols)."""
    away: NDArray[Any] = np.minimum.reduce([distance(pixels, value) for value in values])
    return away


def _grown(core: Bools, away: NDArray[Any]) -> Bools:
    """Add to a border its rim and the specks in it; exact `_MARGIN` pixels off what is not seen.

    `away` is the distance from the border's value, in gray levels.
    """
    near, square = away <= _NEAR, np.ones((3, 3), np.uint8)
    for _ in range(_RIM):
        core = core | ((cv2.dilate(core.astype(np.uint8), square) > 0) & near)
    side = 2 * _SPECK + 1
    element = np.ones((side, side), np.uint8)
    closed = cv2.morphologyEx(core.astype(np.uint8), cv2.MORPH_CLOSE, element) > 0
    result: Bools = core | (closed & (away <= _NEAR_SPECK))
    return result


def _share_beside(mask: BlockMask, marked: BlockMask) -> float:
    """Return the share that is marked of the pixels beside a mask."""
    beside = hits = 0
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    for block in mask.mixed:
        inside = mask.get(block)
        around = (cv2.dilate(inside.astype(np.uint8), cross) > 0) & ~inside
        beside += int(around.sum())
        hits += int((around & marked.get(block)).sum())
    return hits / max(1, beside)


def _straight_share(mask: BlockMask) -> float:
    """Return the share of a mask's outline that consists of straight lines.

    What lies on the sides of blocks, such as the raster's edge, does not count.
    """
    total = straight = 0.0
    for block in mask.mixed:
        inside = mask.get(block)
        height, width = inside.shape
        outlines, _ = cv2.findContours(
            inside.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE
        )
        for outline in outlines:
            begin = cv2.approxPolyDP(outline, _OFF_LINE, closed=True)[:, 0]
            end = np.roll(begin, -1, axis=0)
            same = begin == end
            on_side = (same & np.isin(begin, 0)) | (same & (begin == [width - 1, height - 1]))
            lengths = np.hypot(*(end - begin).T)[~on_side.any(axis=1)]
            total += float(lengths.sum())
            straight += float(lengths[lengths >= _LINE].sum())
    return straight / total if total else 1.0
