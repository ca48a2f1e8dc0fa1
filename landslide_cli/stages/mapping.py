"""A loaded model that maps scenes as a plan says, on this machine."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.inference import foreground_probability, mask_of
from landslide_cli.core.layout import Layout, Tiling
from landslide_cli.core.palette import IGNORE, Mask
from landslide_cli.core.streaming import Strip, predict_block
from landslide_cli.core.symmetries import averaged
from landslide_cli.core.tiler import Image, Probabilities, Window
from landslide_cli.core.windows import Watch
from landslide_cli.imagery.pictures import Reduced
from landslide_cli.imagery.reader import Reading, SceneReader
from landslide_cli.profile import Profile
from landslide_cli.reporting import Advance, Reporter
from landslide_cli.stages.engines import Shape
from landslide_cli.stages.planning import Plan, load_engine
from landslide_cli.stages.runs import Run
from landslide_cli.stages.sources import palette_of, reading_of, scales_of

# Columns, in pixels of the model, that are mapped in one go: what is held grows with the width up
# to here, and no further.
_MOST_COLS = 8192

# How often a scene that waits for the model looks whether it is still wanted, in seconds.
_PATIENCE = 0.2


@dataclass(frozen=True)
class Band:
    """Finished rows of a block of a scene, from its row `row_off` and column `col_off` on.

    `mask` has class indices, `IGNORE` where there is no data; `probability` is the foreground's;
    both are (rows, cols).
    """

    row_off: int
    col_off: int
    mask: Mask
    probability: NDArray[np.float32]


@dataclass(frozen=True)
class Recipe:
    """All that the maps of a scene follow from; it can be sent to another process.

    `fingerprint` is the model's: a run that was trained again is another recipe.
    """

    profile: Profile
    run: Run
    plan: Plan
    threshold: float | None
    fingerprint: str

    @property
    def key(self) -> str:
        """What tells recipes apart."""
        run = self.run.folder, self.fingerprint
        return repr((self.profile.model_dump_json(), run, self.plan, self.threshold))

    @property
    def reading(self) -> Reading:
        """How scenes become images for the model."""
        return reading_of(self.profile, self.run.standardized)

    def layout(self, path: Path, scene: SceneReader) -> Layout:
        """Lay out the windows over a scene.

        Raises:
            DataError: the scene's GSD is not known, or far from the model's.
        """
        plan, infer = self.plan, self.profile.infer
        scales = scales_of(self.profile, self.run.scale, path, scene)
        tiling = Tiling(
            plan.tile,
            infer.overlap,
            plan.batch,
            scales,
            plan.fitted,
            self.profile.model.multiple,
        )
        return tiling.layout(scene.height, scene.width)

    def __getstate__(self) -> dict[str, Any]:
        """Leave behind what the run has loaded."""
        return self.__dict__ | {"run": replace(self.run)}


class Mapper:
    """The model of a recipe.

    One scene at a time has the model, until its last window is predicted; meanwhile the next one is
    read, and the one before is finished.
    """

    def __init__(self, recipe: Recipe, reporter: Reporter) -> None:
        self.recipe = recipe
        plan = recipe.plan
        self._engine = load_engine(plan.engine, recipe.run, plan.threads, reporter)
        self._turn = threading.Lock()
        self._stopped = threading.Event()
        self.seconds = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        """Let go what the mapper holds."""

    def stop(self) -> None:
        """Have all scenes give up at their next window."""
        self._stopped.set()

    def prepare(self, layout: Layout) -> None:
        """Have the model ready for the windows of a scene."""
        self._engine.compiled(self._shape(layout), self.recipe.plan.precision)

    def blocks(self, layout: Layout) -> list[Window]:
        """Divide a scene into what is mapped in one go."""
        return list(layout.blocks(layout.height, round(_MOST_COLS / layout.cols.scale)))

    def bands(
        self,
        path: Path,
        scene: SceneReader,
        layout: Layout,
        picture: Reduced,
        advance: Advance,
    ) -> Iterator[Band]:
        """Map a scene: its blocks one after the other, each from top to bottom.

        Args:
            path: of the scene.
            scene: opened; another thread reads it.
            layout: of the scene.
            picture: given the scene's own pixels as they are read.
            advance: called for each window that is predicted.

        Raises:
            DataError: the scene cannot be read.
            Stopped: the mapper was told to stop.
        """
        for block in self.blocks(layout):
            yield from self.block_bands(scene, layout, block, picture.put, advance)

    def block_bands(
        self,
        scene: SceneReader,
        layout: Layout,
        block: Window,
        watch: Watch,
        advance: Advance = lambda: None,
    ) -> Iterator[Band]:
        """Map one block of a scene, from top to bottom."""
        turn = _Turn(self._turn, self._stopped)
        predict = self._predict(layout, turn, advance)
        classes = len(palette_of(self.recipe.profile))
        batch, threshold = self.recipe.plan.batch, self.recipe.threshold
        strips = predict_block(scene, predict, layout, block, classes, batch=batch, watch=watch)
        try:
            for strip in strips:
                yield _band_of(strip, threshold)
        finally:
            # A thread of the strips may wait for its turn, or have it.
            turn.cancel()
            strips.close()
            turn.give_up()

    def _predict(
        self, layout: Layout, turn: "_Turn", advance: Advance
    ) -> Callable[[Image], Probabilities]:
        """Return the model for a scene's windows; what it needs is prepared at the first call."""
        plan, shape = self.recipe.plan, self._shape(layout)
        turned = Shape(plan.batch, shape.cols, shape.rows)
        symmetries = self.recipe.profile.infer.tta

        def predict(windows: Image) -> Probabilities:
            turn.take()
            model = self._engine.compiled(shape, plan.precision)
            other = model
            if symmetries == "symmetries" and turned != shape:
                other = self._engine.compiled(turned, plan.precision)
            began = time.perf_counter()
            answer = averaged(model, other, symmetries)(windows)
            self.seconds += time.perf_counter() - began
            for _ in range(len(windows)):
                advance()
            return answer

        return predict

    def _shape(self, layout: Layout) -> Shape:
        grid = layout.grid
        return Shape(self.recipe.plan.batch, grid.rows.side, grid.cols.side)


class Stopped(Exception):  # noqa: N818 - nothing went wrong
    """The mapper was told to stop."""


class _Turn:
    """A scene's right to the model, from its first window to its last."""

    def __init__(self, lock: threading.Lock, stopped: threading.Event) -> None:
        self._lock, self._stopped = lock, stopped
        self._is_mine = self._cancelled = False

    def take(self) -> None:
        while not self._is_mine and not self._is_over():
            self._is_mine = self._lock.acquire(timeout=_PATIENCE)
        if self._is_over():
            raise Stopped

    def _is_over(self) -> bool:
        return self._cancelled or self._stopped.is_set()

    def cancel(self) -> None:
        self._cancelled = True

    def give_up(self) -> None:
        if self._is_mine:
            self._is_mine = False
            self._lock.release()


def _band_of(strip: Strip, threshold: float | None) -> Band:
    mask = mask_of(strip.probabilities, threshold)
    if strip.valid is not None:
        mask[~strip.valid] = IGNORE
    return Band(strip.row_off, strip.col_off, mask, foreground_probability(strip.probabilities))
