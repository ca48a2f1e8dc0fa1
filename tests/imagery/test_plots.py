"""Plots are files that can be read, whatever there is to draw."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.typing import NDArray

from landslide_cli.core.frequency_area import frequency_area
from landslide_cli.imagery.plots import (
    plot_bars,
    plot_confusion,
    plot_curves,
    plot_frequency_area,
    plot_precision_recall,
    plot_reliability,
)

# A warning would reach the user's terminal in the middle of the tables.
pytestmark = [
    pytest.mark.filterwarnings("error"),
    pytest.mark.usefixtures("printed_figures"),
]

# The colours of the plots, as they are drawn without a blend.
BLUE, BROWN = (0x1B, 0x6C, 0xA8), (0x8A, 0x6D, 0x3B)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "plot.png"


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are written from here on."""
    written: list[Figure] = []
    save = Figure.savefig

    def keep(figure: Figure, *args: Any, **kwargs: Any) -> None:
        written.append(figure)
        save(figure, *args, **kwargs)

    monkeypatch.setattr(Figure, "savefig", keep)
    return written


def drawn(path: Path) -> NDArray[np.uint8]:
    """Read a plot as (rows, cols, 3); nothing else must have been left beside it."""
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    picture = cv2.imread(str(path))
    assert picture is not None
    return np.asarray(picture[..., ::-1], np.uint8)


def where(picture: NDArray[np.uint8], colour: tuple[int, int, int]) -> NDArray[np.bool_]:
    pixels: NDArray[np.bool_] = (picture == np.array(colour)).all(axis=-1)
    return pixels


def tops(picture: NDArray[np.uint8]) -> list[int]:
    """The first row of the bars' colour in every column that has it, from left to right."""
    blue = where(picture, BLUE)
    return [int(blue[:, col].argmax()) for col in np.flatnonzero(blue.any(axis=0))]


def test_bars_descend_from_the_best_scene_to_the_worst(path: Path) -> None:
    plot_bars(path, "Dice by scene", {"low": 0.3, "best": 0.9, "fair": 0.6}, 0.7)
    heights = tops(drawn(path))
    assert heights == sorted(heights)
    assert len(set(heights)) == 3
    high, middle, low = sorted(set(heights))
    assert middle - high == pytest.approx(low - middle, abs=4)


def test_the_pooled_value_is_a_line_across_the_bars(path: Path) -> None:
    rows = []
    for pooled in (0.2, 0.8):
        plot_bars(path, "Dice by scene", {"a": 0.5, "b": 0.5}, pooled)
        line = where(drawn(path), BROWN).sum(axis=1)
        # The legend's sample of the line is far shorter.
        assert line.max() > 100
        rows.append(int(line.argmax()))
    bar = min(tops(drawn(path)))
    assert rows[1] < bar < rows[0]


@pytest.mark.parametrize("count", [1, 2, 60, 61, 1000])
def test_bars_of_any_number_of_scenes_fit_the_plot(path: Path, count: int) -> None:
    values = {f"scene-{i:04d}": (i + 1) / count for i in range(count)}
    plot_bars(path, "Dice by scene", values, 0.5)
    picture = drawn(path)
    assert 600 < picture.shape[0] < 2700
    assert 1000 < picture.shape[1] < 4500
    heights = tops(picture)
    assert heights[0] == min(heights)
    assert (picture[0] == 255).all()


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_bars_that_are_all_empty_or_all_full_are_drawn(path: Path, value: float) -> None:
    plot_bars(path, "Dice by scene", {"a": value, "b": value}, value)
    picture = drawn(path)
    assert where(picture, BROWN).any()
    assert (where(picture, BLUE).sum() > 10_000) == (value == 1.0)


@pytest.mark.parametrize(
    "name",
    ["_hidden", "a b\\c%d{x}", "$x$", "a$^$", "\N{CJK UNIFIED IDEOGRAPH-6ED1}-01", "x" * 60],
    ids=["underscore", "signs", "formula", "no formula", "Chinese", "long"],
)
def test_bars_may_have_any_names(path: Path, name: str) -> None:
    plot_bars(path, "Dice by scene", {name: 0.9, "b": 0.5}, 0.7)
    assert where(drawn(path), BLUE).sum() > 1000


