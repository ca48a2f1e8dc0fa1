"""Mapping scenes by a plan: the protocol of mappers, and the mapper of this machine."""

import threading
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.arrays import Image, Probabilities
from landslide_cli.core.memory import share_freed_memory
from landslide_cli.core.palette import Mask
from landslide_cli.core.tiling.grid import Window
from landslide_cli.core.tiling.layout import Layout
from landslide_cli.core.tiling.predict import foreground_probability, mask_of
from landslide_cli.core.tiling.streaming import Predict, Strip
from landslide_cli.core.tiling.windows import OnPixels
from landslide_cli.imagery.pictures import Reduced
from landslide_cli.imagery.raster.reader import SceneReader
from landslide_cli.profile import Profile
from landslide_cli.runs.plan import Plan
from landslide_cli.runs.run import Run
from landslide_cli.runs.scene_predictor import ScenePredictor, masked

# Columns, in pixels of the model, that are mapped at once: memory grows with the width of a scene
# only up to here.
COLS_AT_ONCE = 8192

# Of two classes, the foreground is the most probable from here on.
_DEFAULT = 0.5

# How often a scene that waits for the model checks whether to stop, in seconds.
_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Band:
    """Finished rows of a block of a scene, from its row `row_off` and column `col_off` on.

    `mask` has class indices, `IGNORE` where there is no data; `probability` is the foreground's,
    where the mask has any or the mapper was told to give it everywhere; both are (rows, cols).
    """

    row_off: int
    col_off: int
    mask: Mask
    probability: NDArray[np.float32]


@dataclass(frozen=True)
class Recipe:
    """Everything that determines the maps of a scene; it can be sent to another process.

    `fingerprint` is the model's: a run that was trained again is another recipe.
    """

    profile: Profile
    run: Run
    plan: Plan
    fingerprint: str

    def opened(self, image: Path) -> SceneReader:
        """Open a scene as it is mapped.

        Raises:
            DataError: as `SceneReader`.
        """
        preprocessing = self.run.preprocessing_of(image)
        return SceneReader(image, preprocessing, self.profile.infer.warp)

    def layers(self, image: Path) -> list[Path]:
        """List the files beside a scene that bands are read from.

        Raises:
            DataError: as `Run.preprocessing_of`.
        """
        return [Path(path) for _, path in self.run.preprocessing_of(image).layers]

    @property
    def has_probability(self) -> bool:
        """Whether probabilities are wanted of the background too."""
        return self.profile.infer.probability != "none"

    @property
    def key(self) -> str:
        """Identifies the recipe."""
        return repr((self.profile.model_dump_json(), self.run, self.plan, self.fingerprint))


OnWindows = Callable[[int], None]


class Mapper(Protocol):
    """Maps the scenes of a recipe; `seconds` counts how long the model was at work."""

    seconds: float

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def stop(self) -> None:
        """Have all scenes give up at their next window."""

    def check(self) -> None:
        """Raise `Stopped` if the mapper was told to stop."""

    def prepare(self, layout: Layout) -> None:
        """See to it that the model is ready for the windows of a scene when they are."""

    def blocks(self, layout: Layout) -> list[Window]:
        """Divide a scene into the blocks that are mapped at once."""

    def bands(
        self,
        path: Path,
        scene: SceneReader,
        layout: Layout,
        picture: Reduced,
        advance: OnWindows,
    ) -> Generator[Band]:
        """Map a scene block by block, each from top to bottom.

        Args:
            path: of the scene.
            scene: opened; another thread reads it.
            layout: of the scene.
            picture: given the scene's own pixels as they are read.
            advance: called with 0 when the scene has the model, and with the number of windows
                once they are predicted.

        Raises:
            DataError: the scene cannot be read.
            Stopped: the mapper was told to stop.
        """


