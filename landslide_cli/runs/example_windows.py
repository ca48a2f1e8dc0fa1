"""Windows of scenes as a model sees them."""

import math
from collections.abc import Iterator, Sequence
from itertools import islice, zip_longest
from pathlib import Path

from landslide_cli.core.arrays import Image
from landslide_cli.core.tiling.layout import Tiling
from landslide_cli.core.tiling.windows import View, views
from landslide_cli.errors import LandslideError
from landslide_cli.imagery.raster.reader import SceneReader
from landslide_cli.runs.run import Run

# Rows of a scene that are searched for windows at once.
_ROWS = 4096


def example_windows(run: Run, scenes: Sequence[Path], side: int) -> Iterator[Image]:
    """Yield the windows with data of the scenes that can be read, scene by scene.

    Args:
        run: its preprocessing is used.
        scenes: images.
        side: of a window in pixels of the model.

    Yields:
        (side, side, bands), uint8 or float32 as the model takes them.
    """
    for path in scenes:
        yield from _of_scene(run, path, side)


def spread_windows(run: Run, scenes: Sequence[Path], side: int, most: int) -> list[Image]:
    """Return windows of as many scenes as possible, evenly spaced.

    Args:
        run: its preprocessing is used.
        scenes: images.
        side: of a window in pixels of the model.
        most: how many at most.

    Returns:
        (side, side, bands) each, uint8 or float32 as the model takes them.
    """
    chosen = scenes[:: max(1, len(scenes) // most)]
    each = math.ceil(most / max(1, len(chosen)))
    rounds = zip_longest(*([*islice(_of_scene(run, path, side), each)] for path in chosen))
    return [window for found in rounds for window in found if window is not None][:most]


def _of_scene(run: Run, path: Path, side: int) -> Iterator[Image]:
    try:
        with SceneReader(path, run.preprocessing_of(path)) as scene:
            tiling = Tiling(side, 0, scale=scene.scales)
            layout = tiling.layout(scene.height, scene.width)
            # Block by block: the local statistics of a whole scene take long to compute.
            for block in layout.blocks(_ROWS, layout.width):
                for view in views(scene, layout, block):
                    if isinstance(view, View) and view.pixels is not None:
                        yield view.pixels
    except LandslideError:
        return  # reported when the scene is predicted
