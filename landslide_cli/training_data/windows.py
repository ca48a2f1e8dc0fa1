"""Examples that cover whole scenes, for validation."""

from collections.abc import Callable, Sequence
from pathlib import Path

from landslide_cli.core.tiling.grid import side_by_side
from landslide_cli.dataset.scenes import Scene
from landslide_cli.training_data.examples import Pair
from landslide_cli.training_data.store import CacheSetting, SceneStore


class WindowExamples:
    """All of every scene, in square windows side by side, the same in each epoch; see `Examples`.

    Args:
        scenes: in the order of the windows.
        load: reads a scene at its prepared size.
        side: of a window, in pixels.
        cache: where loaded scenes are kept; see `SceneStore`.
        folder: of the disk cache.

    Raises:
        DataError: there is no scene, or one cannot be loaded.
    """

    def __init__(
        self,
        scenes: Sequence[Scene],
        load: Callable[[Scene], Pair],
        side: int,
        cache: CacheSetting = "auto",
        folder: Path | None = None,
    ) -> None:
        self.rows = self.cols = side
        self._store = SceneStore(scenes, load, cache, folder)
        self._windows = [
            (index, window)
            for index, (rows, cols) in enumerate(self._store.sizes)
            for window in side_by_side(rows, cols, side)
        ]

    def __len__(self) -> int:
        return len(self._windows)

    def example(self, epoch: int, position: int) -> Pair:
        return self._store.window(*self._windows[position])

    def name(self, epoch: int, position: int) -> str:
        return self._store.name(*self._windows[position])
