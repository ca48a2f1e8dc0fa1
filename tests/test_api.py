"""The package as it is used from Python."""

import doctest
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine

import landslide_cli
from landslide_cli import LandslideError, LandslideWarning, load_profile, map_scenes, predict
from landslide_cli.imagery.raster.images import write_image, write_mask
from landslide_cli.profile import Profile
from tests.models import planted_image

Bright = Callable[..., Profile]
Write = Callable[..., Path]

SHAPE, PLACE = (96, 160), np.s_[20:50, 30:90]


@pytest.fixture
def image() -> np.ndarray:
    return planted_image(SHAPE, [PLACE])


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = (
        "import sys, landslide_cli; light = set(sys.modules);"
        "from landslide_cli import load_profile, predict, map_scenes, evaluate; load_profile();"
        "print({'numpy', 'pydantic'} & light, {'tensorflow', 'keras', 'cv2', 'rasterio', "
        "'matplotlib', 'openvino', 'geopandas', 'rich'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set() set()\n"


def test_names_of_the_package_are_listed_and_others_refused() -> None:
    assert {"predict", "map_scenes", "evaluate", "load_profile"} <= set(dir(landslide_cli))
    with pytest.raises(AttributeError, match="no attribute 'predictions'"):
        landslide_cli.predictions  # noqa: B018


def test_profile_is_loaded_from_text_or_path_with_values_by_key(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("name: mine\n", encoding="utf-8")
    values = {"infer.threshold": 0.4, "run": tmp_path / "run", "infer.bands": [3, 2, 1]}
    profile = load_profile(str(path), values)
    assert (profile.infer.threshold, profile.run) == (0.4, tmp_path / "run")
    assert profile.infer.bands == [3, 2, 1]
    assert load_profile(path, ["infer.threshold=0.4"]).infer.threshold == 0.4
    assert load_profile().model.weights == "landslide"


def test_array_and_file_are_predicted_alike(
    bright: Bright, write_raster: Write, image: np.ndarray
) -> None:
    path = write_raster("scene.tif", image)
    of_array, of_file = predict(image, bright()), predict(str(path), bright())
    assert of_array.shape == SHAPE
    assert of_array.dtype == np.float32
    np.testing.assert_array_equal(of_array, of_file)
    assert (of_array > 0.5).sum() == 30 * 60
    assert (of_array[PLACE] > 0.5).all()


def test_array_is_resized_by_its_gsd_as_a_georeferenced_file_is(
    bright_at: Callable[..., Profile], write_raster: Write, image: np.ndarray
) -> None:
    place = {"crs": "EPSG:32648", "transform": Affine(1, 0, 400_000, 0, -1, 3_400_000)}
    path, profile = write_raster("scene.tif", image, **place), bright_at()
    with warnings.catch_warnings():
        warnings.simplefilter("error", LandslideWarning)
        of_array, of_file = predict(image, profile, gsd=1.0), predict(path, profile)
    np.testing.assert_array_equal(of_array, of_file)
    with pytest.warns(LandslideWarning, match="taken as .* m per pixel; give gsd"):
        predict(image, profile)
    with pytest.warns(LandslideWarning, match="expect most landslides to be missed"):
        predict(image, profile, gsd=5.0)


def test_pixels_without_data_are_nan(bright: Bright, image: np.ndarray) -> None:
    valid = np.ones(SHAPE, np.bool_)
    valid[:25] = False
    probability = predict(image, bright(), valid=valid)
    np.testing.assert_array_equal(np.isnan(probability), ~valid)
    assert (probability[25:50, 30:90] > 0.5).all()


def test_several_classes_have_a_channel_each(
    bright: Bright, save_bright: Callable[..., None], tmp_path: Path, image: np.ndarray
) -> None:
    save_bright(tmp_path / "model.keras", outputs=3)
    names = ("background", "slide", "debris")
    classes = [{"name": n, "colour": [60 * i, 0, 0]} for i, n in enumerate(names)]
    profile = bright(f"run={tmp_path}", f"classes={classes}", "infer.engine=tensorflow")
    probability = predict(image[..., :3], profile)
    assert probability.shape == (*SHAPE, 3)
    np.testing.assert_allclose(probability.sum(axis=-1), 1.0, rtol=1e-5)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda image: image / 255.0, "uint8, not .* float64; scale its values"),
        (lambda image: np.moveaxis(image, -1, 0), "bands come first: np.moveaxis"),
        (lambda image: image[..., 0], r"\(height, width, 3\)"),
        (lambda image: image[:0], r"\(height, width, 3\)"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(
    bright: Bright, image: np.ndarray, change: Callable[[Any], Any], says: str
) -> None:
    with pytest.raises(LandslideError, match=says):
        predict(change(image), bright())


def test_valid_of_another_shape_and_gsd_of_a_file_are_refused(
    bright: Bright, image: np.ndarray
) -> None:
    with pytest.raises(LandslideError, match="valid: expected"):
        predict(image, bright(), valid=np.ones((3, 3), np.bool_))
    with pytest.raises(LandslideError, match="of arrays"):
        predict("scene.tif", bright(), gsd=1.0)
    with pytest.raises(LandslideError, match=r"nowhere\.tif: no such file"):
        predict("nowhere.tif", bright())


def test_scenes_are_mapped_and_one_that_fails_is_warned_of(
    bright: Bright, plant: Write, tmp_path: Path
) -> None:
    path = plant("good.tif")
    with pytest.warns(LandslideWarning, match="not mapped: .*nowhere"):
        maps = map_scenes([path, "nowhere.tif"], bright(), output=str(tmp_path / "maps"))
    assert maps.scenes[0].mask == tmp_path / "maps" / "good_mask.tif"
    assert "good" in maps._repr_html_()
    with pytest.raises(LandslideError, match="nowhere"):
        map_scenes("nowhere.tif", bright(), output=tmp_path / "maps")


def test_polygons_of_scenes_are_one_table(bright: Bright, plant: Write, tmp_path: Path) -> None:
    pytest.importorskip("geopandas")
    zones = {"a": "EPSG:32648", "b": "EPSG:32648", "c": "EPSG:32647", "d": None}
    transform = Affine(1, 0, 400_000, 0, -1, 3_400_000)
    paths = {
        name: plant(f"{name}.tif", **({"crs": crs, "transform": transform} if crs else {}))
        for name, crs in zones.items()
    }

    def table(names: str) -> Any:
        maps = map_scenes([paths[n] for n in names], bright(), output=tmp_path / names)
        return maps.to_geodataframe()

    same = table("ab")
    assert same.crs.to_epsg() == 32648
    assert sorted(same["scene"]) == ["a", "b"]
    assert same.area.tolist() == [1800.0, 1800.0]
    assert table("ac").crs.to_epsg() == 4326
    assert len(table("d")) == 1
    with pytest.raises(LandslideError, match="georeferenced"):
        table("ad")
    bare = map_scenes(paths["a"], bright("infer.polygons=none"), output=tmp_path / "bare")
    with pytest.raises(LandslideError, match=r"infer\.polygons"):
        bare.to_geodataframe()


def test_the_examples_of_the_documentation_run(
    bright_folder: Path, plant: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    transform = Affine(0.5, 0, 400_000, 0, -0.5, 3_400_000)
    plant("ortho.tif", crs="EPSG:32648", transform=transform)
    for folder in ("images", "masks"):
        Path(folder).mkdir()
    for index, name in enumerate("ab"):
        scene = planted_image((64, 64), [np.s_[10:30, 10 : 40 + index]])
        write_image(tmp_path / "images" / f"{name}.png", scene)
        mask = (scene[..., 0] > 100).astype(np.uint8)
        write_mask(tmp_path / "masks" / f"{name}.png", mask, load_profile().palette)
    shutil.copytree(bright_folder / "run", "run")
    text = (bright_folder / "profile.yaml").read_text(encoding="utf-8")
    text = text.replace(f"{bright_folder}/", "")
    own = "source: {images: images, masks: masks}\nevaluate: {units: scenes, draws: 100}\n"
    Path("mine.yaml").write_text(text + own, encoding="utf-8")
    page = Path(__file__).parents[1] / "docs" / "python.md"
    results = doctest.testfile(str(page), module_relative=False, optionflags=doctest.FAIL_FAST)
    assert results.attempted > 10
    assert results.failed == 0
