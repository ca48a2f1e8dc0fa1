"""Blending of overlapping predictions into one, row of windows by row of windows."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from landslide_cli.core.arrays import Probabilities
from landslide_cli.core.tiling.grid import Grid, Window


@dataclass(frozen=True)
class Rows:
    """Blended rows of an area: the first row in the scene, and (rows, cols, channels) float32."""

    row_off: int
    values: Probabilities


def blend(
    grid: Grid,
    area: Window,
    predictions: Iterable[tuple[Window, Probabilities | None]],
    channels: int,
    rows_at_once: int = 2**20,
) -> Iterator[Rows]:
    """Blend the predictions of overlapping windows, one row of windows after the other.

    Each pixel is the average of the windows that contain it, weighted by their `ramp_weights` along
    rows and columns. It is divided by the sum of the weights, so the edges of the scene need no
    special case. Memory holds one row of windows as wide as the area. Sums are made in the order of
    the windows, so the value of a pixel does not depend on the area.

    Args:
        grid: the scene's windows.
        area: the part of the scene to blend.
        predictions: for each of `grid.touching(area)`, in that order, the prediction (rows, cols,
            channels), or None for a window without data. Such windows are left out of the average;
            pixels that only they contain have undefined finite values.
        channels: of the predictions.
        rows_at_once: most rows to yield at once.

    Yields:
        The rows of the area from top to bottom, as soon as no later window contains them.
    """
    col_totals = grid.cols.totals(area.col_off, area.col_stop)
    row_weights, col_weights = grid.rows.weights()[:, None], grid.cols.weights()
    weights = (row_weights * col_weights)[..., None]
    side = grid.rows.side
    window_rows, window_cols = grid.indices(area)
    sums = np.zeros((side, area.width, channels), np.float32)
    remaining, row = iter(predictions), area.row_off
    # Of each row of windows: its first row, and the summed column weights of its empty windows.
    gaps: list[tuple[int, Probabilities]] = []
    for index in window_rows:
        gap = np.zeros(area.width, np.float32)
        for _ in window_cols:
            window, prediction = next(remaining)
            low = max(0, area.col_off - window.col_off)
            high = min(window.width, area.col_stop - window.col_off)
            left = window.col_off + low - area.col_off
            cols = slice(left, left + high - low)
            if prediction is None:
                gap[cols] += col_weights[low:high]
            else:
                sums[:, cols] += prediction[:, low:high] * weights[:, low:high]
        top, is_last = grid.rows.starts[index], index == window_rows[-1]
        next_top = area.row_stop if is_last else grid.rows.starts[index + 1]
        complete = min(area.row_stop, next_top)
        if gap.any():
            gaps.append((top, gap))
        while row < complete:
            stop = min(complete, row + rows_at_once)
            totals = grid.rows.totals(row, stop)[:, None] * col_totals
            for gap_top, gap in gaps:
                low, high = max(row, gap_top), max(row, min(stop, gap_top + side))
                totals[low - row : high - row] -= row_weights[low - gap_top : high - gap_top] * gap
            if gaps:
                totals[totals == 0.0] = 1.0
            yield Rows(row, sums[row - top : stop - top] / totals[..., None])
            row = stop
        gaps = [(gap_top, gap) for gap_top, gap in gaps if gap_top + side > complete]
        kept = max(0, side - (next_top - top))
        sums[:kept] = sums[side - kept :].copy()
        sums[kept:] = 0.0
