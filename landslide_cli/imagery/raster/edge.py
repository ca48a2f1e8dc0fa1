"""What a raster's outermost pixels tell of a border: its values, and where it begins."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from landslide_cli.imagery.raster.flood import Bools, EdgeLines, Span

# Reads rows and columns: values (bands, rows, cols) as in the file, and which pixels hold data by
# what the file declares, (rows, cols) or None for all.
ReadPixels = Callable[[Span, Span], tuple[NDArray[Any], Bools | None]]

# How far the values of a border may be from its value, in gray levels of 0 to 255: black and white
# with the noise of compression, another value only just.
_NEAR_EXTREME, _NEAR_ANY = 10.0, 3.0

# A border runs along the raster's edge in pieces of at least this share of a side, and this many
# pixels; those of noise are longer, so that dark or bright ground is none.
_LEAST_RUN, _LEAST_NOISY_RUN, _LEAST_PIXELS = 0.02, 0.1, 8

# The share of the raster's edge that a border takes at least; of noise, or of a value that is
# neither black nor white, more.
_LEAST_SHARE, _LEAST_OTHER_SHARE = 0.02, 0.05

# A border has one value if at least this share of its pixels on the raster's edge has it exactly;
# otherwise it is noise.
_EXACT = 0.5

# How many values borders of a raster may have.
_MOST_TONES = 3

# Pixels of the edge whose most frequent value is sought; rows of a raster in strips whose first and
# last pixel are looked at.
_COUNTED, _STRIP_ROWS_READ = 2**13, 512


@dataclass(frozen=True)
class Encoding:
    """What the numbers of a raster's pixels mean.

    `darkest` and `brightest` are black and white; `level` is one of 255 gray levels, 0 where
    neighbouring numbers are not alike, as in a palette.
    """

    darkest: float
    brightest: float
    level: float


@dataclass(frozen=True)
class Tone:
    """The value of a border, (bands,), and how far from it the border's pixels are."""

    value: NDArray[np.float64]
    tolerance: float
    noisy: bool

    def distance(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the largest distance of (bands, ...) from the value, (...)."""
        return distance(values, self.value)


def distance(values: NDArray[Any], value: NDArray[np.float64]) -> NDArray[Any]:
    """Return the largest distance of the bands of (bands, ...) from a value, (...)."""
    # Exact for 8 and 16 bits.
    kind = np.result_type(values.dtype, np.float32)
    result = np.zeros(values.shape[1:], kind)
    for band, wanted in zip(values, value.astype(kind), strict=True):
        np.maximum(result, np.abs(band.astype(kind) - wanted), out=result)
    return result


@dataclass(frozen=True)
class Edge:
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
    def read(cls, read: ReadPixels, height: int, width: int, in_strips: bool) -> Self:
        """Read the pixels; of a large raster `in_strips` not every row."""
        top = _line(read, (0, 1), (0, width))
        if in_strips and height > _STRIP_ROWS_READ:
            rows = (np.arange(_STRIP_ROWS_READ) + 0.5) * (height / _STRIP_ROWS_READ)
            ends = [_ends(_line(read, (int(row), int(row) + 1), (0, width))) for row in rows]
            values, valid = (np.stack(part, axis=-1) for part in zip(*ends, strict=True))
            sides = [(values[:, end], valid[end]) for end in (0, 1)]
        else:
            sides = [_line(read, (0, height), (col, col + 1)) for col in (0, width - 1)]
        lines = [top, _line(read, (height - 1, height), (0, width)), *sides]
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

    def runs(self, tone: Tone, level: float) -> Bools:
        """Tell the pixels of a tone that follow each other far enough along the edge."""
        reach = max(tone.tolerance, _NEAR_EXTREME * level) if tone.noisy else tone.tolerance
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
        sides = (lines.top, lines.bottom, lines.left, lines.right)
        return sum(int(side.sum()) for side in sides) / sum(side.size for side in sides)


def _line(read: ReadPixels, rows: Span, cols: Span) -> tuple[NDArray[Any], Bools]:
    values, valid = read(rows, cols)
    flat = values.reshape(len(values), -1)
    return flat, np.ones(flat.shape[1], np.bool_) if valid is None else valid.ravel()


def _ends(line: tuple[NDArray[Any], Bools]) -> tuple[NDArray[Any], Bools]:
    values, valid = line
    return values[:, [0, -1]], valid[[0, -1]]


def find_tones(edge: Edge, encoding: Encoding) -> list[Tone]:
    """Find the values of the border on the raster's edge; none if there is no border."""
    bands, left, tones = len(edge.values), edge.valid.copy(), []
    for _ in range(_MOST_TONES):
        if not left.any():
            break
        choices = [
            (np.full(bands, encoding.darkest), _NEAR_EXTREME, True),
            (np.full(bands, encoding.brightest), _NEAR_EXTREME, True),
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
    edge: Edge, left: Bools, value: NDArray[np.float64], reach: float, extreme: bool, level: float
) -> tuple[float, Tone | None]:
    """Return a value with its share of the edge, if a border has it.

    `left` are the pixels to explain, `reach` is in gray levels; an `extreme` value is black or
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
    return share, Tone(value, tolerance, noisy) if share >= least else None
