"""A scene is predicted in blocks as if at once, in bounded memory, and leaves no thread behind."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from landslide_cli.core.arrays import Image, Probabilities
from landslide_cli.core.tiling import streaming
from landslide_cli.core.tiling.blending import blend
from landslide_cli.core.tiling.grid import Window, cut
from landslide_cli.core.tiling.layout import Layout, Tiling
from landslide_cli.core.tiling.scaling import pad_to_units, to_model, to_scene
from landslide_cli.core.tiling.source import ImageSource, Piece, Source
from landslide_cli.core.tiling.streaming import Predict, Strip

SCALES: list[float | tuple[float, float]] = [
    *(0.25, 0.5, 0.3, 0.867, 1.0, 1.0, 1.5, 2.0),
    *((0.5, 1.2), (1.0, 0.33)),
]


# Pixels that are read at once, far fewer than by default: so small scenes take many steps.
AT_ONCE = 2**14
predict_block = partial(streaming.predict_block, pixels_at_once=AT_ONCE)


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


@dataclass
class Scene:
    """A scene some of whose pixels hold no data; it records how far it was read."""

    image: Image
    valid: NDArray[np.bool_]
    read_to: int = 0
    standardized: bool = False
    kept: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        self.image = self.image * self.valid[..., None].astype(np.uint8)

    @property
    def height(self) -> int:
        return int(self.image.shape[0])

    @property
    def width(self) -> int:
        return int(self.image.shape[1])

    def read(self, rows: tuple[int, int], cols: tuple[int, int]) -> Piece:
        self.read_to = rows[1]
        part = np.s_[rows[0] : rows[1], cols[0] : cols[1]]
        valid = self.valid[part]
        return Piece(self.image[part], None if valid.all() else valid)


class Model:
    """Says something of each pixel, of its neighbours and of its place; keeps what it was shown."""

    def __init__(self, channels: int = 1) -> None:
        self.channels = channels
        self.shapes: list[tuple[int, ...]] = []
        self.least = 255

    def __call__(self, windows: Image) -> Probabilities:
        assert windows.dtype == np.uint8
        self.shapes.append(windows.shape)
        # The brightest pixel of each window; of the darkest of the windows.
        self.least = min(self.least, int(windows.max(axis=(1, 2, 3)).min()))
        bright = windows[..., 0].astype(np.float32) / 255
        bright = (bright + np.roll(bright, 3, axis=1) + np.roll(bright, 1, axis=2)) / 4
        rows, cols = bright.shape[1:]
        place = np.add.outer(2 * np.arange(rows), np.arange(cols)) / (8 * rows + 4 * cols)
        score = bright + place.astype(np.float32)
        return np.stack([score / (channel + 1) for channel in range(self.channels)], axis=-1)


def constant(windows: Image) -> Probabilities:
    return np.full((*windows.shape[:3], 1), 0.8, np.float32)


@dataclass(frozen=True)
class Case:
    tiling: Tiling
    height: int
    width: int
    gaps: bool
    seed: int

    @property
    def layout(self) -> Layout:
        return self.tiling.layout(self.height, self.width)

    @property
    def scene(self) -> Scene:
        rng = np.random.default_rng(self.seed)
        image = rng.integers(64, 256, (self.height, self.width, 3), np.uint8)
        down, across = np.ogrid[: self.height, : self.width]
        valid = np.ones(image.shape[:2], np.bool_)
        if self.gaps:
            valid = ((down + across + self.seed) % 97 > 50) & (down // 40 % 3 != 1)
        return Scene(image, valid)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    # One side is longer than what is read at once.
    sides = [draw(st.integers(1, 60)), draw(st.integers(1, 1300))]
    height, width = sides if draw(st.integers(0, 2)) == 0 else sides[::-1]
    multiple = draw(st.sampled_from([1, 4, 8]))
    tile = multiple * draw(st.integers(1, 64 // multiple))
    tiling = Tiling(
        draw(st.sampled_from([tile, tile, tile, None])),
        draw(st.integers(0, tile // 2)) if tile > 1 else 0,
        batch=draw(st.integers(1, 5)),
        scale=draw(st.sampled_from(SCALES)),
        fitted=draw(st.booleans()),
        multiple=multiple,
    )
    # Tiny windows over large scenes only take long.
    if tile < 16:
        height, width = min(height, 150), min(width, 150)
    return Case(tiling, height, width, draw(st.booleans()), draw(st.integers(0, 99)))


@dataclass(frozen=True)
class Result:
    probabilities: Probabilities
    valid: NDArray[np.bool_]
    model: Model


def predicted(case: Case, blocks: Iterable[Window], channels: int = 1) -> Result:
    """Predict some blocks, and check of each what every block must keep to."""
    scene, model = case.scene, Model(channels)
    shape = (case.height, case.width)
    probabilities = np.full((*shape, channels), np.nan, np.float32)
    valid = np.zeros(shape, np.bool_)
    for block in blocks:
        inside = np.s_[block.row_off : block.row_stop, block.col_off : block.col_stop]
        seen, picture = np.zeros(shape, int), np.zeros_like(scene.image)
        watch = watching(seen, picture)
        row = block.row_off
        for strip in predict_block(
            scene,
            model,
            case.layout,
            block,
            channels,
            batch=case.tiling.batch,
            on_pixels=watch,
        ):
            rows = strip.probabilities.shape[0]
            assert (strip.row_off, strip.col_off) == (row, block.col_off)
            assert strip.probabilities.shape == (rows, block.width, channels)
            assert strip.probabilities.dtype == np.float32
            part = np.s_[row : row + rows, block.col_off : block.col_stop]
            probabilities[part] = strip.probabilities
            valid[part] = True if strip.valid is None else strip.valid
            row += rows
        assert row == block.row_stop
        assert (seen[inside] == 1).all()
        assert seen.sum() == block.width * block.height
        np.testing.assert_array_equal(picture[inside], scene.image[inside])
        np.testing.assert_array_equal(valid[inside], scene.valid[inside])
    grid = case.layout.grid
    assert set(model.shapes) <= {(case.tiling.batch, grid.rows.side, grid.cols.side, 3)}
    assert not model.shapes or model.least > 0  # no window without data was predicted
    return Result(probabilities, valid, model)


def watching(seen: NDArray[np.int_], picture: Image) -> Callable[[int, int, Image], None]:
    def watch(row: int, col: int, image: Image) -> None:
        part = np.s_[row : row + image.shape[0], col : col + image.shape[1]]
        seen[part] += 1
        picture[part] = image

    return watch


def assert_same(first: Result, second: Result) -> None:
    there = first.valid
    np.testing.assert_array_equal(second.valid, there)
    np.testing.assert_array_equal(second.probabilities[there], first.probabilities[there])


# Its last row belongs to no pixel of the model, and the one step before ends right above it.
TAIL = Case(Tiling(16, 4, scale=0.25), AT_ONCE // 32 + 1, 32, True, 0)


@given(cases(), st.integers(8, 700), st.integers(8, 700))
@example(TAIL, 100, 30)
@example(Case(Tiling(16, 4), 1, 1, False, 0), 8, 8)
@example(Case(Tiling(64, 16, batch=3), 30, 5000, False, 0), 8, 600)
@example(Case(Tiling(64, 16, batch=3), 5000, 30, True, 0), 600, 30)
@example(Case(Tiling(None, 16, scale=0.3), 200, 300, True, 0), 50, 50)
def test_blocks_are_predicted_as_the_whole_scene_is(
    case: Case, most_rows: int, most_cols: int
) -> None:
    whole = predicted(case, [case.layout.whole])
    assert np.isfinite(whole.probabilities[whole.valid]).all()
    blocks = predicted(case, case.layout.blocks(most_rows, most_cols))
    assert_same(whole, blocks)


@given(cases())
@example(TAIL)
@example(Case(Tiling(32, 8, batch=2, scale=0.25), 900, 60, False, 0))
def test_a_scene_is_predicted_step_by_step_as_if_held_whole(case: Case) -> None:
    layout, grid, model = case.layout, case.layout.grid, Model()
    case = replace(case, gaps=False)
    scaled = to_model(case.scene.image, layout.rows, layout.cols)
    scaled = scaled[: grid.rows.length, : grid.cols.length]
    answers = ((window, model(cut(scaled, window)[None])[0]) for window in grid)
    area = Window(0, 0, grid.cols.length, grid.rows.length)
    merged = np.concatenate([rows.values for rows in blend(grid, area, answers, 1)])
    merged = pad_to_units(merged, layout.rows.units(case.height), layout.rows.model, axis=0)
    merged = pad_to_units(merged, layout.cols.units(case.width), layout.cols.model, axis=1)
    expected = to_scene(merged, layout.rows, layout.cols)[: case.height, : case.width]
    probabilities = predicted(case, [layout.whole]).probabilities
    np.testing.assert_array_equal(probabilities, expected)


@given(cases(), st.floats(0.0, 1.0))
@example(Case(Tiling(64, 16, scale=0.25), 200, 900, False, 3), 0.62)
def test_what_reaches_a_floor_is_the_same_as_without_one(case: Case, floor: float) -> None:
    layout, channels = case.layout, 1
    case = replace(case, gaps=False)
    everywhere = predicted(case, [layout.whole]).probabilities
    strips = predict_block(case.scene, Model(), layout, layout.whole, channels, floor=floor)
    above = np.concatenate([strip.probabilities for strip in strips])
    high = everywhere >= floor
    np.testing.assert_array_equal(above[high], everywhere[high])
    assert (above[~high] < floor).all()


@given(cases(), st.data())
def test_any_part_of_a_scene_is_predicted_as_in_the_whole(case: Case, data: st.DataObject) -> None:
    top = data.draw(st.integers(0, case.height - 1))
    left = data.draw(st.integers(0, case.width - 1))
    bottom = data.draw(st.integers(top + 1, case.height))
    right = data.draw(st.integers(left + 1, case.width))
    whole = predicted(case, [case.layout.whole])
    part = predicted(case, [Window(left, top, right - left, bottom - top)])
    np.testing.assert_array_equal(part.valid, whole.valid & ~np.isnan(part.probabilities[..., 0]))
    there = part.valid
    np.testing.assert_array_equal(part.probabilities[there], whole.probabilities[there])


@given(cases(), st.integers(2, 9))
@settings(max_examples=15)
def test_the_batch_changes_nothing(case: Case, batch: int) -> None:
    one_by_one = replace(case, tiling=replace(case.tiling, batch=1))
    together = replace(case, tiling=replace(case.tiling, batch=batch))
    whole = [one_by_one.layout.whole]
    assert_same(predicted(one_by_one, whole), predicted(together, whole))


@pytest.mark.parametrize("channels", [1, 3, 7])
@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_blocks_keep_every_channel(channels: int, scale: float) -> None:
    case = Case(Tiling(16, 4, batch=2, scale=scale), 70, 90, True, 5)
    whole = predicted(case, [case.layout.whole], channels)
    assert whole.probabilities.shape == (70, 90, channels)
    assert_same(whole, predicted(case, case.layout.blocks(30, 40), channels))


@pytest.mark.parametrize("batch", [1, 2, 5, 100])
def test_without_gaps_no_batch_but_the_last_is_filled_up(batch: int) -> None:
    case = Case(Tiling(16, 4, batch=batch), 60, 70, False, 0)
    calls = predicted(case, [case.layout.whole]).model.shapes
    assert len(calls) == -(-len(case.layout.grid) // batch)


def test_a_scene_without_data_is_handed_on_without_a_call_of_the_model() -> None:
    case = Case(Tiling(16, 4, batch=3), 100, 80, False, 0)
    scene, model = Scene(case.scene.image, np.zeros((100, 80), bool)), Model()
    layout = case.layout
    strips = list(predict_block(scene, model, layout, layout.whole, 1, batch=3))
    assert model.shapes == []
    assert sum(len(strip.probabilities) for strip in strips) == 100
    assert all(strip.valid is not None and not strip.valid.any() for strip in strips)


@pytest.mark.parametrize("scale", [1.0, 0.25, 0.3, 0.5, 2.0, (0.25, 1.0)])
@pytest.mark.parametrize("edge", [63, 64, 65, 96, 100])
def test_at_the_edge_of_the_data_a_prediction_is_as_elsewhere(
    scale: float | tuple[float, float], edge: int
) -> None:
    # Beyond the edge lie windows that are never predicted.
    valid = np.zeros((190, 210), bool)
    valid[edge:, :-edge] = True
    scene = Scene(np.full((190, 210, 3), 100, np.uint8), valid)
    layout = Tiling(16, 4, scale=scale).layout(190, 210)
    for strip in predict_block(scene, constant, layout, layout.whole, 1):
        there = np.ones(strip.probabilities.shape[:2], bool)
        probabilities = strip.probabilities[there if strip.valid is None else strip.valid]
        np.testing.assert_allclose(probabilities, 0.8, atol=1e-6)


class Breaking(ImageSource):
    """A scene whose file is broken from row 600 on."""

    def read(self, rows: tuple[int, int], cols: tuple[int, int]) -> Piece:
        if rows[1] > 600:
            raise OSError("broken at row 600")
        return super().read(rows, cols)


def all_of(
    source: Source, predict: Predict, on_pixels: Callable[..., None] | None = None
) -> list[Strip]:
    layout = Tiling(32, 8).layout(source.height, source.width)
    return list(
        predict_block(source, predict, layout, layout.whole, 1, batch=2, on_pixels=on_pixels)
    )


def image(height: int, width: int) -> Image:
    return np.full((height, width, 3), 100, np.uint8)


def test_a_source_that_breaks_raises_its_own_error() -> None:
    with pytest.raises(OSError, match="broken at row 600"):
        all_of(Breaking(image(2000, 40)), Model())


def test_a_model_that_breaks_raises_its_own_error() -> None:
    calls = 0

    def breaking(windows: Image) -> Probabilities:
        nonlocal calls
        calls += 1
        if calls == 5:
            raise MemoryError("no more")
        return constant(windows)

    with pytest.raises(MemoryError, match="no more"):
        all_of(ImageSource(image(2000, 40)), breaking)


def test_a_watcher_that_breaks_raises_its_own_error() -> None:
    def watch(row: int, col: int, image: Image) -> None:
        raise ZeroDivisionError("blind")

    with pytest.raises(ZeroDivisionError, match="blind"):
        all_of(ImageSource(image(200, 40)), Model(), on_pixels=watch)


@pytest.mark.parametrize("taken", [0, 1, 5])
def test_closing_early_stops_the_threads(taken: int) -> None:
    scene = Scene(image(20_000, 40), np.ones((20_000, 40), bool))
    before = threading.active_count()
    layout = Tiling(32, 8).layout(20_000, 40)
    with closing(predict_block(scene, Model(), layout, layout.whole, 1)) as strips:
        for _ in range(taken):
            next(strips)
        assert threading.active_count() <= before + 3
    assert threading.active_count() == before
    assert scene.read_to < 10_000


def test_an_error_of_who_takes_the_strips_stops_the_threads() -> None:
    scene = Scene(image(20_000, 40), np.ones((20_000, 40), bool))
    layout = Tiling(32, 8).layout(20_000, 40)
    before = threading.active_count()
    strips = predict_block(scene, Model(), layout, layout.whole, 1)
    with pytest.raises(ZeroDivisionError):
        for _ in strips:
            raise ZeroDivisionError
    del strips
    assert threading.active_count() == before


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("gaps", ["none", "stripes", "all but the first windows"])
@pytest.mark.parametrize(
    ("height", "width", "scale"), [(20_000, 60, 1.0), (6000, 1000, 1.0), (20_000, 250, 0.25)]
)
def test_the_source_is_read_a_few_rows_of_windows_ahead_at_the_most(
    height: int, width: int, scale: float, gaps: str, batch: int
) -> None:
    valid = np.ones((height, width), bool)
    if gaps == "stripes":
        valid &= (np.arange(height) // 500 % 2 == 0)[:, None]
    elif gaps != "none":
        valid[100:] = False
    scene = Scene(image(height, width), valid)
    layout = Tiling(64, 16, batch, scale).layout(height, width)
    axis, across = layout.grid.rows, len(layout.grid.cols)
    # Windows that wait: in both queues, in a batch, in hand, and without data in a batch's line.
    waiting = (2 * batch + 1) + 2 * batch + 2 * batch + 3 + max(batch, 2 * across)
    # And strips: one that waits and one in hand, each of a row of windows.
    rows_of_windows = -(-waiting // across) + 3 + 2
    most = rows_of_windows * (axis.side - axis.overlap) / scale + axis.side / scale
    most += AT_ONCE / width
    assert most < height / 2
    for strip in predict_block(scene, constant, layout, layout.whole, 1, batch=batch):
        assert scene.read_to <= strip.row_off + len(strip.probabilities) + most
    assert scene.read_to == height
