"""Three sources of different resolution, bands and colours, through all six subcommands."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from landslide_cli.core.palette import Palette
from landslide_cli.dataset.split_record import scene_names
from landslide_cli.errors import DataError
from landslide_cli.imagery.raster.images import write_image, write_mask
from landslide_cli.imagery.synthetic import draw_scene
from landslide_cli.profile import Profile, load_profile
from landslide_cli.stages.evaluate import evaluate
from landslide_cli.stages.infer import infer_tiled
from landslide_cli.stages.prepare import prepare
from landslide_cli.stages.show import show
from landslide_cli.stages.split import split
from landslide_cli.stages.train import train
from tests.conftest import RecordingReporter
from tests.models import bright_square

UTM = {"crs": "EPSG:32648", "transform": (2.0, 0, 5e5, 0, -2.0, 3.4e6)}


@pytest.fixture
def three(
    tmp_path: Path,
    palette: Palette,
    write_profile: Callable[[str], Path],
    write_raster: Callable[..., Path],
) -> Callable[..., Profile]:
    for name in ("aerial/images", "aerial/masks", "satellite/masks", "fields"):
        (tmp_path / name).mkdir(parents=True)
    red = Palette(palette.names, ((9, 9, 9), (255, 0, 0)))
    for index in range(4):
        image, mask = bright_square(index, side=64)
        write_image(tmp_path / f"aerial/images/{index}.png", image)
        write_mask(tmp_path / f"aerial/masks/{index}.png", mask, palette)
        image, mask = bright_square(10 + index, side=32)
        # Scenes at different places, so that none shares ground with another.
        place = UTM | {"transform": (2.0, 0, 5e5 + 1000 * index, 0, -2.0, 3.4e6)}
        write_raster(f"satellite/images/s{index}.tif", image[..., ::-1], **place)
        write_mask(tmp_path / f"satellite/masks/s{index}.png", mask, red)
        write_image(tmp_path / f"fields/{index}.png", bright_square(20 + index)[0] % 60)
    path = write_profile(
        f"""\
name: three
dataset: '{tmp_path / "dataset"}'
run: '{tmp_path / "run"}'
prepare: {{tile: null, gsd: 2.0, standardize: true, workers: 1}}
split: {{train: 0.5, valid: 0.25, test: 0.25, overlap: {{content: false}}}}
model: {{num_layers: 3, base_filters: 2, base_kernels: 3}}
train: {{crop: 32, crops: 8, epochs: 1, batch: 4, mosaic: true, copy_paste: 0.5}}
evaluate: {{units: mosaic, draws: 100}}
infer: {{engine: tensorflow, precision: float32}}
source:
  - {{name: aerial, images: '{tmp_path / "aerial/images"}', masks: '{tmp_path / "aerial/masks"}',
     gsd: 1.0, zoom: [0.8, 1.25]}}
  - {{name: satellite, images: '{tmp_path / "satellite/images"}',
     masks: '{tmp_path / "satellite/masks"}', bands: [3, 2, 1],
     colours: {{background: [9, 9, 9], landslide: [255, 0, 0]}}}}
  - {{name: fields, images: '{tmp_path / "fields"}', masks: none, scale: 1.0, weight: 0.5}}
