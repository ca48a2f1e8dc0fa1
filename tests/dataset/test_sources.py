"""Sources of scenes: the names of their scenes, and what is wrong with them."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from landslide_cli.dataset.files import PREPARE_RECORD
from landslide_cli.dataset.sources import changed_since_prepare, labelled_scenes_of
from landslide_cli.dataset.tiles import TILES
from landslide_cli.errors import DataError, ProfileError
from landslide_cli.profile import Profile
from landslide_cli.records import Step

Load = Callable[..., Profile]


def test_scenes_of_all_sources_have_names_of_their_own(sources: Load) -> None:
    scenes = labelled_scenes_of(sources())
    names = ["a1", "a2", "satellite-a1", "satellite-a2", "f1", "f2"]
    assert [scene.name for scene in scenes] == names
    assert [scene.source for scene in scenes] == [0, 0, 1, 1, 2, 2]
    assert [scene.mask is None for scene in scenes] == [False] * 4 + [True] * 2
    assert [len(scene.files) for scene in scenes] == [2] * 4 + [1] * 2


def test_a_name_that_is_taken_is_told_apart_by_the_position(sources: Load) -> None:
    scenes = labelled_scenes_of(sources("source.1.name=null"))
    assert [scene.name for scene in scenes][2:4] == ["source2-a1", "source2-a2"]


def test_names_that_meet_by_their_prefix_are_refused(sources: Load, tmp_path: Path) -> None:
    (tmp_path / "aerial/images/a2.png").rename(tmp_path / "aerial/images/satellite-a1.png")
    (tmp_path / "aerial/masks/a2.png").rename(tmp_path / "aerial/masks/satellite-a1.png")
    with pytest.raises(DataError, match=r"both called satellite-a1; give source\.1 another name"):
        labelled_scenes_of(sources())


def test_limit_takes_the_first_of_each_source(sources: Load) -> None:
    scenes = labelled_scenes_of(sources(), limit=1)
    assert [scene.name for scene in scenes] == ["a1", "satellite-a1", "f1"]


@pytest.mark.parametrize(
    ("overrides", "error", "message"),
    [
        (["source.1.images=none/*.tif"], DataError, r"source satellite: none/\*\.tif: no image"),
        (["source.2.images=nowhere"], DataError, r"source 3: nowhere: no image found"),
        (["source.0.masks=null"], ProfileError, r"set source\.0\.images and source\.0\.masks"),
        (["source.0.name=satellite"], ProfileError, "two sources are called 'satellite'"),
        (["source.1.bands=[1]"], ProfileError, r"source\.1\.bands must name 3 bands"),
        (["source.1.colours={slide: [1, 2, 3]}"], ProfileError, "there is no class 'slide'"),
        (["prepare.scale=0.5"], ProfileError, "does not go with prepare"),
        (["source.1.zoom=[2, 1]"], ProfileError, "must not be above"),
        (["train.crop=null", "train.mosaic=true"], ProfileError, "needs train.crop"),
    ],
)
def test_errors_name_the_source(
    sources: Load, overrides: list[str], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        labelled_scenes_of(sources(*overrides))


def test_a_damaged_background_is_named(sources: Load) -> None:
    path = Path(str(sources().sources[2].images)) / "f1.png"
    path.write_bytes(b"")
    with pytest.raises(DataError, match=r"source 3: .*f1\.png: is an empty file"):
        labelled_scenes_of(sources())


def test_files_that_changed_since_prepare_are_told(
    sources: Load, tmp_path: Path, write_raster: Callable[..., Path]
) -> None:
    profile, path = sources(), tmp_path / "fields" / "a.png"
    path.write_bytes(b"as it was")
    record = Step.of(profile.dataset / TILES / PREPARE_RECORD, {}, [path])
    record.path.parent.mkdir(parents=True)
    record.finish({})
    os.utime(path, (1, 1))
    assert changed_since_prepare(profile) == []
    path.write_bytes(b"as it is!")
    (warning,) = changed_since_prepare(profile)
    assert "1 file changed since `landslide prepare`" in warning
    assert "a.png" in warning
