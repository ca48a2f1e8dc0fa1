"""Prediction of a scene of any size in one pass from top to bottom, in bounded memory.

Rows of the scene are read and resized for the model, windows are cut from them, the model predicts
these, and their blended predictions are resized back to the scene and handed on. Each step holds
about a row of windows and runs in its own thread.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.arrays import Image, Probabilities, Valid
from landslide_cli.core.tiling.blending import Rows, blend
from landslide_cli.core.tiling.grid import Window, ceil_div
from landslide_cli.core.tiling.layout import Layout
from landslide_cli.core.tiling.prefetch import prefetch
from landslide_cli.core.tiling.scaling import Ratio, pad_to_units, to_scene
from landslide_cli.core.tiling.source import Source
from landslide_cli.core.tiling.windows import (
    PIXELS_AT_ONCE,
    Ground,
    OnPixels,
    View,
    units_at_once,
    views,
)

# Windows (batch, rows, cols, bands) to probabilities (batch, rows, cols, channels); of two
# classes the foreground's alone, of more one channel per class (`channels_of`).
Predict = Callable[[Image], Probabilities]

# Batches that wait for the model, and that it has answered: what is done when a row of windows is
# complete takes as long as a few of them.
_READY, _ANSWERED = 3, 6

# Columns, in units, that are resized back together or not at all; and the largest share of all that
# is worth to be resized apart from the rest.
_UNITS, _MOST = 16, 0.5

# What is below a floor by this share stays below it however it is rounded.
_MARGIN = 1e-4


@dataclass(frozen=True)
class Strip:
    """Finished pixels of a scene, from its row `row_off` and column `col_off` on.

    `probabilities` are (rows, cols, channels) in [0, 1], a single channel being the foreground's;
    they mean nothing where `valid`, (rows, cols) or None for everywhere, is false.
    """

    row_off: int
    col_off: int
    probabilities: Probabilities
    valid: Valid = None


@dataclass(frozen=True)
class _Answer:
    """The model's prediction for a window; None where there was no data."""

    window: Window
    probabilities: Probabilities | None


def predict_block(
    source: Source,
    predict: Predict,
    layout: Layout,
    block: Window,
    channels: int,
    *,
    batch: int = 1,
    on_pixels: OnPixels | None = None,
    pixels_at_once: int = PIXELS_AT_ONCE,
    floor: float | None = None,
) -> Generator[Strip]:
    """Predict a block of a scene.

    A pixel's value does not depend on the block: each looks as far beyond itself as the windows
    reach that hold its pixels.

    Args:
        source: the scene; a single thread reads it, and another calls `predict`.
        predict: the model, or anything with its signature.
        layout: of the scene.
        block: a part of the scene, such as one of `layout.blocks`.
        channels: that `predict` returns.
        batch: windows per model call; the last ones are filled up to that number.
        on_pixels: shown the block's pixels as they are read, in the reading thread.
        pixels_at_once: of the scene, that are read and handed on in one step.
        floor: probabilities of a single channel that are smaller may be given as 0, which takes
            less time.

    Yields:
        The block from top to bottom.
    """
    area = layout.area(block)
    patience = max(batch, 2 * len(layout.grid.cols.touching(area.col_off, area.col_stop)))
    with (
        prefetch(views(source, layout, block, on_pixels, pixels_at_once), _READY * batch) as ready,
        prefetch(_predicted(ready, predict, batch, patience), _ANSWERED * batch) as answers,
        prefetch(_strips(answers, layout, block, channels, pixels_at_once, floor), 1) as strips,
    ):
        yield from strips


def _predicted(
    stream: Iterable[Ground | View], predict: Predict, batch: int, patience: int
) -> Iterator[Ground | _Answer]:
    """Have the model predict the windows, `batch` at a time, and let the rest pass.

    A batch that is not full waits until so many windows without data stand in its line, so that
    what has been read meanwhile stays little.
    """
    waiting: list[View] = []
    full = 0
    for item in stream:
        if isinstance(item, Ground):
            yield item
            continue
        waiting.append(item)
        full += item.pixels is not None
        if full in (0, batch) or len(waiting) - full >= patience:
            yield from _answers(waiting, predict, batch)
            waiting, full = [], 0
    yield from _answers(waiting, predict, batch)


def _answers(waiting: list[View], predict: Predict, batch: int) -> Iterator[_Answer]:
    pixels = [view.pixels for view in waiting if view.pixels is not None]
    # Always the same shape: the model is compiled for it.
    spare = pixels[-1:] * (batch - len(pixels))
    predictions = iter(predict(np.stack(pixels + spare)) if pixels else ())
    for view in waiting:
        yield _Answer(view.window, None if view.pixels is None else next(predictions))


def _strips(
    stream: Iterable[Ground | _Answer],
    layout: Layout,
    block: Window,
    channels: int,
    pixels_at_once: int,
    floor: float | None,
) -> Iterator[Strip]:
    """Blend, resize to the scene's own size, and add which pixels hold data."""
    ground = _GroundRows()

    def answers() -> Iterator[tuple[Window, Probabilities | None]]:
        for item in stream:
            if isinstance(item, Ground):
                ground.add(item)
            else:
                yield item.window, item.probabilities

    area = layout.area(block)
    units = units_at_once(block.width, layout.rows, pixels_at_once)
    rows = blend(layout.grid, area, answers(), channels, units * layout.rows.model)
    for row_off, values in _at_scene_size(rows, layout, block, units, floor):
        valid = ground.take(row_off, values.shape[0], values.shape[1])
        yield Strip(row_off, block.col_off, values, valid)


