"""What `evaluate` scores is what `infer-tiled` maps, pixel for pixel, and likewise for `show`."""

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray

from landslide_cli.core.arrays import Image
from landslide_cli.core.palette import IGNORE, Mask, Palette
from landslide_cli.imagery.raster.images import write_mask
from landslide_cli.profile import Profile
from landslide_cli.reporting import SilentReporter
from landslide_cli.runs.predictions import predictions
from landslide_cli.runs.run import find_run
from landslide_cli.runs.samples import samples_of
from landslide_cli.stages.evaluate import evaluate
from landslide_cli.stages.infer import infer_tiled
from landslide_cli.stages.show import show
from tests.conftest import RecordingReporter

Bright = Callable[..., Profile]
Masks = dict[str, NDArray[np.uint8]]

UTM = {"crs": "EPSG:32648", "transform": (0.5, 0, 5e5, 0, -0.5, 3.4e6)}

# Each setting of `infer` that changes what the model sees, or what is made of its answer.
SETTINGS = {
    "scale": ["infer.scale=0.6"],
    "GSD": ["infer.gsd=1.3"],
    "the model's GSD": ["infer.gsd=model"],
    "its scale": ["infer.gsd=null"],
    "bands": ["infer.bands=[4, 2, 1]"],
    "views": ["infer.tta=symmetries", "infer.scale=0.7"],
    "blur": ["infer.blur=0.8", "infer.tile=32", "infer.overlap=8"],
    "threshold": ["infer.threshold=0.37"],
    "bfloat16": ["infer.precision=bfloat16"],
    "TensorFlow": ["infer.engine=tensorflow", "infer.scale=0.6"],
    "windows": ["infer.tile=32", "infer.overlap=8", "infer.scale=0.8"],
    "all": ["infer.gsd=0.9", "infer.bands=[2, 4, 3]", "infer.tta=flips", "infer.threshold=0.6"],
}


@pytest.fixture
def labelled(
    bright_at: Bright,
    write_raster: Callable[..., Path],
    palette: Palette,
    tmp_path: Path,
) -> Bright:
    """A profile of two scenes of four bands, with a border without data and a mask."""
    rng = np.random.default_rng(7)
    rows, cols = np.mgrid[:90, :130]
    for index in range(2):
        waves = [np.sin(rows / (7 + band) + cols / (11 - band) + index) for band in range(4)]
        image = 128 + 90 * np.stack(waves, axis=-1) + rng.normal(0, 10, (90, 130, 4))
        image = image.clip(1, 255).astype(np.uint8)
        image[:, 115:] = image[:14] = 0
        options = {"photometric": "minisblack", "nodata": 0, **UTM}
        write_raster(f"images/s{index}.tif", image, **options)
        (tmp_path / "masks").mkdir(exist_ok=True)
        mask = (image[..., 0] > 140).astype(np.uint8)
        mask[40:44] = IGNORE
        mask[:14, :60] = 1
        write_mask(tmp_path / "masks" / f"s{index}.png", mask, palette)

    def load(*overrides: str) -> Profile:
        return bright_at(
            f"source.images={tmp_path / 'images'}",
            f"source.masks={tmp_path / 'masks'}",
            "infer.bands=[1, 2, 3]",
            "evaluate.units=scenes",
            "evaluate.draws=100",
            f"infer.output={tmp_path / 'maps'}",
            *overrides,
            scale=0.8,
            gsd=0.7,
            gsd_range=[0.65, 0.8],
        )

    return load


def mapped_masks(profile: Profile) -> Masks:
    masks = {}
    for scene in infer_tiled(profile, [str(profile.sources[0].images)]).scenes:
        with rasterio.open(scene.mask) as dataset:
            masks[scene.scene] = dataset.read(1)
    return masks


