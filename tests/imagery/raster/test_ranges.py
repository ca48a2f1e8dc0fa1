"""Which values become 0 and 255, where nothing but the file tells."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from landslide_cli.errors import DataError
from landslide_cli.imagery.raster.images import read_image, read_tile

WriteRaster = Callable[..., Path]


@pytest.mark.parametrize("bits", [9, 11, 12, 15])
def test_the_bits_that_a_file_names_are_its_range(write_raster: WriteRaster, bits: int) -> None:
    most = 2**bits - 1
    values = np.array([[0, most // 2, most]], np.uint16)
    path = write_raster("scene.tif", values, nbits=bits)
    assert read_image(path, 1)[..., 0].tolist() == [[0, 127, 255]]


def test_a_few_bits_in_eight_are_brightened(write_raster: WriteRaster) -> None:
    path = write_raster("scene.tif", np.array([[0, 5, 15]], np.uint8), nbits=4)
    assert read_image(path, 1)[..., 0].tolist() == [[0, 85, 255]]


@pytest.mark.parametrize(
    ("values", "suggested"),
    [([3, 200], "[0, 255]"), ([3, 1976], "[0, 2047]"), ([3, 60000], "[0, 65535]")],
)
def test_16_bits_that_name_no_range_are_refused_with_a_suggestion(
    write_raster: WriteRaster, values: list[int], suggested: str
) -> None:
    path = write_raster("scene.tif", np.array([values], np.uint16))
    with pytest.raises(DataError, match=r"source\.value_range") as caught:
        read_image(path, 1)
    message = str(caught.value)
    assert f"from {values[0]} to {values[1]}" in message
    assert suggested in message


def test_what_holds_no_data_is_not_measured(write_raster: WriteRaster) -> None:
    values = np.array([[-9999, 0.25, np.nan, 0.75]], np.float32)
    path = write_raster("scene.tif", values, nodata=-9999)
    with pytest.raises(DataError, match=r"from 0\.25 to 0\.75"):
        read_image(path, 1)


def test_a_raster_without_any_data_has_no_suggestion(write_raster: WriteRaster) -> None:
    path = write_raster("scene.tif", np.full((2, 2), np.nan, np.float32))
    with pytest.raises(DataError, match=r"in the profile$"):
        read_image(path, 1)


def test_a_tile_of_16_bits_is_told_to_be_of_8(write_raster: WriteRaster) -> None:
    path = write_raster("tile.tif", np.ones((4, 4), np.uint16))
    with pytest.raises(DataError, match="a tile has 8 bits"):
        read_tile(path, 1)
