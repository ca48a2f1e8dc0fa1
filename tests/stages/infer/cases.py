"""What the tests of infer share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray

from landslide_cli.dataset.files import MAPS_RECORD
from landslide_cli.profile import Profile

ContentOf = Callable[[Path], dict[str, bytes | None]]


def values_of(path: Path) -> NDArray[Any]:
    with rasterio.open(path) as dataset:
        return np.asarray(dataset.read(1))


def with_infer(profile: Profile, **changes: Any) -> Profile:
    return profile.model_copy(update={"infer": profile.infer.model_copy(update=changes)})


def maps_in(folder: Path, content_of: ContentOf) -> dict[str, bytes | None]:
    """The content of a folder of maps, without the record, which holds the times of the files."""
    content = content_of(folder)
    content.pop(MAPS_RECORD)
    return content
