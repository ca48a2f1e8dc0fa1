"""What the tests of sources share."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from landslide_cli.core.palette import Palette
from landslide_cli.imagery.raster.images import write_image, write_mask
from landslide_cli.profile import Profile, load_profile

Load = Callable[..., Profile]
UTM = {"crs": "EPSG:32648", "transform": (2.0, 0, 5e5, 0, -2.0, 3.4e6)}


@pytest.fixture
def sources(
    tmp_path: Path,
    palette: Palette,
    write_profile: Callable[[str], Path],
    write_raster: Callable[..., Path],
) -> Load:
    """Three sources: PNG, georeferenced GeoTIFF in other colours and bands, and background."""
    rng = np.random.default_rng(1)
    for name in ("aerial/images", "aerial/masks", "satellite/masks", "fields"):
        (tmp_path / name).mkdir(parents=True)
    red = Palette(palette.names, ((9, 9, 9), (255, 0, 0)))
    for index in (1, 2):
        image = rng.integers(1, 250, (40, 48, 3), np.uint8)
        write_image(tmp_path / f"aerial/images/a{index}.png", image)
        mask = (image[..., 0] > 120).astype(np.uint8)
        write_mask(tmp_path / f"aerial/masks/a{index}.png", mask, palette)
        bands = rng.integers(1, 250, (20, 30, 4), np.uint8)
        write_raster(f"satellite/images/a{index}.tif", bands, photometric="minisblack", **UTM)
        mask = (bands[..., 3] > 120).astype(np.uint8)
        write_mask(tmp_path / f"satellite/masks/a{index}.png", mask, red)
        write_image(tmp_path / f"fields/f{index}.png", image[:16, :16])
    text = f"""\
name: three
dataset: '{tmp_path / "dataset"}'
run: '{tmp_path / "run"}'
prepare: {{tile: null, gsd: 2.0}}
train: {{crop: 32}}
model: {{num_layers: 3}}
source:
  - images: '{tmp_path / "aerial/images"}'
    masks: '{tmp_path / "aerial/masks"}'
    gsd: 0.5
  - name: satellite
    images: '{tmp_path / "satellite/images"}'
    masks: '{tmp_path / "satellite/masks"}'
    bands: [4, 2, 1]
    colours: {{background: [9, 9, 9], landslide: [255, 0, 0]}}
  - images: '{tmp_path / "fields"}'
    masks: none
    scale: 1.0
"""
    path = write_profile(text)
    return lambda *overrides: load_profile(path, overrides)
