"""The objects that `evaluate` scores as delivered are the polygons that `infer-tiled` writes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine

from landslide_cli.profile import Profile
from landslide_cli.stages.evaluate import evaluate
from landslide_cli.stages.infer import infer_tiled

SIDE = 80
# Pixels of 4 m2: what is mapped is dropped below 9 of them, and holes are filled below 5.
INFER = ("infer.min_area=36", "infer.fill_holes=20")


def image_of(mask: np.ndarray) -> np.ndarray:
    return np.where(mask[..., None] == 1, 250, 5).repeat(3, axis=2).astype(np.uint8)


@pytest.fixture
def profile(bright: Callable[..., Profile], write_raster: Callable[..., Path]) -> Profile:
    """A georeferenced scene with landslides, one without, and two of a source of background."""
    mapped = np.zeros((SIDE, SIDE), np.uint8)
    mapped[10:30, 10:30] = 1
    mapped[15:17, 15:17] = 0  # is filled
    mapped[20:25, 20:25] = 0  # stays
    mapped[22, 22] = 1  # a speck in a hole
    mapped[50:53, 10:12] = 1  # 6 pixels: is dropped
    mapped[60:70, 40:60] = 1
    truth = mapped.copy()
    truth[50:53, 10:12] = 0
    truth[40, 70:75] = 1  # 5 pixels: nobody could have delivered it
    empty = np.zeros_like(mapped)
    false = empty.copy()
    false[5:9, 5:9] = 1
    place = {"crs": "EPSG:32648", "transform": Affine(2, 0, 5e5, 0, -2, 3.4e6)}
    for name, image, mask in (("a", mapped, truth), ("b", false, empty)):
        write_raster(f"images/{name}.tif", image_of(image), **place)
        write_raster(f"masks/{name}.png", 255 * mask)
    for name in ("c", "d"):
        folder = write_raster(f"fields/{name}.png", image_of(false)).parents[1]
    labelled = f"{{images: {folder / 'images'}, masks: {folder / 'masks'}}}"
    fields = f"{{images: {folder / 'fields'}, masks: none, gsd: 0.5}}"
    return bright(
        *(f"source=[{labelled}, {fields}]", f"run={folder / 'run'}"),
        *("evaluate.units=scenes", "infer.gsd=null", *INFER),
    )


@pytest.fixture(autouse=True)
def run(bright_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "run").symlink_to(bright_folder / "run")


def test_delivered_objects_are_the_polygons_of_the_map(
    profile: Profile, tmp_path: Path, read_polygons: Callable[[Path], Any]
) -> None:
    result = evaluate(profile)
    objects = result.classes["landslide"].objects
    assert objects is not None
    delivered = objects["delivered"]
    assert {key: objects[key] for key in ("true", "found", "predicted", "false")} == {
        "true": 4,
        "found": 3,
        "predicted": 5,
        "false": 2,
    }
    infer_tiled(profile, [str(tmp_path / "images")], output=tmp_path / "maps")
    polygons = [
        len(read_polygons(tmp_path / "maps" / f"{name}_landslides.gpkg").geometries)
        for name in "ab"
    ]
    assert polygons == [2, 1]
    assert delivered["predicted"] == sum(polygons)
    assert (delivered["true"], delivered["found"], delivered["false"]) == (2, 2, 1)
    assert result.document()["delivered"] == {"min_area": 36.0, "fill_holes": 20.0}
    (details,) = [table for table in result.tables() if "in detail" in table.title]
    labels = [row[0] for row in details.rows]
    assert "as delivered, with infer.min_area 36, infer.fill_holes 20:" in labels

    # What is mapped on scenes without landslides is in square metres where they are known.
    alarms = result.document()["false_alarms"]
    each = [(line["scene"], line["scored"], line["objects"]) for line in alarms["each"]]
    assert each == [("b", True, 1), ("c", False, 1), ("d", False, 1)]
    assert [line["area"] for line in alarms["each"]] == pytest.approx([64, 4, 4], rel=1e-3)
    assert (alarms["unit"], alarms["mapped"]) == ("square metres", 3 * 16)
    assert result.with_landslides == 1
    assert [scene.scene for scene in result.worst] == ["a"]
