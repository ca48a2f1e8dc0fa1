"""Windows are cut from a scene that is read row by row, each as if the scene were held whole."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from landslide_cli.core.arrays import MEAN, Image
from landslide_cli.core.tiling import windows
from landslide_cli.core.tiling.grid import Window, cut
from landslide_cli.core.tiling.layout import Layout, Tiling
from landslide_cli.core.tiling.scaling import to_model
from landslide_cli.core.tiling.source import ImageSource, Piece
from landslide_cli.core.tiling.windows import Ground, View

SCALES: list[float | tuple[float, float]] = [
    0.25,
    0.5,
    0.3,
    0.867,
    1.0,
    1.5,
    2.0,
    (0.5, 1.2),
    (1.0, 0.33),
]

Marks = NDArray[np.bool_]


# Pixels that are read at once, far fewer than by default: so small scenes take many steps.
AT_ONCE = 2**14
views = partial(windows.views, pixels_at_once=AT_ONCE)


@dataclass(frozen=True)
class Scene:
    """A scene some of whose pixels hold no data; it records what is read of it."""

    image: Image
    valid: Marks
    reads: list[tuple[int, int]] = field(default_factory=list)
    widths: set[int] = field(default_factory=set)
    standardized: bool = False
    kept: tuple[int, ...] = ()

    @property
    def height(self) -> int:
        return int(self.image.shape[0])

    @property
    def width(self) -> int:
        return int(self.image.shape[1])

    def read(self, rows: tuple[int, int], cols: tuple[int, int]) -> Piece:
        assert 0 <= rows[0] < rows[1] <= self.height
        assert 0 <= cols[0] < cols[1] <= self.width
        self.reads.append(rows)
        self.widths.add(cols[1] - cols[0])
        part = np.s_[rows[0] : rows[1], cols[0] : cols[1]]
        valid = self.valid[part]
        # As a reader does, which finds out for each piece.
        return Piece(self.image[part], None if valid.all() else valid)


@dataclass(frozen=True)
class Case:
    layout: Layout
    block: Window
    seed: int

    @property
    def image(self) -> Image:
        rng = np.random.default_rng(self.seed)
        shape = (self.layout.height, self.layout.width, 3)
        return rng.integers(64, 256, shape, np.uint8)

    @property
    def scene(self) -> Scene:
        """Noise with a stripe aslant and some whole rows without data."""
        image = self.image
        down, across = np.ogrid[: image.shape[0], : image.shape[1]]
        valid = ((down + across + self.seed) % 97 > 50) & (down // 40 % 3 != 1)
        return Scene(image * valid[..., None].astype(np.uint8), valid)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    # One side is longer than what is read at once.
    sides = [draw(st.integers(1, 60)), draw(st.integers(1, 1300))]
    height, width = sides if draw(st.integers(0, 3)) == 0 else sides[::-1]
    # Where windows move by many pixels, the last one may be mirrored for the most part.
    multiple = draw(st.sampled_from([1, 4, 16]))
    tile = multiple * draw(st.integers(max(1, 4 // multiple), 64 // multiple))
    tiling = Tiling(
        draw(st.sampled_from([None, tile, tile, tile])),
        draw(st.integers(0, tile // 2)),
        scale=draw(st.sampled_from(SCALES)),
        multiple=multiple,
    )
    layout = tiling.layout(height, width)
    top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
    bottom, right = draw(st.integers(top + 1, height)), draw(st.integers(left + 1, width))
    block = Window(left, top, right - left, bottom - top)
    return Case(layout, draw(st.sampled_from([layout.whole, block])), draw(st.integers(0, 99)))


def whole(height: int, width: int, tiling: Tiling) -> Case:
    layout = tiling.layout(height, width)
    return Case(layout, layout.whole, 0)


def of_block(items: Sequence[Ground | View]) -> tuple[list[View], list[Ground]]:
    return (
        [item for item in items if isinstance(item, View)],
        [item for item in items if isinstance(item, Ground)],
    )


# One pixel of the scene and 63 that mirror what is above and left of the window.
MIRRORED = Case(Tiling(64, 0, multiple=64).layout(129, 129), Window(128, 128, 1, 1), 0)
# Its last row belongs to no pixel of the model, and the one step before ends right above it.
TAIL = whole(AT_ONCE // 32 + 1, 32, Tiling(16, 4, scale=0.25))


@given(cases())
@example(TAIL)
@example(whole(1, 1, Tiling(16, 4)))
@example(whole(30, 5000, Tiling(64, 16)))
@example(MIRRORED)
def test_windows_are_cut_as_from_the_whole_scene_resized(case: Case) -> None:
    layout, grid = case.layout, case.layout.grid
    scaled = to_model(case.image, layout.rows, layout.cols)
    scaled = scaled[: grid.rows.length, : grid.cols.length]
    cut_views, _ = of_block(list(views(ImageSource(case.image), layout, case.block)))
    assert [view.window for view in cut_views] == list(grid.touching(layout.area(case.block)))
    for view in cut_views:
        assert view.pixels is not None
        np.testing.assert_array_equal(view.pixels, cut(scaled, view.window))


@given(cases())
@example(TAIL)
def test_the_windows_of_a_block_are_those_of_the_whole_scene(case: Case) -> None:
    layout = case.layout
    of_scene, _ = of_block(list(views(case.scene, layout, layout.whole)))
    everywhere = {view.window: view.pixels for view in of_scene}
    cut_views, _ = of_block(list(views(case.scene, layout, case.block)))
    for view in cut_views:
        expected = everywhere[view.window]
        assert (view.pixels is None) == (expected is None)
        if view.pixels is not None and expected is not None:
            np.testing.assert_array_equal(view.pixels, expected)


@given(cases())
def test_a_window_is_left_out_only_if_it_holds_no_data_at_all(case: Case) -> None:
    layout, grid, scene = case.layout, case.layout.grid, case.scene
    shares = to_model(scene.valid[..., None].astype(np.float32), layout.rows, layout.cols)
    shares = shares[: grid.rows.length, : grid.cols.length, 0]
    for view in of_block(list(views(scene, layout, case.block)))[0]:
        window = view.window
        there = shares[window.row_off : window.row_stop, window.col_off : window.col_stop]
        if (there > 0).any():
            assert view.pixels is not None
        if view.pixels is not None:
            assert view.pixels.any()


@given(cases())
@example(TAIL)
def test_the_ground_is_told_from_top_to_bottom_before_the_windows_that_need_it(
    case: Case,
) -> None:
    layout, block, scene = case.layout, case.block, case.scene
    row = block.row_off
    told = np.zeros((block.height, block.width), bool)
    items = list(views(scene, layout, block))
    for item in items:
        if isinstance(item, Ground):
            assert item.row_off == row
            assert item.rows > 0
            begin = row - block.row_off
            told[begin : begin + item.rows] = True if item.valid is None else item.valid
            row += item.rows
        else:
            bottom = min(item.window.row_stop, layout.grid.rows.length) / layout.rows.scale
            assert row >= min(block.row_stop, int(bottom))
    assert row == block.row_stop
    assert isinstance(items[-1], View)  # so that nobody who takes the last window misses ground
    inside = np.s_[block.row_off : block.row_stop, block.col_off : block.col_stop]
    np.testing.assert_array_equal(told, scene.valid[inside])


@given(cases())
@example(TAIL)
def test_the_watcher_sees_each_pixel_of_the_block_once(case: Case) -> None:
    block, scene = case.block, case.scene
    seen = np.zeros((scene.height, scene.width), int)
    picture = np.zeros_like(scene.image)

    def watch(row: int, col: int, image: Image) -> None:
        part = np.s_[row : row + image.shape[0], col : col + image.shape[1]]
        seen[part] += 1
        picture[part] = image

    list(views(scene, case.layout, block, watch))
    inside = np.s_[block.row_off : block.row_stop, block.col_off : block.col_stop]
    assert (seen[inside] == 1).all()
    assert seen.sum() == block.height * block.width
    np.testing.assert_array_equal(picture[inside], scene.image[inside])


@given(cases())
def test_a_scene_is_read_from_top_to_bottom_some_rows_at_a_time(case: Case) -> None:
    scene = case.scene
    list(views(scene, case.layout, case.block))
    (width,), ratio = scene.widths, case.layout.rows
    halo = 2 * ratio.scene * ratio.halo_to_model
    most = max(ratio.scene, AT_ONCE // width) + halo
    assert all(stop - start <= most for start, stop in scene.reads)
    for (_, stop), (start, _) in zip(scene.reads, scene.reads[1:], strict=False):
        assert stop - halo <= start <= stop


def test_nothing_is_read_before_it_is_asked_for_nor_much_more_than_needed() -> None:
    scene = Scene(np.ones((9000, 20, 3), np.uint8), np.ones((9000, 20), bool))
    layout = Tiling(64, 16).layout(9000, 20)
    items = views(scene, layout, Window(0, 4000, 20, 100))
    assert scene.reads == []
    list(items)
    assert scene.reads[0][0] >= 4000 - 64
    assert scene.reads[-1][1] <= 4100 + 64 + AT_ONCE // 20


@pytest.mark.parametrize("scale", [0.25, 0.5, 0.3])
def test_the_edge_of_the_data_is_not_darkened_by_pixels_that_hold_none(scale: float) -> None:
    valid = np.ones((61, 83), bool)
    valid[:, :13] = valid[:5] = valid[-3:] = False
    scene = Scene(np.uint8(200) * valid[..., None].astype(np.uint8).repeat(3, axis=-1), valid)
    layout = Tiling(None, 0, scale=scale).layout(61, 83)
    (view,), _ = of_block(list(views(scene, layout, layout.whole)))
    assert view.pixels is not None
    bright = view.pixels[view.pixels > 0]
    assert bright.size > 0
    # An average of few pixels, rounded to whole grey levels, is off by a few when it is scaled up.
    assert np.abs(bright.astype(int) - 200).max() <= 8


def test_a_source_in_memory_gives_its_image() -> None:
    image = np.arange(120, dtype=np.uint8).reshape(5, 8, 3)
    source = ImageSource(image)
    assert (source.height, source.width) == (5, 8)
    piece = source.read((1, 4), (2, 7))
    assert piece.valid is None
    np.testing.assert_array_equal(piece.image, image[1:4, 2:7])


def test_standardized_windows_show_the_mean_where_there_is_no_data() -> None:
    image = np.random.default_rng(0).integers(64, 256, (64, 96, 3), np.uint8)
    valid = np.ones((64, 96), np.bool_)
    valid[:, 60:] = False
    image[~valid] = 0
    layout = Tiling(None, 0).layout(64, 96)
    shown = {}
    for standardized in (True, False):
        scene = Scene(image, valid, standardized=standardized)
        (shown[standardized],) = (
            item.pixels
            for item in views(scene, layout, layout.whole)
            if isinstance(item, View) and item.pixels is not None
        )
    cut = np.s_[:64, 60:96]
    assert (shown[True][cut] == round(MEAN)).all()
    assert not shown[False][cut].any()
