"""The files of a part by the profile, and which examples are drawn from them."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from landslide_cli.core.parts import PARTS
from landslide_cli.errors import DataError
from landslide_cli.imagery.raster.images import write_image, write_mask
from landslide_cli.profile import Profile
from landslide_cli.stages.prepare import prepare
from landslide_cli.stages.split import split
from landslide_cli.training_data.crops import CropExamples
from landslide_cli.training_data.inputs import examples_of, files_of_part
from landslide_cli.training_data.tiles import TileExamples
from landslide_cli.training_data.windows import WindowExamples


@pytest.fixture
def divided(
    profile_with: Callable[..., Profile], write_scene: Callable[..., Any]
) -> Callable[..., Profile]:
    """Load the profile of six divided scenes, which have no tiles, with overrides."""
    for name in "abcdef":
        write_scene(name, rows=60, cols=60)

    def profile(*overrides: str) -> Profile:
        made = profile_with(
            *("prepare.tile=null", "split.by=scene", "split.overlap.content=false"),
            *("split.train=0.5", "split.valid=0.25", "split.test=0.25", "train.crop=32"),
            *overrides,
        )
        prepare(made)
        split(made)
        return made

    return profile


def test_training_draws_crops_of_its_scenes_and_validation_all_of_them(
    divided: Callable[..., Profile],
) -> None:
    profile = divided("train.crops=7")
    files = [files_of_part(profile, part, None) for part in ("train", "valid")]
    names = [{scene.name for scene in part.scenes} for part in files]
    assert names[0]
    assert names[0].isdisjoint(names[1])
    training, validation = (examples_of(profile, part, None) for part in files)
    assert isinstance(training, CropExamples)
    assert isinstance(validation, WindowExamples)
    assert len(training) == 7
    # A scene has four windows of 32 pixels, side by side.
    assert len(validation) == 4 * len(names[1])


def test_crops_have_the_area_of_the_scenes_at_their_prepared_size(
    divided: Callable[..., Profile],
) -> None:
    profile = divided("prepare.scale=0.5", "train.crop=16")
    files = files_of_part(profile, "train", None)
    assert len(examples_of(profile, files, None)) == -(-30 * 30 * len(files.scenes) // 16**2)


def test_limit_takes_the_first_scenes(divided: Callable[..., Profile]) -> None:
    profile = divided()
    scenes = files_of_part(profile, "train", None).scenes
    assert list(files_of_part(profile, "train", 2).scenes) == list(scenes[:2])
    assert len(files_of_part(profile, "train", 2).files) == 4


def test_a_validation_set_that_is_meant_to_be_empty_has_no_files(
    divided: Callable[..., Profile],
) -> None:
    profile = divided("split.train=0.8", "split.valid=0", "split.test=0.2")
    assert files_of_part(profile, "valid", None).files == []
    assert len(files_of_part(profile, "train", None).scenes) == 5


def test_folds_without_validation_leave_out_the_test_part_alone(
    divided: Callable[..., Profile],
) -> None:
    profile = divided("split.folds=3", "split.fold_valid=false")
    for fold in (1, 2, 3):
        of_fold = profile.model_copy(update={"fold": fold})
        assert len(files_of_part(of_fold, "train", None).scenes) == 4
        assert files_of_part(of_fold, "valid", None).files == []


def test_scenes_that_are_gone_are_named(divided: Callable[..., Profile], raw: Path) -> None:
    profile = divided()
    name = files_of_part(profile, "train", None).scenes[0].name
    (raw / "images" / f"{name}.png").unlink()
    (raw / "masks" / f"{name}.png").unlink()
    with pytest.raises(DataError, match=rf"no longer has the scenes {name}"):
        files_of_part(profile, "train", None)


def test_without_a_split_that_is_what_is_to_be_done(
    profile_with: Callable[..., Profile], write_scene: Callable[..., Any]
) -> None:
    write_scene("a")
    with pytest.raises(DataError, match="run `landslide prepare` first, then `landslide split`"):
        files_of_part(profile_with("prepare.tile=null", "train.crop=32"), "train", None)


def test_tiles_are_shuffled_for_training_and_in_order_for_validation(
    profile_with: Callable[..., Profile], palette: Any
) -> None:
    profile = profile_with()
    for part in PARTS[:2]:
        for name in ("images", "masks"):
            (profile.parts_folder / part / name).mkdir(parents=True)
        for index in range(9):
            image = np.full((16, 16, 3), index, np.uint8)
            write_image(profile.parts_folder / part / "images" / f"t{index}.png", image)
            mask = np.zeros((16, 16), np.uint8)
            write_mask(profile.parts_folder / part / "masks" / f"t{index}.png", mask, palette)
    orders = []
    for part in PARTS[:2]:
        examples = examples_of(profile, files_of_part(profile, part, None), None)
        assert isinstance(examples, TileExamples)
        orders.append([int(examples.example(1, position)[0][0, 0, 0]) for position in range(9)])
    assert sorted(orders[0]) == orders[1] == list(range(9))
    assert orders[0] != orders[1]


def test_examples_never_load_tensorflow() -> None:
    modules = "landslide_cli.training_data.crops, landslide_cli.training_data.tiles"
    script = f"import sys, {modules}; sys.exit('tensorflow' in sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)