@pytest.mark.parametrize("overrides", list(SETTINGS.values()), ids=list(SETTINGS))
def test_the_mask_that_is_scored_is_the_one_that_is_mapped(
    labelled: Bright, overrides: list[str]
) -> None:
    profile = labelled(*overrides)
    run, quiet = find_run(profile), SilentReporter()
    samples = samples_of(profile, "test", None, quiet)
    masks = mapped_masks(profile)
    assert len(masks) == 2
    for scored in predictions(profile, run, samples, "scoring", quiet):
        mask = scored.predicted.mask(run.threshold)
        np.testing.assert_array_equal(mask, masks[scored.sample.name])
        assert (mask[:, 115:] == IGNORE).all()
        assert (mask[20:, :100] != IGNORE).all()
        assert 0.05 < (mask == 1).mean() < 0.9
        # Ground truth where the image has no data is none.
        assert (scored.truth[mask == IGNORE] == IGNORE).all()


def test_a_blurred_scene_has_fewer_specks(labelled: Bright) -> None:
    def specks(*overrides: str) -> int:
        masks = mapped_masks(labelled("infer.scale=1", *overrides))
        return sum(
            cv2.connectedComponents((mask == 1).astype(np.uint8))[0] for mask in masks.values()
        )

    assert specks("infer.blur=2") < 0.7 * specks("infer.blur=0")


@pytest.mark.parametrize("name", ["GSD", "the model's GSD", "bands", "all"])
def test_scores_are_counted_from_the_maps(labelled: Bright, name: str) -> None:
    profile = labelled(*SETTINGS[name])
    masks = mapped_masks(profile)
    counts = np.zeros((2, 2), np.int64)
    for scene, mask in masks.items():
        with rasterio.open(Path(str(profile.sources[0].images)) / f"{scene}.tif") as dataset:
            bright, valid = dataset.read(1) > 140, dataset.read_masks(1) > 0
        bright[:14, :60] = True
        valid[40:44] = False
        for truth in (0, 1):
            for predicted in (0, 1):
                counts[truth, predicted] += ((bright == truth) & (mask == predicted) & valid).sum()
    scores = evaluate(profile)
    landslide = scores.classes["landslide"]
    assert scores.pixels == counts.sum()
    assert landslide.precision == pytest.approx(counts[1, 1] / counts[:, 1].sum())
    assert landslide.recall == pytest.approx(counts[1, 1] / counts[1].sum())


def test_evaluating_leaves_a_later_map_as_it_was(
    labelled: Bright, tmp_path: Path, content_of: Callable[[Path], dict[str, bytes | None]]
) -> None:
    """A run of another tool has no threshold, and is given none."""
    profile = labelled()
    before = mapped_masks(profile)
    run = content_of(profile.run_folder)
    result = evaluate(profile)
    assert result.thresholds == [None]
    added = set(content_of(profile.run_folder)) - set(run)
    # Another test may have scored the same run before.
    assert added <= {path.name for path in result.files}
    for name, mask in mapped_masks(
        profile.model_copy(
            update={"infer": profile.infer.model_copy(update={"output": tmp_path / "again"})}
        )
    ).items():
        np.testing.assert_array_equal(mask, before[name])


def test_the_worst_scenes_are_pictured_as_they_are_mapped(
    labelled: Bright, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reporter: RecordingReporter
) -> None:
    profile = labelled(*SETTINGS["all"])
    result = evaluate(profile, reporter=reporter)
    pictured = []

    def comparison(image: Image, truth: Mask, mask: Mask) -> Image:
        pictured.append(mask)
        return image

    monkeypatch.setattr("landslide_cli.stages.show.sheets.comparison", comparison)
    show(profile, output=tmp_path / "show", reporter=reporter)
    # Both warn, once for all scenes.
    assert reporter.warnings == result.warnings * 2
    (warning,) = result.warnings
    assert warning.startswith("s0, s1: resized to 0.9 m per pixel; the model was trained for 0.65")
    masks = mapped_masks(profile)
    named = json.loads((profile.run_folder / "evaluation.json").read_text(encoding="utf-8"))
    for mask, line in zip(pictured, named["worst"], strict=True):
        np.testing.assert_array_equal(mask, masks[line["scene"]])
