"""Synthetic scenes, drawn to files and cut."""

from collections.abc import Callable
from pathlib import Path

import pytest

from landslide_cli.dataset.tiles import read_manifest
from landslide_cli.errors import ChangedError, DataError
from landslide_cli.imagery.raster.images import read_image
from landslide_cli.profile import load_profile
from landslide_cli.stages.prepare import prepare
from tests.stages.prepare.cases import Content, ProfileWith, error_of


@pytest.fixture
def synthetic(write_profile: Callable[[str], Path], tmp_path: Path) -> ProfileWith:
    path = write_profile(
        f"""\
dataset: '{tmp_path / "dataset"}'
source: {{synthetic: {{scenes: 3, width: 64, height: 80}}}}
prepare: {{tile: 64, workers: 1}}
model: {{num_layers: 3}}
infer: {{overlap: 4}}
"""
    )
    return lambda *overrides: load_profile(path, overrides)


def test_the_synthetic_source_is_drawn_to_files_and_cut(
    synthetic: ProfileWith, tmp_path: Path
) -> None:
    result = prepare(synthetic())
    assert (result.scenes, result.tiles) == (3, 6)
    scenes = sorted(path.stem for path in (tmp_path / "dataset" / "scenes" / "images").iterdir())
    assert sorted({tile.scene for tile in read_manifest(result.folder)}) == scenes
    image = read_image(tmp_path / "dataset" / "scenes" / "images" / f"{scenes[0]}.png", 3)
    assert image.shape == (80, 64, 3)
    assert prepare(synthetic()).unchanged


def test_another_synthetic_source_is_refused_until_overwritten(
    synthetic: ProfileWith, content_of: Content, tmp_path: Path
) -> None:
    prepare(synthetic())
    before = content_of(tmp_path)
    message = error_of(ChangedError, synthetic("source.synthetic.seed=2"))
    assert "source.synthetic.seed (1 -> 2)" in message
    assert content_of(tmp_path) == before
    assert not prepare(synthetic("source.synthetic.seed=2"), overwrite=True).unchanged
    redrawn = content_of(tmp_path)
    assert redrawn.keys() == before.keys()
    pictures = [name for name in before if name.endswith(".png")]
    assert any(redrawn[name] != before[name] for name in pictures)
    assert prepare(synthetic("source.synthetic.seed=2")).unchanged


THREE_CLASSES = ", ".join(f"{{name: {name}, colour: [{i}, 0, 0]}}" for i, name in enumerate("abc"))


@pytest.mark.parametrize("override", ["bands=4", f"classes=[{THREE_CLASSES}]"])
def test_the_synthetic_source_has_its_own_bands_and_classes(
    synthetic: ProfileWith, tmp_path: Path, override: str
) -> None:
    assert "synthetic source draws 3 bands and 2 classes" in error_of(
        DataError, synthetic(override)
    )
    assert not (tmp_path / "dataset").exists()