class _GroundRows:
    """Which pixels of the block hold data, from the first row that has not been returned on."""

    def __init__(self) -> None:
        self._held: deque[Ground] = deque()

    def add(self, ground: Ground) -> None:
        self._held.append(ground)

    def take(self, row_off: int, rows: int, cols: int) -> Valid:
        """Return the next rows, and drop them."""
        valid: Valid = None
        while self._held and self._held[0].row_off < row_off + rows:
            ground = self._held.popleft()
            count = min(ground.rows, row_off + rows - ground.row_off)
            if ground.valid is not None:
                valid = np.ones((rows, cols), np.bool_) if valid is None else valid
                begin = ground.row_off - row_off
                valid[begin : begin + count] = ground.valid[:count]
            if count < ground.rows:
                left = None if ground.valid is None else ground.valid[count:]
                rest = Ground(ground.row_off + count, ground.rows - count, left)
                self._held.appendleft(rest)
        return valid


def _at_scene_size(
    rows: Iterable[Rows],
    layout: Layout,
    block: Window,
    units_at_once: int,
    floor: float | None,
) -> Iterator[tuple[int, Probabilities]]:
    """Resize blended rows back to the scene, a few units of rows at a time.

    Yields:
        The first row in the scene, and (rows, cols, channels), from the block's top to its bottom.
    """
    ratio, area = layout.rows, layout.area(block)
    unit, last = block.row_off // ratio.scene, ratio.units(block.row_stop)
    held, first = np.zeros((0, 0, 0), np.float32), area.row_off
    for more in rows:
        held = np.concatenate([held, more.values]) if held.size else more.values
        there = first + held.shape[0]
        complete = there // ratio.model - ratio.halo_to_scene
        ready = last if there == area.row_stop else min(last, complete)
        while unit < ready:
            until = min(ready, unit + units_at_once)
            top = max(unit * ratio.scene, block.row_off)
            yield top, _resized(held, first, (unit, until), layout, block, floor)
            unit = until
        needless = max(0, (unit - ratio.halo_to_scene) * ratio.model - first)
        held, first = held[needless:], first + min(needless, held.shape[0])


def _resized(
    held: Probabilities,
    first: int,
    units: tuple[int, int],
    layout: Layout,
    block: Window,
    floor: float | None,
) -> Probabilities:
    """Resize the rows of the units given; `first` is the model's row at which `held` begins."""
    rows, cols = layout.rows, layout.cols
    begin = max(first // rows.model, units[0] - rows.halo_to_scene)
    end = units[1] + rows.halo_to_scene
    left = layout.area(block).col_off // cols.model
    values = held[begin * rows.model - first : end * rows.model - first]
    if (rows.scene, rows.model, cols.scene, cols.model) != (1, 1, 1, 1):
        # The scene's last pixels may lie beyond the last whole pixel of the model.
        values = pad_to_units(values, units[1] - begin, rows.model, axis=0)
        values = pad_to_units(values, cols.units(block.col_stop) - left, cols.model, axis=1)
        values = _enlarged(values, rows, cols, floor)
    top = max(units[0] * rows.scene, block.row_off) - begin * rows.scene
    bottom = min(units[1] * rows.scene, block.row_stop) - begin * rows.scene
    start = block.col_off - left * cols.scene
    return values[top:bottom, start : start + block.width]


def _enlarged(
    values: Probabilities, rows: Ratio, cols: Ratio, floor: float | None
) -> Probabilities:
    """Resize to the scene, but columns in which nothing reaches the floor; they become 0."""
    units = ceil_div(values.shape[1], cols.model)
    values = pad_to_units(values, units, cols.model, axis=1)
    spans = [(0, units)]
    if floor is not None and values.shape[2] == 1:
        reach = (values >= np.float32(floor * (1.0 - _MARGIN))).any(axis=(0, 2))
        marked = np.asarray(reach.reshape(units, cols.model).any(axis=1))
        spans = _spans(marked, cols.halo_to_scene)
    if sum(stop - start for start, stop in spans) > _MOST * units:
        return to_scene(values, rows, cols)
    height = ceil_div(values.shape[0], rows.model) * rows.scene
    result = np.zeros((height, units * cols.scene, 1), np.float32)
    for start, stop in spans:
        left, right = max(0, start - cols.halo_to_scene), min(units, stop + cols.halo_to_scene)
        part = to_scene(values[:, left * cols.model : right * cols.model], rows, cols)
        inside = slice((start - left) * cols.scene, (stop - left) * cols.scene)
        result[:, start * cols.scene : stop * cols.scene] = part[:, inside]
    return result


def _spans(marked: NDArray[np.bool_], halo: int) -> list[tuple[int, int]]:
    """List spans of units, a multiple of `_UNITS` each, with all that are marked or beside such."""
    count = len(marked)
    grown = np.zeros(ceil_div(count, _UNITS) * _UNITS, np.bool_)
    for shift in range(-halo, halo + 1):
        low, high = max(0, shift), count + min(0, shift)
        grown[low:high] |= marked[low - shift : high - shift]
    some = grown.reshape(-1, _UNITS).any(axis=1).astype(np.int8)
    ends = np.flatnonzero(np.diff(some, prepend=0, append=0)) * _UNITS
    return [(start, min(stop, count)) for start, stop in ends.reshape(-1, 2).tolist()]
