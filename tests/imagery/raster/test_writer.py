"""Maps written piece by piece: what is read back, where they lie, and disks that fill up."""

import errno
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from rasterio.enums import ColorInterp
from rio_cogeo import cog_validate

from landslide_cli.core.palette import IGNORE, Palette
from landslide_cli.errors import OutputError
from landslide_cli.imagery.raster.georeference import Georeference
from landslide_cli.imagery.raster.masks import read_mask
from landslide_cli.imagery.raster.writer import Layer, MapWriter, finish_cog, finish_png
from landslide_cli.outputs import scratch_folder

CLASSES = Layer("uint8", IGNORE, {0: (0, 0, 0), 1: (255, 0, 255)}, "class")
PROBABILITY = Layer("float32", -1.0, description="probability of landslide")

NOWHERE = Georeference()
UTM = Georeference(
    rasterio.CRS.from_epsg(32648).to_wkt(), Affine(0.2, 0.0, 400_000.1, 0.0, -0.2, 3_400_000.7)
)


def classes(rows: int, cols: int) -> NDArray[np.uint8]:
    """Blobs of class 1 in class 0, without data along the left."""
    row, col = np.mgrid[:rows, :cols]
    mask: NDArray[np.uint8] = (np.sin(row / 17.0) * np.cos(col / 23.0) > 0.3).astype(np.uint8)
    mask[:, : cols // 9] = IGNORE
    return mask


def probabilities(rows: int, cols: int) -> NDArray[np.float32]:
    return np.random.default_rng(0).random((rows, cols), np.float32)


def write(
    path: Path, values: NDArray[Any], layer: Layer, georeference: Georeference = UTM, rows: int = 90
) -> Path:
    """Write a map in bands of so many rows."""
    height, width = values.shape
    with MapWriter(path, height, width, georeference, layer) as writer:
        for row in range(0, len(values), rows):
            writer.write(row, 0, values[row : row + rows])
    return path


def finished(
    folder: Path, values: NDArray[Any], layer: Layer, georeference: Georeference = UTM
) -> Path:
    target = folder / "map.tif"
    finish_cog(write(folder / "scratch.tif", values, layer, georeference), target, layer)
    return target


@st.composite
def cuts(draw: st.DrawFn) -> tuple[int, list[int]]:
    """A length and the places where it is cut."""
    length = draw(st.integers(1, 1300))
    return length, sorted({0, length, *draw(st.lists(st.integers(0, length), max_size=3))})


@settings(max_examples=25)
@given(down=cuts(), across=cuts(), layer=st.sampled_from([CLASSES, PROBABILITY]), data=st.data())
def test_pieces_in_any_order_make_the_map(
    tmp_path_factory: pytest.TempPathFactory,
    down: tuple[int, list[int]],
    across: tuple[int, list[int]],
    layer: Layer,
    data: st.DataObject,
) -> None:
    (height, rows), (width, cols) = down, across
    values: NDArray[Any] = (classes if layer is CLASSES else probabilities)(height, width)
    corners = [(row, col) for row in range(len(rows) - 1) for col in range(len(cols) - 1)]
    path = tmp_path_factory.mktemp("map") / "scratch.tif"
    with MapWriter(path, height, width, UTM, layer) as writer:
        for row, col in data.draw(st.permutations(corners)):
            piece = values[rows[row] : rows[row + 1], cols[col] : cols[col + 1]]
            writer.write(rows[row], cols[col], piece)
    with rasterio.open(path) as dataset:
        np.testing.assert_array_equal(dataset.read(1), values)


@pytest.mark.parametrize("layer", [CLASSES, PROBABILITY], ids=["classes", "probabilities"])
def test_what_is_not_written_has_no_data(tmp_path: Path, layer: Layer) -> None:
    path = tmp_path / "scratch.tif"
    with MapWriter(path, 1500, 700, UTM, layer) as writer:
        writer.write(100, 50, np.zeros((300, 200), layer.dtype))
    finish_cog(path, tmp_path / "map.tif", layer)
    expected = np.full((1500, 700), layer.nodata)
    expected[100:400, 50:250] = 0
    with rasterio.open(tmp_path / "map.tif") as dataset:
        np.testing.assert_array_equal(dataset.read(1), expected)


@pytest.mark.parametrize(("row", "col"), [(-1, 0), (0, -1), (6, 0), (0, 16)])
def test_a_piece_must_lie_inside_the_map(tmp_path: Path, row: int, col: int) -> None:
    with (
        MapWriter(tmp_path / "scratch.tif", 10, 20, UTM, CLASSES) as writer,
        pytest.raises(ValueError, match="of 10 x 20 pixels"),
    ):
        writer.write(row, col, np.zeros((5, 5), np.uint8))


def test_the_map_that_was_there_is_replaced(tmp_path: Path) -> None:
    finished(tmp_path, classes(600, 600), CLASSES)
    target = finished(tmp_path, classes(20, 30), CLASSES)
    with rasterio.open(target) as dataset:
        assert dataset.shape == (20, 30)


SIZES = [(1, 1), (30, 5000), (5000, 30), (512, 512), (513, 511), (1100, 1700)]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("layer", [CLASSES, PROBABILITY], ids=["classes", "probabilities"])
def test_a_finished_map_is_a_valid_cog_with_the_values_as_written(
    tmp_path: Path, size: tuple[int, int], layer: Layer
) -> None:
    values: NDArray[Any] = (classes if layer is CLASSES else probabilities)(*size)
    path = finished(tmp_path, values, layer)
    assert cog_validate(path, strict=True, quiet=True) == (True, [], [])
    with rasterio.open(path) as dataset:
        np.testing.assert_array_equal(dataset.read(1), values)
        assert dataset.dtypes == (layer.dtype,)
        assert dataset.nodata == layer.nodata
        assert dataset.descriptions == (layer.description,)
        assert dataset.compression.value == "DEFLATE"
        assert bool(dataset.overviews(1)) == (max(size) > 512)
    assert sorted(path.parent.iterdir()) == [path, tmp_path / "scratch.tif"]


def test_a_class_map_shows_the_class_colours(tmp_path: Path) -> None:
    with rasterio.open(finished(tmp_path, classes(40, 50), CLASSES)) as dataset:
        assert dataset.colorinterp == (ColorInterp.palette,)
        table = dataset.colormap(1)
    assert table[0] == (0, 0, 0, 255)
    assert table[1] == (255, 0, 255, 255)
    assert table[IGNORE][3] == 0


def test_overviews_of_classes_mix_none(tmp_path: Path) -> None:
    mask = classes(1100, 1700)
    path = finished(tmp_path, mask * np.uint8(3), Layer("uint8", IGNORE))
    for level in range(2):
        with rasterio.open(path, overview_level=level) as overview:
            assert set(np.unique(overview.read(1)).tolist()) <= {0, 3, IGNORE * 3 % 256}


def test_overviews_of_probabilities_are_means_of_what_holds_data(tmp_path: Path) -> None:
    values = probabilities(1024, 1024)
    values[:, :512] = values[:, 512:513] = -1.0
    values[:, 514] = values[:, 515]
    with rasterio.open(finished(tmp_path, values, PROBABILITY), overview_level=0) as overview:
        reduced = overview.read(1)
    assert (reduced[:, :256] == -1.0).all()
    np.testing.assert_allclose(reduced[:, 256], values[:, 513].reshape(-1, 2).mean(1), rtol=1e-5)
    means = values[:, 514:].reshape(512, 2, -1, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(reduced[:, 257:], means, rtol=1e-5)


def test_nodata_that_is_not_a_number_is_kept(tmp_path: Path) -> None:
    layer = Layer("float32", float("nan"))
    values = probabilities(600, 600)
    values[:200] = np.nan
    with rasterio.open(finished(tmp_path, values, layer)) as dataset:
        assert np.isnan(dataset.nodata)
        np.testing.assert_array_equal(dataset.read(1), values)


TRANSFORMS = [
    UTM.transform,
    Affine(0.1, 0.3, 400_000.123456789, 0.3, -0.1, 3_400_000.987654321),
    Affine.translation(1e6, 2e6) @ Affine.rotation(33.3) @ Affine.scale(0.25, -0.5),
    Affine(1 / 3600, 0.0, 102.999861111, 0.0, -1 / 3600, 31.000138888),
    Affine(0.5, 0.0, 0.0, 0.0, 0.5, 0.0),
]


@pytest.mark.parametrize("transform", TRANSFORMS, ids=range(len(TRANSFORMS)))
@pytest.mark.parametrize("crs", ["EPSG:32648", "EPSG:4326", "EPSG:3857", "EPSG:2326", None])
def test_a_map_lies_exactly_where_it_was_told(
    tmp_path: Path, crs: str | None, transform: Affine
) -> None:
    wkt = rasterio.CRS.from_string(crs).to_wkt() if crs else None
    with rasterio.open(
        finished(tmp_path, classes(30, 40), CLASSES, Georeference(wkt, transform))
    ) as dataset:
        assert (dataset.crs.to_wkt() if dataset.crs else None) == wkt
        assert dataset.transform[:6] == pytest.approx(transform[:6], rel=1e-14, abs=0.0)


def test_a_crs_of_ones_own_is_kept(tmp_path: Path) -> None:
    crs = rasterio.CRS.from_proj4("+proj=lcc +lat_1=30.5 +lat_2=32.5 +lat_0=31 +lon_0=103 +x_0=5e5")
    georeference = Georeference(crs.to_wkt(), UTM.transform)
    with rasterio.open(finished(tmp_path, classes(30, 40), CLASSES, georeference)) as dataset:
        written = dataset.crs.to_dict()
    assert {key: written[key] for key in ("proj", "lat_1", "lat_2", "lon_0", "x_0")} == {
        "proj": "lcc", "lat_1": 30.5, "lat_2": 32.5, "lon_0": 103, "x_0": 500_000,
    }  # fmt: skip


def test_no_place_on_the_ground_is_invented(tmp_path: Path) -> None:
    path = finished(tmp_path, classes(30, 40), CLASSES, NOWHERE)
    with rasterio.open(path) as dataset:
        assert dataset.crs is None
        assert dataset.transform.is_identity
        assert not dataset.gcps[0]


@pytest.mark.parametrize("size", [(1, 1), (30, 1500), (700, 600)], ids=str)
def test_a_png_shows_the_class_colours_and_nothing_where_there_are_no_data(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    mask = classes(*size)
    finish_png(write(tmp_path / "scratch.tif", mask, CLASSES, NOWHERE), tmp_path / "map.png")
    with rasterio.open(tmp_path / "map.png") as dataset:
        assert dataset.driver == "PNG"
        table = dataset.colormap(1)
        np.testing.assert_array_equal(dataset.read(1), mask)
    assert (table[0], table[1]) == ((0, 0, 0, 255), (255, 0, 255, 255))
    assert table[IGNORE][3] == 0
    assert sorted(tmp_path.iterdir()) == [tmp_path / "map.png", tmp_path / "scratch.tif"]


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_a_finished_mask_is_read_as_the_classes_it_holds(
    tmp_path: Path, palette: Palette, suffix: str
) -> None:
    mask = classes(600, 700)
    layer = Layer("uint8", IGNORE, dict(enumerate(palette.colours)), "class")
    source, target = (
        write(tmp_path / "scratch.tif", mask, layer, NOWHERE),
        tmp_path / f"map{suffix}",
    )
    if suffix == ".png":
        finish_png(source, target)
    else:
        finish_cog(source, target, layer)
    reading = read_mask(target, palette)
    np.testing.assert_array_equal(reading.mask, mask)
    assert reading.encoding == "colours"


@pytest.mark.parametrize("colours", [((0, 0, 0), (255, 255, 255)), ((255, 255, 255), (1, 1, 1))])
def test_no_data_is_told_from_a_class_of_the_same_colour(
    tmp_path: Path, colours: tuple[tuple[int, int, int], ...]
) -> None:
    mask = classes(60, 70)
    layer = Layer("uint8", IGNORE, dict(enumerate(colours)))
    palette = Palette(("background", "landslide"), colours)
    reading = read_mask(finished(tmp_path, mask, layer), palette)
    np.testing.assert_array_equal(reading.mask, mask)


def test_a_missing_folder_is_an_os_error(tmp_path: Path) -> None:
    source = write(tmp_path / "scratch.tif", classes(9, 9), CLASSES)
    none = tmp_path / "none"
    for attempt in (
        lambda: MapWriter(none / "map.tif", 9, 9, UTM, CLASSES),
        lambda: finish_cog(source, none / "map.tif", CLASSES),
        lambda: finish_png(source, none / "map.png"),
    ):
        with pytest.raises(FileNotFoundError):
            attempt()


def test_an_interruption_is_passed_on(tmp_path: Path) -> None:
    with (
        pytest.raises(KeyboardInterrupt),
        MapWriter(tmp_path / "scratch.tif", 600, 600, UTM, CLASSES),
    ):
        raise KeyboardInterrupt


@pytest.fixture
def disk(tmp_path: Path) -> Callable[[int], Any]:
    """Mount a disk of so many bytes."""

    @contextmanager
    def mounted(size: int) -> Iterator[Path]:
        folder = tmp_path / "disk"
        folder.mkdir(exist_ok=True)
        options = f"size={max(1, size // 4096) * 4096}"
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder],
            check=False,
            capture_output=True,
        )
        if done.returncode != 0:
            pytest.skip(f"mounting a small disk is not allowed here: {done.stderr.decode()}")
        try:
            yield folder
        finally:
            subprocess.run(["umount", folder], check=True)

    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    return mounted


def write_classes(source: Path, folder: Path) -> Path:
    with rasterio.open(source) as dataset:
        return write(folder / "map.tif", dataset.read(1), CLASSES)


def write_probabilities(source: Path, folder: Path) -> Path:
    with rasterio.open(source) as dataset:
        return write(folder / "map.tif", dataset.read(1).astype(np.float32), PROBABILITY)


def finish_classes(source: Path, folder: Path) -> Path:
    finish_cog(source, folder / "map.tif", CLASSES)
    return folder / "map.tif"


def finish_picture(source: Path, folder: Path) -> Path:
    finish_png(source, folder / "map.png")
    return folder / "map.png"


@pytest.mark.parametrize(
    "make",
    [write_classes, write_probabilities, finish_classes, finish_picture],
    ids=lambda make: make.__name__,
)
def test_a_full_disk_is_never_passed_over(
    tmp_path: Path, disk: Callable[[int], Any], make: Callable[[Path, Path], Path]
) -> None:
    # Noise, so that the file is large; the disks end in its header, its blocks and its last bytes.
    mask = np.random.default_rng(0).integers(0, 2, (1024, 700), np.uint8)
    source = write(tmp_path / "source.tif", mask, CLASSES)
    size = make(source, tmp_path).stat().st_size
    outcomes = []
    shares = [0.01, 0.2, 0.5, 0.8, 0.85, 0.9, 0.95, 1.0, 1.1, 1.3, 3.0]
    for room in [int(size * share) for share in shares]:
        with disk(room) as folder:
            try:
                path = make(source, folder)
            except OSError as error:
                assert error.errno == errno.ENOSPC
                outcomes.append("refused")
            else:
                with rasterio.open(path) as dataset:
                    np.testing.assert_array_equal(dataset.read(1), mask)
                outcomes.append("whole")
    assert outcomes[:4] == ["refused"] * 4
    assert outcomes[-1] == "whole"


def test_a_full_disk_is_told_with_the_remedy(tmp_path: Path, disk: Callable[[int], Any]) -> None:
    with (
        disk(2**20) as folder,
        pytest.raises(OutputError, match="full disk; free some space"),
        scratch_folder(folder / "map") as scratch,
    ):
        write(scratch / "map.tif", probabilities(1000, 1000), PROBABILITY)
