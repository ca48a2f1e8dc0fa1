"""`source.labels`: from polygons on an orthophoto to the masks that later steps read."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyogrio import raw

from landslide_cli.core.palette import IGNORE
from landslide_cli.dataset.prepared import prepared_pair
from landslide_cli.dataset.sources import labelled_scenes_of
from landslide_cli.errors import ChangedError, DataError
from landslide_cli.profile import Profile, load_profile
from landslide_cli.stages.infer import infer_tiled
from landslide_cli.stages.prepare import prepare
from tests.conftest import RecordingReporter

SIDE = 128  # pixels of half a metre
LEFT, TOP = 400_000.0, 3_450_000.0

ProfileWith = Callable[..., Profile]


def ground(col: float, row: float, width: float, height: float) -> shapely.Geometry:
    """A rectangle of the ground by pixels of the orthophoto."""
    x, y = LEFT + col / 2, TOP - row / 2
    return shapely.box(x, y - height / 2, x + width / 2, y)


def write_orthophoto(path: Path, left: float = LEFT, crs: str | None = "EPSG:32648") -> None:
    """An orthophoto whose first eight columns are transparent."""
    image = np.random.default_rng(1).integers(0, 255, (4, SIDE, SIDE), np.uint8)
    image[3] = 255
    image[3, :, :8] = 0
    transform = Affine(0.5, 0, left, 0, -0.5, TOP) if crs else Affine.identity()
    how = {"width": SIDE, "height": SIDE, "count": 4, "dtype": "uint8", "photometric": "RGB"}
    path.parent.mkdir(exist_ok=True)
    with rasterio.open(
        path, "w", driver="GTiff", alpha="YES", crs=crs, transform=transform, **how
    ) as file:
        file.write(image)


def write_layer(
    path: Path,
    shapes: list[Any],
    kinds: list[Any] | dict[str, list[Any]] | None = None,
    crs: str = "EPSG:32648",
) -> None:
    """Write polygons with the values of the field `kind`, or of several fields by their names."""
    fields = kinds if isinstance(kinds, dict) else {} if kinds is None else {"kind": kinds}
    raw.write(
        path,
        shapely.to_wkb(shapes),
        [np.array(values, object) for values in fields.values()],
        list(fields),
        driver="GPKG",
        crs=crs,
        geometry_type="Unknown",
    )


@pytest.fixture
def profile_with(tmp_path: Path) -> ProfileWith:
    """A profile of the orthophotos in `images` and the layer `slides.gpkg`."""

    def load(*sets: str) -> Profile:
        path = tmp_path / "p.yaml"
        path.write_text(
            "name: own\n"
            f"source:\n  images: '{tmp_path}/images'\n"
            f"  labels: {{files: '{tmp_path}/slides.gpkg'}}\n"
            f"dataset: '{tmp_path}/dataset'\n"
            "classes:\n"
            "  - {name: background, colour: [0, 0, 0]}\n"
            "  - {name: slide, colour: [255, 0, 255]}\n"
            "  - {name: flow, colour: [255, 200, 0]}\n"
            "prepare: {tile: 128, workers: 1}\n"
        )
        return load_profile(path, [f"source.labels.{entry}" for entry in sets])

    return load


def mask_of(profile: Profile) -> NDArray[np.uint8]:
    (scene,) = labelled_scenes_of(profile)
    return prepared_pair(profile, scene)[1]


def test_polygons_are_the_labels_and_transparent_pixels_have_none(
    tmp_path: Path, profile_with: ProfileWith
) -> None:
    write_orthophoto(tmp_path / "images" / "a.tif")
    write_layer(tmp_path / "slides.gpkg", [ground(20, 30, 40, 10), ground(0, 0, 10, 10)])
    result = prepare(profile_with())
    mask = mask_of(profile_with())
    assert (mask[:, :8] == IGNORE).all()
    assert (mask[30:40, 20:60] == 1).all()
    assert (mask == 1).sum() == 400 + 20
    assert result.class_pixels == {"background": SIDE * 120 - 420, "slide": 420, "flow": 0}


def test_a_field_says_the_class_and_null_leaves_ground_without_a_label(
    tmp_path: Path, profile_with: ProfileWith
) -> None:
    write_orthophoto(tmp_path / "images" / "a.tif")
    shapes = [ground(20, 20, 10, 10), ground(40, 20, 10, 10), ground(60, 20, 10, 10)]
    write_layer(tmp_path / "slides.gpkg", shapes, ["s", "f", "?"])
    profile = profile_with("class={field: kind, values: {s: slide, f: flow, '?': null}}")
    prepare(profile)
    assert mask_of(profile)[25, [25, 45, 65, 75]].tolist() == [1, 2, IGNORE, 0]


def test_values_without_a_class_are_named(tmp_path: Path, profile_with: ProfileWith) -> None:
    write_orthophoto(tmp_path / "images" / "a.tif")
    write_layer(tmp_path / "slides.gpkg", [ground(20, 20, 10, 10)] * 3, ["s", "fall", "fall"])
    with pytest.raises(DataError, match=r"'fall' \(2 polygons\)"):
        prepare(profile_with("class={field: kind, values: {s: slide}}"))
    assert not (tmp_path / "dataset").exists()


def test_area_and_edge_take_labels_away(tmp_path: Path, profile_with: ProfileWith) -> None:
    write_orthophoto(tmp_path / "images" / "a.tif")
    write_layer(tmp_path / "slides.gpkg", [ground(20, 20, 40, 40)])
    write_layer(tmp_path / "area.gpkg", [ground(0, 0, 100, 128)])
    profile = profile_with(f"area={tmp_path}/area.gpkg", "edge=1 m")
    prepare(profile)
    mask = mask_of(profile)
    assert (mask[:, 100:] == IGNORE).all()
    assert mask[40, 16:26].tolist() == [0, 0, *[IGNORE] * 4, 1, 1, 1, 1]


def test_what_became_of_the_polygons_is_told(tmp_path: Path, profile_with: ProfileWith) -> None:
    write_orthophoto(tmp_path / "images" / "a.tif")
    write_orthophoto(tmp_path / "images" / "b.tif", left=LEFT + 1000)
    bow = shapely.Polygon([(LEFT + 5, TOP - 5), (LEFT + 15, TOP - 15), (LEFT + 15, TOP - 5)])
    crossed = shapely.Polygon(
        [*bow.exterior.coords[:2], (LEFT + 5, TOP - 15), (LEFT + 15, TOP - 5)]
    )
    shapes = [ground(20, 20, 9, 9), ground(90.1, 9.1, 0.5, 0.5), ground(-90, 0, 9, 9), crossed]
    write_layer(tmp_path / "slides.gpkg", [*shapes, shapely.Point(LEFT + 1, TOP - 1)])
    reporter = RecordingReporter()
    prepare(profile_with(), reporter=reporter)
    assert "3 polygons laid on 2 scenes; 1 repaired; 1 on no scene; 1 scene without any" in (
        reporter.notes
    )
    assert any("left out 1 points" in warning for warning in reporter.warnings)
    assert any("1 polygon of less than a pixel" in warning for warning in reporter.warnings)


def test_scenes_without_a_polygon_may_be_an_error(
    tmp_path: Path, profile_with: ProfileWith
) -> None:
    write_orthophoto(tmp_path / "images" / "a.tif")
    write_orthophoto(tmp_path / "images" / "b.tif", left=LEFT + 1000)
    write_layer(tmp_path / "slides.gpkg", [ground(20, 20, 9, 9)])
    with pytest.raises(DataError, match=r"b\.tif: has no polygon; set source.labels.empty"):
        prepare(profile_with("empty=error"))
    assert not (tmp_path / "dataset" / "labels").exists()


def test_scenes_without_georeference_take_no_polygons(
    tmp_path: Path, profile_with: ProfileWith
) -> None:
    write_orthophoto(tmp_path / "images" / "a.tif", crs=None)
    write_layer(tmp_path / "slides.gpkg", [ground(20, 20, 9, 9)])
    with pytest.raises(DataError, match=r"a\.tif: has no georeference"):
        prepare(profile_with())


def test_polygons_of_a_local_crs_lie_on_scenes_of_it_alone(
    tmp_path: Path, profile_with: ProfileWith
) -> None:
    site = 'LOCAL_CS["site",UNIT["metre",1]]'
    write_orthophoto(tmp_path / "images" / "a.tif", crs=site)
    write_layer(tmp_path / "slides.gpkg", [ground(20, 30, 40, 10)], crs=site)
    result = prepare(profile_with())
    assert result.class_pixels["slide"] == 400
    write_orthophoto(tmp_path / "images" / "a.tif")
    with pytest.raises(DataError, match=r"slides\.gpkg: cannot be laid on .*a\.tif: a local CRS"):
        prepare(profile_with(), overwrite=True)


def test_edited_polygons_are_noticed_and_laid_anew_on_request(
    tmp_path: Path, profile_with: ProfileWith
) -> None:
    write_orthophoto(tmp_path / "images" / "a.tif")
    write_layer(tmp_path / "slides.gpkg", [ground(20, 20, 10, 10)])
    assert not prepare(profile_with()).unchanged
    assert prepare(profile_with()).unchanged
    (tmp_path / "slides.gpkg").unlink()
    write_layer(tmp_path / "slides.gpkg", [ground(20, 20, 10, 20)])
    with pytest.raises(ChangedError, match=r"slides\.gpkg \(edited\)"):
        prepare(profile_with())
    prepare(profile_with(), overwrite=True)
    assert (mask_of(profile_with()) == 1).sum() == 200


def test_before_prepare_the_other_commands_ask_for_it(
    tmp_path: Path, profile_with: ProfileWith
) -> None:
    write_orthophoto(tmp_path / "images" / "a.tif")
    write_layer(tmp_path / "slides.gpkg", [ground(20, 20, 10, 10)])
    with pytest.raises(DataError, match="run `landslide prepare` first"):
        labelled_scenes_of(profile_with())


def test_a_missing_layer_is_named(tmp_path: Path, profile_with: ProfileWith) -> None:
    write_orthophoto(tmp_path / "images" / "a.tif")
    with pytest.raises(DataError, match=r"slides\.gpkg: no such file"):
        prepare(profile_with())


def test_layers_by_a_pattern_are_laid_together(tmp_path: Path, profile_with: ProfileWith) -> None:
    write_orthophoto(tmp_path / "images" / "a.tif")
    write_layer(tmp_path / "north.gpkg", [ground(20, 20, 10, 10)])
    write_layer(tmp_path / "south.gpkg", [ground(20, 90, 10, 10)])
    profile = profile_with(f"files={tmp_path}/*th.gpkg")
    prepare(profile)
    assert (mask_of(profile) == 1).sum() == 200


def test_of_several_layers_some_may_be_empty(tmp_path: Path, profile_with: ProfileWith) -> None:
    write_orthophoto(tmp_path / "images" / "a.tif")
    write_layer(tmp_path / "north.gpkg", [ground(20, 20, 10, 10)])
    write_layer(tmp_path / "south.gpkg", [])
    profile, reporter = profile_with(f"files={tmp_path}/*th.gpkg"), RecordingReporter()
    prepare(profile, reporter=reporter)
    assert (mask_of(profile) == 1).sum() == 100
    assert "1 polygon laid on 1 scene; 1 layer without any" in reporter.notes
    write_layer(tmp_path / "north.gpkg", [])
    with pytest.raises(DataError, match="and 1 layer more: no polygon in any"):
        prepare(profile, overwrite=True)
    assert (mask_of(profile) == 1).sum() == 100


def test_what_the_filter_leaves_out_is_told(tmp_path: Path, profile_with: ProfileWith) -> None:
    write_orthophoto(tmp_path / "images" / "a.tif")
    write_layer(tmp_path / "slides.gpkg", [ground(20, 20, 10, 10)] * 3, ["s", "fall", "fall"])
    reporter = RecordingReporter()
    prepare(profile_with("where=kind = 's'"), reporter=reporter)
    assert any("2 left out by source.labels.where, as background" in n for n in reporter.notes)


def test_values_of_a_field_may_be_the_names_of_classes(
    tmp_path: Path, profile_with: ProfileWith
) -> None:
    write_orthophoto(tmp_path / "images" / "a.tif")
    shapes = [ground(20, 20, 10, 10), ground(60, 60, 10, 10)]
    write_layer(tmp_path / "slides.gpkg", shapes, ["flow", "slide"])
    profile = profile_with("class={field: kind}")
    prepare(profile)
    mask = mask_of(profile)
    assert (mask[25, 25], mask[65, 65]) == (2, 1)


@pytest.mark.parametrize("checked", [[True, False], [True, None]])
def test_polygons_that_nobody_has_checked_may_have_no_label(
    tmp_path: Path, profile_with: ProfileWith, checked: list[bool | None]
) -> None:
    write_orthophoto(tmp_path / "images" / "a.tif")
    shapes = [ground(20, 20, 10, 10), ground(60, 60, 10, 10)]
    known = np.array([value is True for value in checked])
    unknown = np.array([value is None for value in checked])
    raw.write(
        tmp_path / "slides.gpkg",
        shapely.to_wkb(shapes),
        [known],
        ["checked"],
        field_mask=[unknown],
        driver="GPKG",
        crs="EPSG:32648",
        geometry_type="Polygon",
    )
    profile = profile_with("class={field: checked, values: {1: slide, 0: null, 'null': null}}")
    prepare(profile)
    mask = mask_of(profile)
    assert (mask[25, 25], mask[65, 65], mask[100, 100]) == (1, IGNORE, 0)


def test_polygons_of_a_map_are_labels_and_a_map_nobody_has_corrected_is_warned_of(
    tmp_path: Path, profile_with: ProfileWith, bright: ProfileWith
) -> None:
    scene = tmp_path / "images" / "a.tif"
    write_orthophoto(scene)
    with rasterio.open(scene, "r+") as file:
        image = np.random.default_rng(2).integers(0, 255, (3, 16, 16), np.uint8)
        file.write(image.repeat(8, axis=1).repeat(8, axis=2), [1, 2, 3])
    infer_tiled(bright(), [str(scene)], output=tmp_path / "maps")
    layer = tmp_path / "maps" / "a_landslides.gpkg"
    reporter = RecordingReporter()
    profile = profile_with(f"files={layer}")
    prepare(profile, reporter=reporter)
    with rasterio.open(tmp_path / "maps" / "a_mask.tif") as file:
        np.testing.assert_array_equal(mask_of(profile), file.read(1))
    assert any("learns the mistakes of the model" in warning for warning in reporter.warnings)
    write_layer(tmp_path / "examined.gpkg", [ground(0, 0, SIDE, SIDE)])
    reporter = RecordingReporter()
    checked = profile_with(f"files={layer}", f"area={tmp_path}/examined.gpkg")
    prepare(checked, overwrite=True, reporter=reporter)
    assert not any("learns the mistakes" in warning for warning in reporter.warnings)


def test_a_large_scene_is_labelled_window_by_window(
    tmp_path: Path, profile_with: ProfileWith, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("landslide_cli.imagery.vector.label_masks.SIDE", 48)
    write_orthophoto(tmp_path / "images" / "a.tif")
    write_layer(tmp_path / "slides.gpkg", [ground(20, 20, 90, 90)])
    prepare(profile_with())
    mask = mask_of(profile_with())
    assert (mask[20:110, 20:110] == 1).all()
    assert (mask == 1).sum() == 8100