"""
    )
    return lambda *overrides: load_profile(path, overrides)


def test_three_sources_run_all_six_subcommands(
    three: Callable[..., Profile], reporter: RecordingReporter
) -> None:
    event = ["source.1.event=Iburi 2018", "source.1.part=train"]
    profile = three(*event)
    prepared = prepare(profile)
    assert prepared.scenes == 12
    assert prepared.mask_encodings == {"colours": 8, "none": 4}
    assert prepare(profile).unchanged
    split(profile)
    parts = {part: scene_names(profile, part) for part in ("train", "valid", "test")}
    assert sorted(name for names in parts.values() for name in names or ()) == sorted(
        f"{source}{index}" for source in ("aerial-", "satellite-s", "fields-") for index in range(4)
    )
    trained = train(profile)
    assert trained.events == ["Iburi 2018"]
    assert trained.preprocessing.gsd == 2.0
    assert trained.preprocessing.gsd_range == pytest.approx((1.6, 2.5))
    assert train(profile).unchanged
    result = evaluate(profile, reporter=reporter)
    assert not any("Iburi" in warning for warning in reporter.warnings)
    evaluate(profile, part="train", reporter=reporter)
    assert not any("Iburi" in warning for warning in reporter.warnings)
    evaluate(three("source.0.event=Iburi 2018"), reporter=reporter)
    assert sum("learned from scenes of Iburi 2018" in line for line in reporter.warnings) == 1
    assert result.units == "mosaic"
    tested = [name for name in parts["test"] or () if not name.startswith("fields")]
    assert result.samples == len(tested)
    mapped = infer_tiled(profile)
    assert sorted(scene.image.stem for scene in mapped.scenes) == sorted(
        name.partition("-")[2] for name in tested
    )
    assert (profile.run_folder / "show") not in show(profile).files
    assert np.isfinite(result.loss)


def test_another_scale_of_a_source_is_another_dataset(three: Callable[..., Profile]) -> None:
    from landslide_cli.errors import ChangedError

    prepare(three())
    with pytest.raises(ChangedError, match=r"source\.2\.scale"):
        prepare(three("source.2.scale=0.5"))


def test_the_error_of_a_scene_names_its_source(
    three: Callable[..., Profile], tmp_path: Path
) -> None:
    (tmp_path / "satellite/masks/s3.png").unlink()
    with pytest.raises(DataError, match=r"source satellite: .*s3\.tif has no mask"):
        prepare(three())


def test_a_source_is_divided_by_itself_and_may_be_for_one_part(
    three: Callable[..., Profile],
) -> None:
    folds = ("split={folds: 4, fold_valid: false, overlap: {content: false}}",)
    profile = three(*folds)
    prepare(profile)
    first = split(profile)
    for fold in first.folds:
        # Of each source a quarter.
        tested = [name.partition("-")[0] for name in fold["test"]]
        assert sorted(tested) == ["aerial", "fields", "satellite"]
    fixed = split(three(*folds, "source.1.part=train"), overwrite=True)
    for fold, before in zip(fixed.folds, first.folds, strict=True):
        assert not any(name.startswith("satellite") for name in fold["test"])
        assert sum(name.startswith("satellite") for name in fold["train"]) == 4
        # The others stay where they were.
        moved = {name for name in before["test"] if not name.startswith("satellite")}
        assert set(fold["test"]) == moved


def test_sources_of_few_scenes_are_divided_together(
    three: Callable[..., Profile], tmp_path: Path
) -> None:
    for index in (1, 2, 3):
        for path in (tmp_path / "aerial").rglob(f"{index}.png"):
            path.unlink()
        for path in (tmp_path / "satellite").rglob(f"s{index}.*"):
            path.unlink()
        (tmp_path / f"fields/{index}.png").unlink()
    profile = three("split.train=0.4", "split.valid=0.3", "split.test=0.3")
    prepare(profile)
    result = split(profile)
    assert [len(names) for names in result.scenes.values()] == [1, 1, 1]


def test_scenes_of_an_event_stay_together(three: Callable[..., Profile]) -> None:
    profile = three("source.0.event=Iburi 2018", "source.1.event=[Gorkha 2015, Iburi 2018]")
    prepare(profile)
    result = split(profile)
    (group,) = (group for group in result.groups if len(group.scenes) > 1)
    assert len(group.scenes) == 8
    assert {evidence.kind for evidence in group.evidence} == {"event"}
    with pytest.raises(DataError, match=r"must stay together, but source\.part puts"):
        split(
            three(
                "source.0.event=Iburi 2018",
                "source.1.event=Iburi 2018",
                "source.0.part=train",
                "source.1.part=test",
            ),
            overwrite=True,
        )


def test_shared_ground_is_found_within_and_across_sources(
    tmp_path: Path, write_profile: Callable[[str], Path]
) -> None:
    ground, _ = draw_scene(5, 0, 700, 500)
    stranger, _ = draw_scene(6, 1, 320, 320)
    scenes = {
        "one/a": ground[:320, :320],
        "one/b": ground[120:440, 90:410],
        "two/c": ground[100:420, 330:650],
        "two/d": stranger,
    }
    for name, image in scenes.items():
        path = tmp_path / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        write_image(path, np.ascontiguousarray(image))
    path = write_profile(
        f"""\
name: shared
dataset: '{tmp_path / "dataset"}'
prepare: {{tile: null, workers: 1}}
model: {{num_layers: 3}}
train: {{crop: 32}}
split: {{train: 1.0, valid: 0.0, test: 0.0}}
source:
  - {{images: '{tmp_path / "one"}', masks: none}}
  - {{images: '{tmp_path / "two"}', masks: none}}
"""
    )
    profile = load_profile(path)
    prepare(profile)
    result = split(profile)
    assert sorted(group.scenes for group in result.groups) == [["a", "b", "c"], ["d"]]
    pairs = {(pair.first, pair.second) for group in result.groups for pair in group.evidence}
    assert pairs == {("a", "b"), ("b", "c")}
