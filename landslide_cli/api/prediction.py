"""Images in memory, and rasters that fit into it, to probabilities."""

import threading
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.tiling.predict import class_probabilities
from landslide_cli.core.tiling.source import ImageSource
from landslide_cli.errors import DataError
from landslide_cli.imagery.raster.georeference import Georeference
from landslide_cli.imagery.raster.recognition import require_file
from landslide_cli.profile import Profile
from landslide_cli.reporting import Reporter
from landslide_cli.runs.planning import load_predictor
from landslide_cli.runs.run import Run, check_fold, find_run
from landslide_cli.runs.scale_choice import with_chosen_scale, with_chosen_scales
from landslide_cli.runs.scales import gsd_warnings, report_scales, scales_of
from landslide_cli.runs.scene_predictor import ScenePrediction, ScenePredictor

# How many models are kept loaded for the next call.
_KEPT = 2

# One call at a time loads or has a model.
_TURN = threading.Lock()


@dataclass(frozen=True)
class _Model:
    """A loaded model, and what is known of its run."""

    run: Run
    predictor: ScenePredictor


# By profile, file and the time of its last change.
_MODELS: dict[tuple[str, Path, int], _Model] = {}


def predicted_array(
    image: NDArray[np.uint8],
    valid: NDArray[np.bool_] | None,
    gsd: float | None,
    profile: Profile,
    reporter: Reporter,
) -> NDArray[np.float32]:
    """Predict an image in memory; see `landslide_cli.predict`.

    Raises:
        DataError: it does not fit the model.
    """
    if profile.composition is not None:
        raise DataError("image: the profile composes its bands of files; give the path of a raster")
    _check_image(image, valid, profile.model_inputs)
    image = np.ascontiguousarray(image)
    if valid is not None:
        valid = np.ascontiguousarray(valid, np.bool_)
        image = np.where(valid[..., None], image, np.uint8(0))
    with _TURN:
        model = _loaded(profile, reporter)
        source = ImageSource(image, model.run.preprocessing.standardized, valid)
        scales = _scales(source, gsd, model, reporter)
        return _as_returned(model.predictor.predict_source(source, scales))


def predicted_file(path: Path, profile: Profile, reporter: Reporter) -> NDArray[np.float32]:
    """Predict a raster as `infer-tiled` does; see `landslide_cli.predict`.

    Raises:
        DataError: it cannot be read, or does not fit the model.
    """
    require_file(path)
    with _TURN:
        model = _loaded(profile, reporter)
        single = model.predictor.without_tta()
        run = with_chosen_scales(profile, model.run, [path], reporter, single)
        report_scales(scales_of([path], run.preprocessing_of), reporter)
        return _as_returned(model.predictor.predict(path, run.preprocessing_of(path)))


def _check_image(image: NDArray[np.uint8], valid: NDArray[np.bool_] | None, bands: int) -> None:
    shape = image.shape
    expected = f"expected (height, width, {bands}) uint8, not {shape} {image.dtype}"
    if image.dtype != np.uint8:
        raise DataError(f"image: {expected}; scale its values to 0 to 255")
    if len(shape) == 3 and shape[0] == bands != shape[2]:
        raise DataError(f"image: {expected}; its bands come first: np.moveaxis(image, 0, -1)")
    if len(shape) != 3 or shape[2] != bands or 0 in shape:
        raise DataError(f"image: {expected}")
    if valid is not None and valid.shape != shape[:2]:
        raise DataError(f"valid: expected {shape[:2]}, not {valid.shape}")


def _scales(
    source: ImageSource, gsd: float | None, model: _Model, reporter: Reporter
) -> tuple[float, float]:
    """Return the factors for rows and columns, as for a file of this GSD; warn of what is odd."""
    preprocessing = replace(model.run.preprocessing, own_gsd=gsd)
    target = preprocessing.gsd
    if gsd is None and target is not None and preprocessing.resized_by == "gsd or scale":
        single = model.predictor.without_tta()
        preprocessing = with_chosen_scale(source, preprocessing, single)
        taken = target * preprocessing.scale
        reporter.warn(
            f"image: its GSD is not known, and taken as {taken:.3g} m per pixel; give gsd"
        )
    scales = preprocessing.scales_of(Path("image"), Georeference(), source.height, source.width)
    if gsd is not None:
        for text in gsd_warnings(gsd, gsd / scales[0], preprocessing):
            reporter.warn(f"image: {text}")
    return scales


def _as_returned(predicted: ScenePrediction) -> NDArray[np.float32]:
    """Return the foreground of two classes, or else all classes, with NaN where no data is."""
    probabilities = predicted.probabilities
    if predicted.valid is not None:
        probabilities[~predicted.valid] = np.nan
    if probabilities.shape[-1] == 1:
        return np.asarray(probabilities[..., 0])
    return class_probabilities(probabilities)


def _loaded(profile: Profile, reporter: Reporter) -> _Model:
    """Load the model of a profile, unless it is that of an earlier call."""
    check_fold(profile)
    run = find_run(profile)
    key = profile.model_dump_json(), run.file.resolve(), run.file.stat().st_mtime_ns
    if key not in _MODELS:
        model = _Model(run, load_predictor(profile, run, [], reporter))
        while len(_MODELS) >= _KEPT:
            del _MODELS[next(iter(_MODELS))]  # the oldest
        _MODELS[key] = model
    return _MODELS[key]
