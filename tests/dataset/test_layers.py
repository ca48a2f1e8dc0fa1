"""Which file beside a scene belongs to which scene."""

from collections.abc import Callable
from pathlib import Path

import pytest

from landslide_cli.dataset.layers import LayerFinder
from landslide_cli.errors import DataError

Touch = Callable[..., None]


@pytest.fixture
def touch(tmp_path: Path) -> Touch:
    def touch(*names: str) -> None:
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(exist_ok=True)
            path.touch()

    return touch


def found(folder: Path, image: str, pattern: str, images: str | None = None) -> str:
    layers = {"dem": str(folder / pattern)}
    at = None if images is None else str(folder / images)
    ((name, path),) = LayerFinder(layers, ["dem"], at).of(folder / image)
    assert name == "dem"
    return Path(path).relative_to(folder).as_posix()


def test_a_single_file_belongs_to_all(tmp_path: Path, touch: Touch) -> None:
    touch("dem.tif")
    assert found(tmp_path, "a/s1.tif", "dem.tif") == "dem.tif"


def test_wildcards_match_the_same_text(tmp_path: Path, touch: Touch) -> None:
    touch("a/after_7.tif", "a/after_17.tif", "b/before_7.tif", "b/before_17.tif")
    pattern, images = "b/before_*.tif", "a/after_*.tif"
    assert found(tmp_path, "a/after_7.tif", pattern, images) == "b/before_7.tif"
    assert found(tmp_path, "a/after_17.tif", pattern, images) == "b/before_17.tif"


@pytest.mark.parametrize("pattern", ["dems", "dems/*.tif"])
def test_names_are_equal_or_differ_in_an_affix(tmp_path: Path, touch: Touch, pattern: str) -> None:
    touch("dems/s1_dem.tif", "dems/s2_dem.tif")
    assert found(tmp_path, "a/s2.tif", pattern) == "dems/s2_dem.tif"
    touch("dems/s2.tif")
    assert found(tmp_path, "a/s2.tif", pattern) == "dems/s2.tif"


def test_an_array_of_files_with_several_is_named(tmp_path: Path, touch: Touch) -> None:
    touch("a/chip_1.h5", "a/chip_2.h5")
    pattern, images = "a/chip_*.h5/terrain/dem", "a/chip_*.h5"
    assert found(tmp_path, "a/chip_2.h5/img", pattern, images) == "a/chip_2.h5/terrain/dem"
    assert found(tmp_path, "s.tif", "a/chip_1.h5/dem") == "a/chip_1.h5/dem"


def test_what_is_missing_is_told(tmp_path: Path, touch: Touch) -> None:
    with pytest.raises(DataError, match="needs the layer dem; give its files"):
        LayerFinder({}, ["dem"], None).of(tmp_path / "s1.tif")
    with pytest.raises(DataError, match="no file found for the layer dem"):
        found(tmp_path, "s1.tif", "none/*.tif")
    touch("dems/a.tif", "dems/b.tif")
    with pytest.raises(DataError, match="none of the 2 files of the layer dem"):
        found(tmp_path, "s1.tif", "dems")
