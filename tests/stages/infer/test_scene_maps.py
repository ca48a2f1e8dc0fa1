"""The files of a scene with several classes, of which some are the foreground."""

from pathlib import Path

import numpy as np
import pyogrio
import rasterio
from affine import Affine

from landslide_cli.core.palette import IGNORE, Palette
from landslide_cli.imagery.raster.georeference import Georeference
from landslide_cli.imagery.vector.polygon_files import read_table
from landslide_cli.runs.map_outputs import Outputs
from landslide_cli.stages.infer.mapper import Band
from landslide_cli.stages.infer.scene_maps import SceneFacts, SceneMaps
from tests.imagery.vector.shapes import ORIGIN

PALETTE = Palette(
    ("none", "roofs", "roads", "water"),
    ((0, 0, 0), (181, 0, 0), (135, 135, 135), (0, 168, 255)),
    chosen=(1, 3),
    ignores_background=True,
)


def test_polygons_are_of_the_foreground_and_the_mask_of_all_classes(tmp_path: Path) -> None:
    mask = np.full((24, 32), 2, np.uint8)
    mask[2:8, 2:10], mask[12:20, 4:12], mask[4:9, 20:26] = 1, 3, 1
    mask[-1] = IGNORE
    facts = SceneFacts(ORIGIN.scene, 24, 32, Georeference(), ORIGIN)
    maps = SceneMaps(tmp_path, facts, PALETTE, Outputs(formats=("gpkg", "csv")))
    maps.picture.put(0, 0, np.zeros((24, 32, 3), np.uint8))
    with maps:
        maps.add(Band(0, 0, mask, np.where(mask == 2, 0.1, 0.9).astype(np.float32)))
    summary = maps.finish()
    layer = tmp_path / f"{ORIGIN.scene}_polygons.gpkg"
    assert summary.files["gpkg"] == layer.name
    assert summary.files["csv"] == layer.with_suffix(".csv").name
    assert pyogrio.list_layers(layer)[0][0] == "polygons"
    table = read_table(layer)
    assert sorted(table.fields["class"]) == ["roofs", "roofs", "water"]
    totals = {total.name: (total.landslides, total.area) for total in summary.totals}
    assert totals == {"roofs": (2, 48.0 + 30.0), "water": (1, 64.0)}
    assert list(summary.class_shares) == ["roofs", "roads", "water"]
    with rasterio.open(tmp_path / summary.files["mask"]) as dataset:
        np.testing.assert_array_equal(dataset.read(1), mask)
        colours = dataset.colormap(1)
    assert [colours[index][:3] for index in (1, 2, 3)] == list(PALETTE.colours[1:])
    style = (tmp_path / summary.files["mask_style"]).read_text(encoding="utf-8")
    assert 'label="roads"' in style
    assert 'label="none"' not in style


def test_polygons_cover_at_most_all_of_a_scene(tmp_path: Path) -> None:
    # In degrees the polygons are measured in another plane than the pixels.
    place = Georeference("EPSG:4326", Affine(0.01, 0, 100, 0, -0.01, 60))
    facts = SceneFacts(ORIGIN.scene, 24, 32, place, ORIGIN)
    maps = SceneMaps(tmp_path, facts, PALETTE, Outputs(formats=("gpkg",)))
    maps.picture.put(0, 0, np.zeros((24, 32, 3), np.uint8))
    mask, probability = np.full((24, 32), 1, np.uint8), np.full((24, 32), 0.9, np.float32)
    mask[5:9, 5:9] = IGNORE
    with maps:
        maps.add(Band(0, 0, mask, probability))
    (roofs, _) = maps.finish().totals
    assert 0.9 < roofs.share <= 1.0
