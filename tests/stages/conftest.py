"""A small dataset of tiles and a trained model, made once for the stages that need them."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from landslide_cli.core.palette import IGNORE, Palette
from landslide_cli.core.parts import PARTS
from landslide_cli.imagery.raster import write_image, write_mask
from landslide_cli.profile import Profile, load_profile

PALETTE = Palette(("background", "landslide"), ((0, 0, 0), (255, 0, 255)))


def bright_square(seed: int, side: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """A dark noisy tile with a bright square, which is the landslide."""
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 60, (side, side, 3), np.uint8)
    mask = np.zeros((side, side), np.uint8)
    row, col = rng.integers(2, side // 2, 2)
    mask[row : row + side // 3, col : col + side // 3] = 1
    image[mask == 1] += 150
    return image, mask


@pytest.fixture(scope="session")
def trained_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with scenes, a dataset in the experiment's layout, a profile and its trained run."""
    from landslide_cli.stages.train import train

    folder = tmp_path_factory.mktemp("trained")
    for part, count in zip(PARTS, (12, 4, 5), strict=True):
        for name in ("images", "masks"):
            (folder / "dataset" / part / name).mkdir(parents=True)
        for index in range(count):
            image, mask = bright_square(100 * PARTS.index(part) + index)
            if index == 0:
                mask[-6:] = IGNORE
            write_image(folder / "dataset" / part / "images" / f"t{index}.png", image)
            write_mask(folder / "dataset" / part / "masks" / f"t{index}.png", mask, PALETTE)
    for name in ("images", "masks"):
        (folder / "scenes" / name).mkdir(parents=True)
    for index in range(2):
        image, mask = bright_square(1000 + index, side=75)
        write_image(folder / "scenes" / "images" / f"s{index}.png", image)
        write_mask(folder / "scenes" / "masks" / f"s{index}.png", mask, PALETTE)
    (folder / "profile.yaml").write_text(
        f"""\
name: squares
dataset: '{folder / "dataset"}'
run: '{folder / "run"}'
source: {{images: '{folder / "scenes/images"}', masks: '{folder / "scenes/masks"}'}}
prepare: {{tile: 32}}
model: {{base_filters: 4, base_kernels: 3, num_layers: 3}}
train:
  epochs: 12
  batch: 4
  learning_rate: 5e-3
  loss: crossentropy_dice
  preview_scenes: [s1]
infer: {{overlap: 8}}
""",
        encoding="utf-8",
    )
    train(load_profile(folder / "profile.yaml"))
    yield folder


@pytest.fixture
def trained(trained_folder: Path, tmp_path: Path) -> Profile:
    """The profile of the trained run, in a copy for the test to write to."""
    run = tmp_path / "trained"
    shutil.copytree(trained_folder / "run", run)
    return load_profile(trained_folder / "profile.yaml", [f"run={run}"])


@pytest.fixture
def untrained(trained_folder: Path, tmp_path: Path) -> Profile:
    """The same dataset with a run of the test's own, of two epochs."""
    overrides = [f"run={tmp_path / 'run'}", "train.epochs=2", "train.preview_scenes=[]"]
    return load_profile(trained_folder / "profile.yaml", overrides)
