"""The border around an orthophoto that no nodata value declares, and what JPEG leaves of one.

Orthophotos are often turned in a frame of black, white or another value. What is of (nearly) that
value and connected with the raster's edge is its border: the outermost pixels tell the value, and a
flood from them, pixel by pixel, the area. Only what the flood comes to is read, so that opening a
scene without a border costs its outermost blocks.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from landslide_cli.imagery.raster.flood import Block, BlockMask, Bools, EdgeLines, Span, flooded

# Reads rows and columns: values (bands, rows, cols) as in the file, and which pixels hold data by
# what the file declares, (rows, cols) or None for all.
ReadPixels = Callable[[Span, Span], tuple[NDArray[Any], Bools | None]]

# How far the values of a border may be from the one value that it has, in grey levels of 0 to 255:
# black and white with the noise of compression, other values only just.
_NEAR_BLACK, _NEAR_WHITE, _NEAR_ANY = 10.0, 4.0, 3.0

# A border runs along the raster's edge in pieces of at least this share of a side, and this many
# pixels; those of noise are longer, so that dark or bright ground is none.
_LEAST_RUN, _LEAST_NOISY_RUN, _LEAST_PIXELS = 0.02, 0.1, 8

# The share of the raster's edge that a border takes at least; of noise, or of a value that is
# neither black nor white, more.
_LEAST_SHARE, _LEAST_OTHER_SHARE = 0.02, 0.05

# A border has one value if at least this share of its pixels on the raster's edge has it exactly.
_EXACT = 0.5

# How many values borders of a raster may have.
_MOST_TONES = 3

# Lossy compression blurs the outline of a border over its blocks of 8 x 8 pixels, or of 16 x 16
# with halved colours. It did if at least a quarter of the pixels beside the border are nearly of its
# value. Then what is within `_NEAR_RIM` levels and connected over at most `_RIM` pixels belongs to
# the border, and so do specks within `_NEAR_SPECK` levels.
_BLURRED, _NEAR_RIM, _RIM = 0.25, 10.0, 16
_NEAR_SPECK, _SPECK = 64.0, 6
_MARGIN = _RIM + 2 * _SPECK

# Pixels of the edge whose most frequent value is sought.
_COUNTED = 2**13

# Blocks are about as large; rows of a raster in strips whose first and last pixel are looked at.
_LEAST_BLOCK, _STRIP_ROWS_READ = 256, 512

# Windows along a side, and their own side, in which the brightness of the raster is measured.
_PROBES, _PROBE_SIDE = 5, 32


@dataclass(frozen=True)
class Encoding:
    """What the numbers of a raster's pixels mean.

    `darkest` and `brightest` are black and white; `level` is one of 255 grey levels, 0 where
    neighbouring numbers are not alike, as in a palette.
    """

    darkest: float
    brightest: float
    level: float


@dataclass(frozen=True)
class _Tone:
    """The value of a border, (bands,), and how far from it the border's pixels are."""

    value: NDArray[np.float64]
    tolerance: float
    noisy: bool

    def distance(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Return the largest distance of (bands, ...) from the value, (...)."""
        return distance(values, self.value)


def distance(values: NDArray[Any], value: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the largest distance of the bands of (bands, ...) from a value, (...)."""
    result = np.zeros(values.shape[1:])
    for band, wanted in zip(values, value, strict=True):
        np.maximum(result, np.abs(band.astype(np.float64) - wanted), out=result)
    return result


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
    return _Search(read, height, width, block_shape, encoding).border()


class _Search:
    """The search for the border of a raster; see `find_border`."""

    def __init__(
        self,
        read: ReadPixels,
        height: int,
        width: int,
        block_shape: tuple[int, int],
        encoding: Encoding,
    ) -> None:
        self._read, self._height, self._width = read, height, width
        self._in_strips = block_shape[1] >= width > _LEAST_BLOCK
        rows, cols = (
            side * max(1, round(_LEAST_BLOCK / side)) if side < 4 * _LEAST_BLOCK else _LEAST_BLOCK
            for side in block_shape
        )
        self._empty = BlockMask(height, width, (rows, cols))
        self._encoding = encoding

    def border(self) -> Border | None:
        edge = _Edge.read(self._read, self._height, self._width, self._in_strips)
        tones = _tones(edge, self._encoding)
        if not tones and edge.valid.all():
            return None
        level = self._measured_level(edge.most_frequent(np.ones_like(edge.valid)))
        if level < self._encoding.level:
            self._encoding = Encoding(self._encoding.darkest, self._encoding.brightest, level)
            tones = _tones(edge, self._encoding)
        if not tones and edge.valid.all():
            return None
        return self._flooded(edge, tones)

    @cached_property
    def _near(self) -> BlockMask:
        """Pixels that are nearly of the border's value."""
        return self._empty.like()

    def _flooded(self, edge: "_Edge", tones: Sequence[_Tone]) -> Border | None:
        # Of a border that is declared, the value beneath tells what compression left around it.
        declared = [] if edge.valid.all() else [edge.most_frequent(~edge.valid)]
        values = [tone.value for tone in tones] + declared
        seeds = ~edge.valid
        for tone in tones:
            seeds |= edge.runs(tone, self._encoding.level)
        invalid = self._empty.like()

        def passable(block: Block) -> Bools:
            pixels, valid = self._read(*self._empty.span(block))
            known = np.zeros(pixels.shape[1:], np.bool_) if valid is None else ~valid
            invalid.put(block, known)
            self._near.put(block, _is_near(pixels, values, _NEAR_RIM * self._encoding.level))
            for tone in tones:
                known = known | (tone.distance(pixels) <= tone.tolerance)
            return known

        reached = flooded(self._empty, edge.lines(seeds), passable)
        if any(tone.noisy for tone in tones) or self._is_blurred(reached):
            reached = self._with_rim(reached, values, invalid)
        undeclared = self._empty.like()
        for block in reached:
            undeclared.put(block, reached.get(block) & ~invalid.get(block))
        if not undeclared.count:
            return None
        share = undeclared.count / (self._height * self._width)
        return Border(share, _named(tones, values), undeclared)

    def _is_blurred(self, reached: BlockMask) -> bool:
        """Tell whether many pixels beside the border are nearly of its value."""
        beside = near = 0
        cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
        for block in reached:
            mask = reached.get(block)
            around = _dilated(mask, cross) & ~mask
            beside += int(around.sum())
            near += int((around & self._near.get(block)).sum())
        return near > _BLURRED * beside

    def _with_rim(
        self, reached: BlockMask, values: list[NDArray[np.float64]], invalid: BlockMask
    ) -> BlockMask:
        """Add what compression left of the border around it."""
        result = reached.like()
        blocks = {block for block in reached if reached.get(block).any()}
        beside = {other for block in blocks for other in reached.neighbours(block)}
        for block in sorted(blocks | beside):
            rows, cols = reached.span(block)
            if reached.is_full(block):
                result.put(block, reached.get(block))
                continue
            (top, bottom), (left, right) = (
                (max(0, span[0] - _MARGIN), min(length, span[1] + _MARGIN))
                for span, length in ((rows, self._height), (cols, self._width))
            )
            core = reached.within((top, bottom), (left, right))
            if core is None:
                continue
            pixels, valid = self._read((top, bottom), (left, right))
            grown = _grown(core, pixels, values, self._encoding.level)
            inside = np.s_[rows[0] - top : rows[1] - top, cols[0] - left : cols[1] - left]
            result.put(block, grown[inside])
            if block not in invalid and valid is not None:
                invalid.put(block, ~valid[inside])
        return result

    def _measured_level(self, frame: NDArray[np.float64]) -> float:
        """Return a grey level of the raster's own brightness: 16 bits may hold only 11.

        The values of `frame` do not count.
        """
        brightest = 0.0
        for row in np.linspace(0, self._height, _PROBES + 2)[1:-1].astype(int):
            for col in np.linspace(0, self._width, _PROBES + 2)[1:-1].astype(int):
                rows = int(row), int(min(self._height, row + _PROBE_SIDE))
                cols = int(col), int(min(self._width, col + _PROBE_SIDE))
                pixels, valid = self._read(rows, cols)
                kept = distance(pixels, frame) > 0
                kept = kept if valid is None else kept & valid
                if kept.sum() > kept.size // 4:
                    most = float(np.percentile(pixels.max(axis=0)[kept], 90))
                    brightest = max(brightest, most - self._encoding.darkest)
        if not brightest:
            return self._encoding.level
        return min(self._encoding.level, brightest / 255.0)


@dataclass(frozen=True)
class _Edge:
    """The outermost pixels of a raster, line after line: top, bottom, left, right.

    `values` is (bands, pixels), `valid` (pixels,) what the file declares as data. `lengths` are
    those of the lines, of which the last two may be sampled: each of their pixels stands for as
    many as make up `height`.
    """

    values: NDArray[Any]
    valid: Bools
    lengths: tuple[int, int, int, int]
    height: int

    @classmethod
    def read(cls, read: ReadPixels, height: int, width: int, in_strips: bool) -> "_Edge":
        """Read the pixels; of a large raster `in_strips` not every row."""
        lines = [_line(read, (0, 1), (0, width)), _line(read, (height - 1, height), (0, width))]
        if in_strips and height > _STRIP_ROWS_READ:
            rows = (np.arange(_STRIP_ROWS_READ) + 0.5) * (height / _STRIP_ROWS_READ)
            ends = [_line(read, (int(row), int(row) + 1), (0, width)) for row in rows]
            for end in (0, -1):
                values = np.stack([values[:, end] for values, _ in ends], axis=1)
                lines.append((values, np.array([valid[end] for _, valid in ends])))
        else:
            lines += [_line(read, (0, height), (col, col + 1)) for col in (0, width - 1)]
        lengths = [valid.size for _, valid in lines]
        return cls(
            np.concatenate([values for values, _ in lines], axis=1),
            np.concatenate([valid for _, valid in lines]),
            (lengths[0], lengths[1], lengths[2], lengths[3]),
            height,
        )

    def split(self, mask: Bools) -> list[Bools]:
        """Divide a mask of the pixels into its four lines."""
        return np.split(mask, np.cumsum(self.lengths)[:-1])

    def lines(self, mask: Bools) -> EdgeLines:
        """Return a mask of the pixels as lines as long as the raster's sides."""
        top, bottom, left, right = self.split(mask)
        nearest = np.arange(self.height) * left.size // self.height
        return EdgeLines(top, bottom, left[nearest], right[nearest])

    def most_frequent(self, mask: Bools) -> NDArray[np.float64]:
        """Return the most frequent value of the pixels in a mask, (bands,); NaN if it has none."""
        values = self.values[:, mask]
        values = values[:, :: max(1, values.shape[1] // _COUNTED)]
        if not values.size:
            return np.full(len(values), np.nan)
        unique, counts = np.unique(values, axis=1, return_counts=True)
        return np.asarray(unique[:, counts.argmax()], np.float64)

    def runs(self, tone: _Tone, level: float) -> Bools:
        """Tell the pixels of a tone that follow each other far enough along the edge."""
        reach = max(tone.tolerance, _NEAR_BLACK * level) if tone.noisy else tone.tolerance
        mask = self.valid & (tone.distance(self.values) <= reach)
        return self.long_runs(mask, _LEAST_NOISY_RUN if tone.noisy else _LEAST_RUN)

    def long_runs(self, mask: Bools, least_share: float) -> Bools:
        """Keep the pixels of a mask in runs of at least a share of their side.

        Pixels without data do not interrupt a run.
        """
        lines, wanted = [], mask
        mask = mask | ~self.valid
        for line, side in zip(self.split(mask), (0, 0, self.height, self.height), strict=True):
            pixels = side / line.size if side else 1.0
            least = max(_LEAST_PIXELS / pixels, least_share * line.size)
            steps = np.diff(np.concatenate([[0], line.astype(np.int8), [0]]))
            starts, stops = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
            kept = np.zeros(line.size + 1, np.int64)
            long = stops - starts >= least
            kept[starts[long]] += 1
            kept[stops[long]] -= 1
            lines.append(np.cumsum(kept)[:-1] > 0)
        return wanted & np.concatenate(lines)

    def share(self, mask: Bools) -> float:
        """Return a mask's share of the edge."""
        lines = self.lines(mask)
        return sum(int(line.sum()) for line in lines.lines) / sum(line.size for line in lines.lines)


def _line(read: ReadPixels, rows: Span, cols: Span) -> tuple[NDArray[Any], Bools]:
    values, valid = read(rows, cols)
    flat = values.reshape(len(values), -1)
    return flat, np.ones(flat.shape[1], np.bool_) if valid is None else valid.ravel()


def _tones(edge: _Edge, encoding: Encoding) -> list[_Tone]:
    """Find the values of the border on the raster's edge; none if there is no border."""
    bands, left, tones = len(edge.values), edge.valid.copy(), []
    for _ in range(_MOST_TONES):
        if not left.any():
            break
        choices = [
            (np.full(bands, encoding.darkest), _NEAR_BLACK, True),
            (np.full(bands, encoding.brightest), _NEAR_WHITE, True),
            (edge.most_frequent(left), _NEAR_ANY, False),
        ]
        chosen = [_tone(edge, left, *choice, encoding.level) for choice in choices]
        shares = [(share, tone) for share, tone in chosen if tone is not None]
        if not shares:
            break
        _, tone = max(shares, key=lambda pair: pair[0])
        tones.append(tone)
        left &= tone.distance(edge.values) > max(tone.tolerance, _NEAR_ANY * encoding.level)
    return tones


def _tone(
    edge: _Edge, left: Bools, value: NDArray[np.float64], reach: float, extreme: bool, level: float
) -> tuple[float, _Tone | None]:
    """Return a value with its share of the edge, if a border has it.

    `left` are the pixels to explain, `reach` is in grey levels; an `extreme` value is black or
    white, which a border may have with noise.
    """
    away = distance(edge.values, value)
    members = left & (away <= reach * level)
    if not members.any():
        return 0.0, None
    noisy = float((away[members] == 0).mean()) < _EXACT
    if noisy and not extreme:
        return 0.0, None
    tolerance = float(np.quantile(away[members], 0.9, method="higher"))
    within = members if noisy else members & (away <= tolerance)
    share = edge.share(edge.long_runs(within, _LEAST_NOISY_RUN if noisy else _LEAST_RUN))
    least = _LEAST_SHARE if extreme and not noisy else _LEAST_OTHER_SHARE
    return share, _Tone(value, tolerance, noisy) if share >= least else None


def _is_near(pixels: NDArray[Any], values: Sequence[NDArray[np.float64]], reach: float) -> Bools:
    near = np.zeros(pixels.shape[1:], np.bool_)
    for value in values:
        near |= distance(pixels, value) <= reach
    return near


def _grown(
    core: Bools, pixels: NDArray[Any], values: Sequence[NDArray[np.float64]], level: float
) -> Bools:
    """Add to a border its rim and the specks in it; exact `_MARGIN` pixels off what is not seen."""
    near, square = _is_near(pixels, values, _NEAR_RIM * level), np.ones((3, 3), np.uint8)
    for _ in range(_RIM):
        core = core | (_dilated(core, square) & near)
    side = 2 * _SPECK + 1
    closed = cv2.morphologyEx(core.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((side, side)))
    specks = (closed > 0) & _is_near(pixels, values, _NEAR_SPECK * level)
    result: Bools = core | specks
    return result


def _dilated(mask: Bools, element: NDArray[Any]) -> Bools:
    result: Bools = cv2.dilate(mask.astype(np.uint8), element.astype(np.uint8)) > 0
    return result


def _named(tones: Sequence[_Tone], values: Sequence[NDArray[np.float64]]) -> list[list[float]]:
    """Return the border's values for a person: whole numbers as such."""
    shown = [tone.value for tone in tones] or values
    return [[int(v) if float(v).is_integer() else float(v) for v in value] for value in shown]
