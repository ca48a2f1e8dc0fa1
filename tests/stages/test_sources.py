"""Three sources of different resolution, bands and colours, through all six subcommands."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from landslide_cli.core.palette import Palette
from landslide_cli.dataset.split_record import scene_names
from landslide_cli.errors import DataError
from landslide_cli.imagery.raster.images import write_image, write_mask
from landslide_cli.profile import Profile, load_profile
from landslide_cli.stages.evaluate import evaluate
from landslide_cli.stages.infer import infer_tiled
from landslide_cli.stages.prepare import prepare
from landslide_cli.stages.show import show
from landslide_cli.stages.split import split
from landslide_cli.stages.train import train
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


def test_three_sources_run_all_six_subcommands(three: Callable[..., Profile]) -> None:
    profile = three()
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
    assert trained.preprocessing.gsd == 2.0
    assert trained.preprocessing.gsd_range == pytest.approx((1.6, 2.5))
    assert train(profile).unchanged
    result = evaluate(profile)
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