class LocalMapper:
    """Maps scenes with a model on this machine.

    A scene has the model until its last window is predicted; meanwhile the next scene is read and
    the previous one is written.

    Args:
        predictor: the model.
        threshold: of the foreground; None: the most probable class.
        cols_at_once: columns of a block, in pixels of the model.
        everywhere: whether the probability is wanted in the background too.
    """

    def __init__(
        self,
        predictor: ScenePredictor,
        threshold: float | None,
        cols_at_once: int = COLS_AT_ONCE,
        everywhere: bool = True,
    ) -> None:
        self._predictor, self._threshold = predictor, threshold
        self._floor = None if everywhere else _DEFAULT if threshold is None else threshold
        self._cols_at_once = cols_at_once
        self._turn = threading.Lock()
        self._stopped = threading.Event()
        self._compiling: Future[None] | None = None
        self.seconds = 0.0

    @classmethod
    def of(cls, recipe: Recipe, predictor: ScenePredictor) -> Self:
        """Return the mapper of a recipe, the model of which is in the predictor."""
        return cls(predictor, recipe.run.threshold, everywhere=recipe.has_probability)

    def __enter__(self) -> Self:
        share_freed_memory()
        return self

    def __exit__(self, *exception: object) -> None:
        """Do nothing: there is nothing to release."""

    def stop(self) -> None:
        """Have all scenes give up at their next window."""
        self._stopped.set()

    def check(self) -> None:
        """Raise `Stopped` if the mapper was told to stop."""
        if self._stopped.is_set():
            raise Stopped

    def prepare(self, layout: Layout) -> None:
        """Begin to compile the model for the windows of a scene; it is read meanwhile."""
        pool = ThreadPoolExecutor(1)
        self._compiling = pool.submit(self._predictor.compile, layout)
        pool.shutdown(wait=False)

    def blocks(self, layout: Layout) -> list[Window]:
        """Divide a scene into the blocks that are mapped at once."""
        return list(layout.blocks(layout.height, round(self._cols_at_once / layout.cols.scale)))

    def bands(
        self,
        path: Path,
        scene: SceneReader,
        layout: Layout,
        picture: Reduced,
        advance: OnWindows,
    ) -> Generator[Band]:
        """Map a scene; see `Mapper.bands`."""
        for block in self.blocks(layout):
            yield from self.block_bands(scene, layout, block, picture.put, advance)

    def block_bands(
        self,
        scene: SceneReader,
        layout: Layout,
        block: Window,
        on_pixels: OnPixels,
        advance: OnWindows = lambda windows: None,
    ) -> Generator[Band]:
        """Map a block of a scene, from top to bottom."""
        turn = _Turn(self._turn, self._stopped)
        predict = self._in_turn(self._predictor.model_for(layout), turn, advance)
        strips = self._predictor.strips(scene, layout, block, predict, on_pixels, self._floor)
        try:
            for strip in strips:
                yield _band_of(strip, self._threshold, self._predictor.chosen)
        finally:
            # A thread of the strips may wait for its turn, or have it.
            turn.cancel()
            strips.close()
            turn.release()

    def _in_turn(self, model: Predict, turn: "_Turn", advance: OnWindows) -> Predict:
        def predict(windows: Image) -> Probabilities:
            turn.take()
            advance(0)
            if self._compiling is not None:
                self._compiling.result()
            began = time.perf_counter()
            answer = model(windows)
            self.seconds += time.perf_counter() - began
            advance(len(windows))
            return answer

        return predict


class Stopped(Exception):  # noqa: N818 - nothing went wrong
    """The mapper was told to stop."""


class _Turn:
    """A scene's right to the model, from its first window to its last."""

    def __init__(self, lock: threading.Lock, stopped: threading.Event) -> None:
        self._lock, self._stopped = lock, stopped
        self._is_held = self._cancelled = False

    def take(self) -> None:
        while not self._is_held and not self._is_over():
            self._is_held = self._lock.acquire(timeout=_POLL_SECONDS)
        if self._is_over():
            raise Stopped

    def _is_over(self) -> bool:
        return self._cancelled or self._stopped.is_set()

    def cancel(self) -> None:
        self._cancelled = True

    def release(self) -> None:
        if self._is_held:
            self._is_held = False
            self._lock.release()


def _band_of(strip: Strip, threshold: float | None, chosen: Sequence[int]) -> Band:
    mask = masked(mask_of(strip.probabilities, threshold, chosen), strip.valid)
    probability = foreground_probability(strip.probabilities, chosen)
    return Band(strip.row_off, strip.col_off, mask, probability)
