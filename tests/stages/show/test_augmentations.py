"""The picture of what training will see: examples as they are, and as they are changed."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from landslide_cli.core.palette import IGNORE, Palette
from landslide_cli.errors import DataError
from landslide_cli.imagery.figures import GAP, LINE
from landslide_cli.imagery.pictures import HATCHING, Picture, hatched, overlay, shown
from landslide_cli.imagery.raster.images import read_image
from landslide_cli.profile import Profile, load_profile
from landslide_cli.reporting import Reporter
from landslide_cli.stages.prepare import prepare
from landslide_cli.stages.show import show
from landslide_cli.stages.split import split
from landslide_cli.training_data.inputs import examples_of, files_of_part
from tests.conftest import RecordingReporter

DRAWS = 5

ProfileOf = Callable[..., Profile]
WriteScene = Callable[..., tuple[Path, Path]]


@pytest.fixture
def tiles(trained_folder: Path, tmp_path: Path) -> ProfileOf:
    """Load the profile of a dataset of tiles of 32 pixels, pictured in their own size."""
    fixed = [f"run={tmp_path / 'run'}", "show.cell=32"]
    return lambda *sets: load_profile(trained_folder / "profile.yaml", [*fixed, *sets])


@pytest.fixture
def crops(profile_with: ProfileOf, write_scene: WriteScene) -> ProfileOf:
    """Load the profile of divided scenes of noise, for crops of 32 pixels."""
    for name in "abcd":
        write_scene(name)
    fixed = ["prepare.tile=null", "train.crop=32", "show.cell=32"]
    prepare(profile_with(*fixed))
    split(profile_with(*fixed))
    return lambda *sets: profile_with(*fixed, *sets)


def pictured(
    profile: Profile, limit: int | None = None, reporter: Reporter | None = None
) -> NDArray[np.uint8]:
    """Make the sheet, and take its pictures out of it: (rows, columns, cell, cell, 3)."""
    (path,) = show(profile, augmentations=True, limit=limit, reporter=reporter).files
    assert path.name == "augmentations.png"
    cell = profile.show.cell
    page = read_image(path, 3)[LINE:, GAP:]
    count, legend = divmod(page.shape[0], LINE + cell + GAP)
    assert legend == 2 * LINE  # on a page as narrow as this
    page = page[:-legend]
    body = page.reshape(count, LINE + cell + GAP, -1, cell + GAP, 3)[:, LINE:-GAP, :, :-GAP]
    return body.transpose(0, 2, 1, 3, 4)


def first_picture(profile: Profile, palette: Palette) -> Picture:
    image, mask = examples_of(profile, files_of_part(profile, "train", None), None).example(1, 0)
    return hatched(overlay(shown(image, None), mask, palette), mask == IGNORE)


def test_rows_are_examples_and_columns_the_draws(tiles: ProfileOf, palette: Palette) -> None:
    profile = tiles("show.items=4", "train.augment.brightness.probability=1")
    pictures = pictured(profile)
    assert pictures.shape == (4, 1 + DRAWS, 32, 32, 3)
    np.testing.assert_array_equal(pictures[0, 0], first_picture(profile, palette))
    for example in pictures:
        # Each draw is another one, and none leaves the example as it is.
        assert len({picture.tobytes() for picture in example}) == 1 + DRAWS


def test_image_and_mask_are_mirrored_together(tiles: ProfileOf) -> None:
    pictures = pictured(tiles("show.items=12", "train.augment.hflip.probability=1"))
    assert (pictures == HATCHING).all(axis=-1).any()  # stripes are not mirrored, the rest is
    for example in pictures:
        labelled = ~(example[0, -7:] == HATCHING).all(axis=-1).any()
        rows = slice(None) if labelled else slice(-7)
        for draw in example[1:]:
            np.testing.assert_array_equal(draw[rows], example[0, rows, ::-1])


def test_draws_are_those_of_the_training_with_its_warp(tiles: ProfileOf) -> None:
    from landslide_cli.training_data.augment import Augmenter
    from landslide_cli.training_data.batches import Batches

    kinds = ("elastic", "rotate", "noise")
    profile = tiles("show.items=12", *(f"train.augment.{kind}.probability=1" for kind in kinds))
    settings = profile.train
    examples = examples_of(profile, files_of_part(profile, "train", None), None)
    batches = Batches(examples, 3, 12, augmenter=Augmenter(settings.augment, settings.seed))
    ((images, masks),) = batches.epoch(1)
    background = masks.numpy() == 0
    np.testing.assert_array_equal(pictured(profile)[:, 1][background], images.numpy()[background])


def test_with_nothing_on_that_is_said_and_every_draw_is_the_example(
    tiles: ProfileOf, reporter: RecordingReporter
) -> None:
    pictures = pictured(tiles("show.items=2"), reporter=reporter)
    assert (pictures == pictures[:, :1]).all()
    (note,) = reporter.notes
    assert "train.augment.KIND.probability" in note
    assert all(kind in note for kind in ("hflip", "elastic", "noise"))
    assert reporter.advances == 2


def test_with_something_on_nothing_is_said(tiles: ProfileOf, reporter: RecordingReporter) -> None:
    show(tiles("train.augment.vflip.probability=0.5"), augmentations=True, reporter=reporter)
    assert reporter.notes == []


def test_crops_are_pictured_without_a_folder_for_the_cache(
    crops: ProfileOf, palette: Palette
) -> None:
    profile = crops("train.cache=disk", "train.crops=9", "train.augment.rotate90.probability=1")
    pictures = pictured(profile)
    assert pictures.shape == (profile.show.items, 1 + DRAWS, 32, 32, 3)
    np.testing.assert_array_equal(pictures[0, 0], first_picture(crops("train.crops=9"), palette))
    turned = [np.rot90(pictures[0, 0], turns).tobytes() for turns in (1, 2, 3)]
    assert all(draw.tobytes() in turned for draw in pictures[0, 1:])


def test_limit_takes_the_first_tiles_of_train(tiles: ProfileOf) -> None:
    assert pictured(tiles("show.items=4"), limit=2).shape[0] == 2
    assert pictured(tiles("show.items=1"), limit=3).shape[0] == 3


def test_pictures_go_where_the_others_go(tiles: ProfileOf, tmp_path: Path) -> None:
    profile = tiles()
    assert show(profile, augmentations=True).files == [profile.dataset / "show/augmentations.png"]
    folder = tmp_path / "elsewhere"
    assert show(profile, augmentations=True, output=folder).document() == {
        "files": [str(folder / "augmentations.png")]
    }
    assert [path.name for path in folder.iterdir()] == ["augmentations.png"]


def test_missing_tiles_are_named(tiles: ProfileOf, tmp_path: Path) -> None:
    profile = tiles(f"dataset={tmp_path / 'none'}")
    with pytest.raises(DataError, match=r"none/train/images: no train tiles; run `landslide prep"):
        show(profile, augmentations=True)
    assert list(tmp_path.iterdir()) == []


def test_scenes_not_divided_yet_are_named(profile_with: ProfileOf, write_scene: WriteScene) -> None:
    write_scene("a")
    with pytest.raises(DataError, match="then `landslide split`"):
        show(profile_with("prepare.tile=null", "train.crop=32"), augmentations=True)
