"""Borders that infer-tiled takes for no data, and what it says of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from landslide_cli.core.palette import IGNORE
from landslide_cli.documents import read_json
from landslide_cli.profile import Profile
from landslide_cli.runs.map_record import BorderSummary
from landslide_cli.stages.infer import infer_tiled

Bright = Callable[..., Profile]
Write = Callable[..., Path]

SIDE = 160


def write_framed(write_raster: Write, name: str, value: int, width: int = 40) -> Path:
    """Write dark ground with a bright square, in a frame of one value."""
    image = np.random.default_rng(0).integers(20, 60, (SIDE, SIDE, 3), np.uint8)
    image[60:100, 60:100] = 240
    inside = np.zeros((SIDE, SIDE), np.bool_)
    inside[width:-width, width:-width] = True
    image[~inside] = value
    return write_raster(name, image)


@pytest.mark.parametrize("value", [0, 255])
def test_a_frame_is_no_data_in_the_map_and_is_told(
    bright: Bright, write_raster: Write, tmp_path: Path, reporter: Any, value: int
) -> None:
    path, maps = write_framed(write_raster, "north.tif", value), tmp_path / "maps"
    profile = bright("infer.nodata=auto")
    for _ in range(2):  # the second time it is unchanged
        (scene,) = infer_tiled(profile, [str(path)], output=maps, reporter=reporter).scenes
        assert scene.border == BorderSummary(0.75, [[value] * 3])
        note = f"north: a border of 75 % of one value ({value}, {value}, {value}) is taken as no "
        assert reporter.notes[-1] == f"{note}data; infer.nodata=none maps it"
    assert scene.unchanged
    with rasterio.open(scene.mask) as dataset:
        mask = dataset.read(1)
    assert (mask == IGNORE).sum() == 0.75 * SIDE**2
    assert (mask == 1).sum() == 40 * 40
    recorded = read_json(maps / "infer.json")
    assert recorded is not None
    summary = recorded["scenes"]["north"]["summary"]
    assert summary["border"] == {"share": 0.75, "values": [[value] * 3]}


def test_borders_of_the_same_value_are_told_in_one_note(
    bright: Bright, write_raster: Write, tmp_path: Path, reporter: Any
) -> None:
    paths = [write_framed(write_raster, f"{width}.tif", 255, width) for width in (1, 20, 40)]
    profile = bright("infer.nodata=auto")
    infer_tiled(profile, [str(p) for p in paths], output=tmp_path / "maps", reporter=reporter)
    assert [note for note in reporter.notes if "border" in note] == [
        "3 scenes: a border of 2.5 % to 75 % of one value (255, 255, 255) is taken as no data; "
        "infer.nodata=none maps it"
    ]


def test_a_scene_of_one_value_is_warned_of(
    bright: Bright, write_raster: Write, tmp_path: Path, reporter: Any
) -> None:
    path = write_raster("flat.tif", np.full((64, 64, 3), 90, np.uint8))
    profile = bright("infer.nodata=auto")
    infer_tiled(profile, [str(path)], output=tmp_path / "maps", reporter=reporter)
    assert any(
        "flat: has one value (90, 90, 90) throughout" in warning for warning in reporter.warnings
    )


@pytest.mark.parametrize(("nodata", "share"), [("none", 0.0), ("255", 0.75)])
def test_without_auto_a_frame_is_what_the_setting_says(
    bright: Bright, write_raster: Write, tmp_path: Path, reporter: Any, nodata: str, share: float
) -> None:
    path = write_framed(write_raster, "north.tif", 255)
    profile = bright(f"infer.nodata={nodata}")
    result = infer_tiled(profile, [str(path)], output=tmp_path / "maps", reporter=reporter)
    (scene,) = result.scenes
    with rasterio.open(scene.mask) as dataset:
        assert (dataset.read(1) == IGNORE).mean() == share
    assert scene.border is None
    assert not any("border" in note for note in reporter.notes)