def test_the_curve_and_the_chosen_point_lie_where_their_values_are(path: Path) -> None:
    recall = np.linspace(1.0, 0.05, 100)
    plot_precision_recall(path, recall, np.full(100, 0.9), (0.75, 0.5), "threshold 0.4")
    picture = drawn(path)
    rows, cols = np.nonzero(where(picture, BLUE))
    assert np.ptp(rows) < 12
    assert np.ptp(cols) > 300
    spots = where(picture, BROWN)
    # The legend repeats the point near the lower left corner.
    spots[int(picture.shape[0] * 0.8) :] = False
    row, col = np.argwhere(spots).mean(axis=0)
    assert col == pytest.approx(np.interp(0.75, [0.05, 1.0], [cols.min(), cols.max()]), abs=25)
    assert row > rows.max() + 100


def test_thresholds_without_recall_are_left_out_of_the_curve(path: Path) -> None:
    plots = []
    for recall, precision in (([0.9, 0.5], [0.5, 0.8]), ([0.9, 0.5, 0.0], [0.5, 0.8, 0.0])):
        plot_precision_recall(path, recall, precision, (0.5, 0.8), "threshold 0.5")
        plots.append(drawn(path))
    np.testing.assert_array_equal(plots[0], plots[1])


def test_a_model_that_finds_nothing_has_a_plot_without_a_curve(path: Path) -> None:
    plot_precision_recall(path, [0.0] * 20, [0.0] * 20, (0.0, 0.0), "threshold 0.5")
    picture = drawn(path)
    assert not where(picture, BLUE).any()
    assert where(picture, BROWN).any()


def test_a_perfect_models_curve_is_drawn_to_the_corner(path: Path) -> None:
    plot_precision_recall(path, np.ones(20), np.ones(20), (1.0, 1.0), "threshold 0.5")
    assert where(drawn(path), BROWN).any()


def reliability(frequencies: list[float], pixels: float = 1000.0) -> list[dict[str, float]]:
    step = 1 / len(frequencies)
    return [
        {"probability": (i + 0.5) * step, "frequency": frequency, "pixels": pixels}
        for i, frequency in enumerate(frequencies)
    ]


def test_a_well_calibrated_model_and_one_that_is_not_have_other_curves(path: Path) -> None:
    rows = []
    for frequencies in ([0.1, 0.3, 0.5, 0.7, 0.9], [0.02, 0.05, 0.1, 0.2, 0.4]):
        plot_reliability(path, reliability(frequencies), "landslide")
        pixels = np.argwhere(where(drawn(path), BLUE))
        # The end of the curve; the legend is at the left.
        rows.append(int(pixels[pixels[:, 1].argmax()][0]))
    assert rows[0] + 50 < rows[1]


@pytest.mark.parametrize(
    "bins",
    [
        [],
        reliability([0.5]),
        reliability([0.0], 1.0),
        reliability([i / 20 for i in range(20)], 1e12),
    ],
    ids=["none", "one", "one pixel", "many pixels"],
)
def test_reliability_of_any_number_of_bins_is_drawn(
    path: Path, bins: list[dict[str, float]]
) -> None:
    plot_reliability(path, bins, "landslide")
    picture = drawn(path)
    assert picture.shape[0] > 400
    # The line of a perfect calibration's legend, and the bars of pixels.
    assert where(picture, BROWN).any() == bool(bins)


def test_a_plot_that_is_there_is_replaced(path: Path) -> None:
    path.write_bytes(b"old")
    plot_reliability(path, reliability([0.2, 0.8]), "landslide")
    assert drawn(path).size > 0


def power_law(count: int) -> NDArray[np.float64]:
    """Areas from 100 on whose density falls off with the power 2.4, as of many inventories."""
    ranks = (np.arange(count) + 0.5) / count
    return np.asarray(100.0 * ranks ** (-1 / 1.4))


