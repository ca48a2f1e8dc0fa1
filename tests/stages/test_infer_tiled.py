"""Mapping whole scenes."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from landslide_cli.errors import DataError, ModelError, OutputError
from landslide_cli.imagery.masks import read_mask
from landslide_cli.imagery.raster import read_image, write_image
from landslide_cli.profile import Profile, load_profile
from landslide_cli.stages.infer_tiled import infer_tiled
from landslide_cli.stages.runs import load_run
from landslide_cli.stages.sources import palette_of


def test_source_scenes_are_mapped_at_their_own_size(trained: Profile, tmp_path: Path) -> None:
    result = infer_tiled(trained, output=tmp_path / "maps")
    assert [one.scene for one in result.scenes] == ["s0", "s1"]
    palette = palette_of(trained)
    for one in result.scenes:
        mask = read_mask(one.mask, palette).mask
        assert mask.shape == (75, 75) == (one.height, one.width)
        assert one.class_shares["landslide"] == pytest.approx((mask == 1).mean())
        assert read_image(one.overlay, 3).shape == (75, 75, 3)


def test_squares_are_found(trained: Profile, trained_folder: Path, tmp_path: Path) -> None:
    result = infer_tiled(trained, output=tmp_path / "maps")
    palette = palette_of(trained)
    for one in result.scenes:
        truth = read_mask(trained_folder / "scenes" / "masks" / f"{one.scene}.png", palette).mask
        found = read_mask(one.mask, palette).mask
        hits = int(((truth == 1) & (found == 1)).sum())
        assert 2 * hits / ((truth == 1).sum() + (found == 1).sum()) > 0.8


@pytest.mark.parametrize("shape", [(1, 1), (5, 200), (33, 31)])
def test_scene_of_any_size_is_mapped(
    trained: Profile, tmp_path: Path, shape: tuple[int, int]
) -> None:
    write_image(tmp_path / "odd.png", np.full((*shape, 3), 90, np.uint8))
    (one,) = infer_tiled(trained, [str(tmp_path / "odd.png")], output=tmp_path / "maps").scenes
    assert read_image(one.mask, 3).shape == (*shape, 3)


def test_scale_keeps_the_scenes_own_size(trained: Profile, tmp_path: Path) -> None:
    half = trained.infer.model_copy(update={"scale": 0.5})
    profile = trained.model_copy(update={"infer": half})
    (one,) = infer_tiled(profile, limit=1, output=tmp_path / "maps").scenes
    assert read_image(one.mask, 3).shape == (75, 75, 3)


def test_damaged_scene_is_named_and_the_others_are_mapped(
    trained: Profile, tmp_path: Path, cut_short: Callable[..., Path]
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    for name in ("a", "b", "c"):
        write_image(tmp_path / f"{name}.png", noise)
    cut_short(tmp_path / "b.png")
    with pytest.raises(DataError, match=r"b\.png: is damaged"):
        infer_tiled(trained, [str(tmp_path / "*.png")], output=tmp_path / "maps")
    masks = {path.name for path in (tmp_path / "maps").glob("*_mask.png")}
    assert masks == {"a_mask.png", "c_mask.png"}


def test_own_maps_are_replaced_but_not_somebody_elses(trained: Profile, tmp_path: Path) -> None:
    maps = tmp_path / "maps"
    infer_tiled(trained, limit=1, output=maps)
    infer_tiled(trained, limit=1, output=maps)
    (maps / "s1_mask.png").write_text("drawn by hand")
    with pytest.raises(OutputError, match=r"s1_mask\.png"):
        infer_tiled(trained, output=maps)
    assert (maps / "s1_mask.png").read_text() == "drawn by hand"
    infer_tiled(trained, output=maps, overwrite=True)
    assert read_image(maps / "s1_mask.png", 3).shape == (75, 75, 3)


def test_two_scenes_of_one_name_are_refused(trained: Profile, tmp_path: Path) -> None:
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        write_image(tmp_path / folder / "same.png", np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(DataError, match=r"same_mask\.png"):
        infer_tiled(trained, [str(tmp_path / "*" / "same.png")], output=tmp_path / "maps")
    assert not (tmp_path / "maps").exists()


def test_scene_that_is_not_there_is_named(trained: Profile, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.tif"):
        infer_tiled(trained, [str(tmp_path / "nowhere.tif")], output=tmp_path / "maps")


def test_missing_model_is_said(untrained: Profile) -> None:
    with pytest.raises(ModelError, match="landslide train"):
        infer_tiled(untrained)


def test_the_runs_threshold_decides_unless_the_profile_gives_one(
    trained: Profile, tmp_path: Path
) -> None:
    def mapped(folder: str, **changes: float) -> list[float]:
        settings = trained.infer.model_copy(update=changes)
        profile = trained.model_copy(update={"infer": settings})
        result = infer_tiled(profile, output=tmp_path / folder)
        assert result.threshold == result.document()["threshold"]
        thresholds.append(result.threshold)
        return [one.class_shares["landslide"] for one in result.scenes]

    thresholds: list[float | None] = []
    own, low, high = mapped("own"), mapped("low", threshold=0.001), mapped("high", threshold=0.999)
    (trained.run / "threshold.json").unlink()
    mapped("none")
    stored = load_run(load_profile(trained.run / "profile.yaml")).threshold
    assert thresholds == [stored, 0.001, 0.999, None]
    assert all(a > b > c for a, b, c in zip(low, own, high, strict=True))
