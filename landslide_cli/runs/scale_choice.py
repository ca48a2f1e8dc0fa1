"""At which scale the model sees a scene whose GSD nobody knows: that at which it is surest.

A model that was trained at one GSD answers differently when a scene that is shown too large or too
small is turned. Where it marks landslides, its answers to the turned scene differ least at the GSD
of its training, whatever is on the ground; docs/inference.md has the measurement.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.arrays import Image, Valid
from landslide_cli.core.tiling.resampling import resample
from landslide_cli.core.tiling.source import Source
from landslide_cli.errors import LandslideError
from landslide_cli.imagery.mosaic import turned, turned_back
from landslide_cli.imagery.raster.preprocessing import Preprocessing
from landslide_cli.imagery.raster.reader import SceneReader
from landslide_cli.profile import Profile
from landslide_cli.reporting import Reporter, SilentReporter
from landslide_cli.runs.planning import load_predictor
from landslide_cli.runs.run import Run
from landslide_cli.runs.scene_predictor import ScenePredictor

# The scales that are tried, relative to the default one.
_FACTORS = (8.0, 4.0, 2.0, 1.0, 0.5)

# Windows of this side, in pixels of the model, up to this many along an axis; and the least side of
# a scene at a scale other than the default one.
_SIDE, _MOST, _LEAST = 512, 3, 64

# Quarter turns and their mirror images in which a window is seen.
_TURNS = (0, 1, 6, 7)

# Probability from which a pixel counts, and the share of them that a choice needs at least.
_LIKELY, _LEAST_SHARE = 0.3, 0.0005


def with_chosen_scales(
    profile: Profile,
    run: Run,
    images: Sequence[Path],
    reporter: Reporter,
    predictor: ScenePredictor | None = None,
) -> Run:
    """Choose the scale of each scene whose GSD is not known, if that of the model's input is.

    Args:
        profile: its `infer`, `model` and `classes` are used.
        run: the trained model.
        images: scenes; those that cannot be read are left as they are.
        reporter: shown the progress.
        predictor: of the run without test-time augmentation, if it is loaded.

    Returns:
        The run, with the chosen scales among what it says of these scenes.
    """
    unknown = [image for image in images if _is_unknown(image, run.preprocessing_of(image))]
    if not unknown:
        return run
    if predictor is None:
        alone = profile.infer.model_copy(update={"tta": "none"})
        profile = profile.model_copy(update={"infer": alone})
        with reporter.working("loading the model"):
            predictor = load_predictor(profile, run, unknown, SilentReporter())
    chosen = {}
    with reporter.track("choosing scales", len(unknown)) as advance:
        for image in unknown:
            advance(0.0, name=f"choosing scales: {image.stem}")
            preprocessing = run.preprocessing_of(image)
            with suppress(LandslideError, OSError), SceneReader(image, preprocessing) as scene:
                own = with_chosen_scale(scene, preprocessing, predictor)
                if own != preprocessing:
                    chosen[image] = own
            advance()
    return run.with_preprocessing(chosen)


def _is_unknown(image: Path, preprocessing: Preprocessing) -> bool:
    if preprocessing.resized_by != "gsd or scale" or preprocessing.gsd is None:
        return False
    try:
        with SceneReader(image, preprocessing) as scene:
            return scene.gsd is None
    except (LandslideError, OSError):
        return False  # reported when it is mapped


def with_chosen_scale(
    scene: Source, preprocessing: Preprocessing, predictor: ScenePredictor
) -> Preprocessing:
    """Choose the scale of a scene: that at which turned windows agree best.

    Args:
        scene: whose GSD is not known.
        preprocessing: of the run; its scale is the default one.
        predictor: of the run, without test-time augmentation.

    Returns:
        The preprocessing, with another scale if nothing speaks for the default one.

    Raises:
        DataError: the scene cannot be read.
    """
    scores: dict[float, float] = {}
    default = preprocessing.scale
    for factor in _FACTORS:
        scale = default * factor
        if factor != 1.0 and min(scene.height, scene.width) * scale < _LEAST:
            continue
        spread = _disagreement(scene, scale, preprocessing, predictor)
        if spread is not None:
            scores[scale] = spread
    # Of equal ones that which is nearest to the default; the default if nothing is marked at any.
    chosen = min(
        scores,
        key=lambda scale: (round(scores[scale], 3), abs(math.log(scale / default))),
        default=default,
    )
    if chosen == default:
        return preprocessing
    return replace(preprocessing, scale=chosen, resized_by="agreement")


def _disagreement(
    scene: Source, scale: float, preprocessing: Preprocessing, predictor: ScenePredictor
) -> float | None:
    """Return the mean deviation between turned views where foreground is likely; None for none."""
    as_shown = replace(preprocessing, scale=1.0)
    total = count = pixels = 0.0
    for image, valid in _windows(scene, scale):
        views = []
        for turn in _TURNS:
            shown, mask = turned((image, valid), turn)
            predicted = predictor.predict_image(
                np.ascontiguousarray(shown), np.ascontiguousarray(mask > 0), as_shown
            )
            views.append(turned_back(predicted.foreground, turn))
        stack = np.stack(views)
        likely = (stack.mean(axis=0) > _LIKELY) & (valid > 0)
        total += float(stack.std(axis=0)[likely].sum())
        count += float(likely.sum())
        pixels += float((valid > 0).sum())
    return total / count if count > _LEAST_SHARE * max(1.0, pixels) else None


def _windows(scene: Source, scale: float) -> Iterator[tuple[Image, NDArray[np.uint8]]]:
    """Yield windows spread over a scene, resized, with 1 where they hold data."""
    rows, cols = (_places(length, scale) for length in (scene.height, scene.width))
    for row_span, col_span in product(rows, cols):
        piece = scene.read(row_span, col_span)
        height, width = (
            max(1, round((end - start) * scale)) for start, end in (row_span, col_span)
        )
        image = resample(piece.image, width, height)
        yield image, _reduced(piece.valid, height, width)


def _reduced(valid: Valid, height: int, width: int) -> NDArray[np.uint8]:
    if valid is None:
        return np.ones((height, width), np.uint8)
    share = resample(valid.astype(np.float32)[..., None], width, height)
    return (share[..., 0] > 0.5).astype(np.uint8)


def _places(length: int, scale: float) -> list[tuple[int, int]]:
    """Divide a side of a scene into spans to look at, evenly spread; all of a short one."""
    side = min(length, round(_SIDE / scale))
    count = min(_MOST, math.ceil(length / side))
    starts = np.linspace(0, length - side, count).astype(int).tolist()
    return [(start, start + side) for start in starts]
