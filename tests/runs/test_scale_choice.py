"""Scenes whose GSD nobody knows are shown at the scale at which turned views agree best."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import rasterio
from affine import Affine

from landslide_cli.core.arrays import Image, Valid
from landslide_cli.imagery.raster.preprocessing import Preprocessing
from landslide_cli.profile import Profile
from landslide_cli.runs import scale_choice
from landslide_cli.runs.run import Run
from landslide_cli.runs.scale_choice import with_chosen_scales
from landslide_cli.runs.scene_predictor import ScenePrediction
from tests.conftest import RecordingReporter

# The model of these tests knows landslides of 30 to 40 of its pixels.
KNOWN = range(30, 41)


@dataclass(frozen=True)
class Knows:
    """Marks bright ground of the size that it knows; of any other only the left half."""

    marks: bool = True

    def predict_image(
        self, image: Image, valid: Valid, preprocessing: Preprocessing
    ) -> ScenePrediction:
        assert preprocessing.scale == 1.0
        bright = image[..., 0] > 128
        cols = np.flatnonzero(bright.any(axis=0))
        if len(cols) and cols[-1] - cols[0] + 1 not in KNOWN:
            bright[:, (cols[0] + cols[-1]) // 2 :] = False
        foreground = 0.9 * (bright & self.marks).astype(np.float32)
        return ScenePrediction(np.dstack([1.0 - foreground, foreground]))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    preprocessing = Preprocessing(3, scale=0.25, gsd=2.0)
    return Run(tmp_path, tmp_path, 2, preprocessing, 0.5)


def scene(path: Path, landslide: int, side: int = 280) -> Path:
    """A dark scene with a bright square, whose corner is not in the middle."""
    image = np.full((side, side, 3), 40, np.uint8)
    image[20 : 20 + landslide, 30 : 30 + landslide] = 220
    cv2.imwrite(str(path), image)
    return path


@pytest.fixture
def chosen(run: Run, monkeypatch: pytest.MonkeyPatch) -> Any:
    def choose(*images: Path, model: Any = None, run: Run = run) -> list[Preprocessing]:
        monkeypatch.setattr(scale_choice, "load_predictor", lambda *_: model or Knows())
        result = with_chosen_scales(Profile(), run, images, RecordingReporter())
        return [result.preprocessing_of(image) for image in images]

    return choose


@pytest.mark.parametrize(("landslide", "scale"), [(18, 2.0), (35, 1.0), (70, 0.5), (140, 0.25)])
def test_scale_is_that_at_which_views_agree(
    landslide: int, scale: float, tmp_path: Path, chosen: Any
) -> None:
    (preprocessing,) = chosen(scene(tmp_path / "a.png", landslide))
    assert preprocessing.scale == scale
    assert preprocessing.resized_by == ("gsd or scale" if scale == 0.25 else "agreement")


def test_each_scene_has_its_own(tmp_path: Path, chosen: Any) -> None:
    images = [scene(tmp_path / f"{size}.png", size) for size in (35, 70)]
    assert [preprocessing.scale for preprocessing in chosen(*images)] == [1.0, 0.5]


def test_scene_in_which_nothing_is_marked_keeps_the_scale(tmp_path: Path, chosen: Any) -> None:
    (preprocessing,) = chosen(scene(tmp_path / "a.png", 35), model=Knows(marks=False))
    assert preprocessing.scale == 0.25


@pytest.mark.parametrize(
    "change", [{"resized_by": "scale"}, {"gsd": None}, {"own_gsd": 0.5}, {"resized_by": "gsd"}]
)
def test_what_is_known_or_given_is_not_chosen(
    change: dict[str, Any], tmp_path: Path, run: Run, chosen: Any
) -> None:
    known = replace(run, preprocessing=replace(run.preprocessing, **change))
    (preprocessing,) = chosen(scene(tmp_path / "a.png", 35), run=known)
    assert preprocessing == known.preprocessing


def test_a_georeferenced_scene_and_what_cannot_be_read_are_left_alone(
    tmp_path: Path, run: Run, chosen: Any
) -> None:
    with (
        rasterio.open(
            tmp_path / "a.tif",
            "w",
            driver="GTiff",
            width=280,
            height=280,
            count=3,
            dtype="uint8",
            crs="EPSG:32648",
            transform=Affine(0.5, 0, 5e5, 0, -0.5, 3_400_000),
        ) as file,
        rasterio.open(scene(tmp_path / "b.png", 35)) as plain,
    ):
        file.write(plain.read())
    (tmp_path / "c.png").write_bytes(b"no image")
    both = chosen(tmp_path / "a.tif", tmp_path / "c.png")
    assert both == [run.preprocessing, run.preprocessing]


def test_windows_of_a_large_scene_are_enough(tmp_path: Path, chosen: Any) -> None:
    image = np.full((2600, 2600, 3), 40, np.uint8)
    for row, col in ((200, 210), (1290, 1250), (2300, 2350)):
        image[row : row + 35, col : col + 35] = 220
    cv2.imwrite(str(tmp_path / "large.png"), image)
    (preprocessing,) = chosen(tmp_path / "large.png")
    assert preprocessing.scale == 1.0


def test_a_link_to_itself_is_no_scene(tmp_path: Path, run: Run, chosen: Any) -> None:
    (tmp_path / "a.png").symlink_to("a.png")
    assert chosen(tmp_path / "a.png", scene(tmp_path / "b.png", 35))[0] == run.preprocessing
