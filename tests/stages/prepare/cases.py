"""What the tests of prepare share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from landslide_cli.core.palette import Palette
from landslide_cli.imagery.raster.images import read_image
from landslide_cli.imagery.raster.masks import read_mask
from landslide_cli.profile import Profile
from landslide_cli.stages.prepare import prepare

CutShort = Callable[..., Path]
Content = Callable[[Path], dict[str, bytes | None]]


ProfileWith = Callable[..., Profile]


WriteScene = Callable[..., tuple[Path, Path]]

TILE = 16

# Overrides by which no tiles are cut.
UNCUT = ("prepare.tile=null", "train.crop=16")


def read_tile(
    folder: Path, tile: str, palette: Palette
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    image = read_image(folder / "images" / f"{tile}.png", 3)
    return image, read_mask(folder / "masks" / f"{tile}.png", palette).mask


def error_of(kind: type[Exception], profile: Profile, **options: Any) -> str:
    with pytest.raises(kind) as caught:
        prepare(profile, **options)
    message = str(caught.value)
    assert len(message.splitlines()) <= 4
    return message
