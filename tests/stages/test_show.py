"""Pictures of what there is."""

from pathlib import Path

import pytest

from landslide_cli.errors import DataError
from landslide_cli.imagery.raster import read_image
from landslide_cli.profile import Profile
from landslide_cli.stages.infer_tiled import infer_tiled
from landslide_cli.stages.show import show


def test_trained_run_is_pictured_in_full(trained: Profile, tmp_path: Path) -> None:
    result = show(trained, output=tmp_path / "show")
    names = [path.name for path in result.files]
    assert names == ["scenes.png", "tiles-test.png", "classes.png", "foreground.png", "curves.png"]
    for path in result.files:
        assert read_image(path, 3).std() > 1.0
    assert result.headline().splitlines() == [str(path) for path in result.files]


def test_scene_sheet_grows_by_the_prediction_and_the_comparison(
    trained: Profile, tmp_path: Path
) -> None:
    before = read_image(show(trained, output=tmp_path / "before").files[0], 3)
    mapped = trained.infer.model_copy(update={"output": tmp_path / "maps"})
    profile = trained.model_copy(update={"infer": mapped})
    infer_tiled(profile)
    after = read_image(show(profile, output=tmp_path / "after").files[0], 3)
    assert after.shape[1] > before.shape[1]


def test_limit_takes_the_first_tiles(trained: Profile, tmp_path: Path) -> None:
    one = read_image(show(trained, output=tmp_path / "one", limit=1).files[1], 3)
    two = read_image(show(trained, output=tmp_path / "two", limit=2).files[1], 3)
    assert two.shape[0] > one.shape[0]


def test_untrained_dataset_is_pictured_beside_the_dataset(untrained: Profile) -> None:
    result = show(untrained.model_copy(update={"show": untrained.show}))
    assert all(path.parent == untrained.dataset / "show" for path in result.files)
    assert not untrained.run.exists()


def test_layers_are_listed_with_shapes_parameters_and_work(untrained: Profile) -> None:
    result = show(untrained, model=True)
    assert result.files == []
    assert result.layers[0]["shape"] == (32, 32, 3)
    assert sum(layer["parameters"] for layer in result.layers) == result.parameters
    assert result.gflop == pytest.approx(sum(layer["gflop"] for layer in result.layers))
    assert len(result.tables()[0].rows) == len(result.layers)


def test_nothing_to_show_is_said(untrained: Profile, tmp_path: Path) -> None:
    source = untrained.source.model_copy(update={"images": None, "masks": None})
    empty = untrained.model_copy(update={"dataset": tmp_path / "none", "source": source})
    with pytest.raises(DataError, match="nothing to show"):
        show(empty)
    assert list(tmp_path.iterdir()) == []
