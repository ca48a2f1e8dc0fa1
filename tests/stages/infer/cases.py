"""What the tests of infer share."""

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray

from landslide_cli.profile import Profile


def values_of(path: Path) -> NDArray[Any]:
    with rasterio.open(path) as dataset:
        return np.asarray(dataset.read(1))


def with_infer(profile: Profile, **changes: Any) -> Profile:
    return profile.model_copy(update={"infer": profile.infer.model_copy(update=changes)})