def test_areas_of_a_power_law_lie_on_a_falling_straight_line(path: Path) -> None:
    plot_frequency_area(path, power_law(20_000), "m²")
    blue = where(drawn(path), BLUE)
    blue = blue[:, : blue.shape[1] // 2]  # the density; the numbers are beside it
    cols = np.flatnonzero(blue.any(axis=0))
    rows = np.array([np.flatnonzero(blue[:, col]).mean() for col in cols])
    # The last bins hold few landslides.
    part = slice(0, len(cols) * 6 // 10)
    assert np.corrcoef(cols[part], rows[part])[0, 1] > 0.995
    assert len(cols) > 300


def test_the_median_of_the_areas_is_a_line_between_the_smaller_and_the_larger(path: Path) -> None:
    columns = []
    for large in (10, 60):
        areas = 10.0 ** np.concatenate([np.linspace(1, 2, 40), np.linspace(2, 3, large)])
        plot_frequency_area(path, areas, "m²")
        brown = where(drawn(path), BROWN).sum(axis=0)
        columns.append(int(brown.argmax()))
    assert columns[0] + 50 < columns[1]


@pytest.mark.parametrize(
    "areas",
    [[1.0], [7.5] * 30, [1.0, 1e9], [1e-3, 2e-3], list(range(1, 2000)), [0.25, 0.250001]],
    ids=["one", "all alike", "far apart", "tiny", "many", "nearly alike"],
)
def test_areas_of_any_number_and_size_are_drawn(path: Path, areas: list[float]) -> None:
    plot_frequency_area(path, areas, "pixels")
    picture = drawn(path)
    assert where(picture, BLUE).any()
    assert where(picture, BROWN).any()


@pytest.mark.parametrize("epochs", [1, 2, 30])
def test_curves_have_whole_epochs_on_their_axis(
    path: Path, figures: list[Figure], epochs: int
) -> None:
    history = [
        {"epoch": epoch, "loss": 1 / epoch, "valid_loss": 2 / epoch, "learning_rate": 0.1}
        for epoch in range(1, 1 + epochs)
    ]
    plot_curves(path, history, best_epoch=1)
    (figure,) = figures
    assert len(figure.axes) == 2
    for axes in figure.axes:
        ticks = [float(tick) for tick in axes.get_xticks()]
        assert all(tick.is_integer() for tick in ticks)
        assert any(1 <= tick <= epochs for tick in ticks)


def test_a_confusion_matrix_shows_the_shares_of_each_true_class(
    path: Path, figures: list[Figure]
) -> None:
    counts = np.array([[90, 10, 0], [1, 999, 0], [0, 0, 0]])
    plot_confusion(path, ["roofs", "roads $1", "people"], counts)
    axes = figures[0].axes[0]
    texts = {text.get_position(): text.get_text() for text in axes.texts}
    assert texts == {(0, 0): "90", (1, 0): "10", (0, 1): "<1", (1, 1): "100"}
    assert [label.get_text() for label in axes.get_yticklabels()] == ["roofs", "roads $1", "people"]


@pytest.mark.parametrize(("count", "title"), [(1, "1 landslide"), (1200, "1,200 landslides")])
def test_the_title_counts_the_landslides(
    path: Path, figures: list[Figure], count: int, title: str
) -> None:
    plot_frequency_area(path, power_law(count), "m²")
    assert figures[0].get_suptitle() == f"frequency and area of {title}"


def test_density_does_not_depend_on_how_many_landslides_there_are(path: Path) -> None:
    plots = []
    for count in (1, 7):
        plot_frequency_area(path, np.tile(power_law(500), count), "pixels")
        # To the left; the numbers beside it do depend on it.
        plots.append(np.array_split(where(drawn(path), BLUE), 2, axis=1)[0])
    np.testing.assert_array_equal(plots[0], plots[1])


def test_fits_are_drawn_over_the_areas(path: Path) -> None:
    areas = power_law(200)
    plain, fitted = [], frequency_area(areas, draws=2)
    for fits in (None, fitted):
        plot_frequency_area(path, areas, "m²", fits)
        picture = drawn(path)
        plain.append(where(picture, (0xD5, 0x5E, 0x00)).any(axis=0))
    assert not plain[0].any()
    # In both panels.
    assert all(half.any() for half in np.array_split(plain[1], 2))


@pytest.mark.parametrize(("suffix", "start"), [(".pdf", b"%PDF-"), (".svg", b"<?xml")])
def test_plots_are_written_for_print_and_are_the_same_each_time(
    tmp_path: Path, suffix: str, start: bytes
) -> None:
    files = [tmp_path / f"{name}{suffix}" for name in "ab"]
    for file in files:
        plot_bars(file, "Dice by scene", {"a": 0.5}, 0.5)
    assert files[0].read_bytes().startswith(start)
    assert files[0].read_bytes() == files[1].read_bytes()
