"""Scenes with a georeference that is local, incomplete or of no use: what is mapped, and said."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine

from landslide_cli.profile import Profile
from landslide_cli.stages.infer import infer_tiled
from landslide_cli.stages.infer.result import InferResult, MappedScene
from tests.conftest import RecordingReporter
from tests.imagery.raster.control import STRAIGHT, TURNED, gcps, rpcs
from tests.stages.infer.cases import values_of

Write = Callable[..., Path]
Bright = Callable[..., Profile]
MapIt = Callable[..., InferResult]

SHAPE = ROWS, COLS = 96, 160
LANDSLIDE = 30 * 60  # pixels
NORTH_UP = Affine(0.5, 0, 100, 0, -0.5, 500)
LOCAL = {"crs": 'LOCAL_CS["site",UNIT["metre",1]]', "transform": NORTH_UP}
GCPS = gcps(TURNED, ROWS, COLS)
BY_POINTS = (
    "placed by ground control points alone: its GSD is estimated from them, the maps keep them, "
    "areas are in pixels; infer.warp=true maps it warped, in square metres"
)


@pytest.fixture
def mapped(tmp_path: Path, reporter: RecordingReporter) -> MapIt:
    def run(profile: Profile, *images: Path) -> InferResult:
        paths = [str(image) for image in images]
        return infer_tiled(profile, paths, output=tmp_path / "maps", reporter=reporter)

    return run


def total(scene: MappedScene) -> tuple[float, str]:
    return scene.totals[0].area, scene.unit


def test_a_scene_in_a_local_crs_is_mapped_in_square_metres_at_the_gsd_of_the_model(
    bright_at: Bright, plant: Write, mapped: MapIt, reporter: RecordingReporter
) -> None:
    result = mapped(bright_at(), plant("a.tif", **LOCAL))
    (scene,) = result.scenes
    assert scene.unit == "m2"
    assert scene.totals[0].area == pytest.approx(LANDSLIDE / 4, rel=0.05)
    assert scene.scale.scale_factors == pytest.approx((0.25, 0.25))
    assert scene.gsd == pytest.approx(0.5)
    assert "a: has a local CRS: areas are in square metres of its plane" in reporter.notes
    assert reporter.warnings == []
    with rasterio.open(scene.mask) as mask:
        assert "site" in mask.crs.to_wkt()
        assert mask.transform == NORTH_UP


def test_ground_control_points_alone_are_kept_and_tell_the_scale_but_no_area(
    bright_at: Bright, plant: Write, mapped: MapIt, reporter: RecordingReporter
) -> None:
    profile, path = bright_at("infer.probability=percent"), plant("a.tif", **GCPS)
    for unchanged in (False, True):
        reporter.notes.clear()
        (scene,) = mapped(profile, path).scenes
        assert scene.unchanged is unchanged
        assert reporter.notes[-2:] == ["the model sees 2 m per pixel", f"a: {BY_POINTS}"]
        assert reporter.warnings == []
    assert scene.unit == "px"
    assert scene.totals[0].area == pytest.approx(LANDSLIDE, rel=0.05)
    assert scene.scale.scale_factors == pytest.approx((0.25, 0.25), rel=1e-3)
    assert json.loads(json.dumps(scene.document()))["notes"] == [BY_POINTS]
    for kind in ("mask", "probability"):
        with rasterio.open(scene.files[kind]) as file:
            assert (file.shape, len(file.gcps[0]), file.crs) == (SHAPE, 4, None)
            assert file.gcps[1].to_epsg() == 32648


@pytest.mark.parametrize(
    ("control", "epsg", "pixel"),
    [(GCPS, 32648, 0.25 / 0.9996**2), (rpcs(ROWS, COLS, 5e-6), 32648, 0.26554)],
    ids=["points", "rpcs"],
)
def test_a_scene_is_warped_by_its_control_and_mapped_in_square_metres(
    bright: Bright,
    plant: Write,
    mapped: MapIt,
    reporter: RecordingReporter,
    control: dict[str, Any],
    epsg: int,
    pixel: float,
) -> None:
    (scene,) = mapped(bright("infer.warp=true"), plant("a.tif", **control)).scenes
    area, unit = total(scene)
    assert unit == "m2"
    assert area == pytest.approx(LANDSLIDE * pixel, rel=0.03)
    size = f"{scene.width} x {scene.height}"
    assert reporter.notes[-1] == (
        f"a: warped by its ground control points or RPCs: the maps have {size} pixels"
    )
    with rasterio.open(scene.mask) as mask:
        assert mask.shape == (scene.height, scene.width)
        assert mask.crs.to_epsg() == epsg
        assert (mask.gcps[0], mask.rpcs) == ([], None)
        # What is no scene is no data.
        assert scene.gsd is not None
        covered = ROWS * COLS * pixel / scene.gsd**2
        assert (mask.read(1) != 255).sum() == pytest.approx(covered, rel=0.03)


def test_a_scene_is_mapped_again_when_it_is_to_be_warped(
    bright: Bright, plant: Write, mapped: MapIt
) -> None:
    path = plant("a.tif", **GCPS)
    assert mapped(bright(), path).scenes[0].unit == "px"
    (warped,) = mapped(bright("infer.warp=true"), path).scenes
    assert (warped.unit, warped.unchanged) == ("m2", False)


@pytest.mark.parametrize(
    ("options", "note"),
    [
        ({}, None),
        (
            {"crs": "EPSG:32648", "transform": Affine(0, 0, 5e5, 0, 0, 3e6)},
            "has a transform that gives pixels no size: mapped without it, areas are in pixels",
        ),
        ({"crs": "EPSG:32648"}, "has a CRS and no transform: areas are in pixels"),
        (
            {"transform": NORTH_UP},
            "has a transform and no known CRS: areas are in pixels; give it one, as by "
            "rio edit-info --crs EPSG:32648",
        ),
        (
            {"gcps": gcps(STRAIGHT, ROWS, COLS)["gcps"][:2], "crs": "EPSG:32648"},
            "placed by ground control points alone, which do not tell where: the maps keep them, "
            "areas are in pixels",
        ),
    ],
    ids=["none", "no size", "crs", "transform", "two points"],
)
@pytest.mark.parametrize("warp", ["false", "true"])
def test_what_does_not_tell_where_a_scene_lies_is_said_and_the_scene_mapped_in_pixels(
    bright_at: Bright,
    plant: Write,
    mapped: MapIt,
    reporter: RecordingReporter,
    options: dict[str, Any],
    note: str | None,
    warp: str,
) -> None:
    (scene,) = mapped(bright_at(f"infer.warp={warp}"), plant("a.tif", **options)).scenes
    assert scene.unit == "px"
    assert scene.totals[0].area == pytest.approx(LANDSLIDE, rel=0.05)
    assert reporter.notes == ([] if note is None else [f"a: {note}"])
    (warning,) = reporter.warnings
    assert warning.startswith("a: GSD not known, so resized by 0.25, right for 0.5 m per pixel")
    assert values_of(scene.mask).shape == SHAPE
    if "transform" not in options or note is None or "no size" in note:
        assert "mask_png" in scene.files


@pytest.mark.parametrize("crs", ["EPSG:32648", LOCAL["crs"]])
@pytest.mark.parametrize(
    "transform",
    [
        Affine(0.5, 0, 500_000, 0, 0.5, 3_400_000),
        Affine(-0.5, 0, 500_000, 0, -0.5, 3_400_000),
        Affine(0, 0.5, 500_000, 0.5, 0, 3_400_000),
        TURNED @ Affine.shear(20, 0),
    ],
    ids=["south up", "mirrored", "transposed", "sheared"],
)
def test_areas_and_polygons_hold_in_south_up_mirrored_and_sheared_scenes(
    bright: Bright,
    plant: Write,
    mapped: MapIt,
    read_polygons: Callable[[Path], Any],
    crs: str,
    transform: Affine,
) -> None:
    (scene,) = mapped(bright(), plant("a.tif", crs=crs, transform=transform)).scenes
    metre = 1 / 0.9996 if crs.startswith("EPSG") else 1.0
    assert total(scene)[0] == pytest.approx(LANDSLIDE / 4 * metre**2, rel=1e-5)
    layer = read_polygons(scene.files["polygons"])
    (geometry,) = layer.geometries
    corners = [transform @ corner for corner in ((30, 20), (90, 20), (90, 50), (30, 50))]
    (polygon,) = geometry.geoms
    expected = np.array(corners)
    distances = np.linalg.norm(np.array(polygon.exterior.coords)[:, None] - expected[None], axis=-1)
    assert distances.min(axis=0).max() < 1e-6
    assert geometry.is_valid
