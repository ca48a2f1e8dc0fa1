"""The one way in which scenes are predicted: to map, score or picture them, or find a threshold.

What `evaluate` scores is what `infer-tiled` maps: the same scale or GSD, bands, pixels without
data, windows, test-time augmentation, engine and precision.
"""

from collections.abc import Generator
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.arrays import Image, Probabilities, Valid
from landslide_cli.core.palette import IGNORE, Mask
from landslide_cli.core.tiling.blur import blur_windows
from landslide_cli.core.tiling.grid import Window
from landslide_cli.core.tiling.layout import Layout
from landslide_cli.core.tiling.predict import (
    channels_of,
    foreground_probability,
    mask_of,
    predict_scene,
)
from landslide_cli.core.tiling.source import ImageSource, Source
from landslide_cli.core.tiling.streaming import Predict, Strip, predict_block
from landslide_cli.core.tiling.tta import average_views
from landslide_cli.core.tiling.windows import OnPixels
from landslide_cli.imagery.raster.preprocessing import Preprocessing
from landslide_cli.imagery.raster.reader import SceneReader
from landslide_cli.profile import Profile
from landslide_cli.runs.engines import BatchShape, Engine
from landslide_cli.runs.plan import Plan
from landslide_cli.runs.run import Run
from landslide_cli.runs.samples import Sample


@dataclass(frozen=True)
class ScenePrediction:
    """The prediction of a whole scene.

    `probabilities` are (rows, cols, channels) float32 at the scene's own size, `valid` which pixels
    hold data, (rows, cols), None for all. `chosen` are the foreground's classes, empty for all but
    the first.
    """

    probabilities: Probabilities
    valid: Valid = None
    chosen: tuple[int, ...] = ()

    def mask(self, threshold: float | None) -> Mask:
        """Return the class of each pixel, `IGNORE` where there is no data, (rows, cols) uint8."""
        return masked(mask_of(self.probabilities, threshold, self.chosen), self.valid)

    @property
    def foreground(self) -> NDArray[np.float32]:
        """The probability of the foreground, (rows, cols) in [0, 1]."""
        return foreground_probability(self.probabilities, self.chosen)


def masked(mask: Mask, valid: Valid) -> Mask:
    """Mark the pixels of a mask that hold no data, in place."""
    if valid is not None:
        mask[~valid] = IGNORE
    return mask


@dataclass(frozen=True)
class Prediction:
    """A sample with its ground truth and its prediction.

    `truth` is (rows, cols) uint8, `IGNORE` where there is no label or the image holds no data.
    `pixels` is how many pixels of the image one of these stands for, `samples` how many samples.
    """

    sample: Sample
    truth: Mask
    predicted: ScenePrediction
    pixels: float = 1.0
    samples: int = 1


class ScenePredictor:
    """A model in an engine, predicting scenes of any size by a plan.

    `chosen` are the foreground's classes, empty for all but the first.

    Args:
        profile: its `classes`, `foreground`, `infer.blur` and `infer.tta` are used.
        run: tells what a scene goes through before the model.
        plan: windows and precision.
        engine: with the run's model.
    """

    def __init__(self, profile: Profile, run: Run, plan: Plan, engine: Engine) -> None:
        self.plan, self._run = plan, run
        self._engine = engine
        self._blur, self._tta = profile.infer.blur, profile.infer.tta
        self._channels = channels_of(len(profile.palette))
        self.chosen = profile.palette.chosen

    def without_tta(self) -> Self:
        """Return the same model without test-time augmentation."""
        single = copy(self)
        single._tta = "none"
        return single

    def predict(self, path: Path, preprocessing: Preprocessing | None = None) -> ScenePrediction:
        """Predict a whole scene, which must fit into memory.

        Args:
            path: of the scene.
            preprocessing: what it goes through instead of that of the run.

        Raises:
            DataError: it cannot be read, or does not fit the model.
        """
        with SceneReader(path, preprocessing or self._run.preprocessing_of(path)) as scene:
            return self.predict_source(scene, scene.scales)

    def predict_image(
        self, image: Image, valid: Valid, preprocessing: Preprocessing
    ) -> ScenePrediction:
        """Predict an image in memory.

        Args:
            image: (rows, cols, bands), as the model takes the bands.
            valid: which pixels hold data, (rows, cols); the others are 0. None for all.
            preprocessing: its scale and standardization are used.
        """
        scales = preprocessing.scale, preprocessing.scale
        kept = () if preprocessing.composition is None else preprocessing.composition.kept
        source = ImageSource(image, preprocessing.standardized, valid, kept)
        return self.predict_source(source, scales)

    def predict_source(self, source: Source, scales: tuple[float, float]) -> ScenePrediction:
        """Predict what can be read piece by piece and fits into memory.

        Args:
            source: the scene.
            scales: the factors by which its rows and columns are resized for the model.
        """
        layout = self.plan.tiling(scales).layout(source.height, source.width)
        model, batch = self.model_for(layout), self.plan.batch
        probabilities, valid = predict_scene(source, model, layout, self._channels, batch)
        return ScenePrediction(probabilities, valid, self.chosen)

    def strips(
        self,
        scene: SceneReader,
        layout: Layout,
        block: Window,
        predict: Predict,
        on_pixels: OnPixels | None = None,
        floor: float | None = None,
    ) -> Generator[Strip]:
        """Predict a block of a scene of any size, in bounded memory; see `predict_block`.

        Args:
            scene: opened; another thread reads it.
            layout: of the scene, by the plan.
            block: of the scene.
            predict: `model_for(layout)`, or what the caller has wrapped around it.
            on_pixels: given the scene's own pixels as they are read.
            floor: as of `predict_block`.
        """
        return predict_block(
            scene,
            predict,
            layout,
            block,
            self._channels,
            batch=self.plan.batch,
            on_pixels=on_pixels,
            floor=floor,
        )

    def model_for(self, layout: Layout) -> Predict:
        """Return the model for a scene's windows, averaged over their views as the profile says.

        It is compiled at the first call.
        """
        upright = self._shape(layout)
        transposed = replace(upright, rows=upright.cols, cols=upright.rows)

        def predict(windows: Image) -> Probabilities:
            model = other = self._engine.compiled(upright, self.plan.precision)
            if self._tta == "symmetries":
                other = self._engine.compiled(transposed, self.plan.precision)
            averaged = average_views(model, other, self._tta)
            return averaged(blur_windows(windows, self._blur))

        return predict

    def compile(self, layout: Layout) -> None:
        """Compile the model for the windows of a scene."""
        self._engine.compiled(self._shape(layout), self.plan.precision)

    def _shape(self, layout: Layout) -> BatchShape:
        sides = layout.grid.rows.side, layout.grid.cols.side
        # The values of bands that a profile composes are not of 8 bits.
        is_float = self._run.preprocessing.composition is not None
        return BatchShape(self.plan.batch, *sides, is_float)
