"""Runs: the pixels of one class that follow each other in a row, and what is found from their ends.

What an outliner needs of a mask takes time by the number of its runs, which is far smaller than
that of its pixels (He, Chao and Suzuki, "A run-based two-scan labeling algorithm", 2008).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.components import merged
from landslide_cli.core.tiling.grid import ceil_div

Numbers = NDArray[np.int64]

# Pixels that are compared at once in the search for ends of runs: bytes of one machine word.
_WORD = 8


@dataclass(frozen=True)
class RowRuns:
    """The runs of a class in an image of `rows` x `cols` pixels, in the order of their pixels.

    `ends` are, in turn, the first pixel of a run and the one after its last, counted row by row
    over `cols` + 1 columns, the last of which is empty: no run goes on in the next row.
    """

    rows: int
    cols: int
    ends: Numbers

    @classmethod
    def of(cls, image: NDArray[np.bool_]) -> "RowRuns":
        """Find the runs of an image, (rows, cols), true where the class is."""
        rows, cols = image.shape
        # An empty pixel before the first too, and what fills up the last word.
        size = rows * (cols + 1)
        flat = np.zeros(ceil_div(size + 1, _WORD) * _WORD + 1, np.uint8)
        flat[1 : size + 1].reshape(rows, cols + 1)[:, :cols] = image
        return cls(rows, cols, _nonzero(np.asarray(flat[1:] ^ flat[:-1], np.uint8)))

    def __len__(self) -> int:
        return len(self.ends) // 2

    @property
    def pitch(self) -> int:
        """From a pixel to the one below it."""
        return self.cols + 1

    @property
    def starts(self) -> Numbers:
        """The first pixel of each run."""
        return self.ends[0::2]

    @property
    def stops(self) -> Numbers:
        """The pixel after the last of each run."""
        return self.ends[1::2]

    @cached_property
    def parts(self) -> Numbers:
        """The part that each run belongs to, from 0 on: runs that touch by sides are one part."""
        first = np.searchsorted(self.stops, self.starts + self.pitch, side="right")
        stop = np.searchsorted(self.starts, self.stops + self.pitch, side="left")
        counts = np.maximum(0, stop - first)
        above = np.repeat(np.arange(len(self)), counts)
        below = np.repeat(first - (counts.cumsum() - counts), counts) + np.arange(len(above))
        smallest = merged(len(self), np.column_stack([above, below]))
        return np.unique(smallest, return_inverse=True)[1].astype(np.int64)

    def line(self, row: int) -> Numbers:
        """Return the part of each pixel of a row, (cols,), -1 where the class is not."""
        line = np.full(self.cols, -1, np.int64)
        offset = row * self.pitch
        begin, end = np.searchsorted(self.starts, (offset, offset + self.cols))
        lengths = (self.stops - self.starts)[begin:end]
        within = np.repeat(self.starts[begin:end] - offset - (lengths.cumsum() - lengths), lengths)
        line[within + np.arange(len(within))] = np.repeat(self.parts[begin:end], lengths)
        return line

    def first_column(self) -> Numbers:
        """Return the part of each pixel of the first column, (rows,), -1 where the class is not."""
        return self._column(self.starts)

    def last_column(self) -> Numbers:
        """Return the part of each pixel of the last column, (rows,), -1 where the class is not."""
        return self._column(self.stops - self.cols)

    def _column(self, pixels: Numbers) -> Numbers:
        column = np.full(self.rows, -1, np.int64)
        row, col = np.divmod(pixels, self.pitch)
        column[row[col == 0]] = self.parts[col == 0]
        return column


def _nonzero(flags: NDArray[np.uint8]) -> Numbers:
    """Return the indices of the bytes that are not 0; most of the words of `flags` are."""
    words = np.flatnonzero(flags.view(np.uint64))
    some = flags.reshape(-1, _WORD)[words]
    word, byte = np.nonzero(some)
    return np.asarray(words[word] * _WORD + byte, np.int64)


@dataclass(frozen=True)
class Turns:
    """Corners of the border of a class, (corners,) each.

    `row` and `col` are those of the pixel to the lower right of a corner, `part` as of `RowRuns`,
    and `turn` as `rings` counts the ways in which a border turns. `touching`, (pairs, 2), are the
    parts that have a corner in common.
    """

    row: Numbers
    col: Numbers
    part: Numbers
    turn: NDArray[np.uint8]
    touching: Numbers


def turns_of(runs: RowRuns) -> Turns:
    """Find the corners between the pixels of an image; none lie on its rim.

    Where a run ends, the border goes down one side of a pixel. It turns at the upper or lower end
    of that side, unless it goes on along the pixel there.
    """
    ends, pitch, number = runs.ends, runs.pitch, np.arange(len(runs.ends))
    is_start = number % 2 == 0
    part = np.repeat(runs.parts, 2)
    row, col = np.divmod(ends, pitch)
    inside = (col > 0) & (col < runs.cols)
    # How many ends lie before the place one row further down or up: an odd number is within a run.
    below, above = np.searchsorted(ends, ends + pitch), np.searchsorted(ends, ends - pitch)
    goes_down = ends[np.minimum(below, len(ends) - 1)] == ends + pitch
    goes_up = ends[above] == ends - pitch
    straight_down, straight_up = goes_down & _even(below - number), goes_up & _even(above - number)
    lower = inside & (row < runs.rows - 1) & ~straight_down
    upper = inside & (row > 0) & ~straight_up
    # The pixels beyond the end of a side: both of the class, where it has a corner of 270 degrees.
    wide_down, wide_up = ~goes_down & ~_even(below), ~goes_up & ~_even(above)
    turn_down = np.where(is_start, 1, 0) + np.where(wide_down, np.where(is_start, 3, 5), 0)
    turn_up = np.where(is_start, 3, 2) + np.where(wide_up, np.where(is_start, 3, 5), 0)
    touching = lower & goes_down
    return Turns(
        np.concatenate([row[lower] + 1, row[upper]]),
        np.concatenate([col[lower], col[upper]]),
        np.concatenate([part[lower], part[upper]]),
        np.concatenate([turn_down[lower], turn_up[upper]]).astype(np.uint8),
        np.unique(np.column_stack([part[touching], part[below[touching]]]), axis=0),
    )


def _even(numbers: Numbers) -> NDArray[np.bool_]:
    return np.asarray(numbers % 2 == 0, np.bool_)
