"""`landslide prepare --init`: a profile from a look at the data, which then works."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from rasterio.enums import ColorInterp

from landslide_cli.app import main
from landslide_cli.errors import LandslideError, OutputError
from landslide_cli.profile import Profile, load_profile
from landslide_cli.stages.prepare import prepare
from landslide_cli.stages.prepare.beginning import FirstProfileResult, write_first_profile
from tests.conftest import RecordingReporter
from tests.stages.prepare.test_labels import ground, write_layer, write_orthophoto

Array = np.ndarray[Any, Any]

RNG = np.random.default_rng(3)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    return tmp_path


def write_pairs(
    mask: np.ndarray[Any, Any], image_type: Any = np.uint8, suffix: str = ".png"
) -> None:
    for name in "abc":
        image = RNG.integers(0, 2000 if image_type == np.uint16 else 255, (64, 64, 3))
        cv2.imwrite(f"images/{name}{suffix}", image.astype(image_type))
        cv2.imwrite(f"masks/{name}.png", mask)


def begun(
    path: str | None = None, images: str = "images", labels: str = "masks"
) -> tuple[Profile, FirstProfileResult, list[str]]:
    reporter = RecordingReporter()
    result = write_first_profile(
        None if path is None else Path(path), images, labels, False, reporter
    )
    return load_profile(result.profile), result, reporter.notes


def painted(*classes: tuple[int, int, int]) -> Array:
    """A mask, black but for a square of each colour (blue, green, red)."""
    mask = np.zeros((64, 64, 3), np.uint8)
    for number, colour in enumerate(classes):
        mask[8 : 24 - number, 16 * number : 16 * number + 12] = colour
    return mask


def test_the_profile_of_an_orthophoto_and_its_inventory_prepares_them(here: Path) -> None:
    write_orthophoto(here / "images" / "valley.tif")
    shapes = [ground(20, 20, 30, 20), ground(70, 70, 20, 20), ground(90, 10, 10, 10)]
    shapes += [ground(110, 110, 4, 4)]
    write_layer(here / "inventory.gpkg", shapes, ["slide", "flow", "slide", "slide"])
    profile, result, notes = begun(images="images/valley.tif", labels="inventory.gpkg")
    assert result.profile == Path("valley.yaml")
    text = result.profile.read_text()
    assert "0.5 m per pixel" in text
    assert "kind: slide (3), flow (1)" in text
    assert any("1 scene cannot be divided" in note for note in notes)
    pixels = prepare(profile).class_pixels["landslide"]  # of 2 m, of an orthophoto of half a metre
    assert pixels == pytest.approx((30 * 20 + 20 * 20 + 10 * 10 + 4 * 4) / 16, rel=0.1)


def test_classes_by_a_field_can_be_had_by_uncommenting_a_line(here: Path) -> None:
    write_orthophoto(here / "images" / "valley.tif")
    shapes = [ground(20, 20, 30, 20), ground(70, 70, 9, 9), *[ground(90, 10, 5, 5)] * 2]
    write_layer(here / "inventory.gpkg", shapes, ["1", "2", "1", "2"])
    _, result, _ = begun(images="images/valley.tif", labels="inventory.gpkg")
    text = result.profile.read_text().replace("# class: {", "class: {")
    result.profile.write_text(text)
    pixels = prepare(load_profile(result.profile)).class_pixels["landslide"]
    assert pixels == pytest.approx((30 * 20 + 9 * 9 + 5 * 5) / 16, rel=0.1)


def test_colours_of_masks_become_classes_and_a_missing_gsd_is_asked_for(here: Path) -> None:
    write_pairs(painted((0, 128, 200), (255, 0, 0)))
    profile, _, notes = begun("own.yaml")
    assert [tuple(c.colour) for c in profile.classes] == [(0, 0, 0), (200, 128, 0), (0, 0, 255)]
    assert [c.name for c in profile.classes] == ["background", "class 1", "class 2"]
    assert profile.name == "own"
    assert any("source.gsd" in note for note in notes)
    with pytest.raises(LandslideError, match="GSD"):
        prepare(profile)


def test_gray_masks_of_two_values_are_background_and_landslide(here: Path) -> None:
    write_pairs(painted((255, 255, 255))[..., 0])
    profile, _, _ = begun()
    assert [c.name for c in profile.classes] == ["background", "landslide"]


def test_gray_masks_of_indices_have_as_many_classes(here: Path) -> None:
    write_pairs(painted((1, 1, 1), (3, 3, 3))[..., 0])
    profile, _, _ = begun()
    assert len(profile.classes) == 4


def test_jpeg_masks_take_the_nearest_of_their_main_colours(here: Path) -> None:
    mask = painted((0, 128, 200))
    write_pairs(mask)
    noise = RNG.integers(-9, 9, mask.shape)
    for name in "abc":
        cv2.imwrite(f"masks/{name}.png", np.clip(mask + noise, 0, 255).astype(np.uint8))
    profile, _, _ = begun()
    assert len(profile.classes) == 2
    assert profile.prepare.nearest_colour


def test_values_of_16_bits_get_a_range(here: Path) -> None:
    write_pairs(painted((255, 0, 255)), np.uint16, ".tif")
    profile, _, notes = begun()
    (source,) = profile.sources
    assert source.value_range == (0, 2047)
    assert any("value_range" in note for note in notes)


def test_fields_that_tell_no_class_are_not_suggested(here: Path) -> None:
    write_orthophoto(here / "images" / "valley.tif")
    fields: dict[str, list[Any]] = {
        "id": ["1", "2", "3", "3"],
        "area": ["10", "20", "30", "40"],
        "seen": ["2018-01-01", "2018-01-01", "2018-01-02", "2018-01-02"],
        "kind": ["slide", "slide", "flow", None],
    }
    write_layer(here / "inventory.gpkg", [ground(20, 20, 9, 9)] * 4, fields)
    _, result, _ = begun(images="images/valley.tif", labels="inventory.gpkg")
    suggested = [line for line in result.profile.read_text().splitlines() if "Classes by" in line]
    assert suggested == []
    fields["kind"][3] = "flow"
    (here / "inventory.gpkg").unlink()
    write_layer(here / "inventory.gpkg", [ground(20, 20, 9, 9)] * 4, fields)
    _, result, _ = begun("b.yaml", images="images/valley.tif", labels="inventory.gpkg")
    assert "Classes by the field kind: slide (2), flow (2)" in result.profile.read_text()


@pytest.mark.parametrize("dtype", ["uint16", "uint8"])
@pytest.mark.parametrize("has_colours", [True, False])
def test_bands_of_a_satellite_are_listed_and_prepared(
    here: Path, has_colours: bool, dtype: str
) -> None:
    for number, name in enumerate("abcd"):
        write_satellite(here / f"images/{name}.tif", number, has_colours, dtype)
        cv2.imwrite(f"masks/{name}.png", painted((255, 0, 255)))
    profile, _, notes = begun()
    assert (profile.composition is None) == (dtype == "uint8")
    assert profile.named_bands is not None
    bands = [(band.name, band.number) for band in profile.named_bands.inputs]
    colours = ["red", "green", "blue"] if has_colours else ["band1", "band2", "band3"]
    numbers = [3, 2, 1] if has_colours else [1, 2, 3]
    assert bands == [*zip(colours, numbers, strict=True), ("nir", 4)]
    assert profile.prepare.gsd == 3.0
    assert profile.model.weights is None
    assert profile.train.crop == 64
    assert (profile.train.augment.hue.probability > 0) == has_colours
    assert any("name the bands" in note for note in notes)
    assert prepare(profile).scenes == 4


def write_satellite(path: Path, seed: int, has_colours: bool, dtype: str) -> None:
    """Four bands of 8 bits, or of 12 in 16, of 3 m, of which the file describes the last."""
    most = 255 if dtype == "uint8" else 3000
    values = np.random.default_rng(seed).integers(0, most, (4, 64, 64), np.dtype(dtype))
    how = {"width": 64, "height": 64, "count": 4, "dtype": dtype, "photometric": "minisblack"}
    place = {"crs": "EPSG:32648", "transform": Affine(3, 0, 4e5 + 1000 * seed, 0, -3, 3.4e6)}
    with rasterio.open(path, "w", driver="GTiff", alpha="NO", **how, **place) as file:
        if has_colours:
            kinds = ("blue", "green", "red", "undefined")
            file.colorinterp = [ColorInterp[kind] for kind in kinds]
        file.set_band_description(4, "NIR")
        file.write(values)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        ("nowhere", "masks", "no image found"),
        ("images", "nowhere.gpkg", "no image found"),
        ("images", "masks", "no image found"),
    ],
)
def test_what_is_not_there_is_named_and_nothing_written(
    here: Path, images: str, labels: str, message: str
) -> None:
    with pytest.raises(LandslideError, match=message):
        begun(images=images, labels=labels)
    assert not list(here.glob("*.yaml"))


def test_a_profile_is_not_replaced_unless_asked(here: Path) -> None:
    write_pairs(painted((255, 0, 255)))
    Path("own.yaml").write_text("name: mine\n")
    with pytest.raises(OutputError, match=r"own.yaml: exists"):
        begun("own.yaml")
    assert main(["prepare", "own.yaml", "--init", "images", "masks", "--overwrite", "-q"]) == 0
    assert load_profile(Path("own.yaml")).classes[1].colour == (255, 0, 255)


def test_names_that_yaml_would_read_otherwise_are_quoted(here: Path) -> None:
    write_pairs(painted((255, 0, 255)))
    (here / "images").rename(here / "no: 'images' #1")
    profile, _, _ = begun("own.yaml", "no: 'images' #1")
    assert profile.sources[0].images == "no: 'images' #1"


def test_without_a_profile_other_uses_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".pre-commit-config.yaml").write_text("repos: []\n")
    assert main(["prepare"]) == 2
    assert capsys.readouterr().err == (
        "error: no profile named; write one by: landslide prepare my.yaml --init IMAGES MASKS\n"
    )


def test_polygons_in_degrees_are_told(here: Path) -> None:
    write_orthophoto(here / "images" / "valley.tif")
    write_layer(here / "inventory.gpkg", [shapely.box(400_010, 3_449_950, 400_030, 3_449_980)])
    _, result, _ = begun(images="images/valley.tif", labels="inventory.gpkg")
    assert "1 feature, EPSG:32648" in result.profile.read_text()
